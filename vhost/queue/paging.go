package queue

import (
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// reportBytes is by how much a queue's memory changes before the pager hears.
const reportBytes = 8 << 10

// coldAfter is how long nothing must leave a queue before its head may leave
// memory too.
const coldAfter = time.Second

// paging is what a queue and its pager know of each other.
type paging struct {
	// reported is how much memory of the queue the pager has counted. It is
	// written with mu held.
	reported atomic.Int64
	// guarded by mu
	asked bool   // the pager is to load
	moved uint64 // messages that had left the queue when the pager last looked,
	at    time.Time
}

// pageLocked tells the pager what has changed for it.
func (q *Queue) pageLocked() {
	p := &q.paging
	reported := p.reported.Load()
	switch d := q.core.memory - reported; {
	case d >= reportBytes, d <= -reportBytes, d != 0 && q.closed:
		p.reported.Store(reported + d)
		q.opts.Pager.count(d)
	}
	if (q.core.want || q.core.ahead || q.core.held.wants()) && !p.asked {
		p.asked = true
		q.opts.Pager.ask(q)
	}
}

// serve loads what is wanted, on the pager's goroutine. The error is the
// store's; the queue then still counts as one that has asked.
func (q *Queue) serve() error {
	var fx Effects
	err := q.loadAndLock(&fx)
	if err == nil || q.closed {
		err = nil
		q.paging.asked = false
	}
	q.afterLocked(q.nowLocked(nil))
	q.mu.Unlock()
	q.opts.Apply(&fx)
	return err
}

// pageOut makes a step of taking messages out of memory.
func (q *Queue) pageOut(o *step, deep bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	now := time.Now()
	q.core.pageOut(o, q.busyLocked(now), deep)
	if deep && q.core.held.count() > 0 {
		o.done = q.core.sweepHeld(now.UnixNano(), func(rec *persistence.Record, n int64) {
			o.batch.Append(rec, o.writer, uint64(n))
		}) || o.done
		q.rearmHeldLocked(now.UnixNano())
	}
	q.pageLocked()
}

// busyLocked reports whether messages have left the queue lately.
func (q *Queue) busyLocked(now time.Time) bool {
	n := &q.core.counts
	moved := n.Delivered + n.DeliveredNoAck + n.Got + n.GotNoAck + n.Expired + n.Dropped
	p := &q.paging
	if moved != p.moved {
		p.moved, p.at = moved, now
	}
	return now.Sub(p.at) < coldAfter
}
