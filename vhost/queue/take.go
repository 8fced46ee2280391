package queue

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// Take removes messages that a browse has shown, if they are still ready or delayed,
// and returns them in no particular order. Each is in nobody's hands then: whoever takes
// it calls Settle of it, or gives it to PutBack. In the store it stays in its queue until
// then, so that a crash does it no harm. The queue does not count as used.
func (q *Queue) Take(picks []*Browsed, fx *Effects) (taken []*Browsed) {
	q.loading.Lock() // who reads a segment must find it as it was
	defer q.loading.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	t := taking{core: &q.core, wanted: make(map[uint64]*Browsed, len(picks))}
	for _, b := range picks {
		t.wanted[b.ID] = b
	}
	t.held()
	for p, ln := range q.core.ready.all {
		t.line(p, ln)
	}
	now := q.nowLocked(nil)
	q.core.dispatch(now, fx) // who waited for the first to be read need not any more
	q.afterLocked(now)
	return t.taken
}

// PutBack gives back what Take took: each goes to the place that it had.
func (q *Queue) PutBack(taken []*Browsed, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return // what is stored is still there after a restart, and else gone with the queue
	}
	now := time.Now().UnixNano()
	for _, b := range taken {
		if b.State == StateDelayed {
			q.core.hold(heldItem{item: b.it, due: b.due, why: b.why}, now, fx)
			continue
		}
		q.core.enter(&b.it)
		q.core.ready.putBack(b.it)
	}
	q.core.trim(fx)
	q.core.dispatch(now, fx)
	q.afterLocked(now)
}

// Settle ends the place of a message that was taken.
func (q *Queue) Settle(b *Browsed, fx *Effects) { q.core.settle(&b.it, fx) }

// Dying is how many dead letters there are to carry out.
func (fx *Effects) Dying() int { return len(fx.dead) }

// Idle reports whether there is nothing to be done or stored.
func (fx *Effects) Idle() bool { return !fx.Pending() && fx.batch.Empty() && len(fx.wakes) == 0 }

// taking is a Take under way.
type taking struct {
	core   *core
	wanted map[uint64]*Browsed // what was not found yet
	order  []uint64            // of them, sorted
	taken  []*Browsed
}

// take notes that a message was found and is in nobody's hands now.
func (t *taking) take(b *Browsed, it item, state State) {
	delete(t.wanted, it.seq)
	b.it, b.State = it, state
	t.taken = append(t.taken, b)
}

// line takes what is in the line of a priority.
func (t *taking) line(p uint8, ln *line) {
	t.order = t.order[:0]
	for seq := range t.wanted {
		t.order = append(t.order, seq)
	}
	if len(t.order) == 0 || ln.empty() {
		return
	}
	slices.Sort(t.order)
	before := len(t.taken)
	for _, f := range slices.AppendSeq([]*fifo(nil), ln.fifos) {
		t.fifo(f)
		if f.count == 0 && f != &ln.fresh {
			ln.forget(f)
		}
	}
	t.returned(ln)
	t.core.ready.count -= len(t.taken) - before
	t.core.ready.emptied(p, ln)
}

// fifo takes what is in a fifo.
func (t *taking) fifo(f *fifo) {
	for s := f.head; s != nil; {
		next := s.next
		if s.count() > 0 {
			end := uint64(math.MaxUint64)
			if next != nil && next.count() > 0 {
				end = next.front().seq
			}
			if t.any(s.front().seq, end) {
				n := s.count()
				if s.packed != nil {
					t.packed(s)
				} else {
					t.segment(s)
				}
				f.count -= n - s.count()
				if s.count() == 0 {
					f.remove(s)
				}
			}
		}
		s = next
	}
}

// any reports whether a place is wanted from one to before another.
func (t *taking) any(from, end uint64) bool {
	i, _ := slices.BinarySearch(t.order, from)
	return i < len(t.order) && t.order[i] < end
}

