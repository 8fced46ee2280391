package badger

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/leveretmq/leveret/persistence"
)

// What a group settled in chunks that live on, and what it noted of places, is
// one value or several. Each is a list of chunks:
//
//	chunk  number, how many runs, runs, how many notes, notes
//	run    places between this and the one before, length less one
//	note   places between this and the one before,
//	       returns (plus noteDue and then due, if that is not 0)
//
// The number of a chunk is the difference from the one before, and so is due.

// noteDue is more than returns can be.
const noteDue = 1 << 32

// settlesEncoder makes the content of such a value.
type settlesEncoder struct {
	buf    []byte
	last   uint64 // chunk
	due    int64  // of the last note that has one
	chunks int
}

// add appends what was settled in a chunk and noted of it, both in order and
// without repeats. Chunks come in order.
func (e *settlesEncoder) add(chunk uint64, settled []uint32, notes []note) {
	b := binary.AppendUvarint(e.buf, chunk-e.last)
	e.last, e.chunks = chunk, e.chunks+1
	b = binary.AppendUvarint(b, uint64(runs(settled)))
	next := uint32(0)
	for i := 0; i < len(settled); {
		n := runLength(settled[i:])
		b = binary.AppendUvarint(b, uint64(settled[i]-next))
		b = binary.AppendUvarint(b, uint64(n-1))
		next = settled[i] + uint32(n)
		i += n
	}
	b = binary.AppendUvarint(b, uint64(len(notes)))
	next = 0
	for _, n := range notes {
		b = binary.AppendUvarint(b, uint64(n.place-next))
		if n.Due == 0 {
			b = binary.AppendUvarint(b, uint64(n.Returns))
		} else {
			b = binary.AppendUvarint(b, uint64(n.Returns)+noteDue)
			b = binary.AppendVarint(b, n.Due-e.due)
			e.due = n.Due
		}
		next = n.place + 1
	}
	e.buf = b
}

// runs counts the runs of consecutive numbers.
func runs(p []uint32) (n int) {
	for len(p) > 0 {
		p = p[runLength(p):]
		n++
	}
	return n
}

// runLength returns how many numbers at the front of p are consecutive.
func runLength(p []uint32) int {
	n := 1
	for n < len(p) && p[n] == p[n-1]+1 {
		n++
	}
	return n
}

// note is what is noted of a place that came back.
type note struct {
	place uint32
	persistence.Note
}

// settlesVisitor is told what is in a value with settles.
type settlesVisitor struct {
	// chunk says that what follows is about it.
	chunk func(chunk uint64)
	// settled says that places from to to, without it, were settled.
	settled func(from, to uint32)
	noted   func(note)
}

// decodeSettles reads what settlesEncoder made. If it fails, some has been
// visited.
func decodeSettles(p []byte, v settlesVisitor) error {
	d := decoder{p: p}
	var chunk uint64
	var due int64
	for len(d.p) > 0 && !d.bad {
		chunk += d.uvarint()
		n := d.uvarint()
		if d.bad || n > uint64(len(d.p)) {
			break
		}
		v.chunk(chunk)
		next := uint64(0)
		for ; n > 0; n-- {
			gap, more := d.uvarint(), d.uvarint()
			from, to := next+gap, next+gap+more+1
			if d.bad || gap > math.MaxUint32 || more > math.MaxUint32 || to > math.MaxUint32 {
				return fmt.Errorf("%w: settled places", errValue)
			}
			next = to
			v.settled(uint32(from), uint32(to))
		}
		next = 0
		for n = d.uvarint(); n > 0 && !d.bad; n-- {
			gap, returns := d.uvarint(), d.uvarint()
			place := next + gap
			is := note{uint32(place), persistence.Note{Returns: uint32(returns)}}
			if returns >= noteDue {
				returns -= noteDue
				due += d.varint()
				is.Due = due
			}
			if d.bad || gap > math.MaxUint32 || place >= math.MaxUint32 || returns > math.MaxUint32 {
				return fmt.Errorf("%w: notes of places", errValue)
			}
			next = place + 1
			v.noted(is)
		}
	}
	if d.bad || len(d.p) > 0 {
		return fmt.Errorf("%w: settles cut short", errValue)
	}
	return nil
}
