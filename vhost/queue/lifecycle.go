package queue

import (
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// Consume enters a consumer, parked: it gets nothing before Ready, so that the
// session can answer the client first. The errors are RabbitMQ's. A quorum queue
// does not heed Exclusive.
func (q *Queue) Consume(s Spec) (*Consumer, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, amqp.NotFound("no queue '%s' in vhost '%s'", q.opts.Name, q.opts.VHost)
	}
	r := &q.core.consumers
	if q.quorum {
		s.Exclusive = false
	}
	if r.exclusive || s.Exclusive && (len(r.all) > 0 || r.single) {
		return nil, amqp.AccessRefused("queue '%s' in vhost '%s' in exclusive use", q.opts.Name, q.opts.VHost)
	}
	c := &Consumer{Spec: s}
	r.add(c)
	r.succeed() // with the new one, which is not ready, if with any
	q.core.setTimeout(c)
	q.lastUsed = time.Now()
	q.core.active = q.lastUsed.UnixNano()
	return c, nil
}

// CheckGet returns 405 if the queue cannot be asked for single messages, because
// it is a quorum queue with a single active consumer.
func (q *Queue) CheckGet() error {
	if !q.quorum || !q.opts.Limits.SingleActive {
		return nil
	}
	return amqp.ResourceLocked("cannot obtain access to locked queue '%s' in vhost '%s'. basic.get operations are not "+
		"supported by quorum queues with single active consumer", q.opts.Name, q.opts.VHost)
}

// Ready says that a consumer can take messages: at first, and after it was
// parked.
func (q *Queue) Ready(c *Consumer, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || c.gone {
		return
	}
	q.core.consumers.ready(c)
	now := q.nowLocked(nil)
	q.core.dispatch(now, fx)
	q.afterLocked(now)
}

// Cancel takes a consumer out. What it has unacked stays with it until it is
// settled. The last one to leave an auto-delete queue makes it unused.
//
// A session that ends must Requeue first and Cancel then, with its Receivers
// taking nothing more: else the next single active consumer would be served
// from behind what is about to come back.
func (q *Queue) Cancel(c *Consumer, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || c.gone {
		return
	}
	c.gone = true
	q.turnLocked(q.core.takeOver(q.core.consumers.remove(c)), fx)
	q.leftLocked(fx)
}

// takeOver makes a consumer ready whose turn has come, if there is one, and
// reports whether it may be served. It may have been parked for want of its turn
// only; if it cannot take anything it says so when offered.
func (c *core) takeOver(next *Consumer) bool {
	if next == nil || !next.started {
		return false
	}
	c.consumers.ready(next)
	return true
}

// yieldLocked lets another single active consumer take over if all that the one
// before has had is settled.
func (q *Queue) yieldLocked(fx *Effects) {
	q.turnLocked(q.core.takeOver(q.core.consumers.succeed()), fx)
}

// turnLocked serves a consumer that has taken over.
func (q *Queue) turnLocked(taken bool, fx *Effects) {
	if taken {
		now := q.nowLocked(nil)
		q.core.dispatch(now, fx)
		q.afterLocked(now)
	}
}

// leftLocked notes it if nobody consumes any more.
func (q *Queue) leftLocked(fx *Effects) {
	if len(q.core.consumers.all) > 0 {
		return
	}
	q.core.noteTaking(false, fx)
	q.lastUsed = time.Now()
	q.core.active = q.lastUsed.UnixNano()
	if q.opts.AutoDelete {
		fx.unused = append(fx.unused, q)
	}
}

// Delete closes the queue, unless a condition that was asked for does not hold,
// and returns how many ready messages went with it. Its consumers are told by
// way of fx. From then on Publish says Closed and everything else does nothing.
func (q *Queue) Delete(ifUnused, ifEmpty bool, fx *Effects) (ready int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return 0, nil
	case ifEmpty && q.core.ready.count > 0:
		return 0, amqp.PreconditionFailed("queue '%s' in vhost '%s' not empty", q.opts.Name, q.opts.VHost)
	case ifUnused && len(q.core.consumers.all) > 0:
		return 0, amqp.PreconditionFailed("queue '%s' in vhost '%s' in use", q.opts.Name, q.opts.VHost)
	}
	ready = q.core.ready.count
	q.deleteLocked(fx)
	return ready, nil
}

