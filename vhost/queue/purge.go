package queue

import "github.com/leveretmq/leveret/persistence"

// settledAtOnce is up to how many messages a purge or delete settles by itself;
// more are left to the pager.
const settledAtOnce = 1000

// Purge drops the messages that are ready, or will be after a delay, and returns
// how many that were. Unacked ones stay [1.7.2.7]. Of a long queue the pager tells the store bit by bit: after a
// crash before that is done, some are back.
func (q *Queue) Purge(fx *Effects) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0
	}
	n := q.core.ready.count + q.core.held.count()
	r := q.core.clear()
	r.returns = true
	q.settleLocked(r, fx)
	q.afterLocked(q.nowLocked(nil))
	return n
}

// settleLocked tells the store that messages are gone.
func (q *Queue) settleLocked(r *remains, fx *Effects) {
	switch {
	case r.count == 0:
	case r.count <= settledAtOnce || q.opts.Pager == nil:
		fx.Use(q.core.store)
		for rec, place := range r.all {
			fx.Settle(rec, place)
		}
	default:
		q.opts.Pager.settle(r)
	}
}

// clear drops what is ready and returns what of it the store knows.
func (c *core) clear() *remains {
	r := &remains{queue: c.id, count: c.recorded, held: c.held}
	if c.held != nil {
		r.count += c.held.recorded
	}
	if c.recorded > 0 {
		r.lines = c.ready
	}
	c.held = nil
	c.ready = newLines(c.limits.MaxPriority)
	c.bytes, c.memory, c.mortal, c.recorded, c.away = 0, 0, 0, 0, 0
	c.lasting = extent{}
	c.want, c.ahead, c.over = false, false, false
	c.purges++
	return r
}

// remains is what has left a queue all at once, and is to be settled.
type remains struct {
	queue   persistence.QueueID
	lines   lines
	held    *heldSet
	unacked []outstanding
	count   int // how many of them the store knows
	// returns says that what is not settled comes back after a restart; else
	// the queue is gone, and with it at the next start what was in it.
	returns bool
}

// add adds what is unacked.
func (r *remains) add(slots []outstanding) {
	r.unacked = slots
	for i := range slots {
		if slots[i].rec != nil {
			r.count++
		}
	}
}

// all yields what the store knows, once, and lets go of it.
func (r *remains) all(yield func(*persistence.Record, int) bool) {
	for i := range r.unacked {
		if rec := r.unacked[i].rec; rec != nil && !yield(rec, int(r.unacked[i].place)) {
			return
		}
		r.unacked[i] = outstanding{}
	}
	if !r.allHeld(yield) {
		return
	}
	for _, ln := range r.lines.all {
		if !settleItems(ln.back, yield) {
			return
		}
		for f := range ln.fifos {
			for s := f.head; s != nil; s = s.next {
				f.head = s.next
				if !r.segment(s, yield) {
					return
				}
			}
		}
	}
}

func (r *remains) allHeld(yield func(*persistence.Record, int) bool) bool {
	h := r.held
	if h == nil {
		return true
	}
	for i := range h.near {
		if it := &h.near[i]; it.rec != nil && !yield(it.rec, int(it.place)) {
			return false
		}
		h.near[i] = heldItem{}
	}
	for _, list := range [][]heldAway{h.loading, h.away} {
		for i := range list {
			if !yield(list[i].record(r.queue), 0) {
				return false
			}
		}
	}
	r.held = nil
	return true
}

func (r *remains) segment(s *segment, yield func(*persistence.Record, int) bool) bool {
	if s.packed == nil {
		return settleItems(s.items[s.first:s.end], yield)
	}
	for p := range unpack(s.packed, s.count()) {
		if !yield(p.record(nil, r.queue), 0) {
			return false
		}
	}
	return true
}

func settleItems(items []item, yield func(*persistence.Record, int) bool) bool {
	for i := range items {
		if it := &items[i]; it.rec != nil && !yield(it.rec, int(it.place)) {
			return false
		}
		items[i] = item{}
	}
	return true
}