// segment takes what is in a segment in memory.
func (t *taking) segment(s *segment) {
	kept := s.first
	for i := s.first; i < s.end; i++ {
		it := s.items[i]
		if b := t.wanted[it.seq]; b != nil {
			t.uncount(&it)
			t.take(b, it, StateReady)
			continue
		}
		s.items[kept] = it
		kept++
	}
	clear(s.items[kept:s.end])
	s.end = kept
}

// uncount is core.leave but for the line.
func (t *taking) uncount(it *item) {
	c := t.core
	c.bytes -= int64(it.size)
	c.memory -= it.memory()
	if it.msg.Persistent {
		c.lasting.subtract(it)
	}
	if it.expires != 0 {
		c.mortal--
	}
	if it.rec != nil {
		c.recorded--
	}
}

// packed takes what is in a segment that is in the store only; its messages were read
// by the browse.
func (t *taking) packed(s *segment) {
	var k packer
	var first placed
	count, lasting := 0, s.lasting
	for p := range unpack(s.packed, s.count()) {
		b := t.wanted[p.seq]
		if b == nil {
			if count == 0 {
				first = p
			}
			count++
			k.add(&p)
			continue
		}
		it := p.item()
		it.msg = b.Message
		it.rec = p.record(it.msg, t.core.id)
		t.core.away--
		t.core.bytes -= int64(p.size)
		t.core.recorded--
		if p.expires != 0 {
			t.core.mortal--
		}
		if it.msg.Persistent {
			t.core.lasting.subtract(&it)
			lasting.subtract(&it)
		}
		t.take(b, it, StateReady)
	}
	if count < s.count() {
		s.packed, s.first, s.end = k.take(), 0, count
		s.stub, s.lasting = first.item(), lasting
	}
}

// returned takes what came back to the line.
func (t *taking) returned(ln *line) {
	for i := len(ln.back) - 1; i >= 0; i-- {
		if !t.any(ln.back[i].seq, ln.back[i].seq+1) {
			continue
		}
		if b := t.wanted[ln.back[i].seq]; b != nil {
			it := ln.back.remove(i)
			t.uncount(&it)
			t.take(b, it, StateReady)
			i = min(i+1, len(ln.back)) // another has come to this place
		}
	}
}

// held takes what is delayed.
func (t *taking) held() {
	h := t.core.held
	if h == nil {
		return
	}
	for i := len(h.near) - 1; i >= 0; i-- {
		if b := t.wanted[h.near[i].seq]; b != nil {
			it := h.near.remove(i)
			t.core.unhold(&it)
			b.due, b.why = it.due, it.why
			t.take(b, it.item, StateDelayed)
			i = min(i+1, len(h.near))
		}
	}
	for i := len(h.away) - 1; i >= 0; i-- {
		b := t.wanted[h.away[i].seq]
		if b == nil {
			continue
		}
		a := h.away.remove(i)
		h.bytes -= int64(a.size)
		h.recorded--
		b.due, b.why = a.due, reasons[a.why]
		rec := persistence.StoredRecord(b.Message, persistence.Place{Queue: t.core.id, Seq: a.seq, Due: a.due,
			Expires: b.it.expires, Returns: a.returns}, a.ref())
		t.take(b, item{msg: b.Message, rec: rec, seq: a.seq, expires: b.it.expires, size: a.size, returns: a.returns,
			redelivered: a.redelivered}, StateDelayed)
		i = min(i+1, len(h.away))
	}
}

// remove takes out the item at i and returns it.
func (h *returned) remove(i int) item {
	s := *h
	it, last := s[i], len(s)-1
	s[i] = s[last]
	s[last] = item{}
	s = s[:last]
	*h = s
	if i == last {
		return it
	}
	for ; i > 0 && s[i].seq < s[(i-1)/2].seq; i = (i - 1) / 2 {
		s[i], s[(i-1)/2] = s[(i-1)/2], s[i]
	}
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s); child++ {
			if cmp.Less(s[child].seq, s[least].seq) {
				least = child
			}
		}
		if least == i {
			return it
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
