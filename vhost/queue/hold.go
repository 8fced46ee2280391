package queue

import (
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

const (
	// releaseMost is how many messages are let go on at once.
	releaseMost = 512
	// heldTick is the least time between two releases, so that many messages cost
	// few timers, and heldRest the longest between two looks at what is due: the
	// clock may be set.
	heldTick = time.Millisecond
	heldRest = time.Hour
	// deadRetry is how long a dead letter that nobody has taken waits.
	deadRetry = 5 * time.Second
)

// Due is a message whose time has come in a queue that passes on what it holds.
type Due struct {
	Queue   *Queue
	Message *amqp.Message
	// Again says that the message may have gone on before a restart.
	Again bool
}

// Hold keeps a message until due, in Unix nanoseconds, and then passes it on by
// way of Effects: it is never ready here. Only queues with PassesOn hold, and
// they hold transient messages like persistent ones. rec is as with Publish.
func (q *Queue) Hold(m *amqp.Message, due int64, rec **persistence.Record, fx *Effects) Outcome {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return Closed
	}
	c := &q.core
	now := time.Now().UnixNano()
	c.nextSeq++
	c.noteTimes(fx)
	c.counts.Published++
	it := heldItem{item: item{msg: m, size: uint32(len(m.Body)), seq: c.nextSeq, redelivered: m.Redelivered}, due: due}
	if c.id != 0 {
		if *rec == nil {
			*rec = persistence.NewRecord(m)
		}
		it.rec = *rec
		it.place = uint32(it.rec.Add(persistence.Place{Queue: c.id, Seq: it.seq, Due: due}))
		fx.Use(c.store)
	}
	c.hold(it, now, fx)
	q.afterLocked(now)
	return Accepted
}

// KeepDead holds a dead letter that no queue has taken, to be offered again. It
// is for those that are to be kept: see DeadLetter.
func (q *Queue) KeepDead(d *DeadLetter, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	now := time.Now()
	q.core.hold(heldItem{item: d.item, due: now.Add(deadRetry).UnixNano(), why: d.Reason}, now.UnixNano(), fx)
	q.afterLocked(now.UnixNano())
}

// rearmHeldLocked sees to it that the timer fires when there is something to be
// done for what is held.
func (q *Queue) rearmHeldLocked(now int64) {
	h := q.core.held
	if h == nil || q.releasing || q.wakeAt == 0 && h.count() == 0 {
		return
	}
	if h.wantsLoad(now) {
		h.want = true
	}
	at := h.nextDue()
	if at == q.wakeAt {
		return
	}
	q.wakeAt = at
	d := q.untilDueLocked(at, now)
	switch {
	case at == 0:
		q.wake.Stop()
	case q.wake == nil:
		q.wake = time.AfterFunc(d, q.releaseDue)
	default:
		q.wake.Reset(d)
	}
}

// untilDueLocked is how long the timer for a time runs. What is overdue waits for
// others, and nothing is released shortly after something was.
func (q *Queue) untilDueLocked(at, now int64) time.Duration {
	d := time.Duration(at - now)
	switch since := time.Duration(now - q.releasedAt); {
	case d <= 0:
		d = heldTick
	case since >= 0 && since < heldTick:
		d = max(d, heldTick-since)
	}
	return min(d, heldRest)
}

// releaseDue runs on the timer's goroutine. Nothing else is released while what
// was is carried out, so that it stays in order.
func (q *Queue) releaseDue() {
	var fx Effects
	q.mu.Lock()
	if q.closed || q.releasing {
		q.mu.Unlock()
		return
	}
	now := time.Now().UnixNano()
	q.wakeAt = 0
	q.releasing = true
	if q.core.release(now, releaseMost, &fx) {
		q.releasedAt = now
	}
	q.afterLocked(now)
	q.mu.Unlock()
	q.opts.Apply(&fx)
	if q.core.store != nil {
		q.core.store.Await()
	}
	q.mu.Lock()
	q.releasing = false
	if !q.closed {
		q.afterLocked(time.Now().UnixNano())
	}
	q.mu.Unlock()
}