// DeleteUnused closes a queue that was reported unused and still is; it says
// whether it did.
func (q *Queue) DeleteUnused(fx *Effects) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.core.consumers.all) > 0 {
		return false
	}
	if term := q.core.limits.Expires; !q.opts.AutoDelete && (term == 0 || time.Since(q.lastUsed) < term) {
		return false // it has been used since; its timer runs again
	}
	q.deleteLocked(fx)
	return true
}

func (q *Queue) deleteLocked(fx *Effects) {
	fx.cancelled = append(fx.cancelled, q.core.consumers.all...)
	r := q.core.clear()
	r.add(q.core.unacked.slots)
	q.settleLocked(r, fx)
	q.closeLocked()
}

// Close stops the queue's clocks and lets go of its memory, as at the end of the
// broker: what is stored stays stored. Its consumers are not told. From then on
// it is like a queue that was deleted.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closeLocked()
	}
}

func (q *Queue) closeLocked() {
	q.closed = true
	for _, c := range q.core.consumers.all {
		c.gone = true
	}
	q.core.consumers = roster{}
	q.core.clear()
	q.core.unacked = unacked{}
	if q.death != nil {
		q.death.Stop()
	}
	if q.idle != nil {
		q.idle.Stop()
	}
	if q.slow != nil {
		q.slow.Stop()
	}
	if q.trimmer != nil {
		q.trimmer.Stop()
	}
	if q.wake != nil {
		q.wake.Stop()
	}
	if q.opts.Pager != nil {
		q.pageLocked()
		q.opts.Pager.leave(q)
	}
}

// afterLocked ends whatever may have changed what is ready.
func (q *Queue) afterLocked(now int64) {
	q.rearmLocked(now)
	q.rearmHeldLocked(now)
	if q.core.unacked.due != q.dueAt {
		q.rearmTimeoutLocked()
	}
	if q.core.over {
		q.trimMoreLocked()
	}
	if q.opts.Pager != nil {
		q.pageLocked()
	}
}

// rearmLocked sees to it that the timer fires when the next head dies.
func (q *Queue) rearmLocked(now int64) {
	if q.core.mortal == 0 && q.deathAt == 0 {
		return
	}
	at := q.core.nextDeath()
	if at == q.deathAt {
		return
	}
	q.deathAt = at
	switch {
	case at == 0:
		q.death.Stop()
	case q.death == nil:
		q.death = time.AfterFunc(time.Duration(at-now), q.expireHead)
	default:
		q.death.Reset(time.Duration(at - now))
	}
}

// expireHead runs on the timer's goroutine.
func (q *Queue) expireHead() {
	var fx Effects
	q.mu.Lock()
	if !q.closed {
		now := time.Now().UnixNano()
		q.deathAt = 0
		q.core.expire(now, &fx)
		q.afterLocked(now)
	}
	q.mu.Unlock()
	q.opts.Apply(&fx)
}

// expireUnused runs on the timer's goroutine, at the earliest moment at which
// the queue can have been unused for long enough.
func (q *Queue) expireUnused() {
	var fx Effects
	q.mu.Lock()
	if term := q.core.limits.Expires; !q.closed && term > 0 {
		left := time.Until(q.lastUsed.Add(term))
		switch {
		case len(q.core.consumers.all) > 0:
			q.idle.Reset(term)
		case left > 0:
			q.idle.Reset(left)
		default:
			fx.unused = append(fx.unused, q)
			// If it is in use again before DeleteUnused, its time is yet to come.
			q.idle.Reset(term)
		}
	}
	q.mu.Unlock()
	q.opts.Apply(&fx)
}
