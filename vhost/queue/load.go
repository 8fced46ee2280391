package queue

import (
	"errors"

	"github.com/leveretmq/leveret/persistence"
)

// loadAhead is how many segments behind the first one are brought to memory
// with it, so that a consumer seldom waits for the disk.
const loadAhead = 2

// load is a packed segment that is being read.
type load struct {
	line  *line
	level uint8
	fifo  *fifo
	seg   *segment

	items []item   // what was read
	lost  []placed // what cannot be read any more
	bytes int64    // memory of items
}

// loads returns the packed segments that come next in the line that is served:
// the first and some behind it in their fifo, and of each other fifo the first
// if its turn comes before these are done.
func (c *core) loads() (out []*load) {
	if c.ready.count == 0 || !c.want && !c.ahead && c.ready.front().msg != nil {
		return nil
	}
	level := c.ready.top()
	ln := c.ready.line(level)
	_, first := ln.first()
	if first == nil {
		first = &ln.fresh
	}
	add := func(f *fifo, s *segment) {
		if s.packed != nil {
			out = append(out, &load{line: ln, level: level, fifo: f, seg: s})
		}
	}
	s := first.head
	for n := 1 + loadAhead; s != nil && n > 0; s, n = s.next, n-1 {
		add(first, s)
	}
	for f := range ln.fifos {
		if f != first && f.count > 0 && (s == nil || s.count() == 0 || f.front().seq < s.front().seq) {
			add(f, f.head)
		}
	}
	return out
}

// loadAndLock brings the first messages to memory and goes on with what waited
// for them. It returns with q.mu held, whatever the error; that is the store's.
func (q *Queue) loadAndLock(fx *Effects) error {
	q.loading.Lock()
	defer q.loading.Unlock()
	q.mu.Lock()
	loads, purges := q.core.loads(), q.core.purges
	q.mu.Unlock()
	held := q.takeHeld(purges)
	loads, err := q.read(loads)
	failure := held.read(q.core.store)
	q.mu.Lock()
	if q.core.purges != purges {
		return nil // they are gone
	}
	for _, l := range loads {
		q.core.install(l, fx)
	}
	q.installHeldLocked(held, failure, purges, fx)
	if err == nil {
		err = failure
	}
	if err == nil {
		q.core.want, q.core.ahead = false, false
	}
	now := q.nowLocked(nil)
	q.core.resume(now, fx)
	q.rearmLocked(now)
	return err
}

// resume goes on with what waited for messages to be in memory.
func (c *core) resume(now int64, fx *Effects) {
	if c.over {
		c.trimSome(trimStep, fx)
	}
	c.dispatch(now, fx)
}

// read fills in the loads, which are of segments that nobody unpacks meanwhile.
// It returns those that could be read: all, unless there is an error.
func (q *Queue) read(loads []*load) ([]*load, error) {
	for i, l := range loads {
		if err := l.read(q.core.store); err != nil {
			return loads[:i], err
		}
	}
	return loads, nil
}

// read reads the messages of the segment.
func (l *load) read(store persistence.Store) (failure error) {
	n := l.seg.count()
	all, refs := make([]placed, 0, n), make([]persistence.Ref, 0, n)
	for p := range unpack(l.seg.packed, n) {
		all, refs = append(all, p), append(refs, p.ref)
	}
	l.items = make([]item, 0, n)
	store.Read(refs, func(i int, r *persistence.Record, err error) {
		switch {
		case err == nil:
			it := all[i].item()
			r.Message.Redelivered = it.redelivered // the store has not kept it
			it.msg, it.rec, it.lasting = r.Message, r, r.Message.Persistent
			l.items = append(l.items, it)
			l.bytes += it.memory()
		case errors.Is(err, persistence.ErrDamaged):
			l.lost = append(l.lost, all[i])
		default:
			failure = err
		}
	})
	return failure
}

// install puts what was read in its place. What is damaged is gone: there is
// nothing left that could be delivered or dead-lettered.
func (c *core) install(l *load, fx *Effects) {
	c.away -= l.seg.count()
	gone := l.seg.lasting
	l.seg.unpack(l.items, l.bytes)
	c.memory += l.bytes
	for i := range l.lost {
		p := &l.lost[i]
		fx.Use(c.store)
		fx.Settle(p.record(nil, c.id), 0)
		c.counts.Damaged++
		c.recorded--
		c.bytes -= int64(p.size)
		if p.expires != 0 {
			c.mortal--
		}
	}
	if len(l.lost) == 0 {
		return
	}
	c.loseLasting(gone, l.items)
	c.ready.count -= len(l.lost)
	l.fifo.count -= len(l.lost)
	if len(l.items) == 0 {
		l.fifo.remove(l.seg)
	}
	if l.fifo.count == 0 {
		l.line.forget(l.fifo)
	}
	c.ready.emptied(l.level, l.line)
}

// loseLasting counts persistent messages that are lost: of those that were in a segment
// all but what is left. Of the lost ones themselves that is not known.
func (c *core) loseLasting(gone extent, left []item) {
	for i := range left {
		if left[i].lasting {
			gone.subtract(&left[i])
		}
	}
	c.lasting.count -= gone.count
	c.lasting.bytes -= gone.bytes
}
