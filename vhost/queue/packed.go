package queue

import (
	"encoding/binary"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// placed is an item whose message is in the store: where, and what the queue
// has to know without reading it.
type placed struct {
	ref         persistence.Ref
	seq         uint64
	expires     int64
	size        uint32
	returns     uint32
	redelivered bool
}

// item returns the item without message and record.
func (p *placed) item() item {
	return item{seq: p.seq, expires: p.expires, size: p.size, returns: p.returns, redelivered: p.redelivered}
}

// record returns the place's record, with m as its message, which may be nil
// where it is only to be settled.
func (p *placed) record(m *amqp.Message, id persistence.QueueID) *persistence.Record {
	return persistence.StoredRecord(m,
		persistence.Place{Queue: id, Seq: p.seq, Expires: p.expires, Returns: p.returns}, p.ref)
}

// What has changed from one placed to the next, as bits of its first byte. What
// follows is in this order: a chunk as the difference, with the index, or how
// much the index rises from now on; how much seq rises from now on; the size; the
// difference of expires; returns.
const (
	newChunk = 1 << iota
	newIndex
	newSeq
	newSize
	newExpires
	newReturns
	newRedelivered // the opposite of before
	// run marks a byte whose other bits are the number, less one, of placed in
	// a row in which nothing has changed: index and seq rise as before.
	run
)

// packer writes placed into bytes, at 1 to 4 bits each where they were published
// and stored in a row and are of one size. The zero value is ready.
type packer struct {
	buf  []byte
	walk stride
	same int // placed that are yet to be written as a run
}

// stride is the state that writing and reading share: the last placed, and by
// how much index and seq rise.
type stride struct {
	last       placed
	index, seq uint64
}

func (k *packer) add(p *placed) {
	w := &k.walk
	flags := byte(0)
	index := uint64(p.ref.Index) - uint64(w.last.ref.Index)
	if p.ref.Chunk != w.last.ref.Chunk {
		flags |= newChunk
	} else if index != w.index {
		flags |= newIndex
	}
	seq := p.seq - w.last.seq
	if seq != w.seq {
		flags |= newSeq
	}
	if p.size != w.last.size {
		flags |= newSize
	}
	if p.expires != w.last.expires {
		flags |= newExpires
	}
	if p.returns != w.last.returns {
		flags |= newReturns
	}
	if p.redelivered != w.last.redelivered {
		flags |= newRedelivered
	}
	if flags == 0 {
		k.same++
		w.last.ref.Index, w.last.seq = p.ref.Index, p.seq
		return
	}
	k.flush()
	k.write(flags, index, seq, p)
}

func (k *packer) write(flags byte, index, seq uint64, p *placed) {
	w := &k.walk
	b := append(k.buf, flags)
	if flags&newChunk != 0 {
		b = binary.AppendVarint(b, int64(p.ref.Chunk-w.last.ref.Chunk))
		b = binary.AppendUvarint(b, uint64(p.ref.Index))
	}
	if flags&newIndex != 0 {
		b = binary.AppendVarint(b, int64(index))
		w.index = index
	}
	if flags&newSeq != 0 {
		b = binary.AppendVarint(b, int64(seq))
		w.seq = seq
	}
	if flags&newSize != 0 {
		b = binary.AppendUvarint(b, uint64(p.size))
	}
	if flags&newExpires != 0 {
		b = binary.AppendVarint(b, p.expires-w.last.expires)
	}
	if flags&newReturns != 0 {
		b = binary.AppendUvarint(b, uint64(p.returns))
	}
	k.buf = b
	w.last = *p
}

// flush writes the run that is due.
func (k *packer) flush() {
	for k.same > 0 {
		n := min(k.same, int(run))
		k.buf = append(k.buf, run|byte(n-1))
		k.same -= n
	}
}

// take returns what was packed, in memory of its own, and starts anew.
func (k *packer) take() []byte {
	k.flush()
	b := append([]byte(nil), k.buf...)
	k.buf, k.walk = k.buf[:0], stride{}
	return b
}

// unpack yields the n placed of what a packer has written.
func unpack(b []byte, n int) func(yield func(placed) bool) {
	return func(yield func(placed) bool) {
		w, same := stride{}, 0
		for range n {
			if same == 0 && b[0]&run != 0 {
				same = int(b[0]&^run) + 1
				b = b[1:]
			}
			if same > 0 {
				same--
				w.last.ref.Index += uint32(w.index)
				w.last.seq += w.seq
			} else {
				b = w.read(b)
			}
			if !yield(w.last) {
				return
			}
		}
	}
}

// read takes one placed off b that differs from the last.
func (w *stride) read(b []byte) []byte {
	flags := b[0]
	b = b[1:]
	uvarint := func() uint64 {
		v, n := binary.Uvarint(b)
		b = b[n:]
		return v
	}
	varint := func() int64 {
		v, n := binary.Varint(b)
		b = b[n:]
		return v
	}
	p := &w.last
	if flags&newChunk != 0 {
		p.ref.Chunk += uint64(varint())
		p.ref.Index = uint32(uvarint())
	} else {
		if flags&newIndex != 0 {
			w.index = uint64(varint())
		}
		p.ref.Index += uint32(w.index)
	}
	if flags&newSeq != 0 {
		w.seq = uint64(varint())
	}
	p.seq += w.seq
	if flags&newSize != 0 {
		p.size = uint32(uvarint())
	}
	if flags&newExpires != 0 {
		p.expires += varint()
	}
	if flags&newReturns != 0 {
		p.returns = uint32(uvarint())
	}
	if flags&newRedelivered != 0 {
		p.redelivered = !p.redelivered
	}
	return b
}
