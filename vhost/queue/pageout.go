package queue

import (
	"cmp"
	"slices"

	"github.com/leveretmq/leveret/persistence"
)

// step is one bounded step of taking messages out of memory. It is made under
// one queue's lock.
type step struct {
	// segments is how many may still be packed or spilled, tries how many
	// segments may still be looked at.
	segments, tries int
	// least is how few items a last segment may have, unless they are large.
	least int
	// shelf is how many items must have come back to a line to be put into a
	// fifo, so that they can leave memory.
	shelf int
	// spill is how many bytes may still be handed to the store for want of a
	// place there; they are in batch, and writer waits for them.
	spill  int64
	batch  *persistence.Batch
	writer persistence.Waiter
	packer *packer
	done   bool // something was packed or spilled
}

// Fifos of items that came back are made of that many items, and there are not
// more of them in a line, for each is looked at with each message.
const (
	shelfMin = 2 * segmentMax
	shelfMax = 1 << 16
	shelves  = 64
)

// The bounds of a step: some 100 us under the queue's lock.
const (
	stepSegments = 4
	stepTries    = 64
)

// A last segment that is less than this stays in memory, for else a queue that
// gets a message now and then would become a chain of tiny ones.
const (
	packItems = 32
	packBytes = 16 << 10
)

// pageOut takes messages out of memory: those behind the head; with deep also
// those at the head, but where the queue is busy.
func (c *core) pageOut(o *step, busy, deep bool) {
	if c.ready.count == c.away {
		return
	}
	top := c.ready.top()
	for p, ln := range c.ready.all {
		keep := 1
		switch {
		case busy && p == top:
			keep = 1 + loadAhead
		case deep:
			keep = 0
		}
		if deep && len(ln.back) >= max(o.shelf, 1) && len(ln.late) < shelves {
			ln.shelve()
			o.done = true
		}
		for f := range ln.fifos {
			c.pageFifo(f, o, keep, deep)
		}
	}
}

// shelve makes a fifo of items that came back: those that are last in the heap,
// which stays a heap without them.
func (l *line) shelve() {
	keep := max(len(l.back)-shelfMax, 0)
	part := slices.Clone(l.back[keep:])
	slices.SortFunc(part, func(a, b item) int { return cmp.Compare(a.seq, b.seq) })
	f := new(fifo)
	for i := range part {
		f.push(&part[i])
	}
	l.late = append(l.late, f)
	if keep == 0 {
		l.back = nil
		return
	}
	clear(l.back[keep:])
	l.back = l.back[:keep]
}

// pageFifo takes segments of a fifo out of memory, but the first keep and, if
// it is not deep, the last.
func (c *core) pageFifo(f *fifo, o *step, keep int, deep bool) {
	s, row := f.head, true
	for ; s != nil && keep > 0; keep-- {
		s = s.next
	}
	for ; s != nil && o.segments > 0 && o.tries > 0; s = s.next {
		if s.packed != nil && f.out != nil && f.out.number >= s.number {
			s, row = f.out, true
		}
		last := s == f.tail && (!deep || s.count() == 0 || s.count() < o.least && s.bytes < packBytes)
		if last || s.packed == nil && !c.packSegment(s, o) {
			row = false
			continue
		}
		if row && (f.out == nil || f.out.number < s.number) {
			f.out = s
		}
	}
}

// packSegment packs a segment, if the store has all of its messages; those that
// it will not get otherwise are handed to it.
func (c *core) packSegment(s *segment, o *step) bool {
	o.tries--
	items := s.items[s.first:s.end]
	unknown, waiting := 0, 0
	for i := range items {
		// The last is the one that the store most likely does not have yet.
		if it := &items[len(items)-1-i]; it.rec == nil {
			unknown++
		} else if _, ok := it.rec.Ref(int(it.place)); !ok {
			waiting++
			break
		}
	}
	if unknown > 0 && o.spill > 0 {
		c.spill(items, o)
	}
	if unknown+waiting > 0 {
		return false
	}
	var first placed
	var lasting extent
	for i := range items {
		it := &items[i]
		ref, _ := it.rec.Ref(int(it.place))
		p := placed{ref, it.seq, it.expires, it.size, it.returns, it.redelivered}
		if i == 0 {
			first = p
		}
		o.packer.add(&p)
		if it.lasting {
			lasting.add(it)
		}
		c.memory -= it.memory()
	}
	c.away += len(items)
	s.pack(o.packer.take(), first, lasting)
	o.segments--
	o.done = true
	return true
}

// spill makes records of messages that are in memory only. If they leave the
// queue before they are written, the store leaves them out.
func (c *core) spill(items []item, o *step) {
	for i := range items {
		it := &items[i]
		if it.rec != nil {
			continue
		}
		it.rec, it.place = c.spillRecord(it, 0), 0
		c.recorded++
		n := it.memory()
		o.spill -= n
		o.batch.Append(it.rec, o.writer, uint64(n))
	}
	o.segments--
	o.done = true
}
