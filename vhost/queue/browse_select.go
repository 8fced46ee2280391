package queue

import (
	"cmp"
	"slices"
)

// unordered is messages of a queue that lie in no order of use to a browse.
type unordered interface {
	size(c *core) int
	// key is the order of the one at i; ok is false where there is none.
	key(c *core, i int) (due int64, seq uint64, ok bool)
	get(c *core, i int) Browsed
}

// selection is what comes first, in order, of what lies in no order.
type selection struct {
	list   []Browsed
	filled bool
	more   bool // there may be others behind the last
}

// fill looks for what comes first behind a cursor, unless there is some of it yet. It
// looks from the end on: what leaves a heap meanwhile moves others only towards the
// begin, so that they are found.
func (n *selection) fill(q *Queue, from unordered, after *Cursor, steps stepSizes) {
	if n.filled && (len(n.list) > 0 || !n.more) {
		return
	}
	*n = selection{filled: true}
	for i := -1; i != 0; {
		i = n.look(q, from, after, i, steps)
		if len(n.list) >= 2*steps.note {
			n.cut(steps.note)
		}
	}
	n.cut(steps.note)
}

// look looks at some, those before i or if that is negative from the end on, and
// returns before which it is to look next.
func (n *selection) look(q *Queue, from unordered, after *Cursor, i int, steps stepSizes) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := &q.core
	if size := from.size(c); i < 0 || i > size {
		i = size
	}
	bound, bounded := Cursor{}, n.more
	if bounded {
		last := &n.list[steps.note-1]
		bound = Cursor{due: last.due, seq: last.ID}
	}
	for looked := 0; i > 0 && looked < steps.look && len(n.list) < 2*steps.note; looked++ {
		i--
		due, seq, ok := from.key(c, i)
		if !ok || !after.before(due, seq) || bounded && bound.before(due, seq) {
			continue
		}
		b := from.get(c, i)
		b.ID, b.due = seq, due
		n.list = append(n.list, b)
	}
	return i
}

// cut keeps the first.
func (n *selection) cut(most int) {
	slices.SortFunc(n.list, func(a, b Browsed) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.ID, b.ID)) })
	n.list = slices.CompactFunc(n.list, func(a, b Browsed) bool { return a.ID == b.ID })
	if len(n.list) > most {
		clear(n.list[most:])
		n.list, n.more = n.list[:most], true
	}
}

// upTo takes out those up to a place. If others may be missing, behind which that is
// is in behind; else that is 0.
func (n *selection) upTo(horizon uint64) (taken []Browsed, behind uint64) {
	i := 0
	for i < len(n.list) && n.list[i].ID <= horizon {
		i++
	}
	taken = n.list[:i:i]
	n.list = n.list[i:]
	if len(n.list) == 0 && n.more && i > 0 {
		behind = taken[i-1].ID
	}
	return taken, behind
}

// returnedOf is what came back to the line of a priority.
type returnedOf uint8

func (p returnedOf) line(c *core) *line { return c.ready.line(uint8(p)) }

func (p returnedOf) size(c *core) int {
	if ln := p.line(c); ln != nil {
		return len(ln.back)
	}
	return 0 // it was purged
}

func (p returnedOf) key(c *core, i int) (int64, uint64, bool) { return 0, p.line(c).back[i].seq, true }

func (p returnedOf) get(c *core, i int) Browsed { return Browsed{it: p.line(c).back[i]} }

// unackedAll is what is unacked.
type unackedAll struct{}

func (unackedAll) size(c *core) int { return len(c.unacked.slots) }

func (unackedAll) key(c *core, i int) (int64, uint64, bool) {
	s := &c.unacked.slots[i]
	return 0, s.seq, s.msg != nil
}

func (unackedAll) get(c *core, i int) Browsed {
	s := &c.unacked.slots[i]
	return Browsed{State: StateUnacked, it: s.item, Consumer: s.consumer, Since: timeOf(int64(s.taken) << takenShift)}
}

// heldAll is what is held: what is near, away and being read.
type heldAll struct{}

func (heldAll) size(c *core) int { return c.held.count() }

func (heldAll) key(c *core, i int) (int64, uint64, bool) {
	near, away := c.held.place(i)
	if near != nil {
		return near.due, near.seq, true
	}
	return away.due, away.seq, true
}

func (heldAll) get(c *core, i int) Browsed {
	near, away := c.held.place(i)
	if near != nil {
		return Browsed{State: StateDelayed, it: near.item, why: near.why}
	}
	return Browsed{State: StateDelayed, ref: away.ref(), why: reasons[away.why], it: item{
		seq: away.seq, size: away.size, returns: away.returns, redelivered: away.redelivered}}
}

// place returns the one at i, wherever it is.
func (h *heldSet) place(i int) (near *heldItem, away *heldAway) {
	if i < len(h.near) {
		return &h.near[i], nil
	}
	if i -= len(h.near); i < len(h.away) {
		return nil, &h.away[i]
	}
	return nil, &h.loading[i-len(h.away)]
}
