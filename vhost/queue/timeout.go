package queue

import (
	"cmp"
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// ConsumerTimeout reads x-consumer-timeout, in milliseconds from 0, which is
// none, to ten years, from the arguments of basic.consume; ok is false if it is
// not there. The error is 406, as for the argument of a queue.
func ConsumerTimeout(vhost, queue string, args amqp.Table) (d time.Duration, ok bool, err error) {
	v, ok := args.Get(argTimeout)
	if !ok {
		return 0, false, nil
	}
	d, term := milliseconds(v, count)
	if term != "" {
		return 0, false, invalid(Options{VHost: vhost, Name: queue}, argTimeout, term)
	}
	return d, true, nil
}

// setTimeout gives a consumer the timeout that is in force for it.
func (c *core) setTimeout(con *Consumer) {
	con.timeout = c.limits.ConsumerTimeout
	if con.HasTimeout {
		con.timeout = con.Timeout
	}
	if con.NoAck {
		con.timeout = 0
	}
	c.consumers.timed = c.consumers.timed || con.timeout > 0
}

// setTimeouts does so for all consumers, after the queue's limit has changed. For
// what is out already the time begins now if it had none before.
func (c *core) setTimeouts(now int64) {
	c.consumers.timed = false
	for _, con := range c.consumers.all {
		c.setTimeout(con)
	}
	c.unacked.due = 0
	for i := range c.unacked.slots {
		s := &c.unacked.slots[i]
		if s.consumer == nil {
			continue
		}
		if s.consumer.gone { // it has left, and is not among all
			c.setTimeout(s.consumer)
		}
		if s.consumer.timeout > 0 && s.since == 0 {
			s.since = now
		}
		c.unacked.await(s)
	}
}

// start notes when a delivery was handed to a consumer that has a timeout.
func (u *unacked) start(id ID, now int64) {
	s := &u.slots[id.slot]
	s.since = now
	u.await(s)
}

// await sees to it that due is not behind the end of a delivery's time.
func (u *unacked) await(s *outstanding) {
	if s.since == 0 || s.consumer.timeout == 0 {
		return
	}
	if at := s.since + int64(s.consumer.timeout); u.due == 0 || at < u.due {
		u.due = at
	}
}

// late returns the consumers that have had a delivery for too long, who came
// first first.
func (u *unacked) late(now int64) (late []*Consumer) {
	u.due = 0
	for i := range u.slots {
		s := &u.slots[i]
		switch {
		case s.since == 0 || s.consumer.timeout == 0 || slices.Contains(late, s.consumer):
		case s.since+int64(s.consumer.timeout) <= now:
			late = append(late, s.consumer)
		default:
			u.await(s)
		}
	}
	slices.SortFunc(late, func(a, b *Consumer) int { return cmp.Compare(a.order, b.order) })
	return late
}

// of returns what a consumer has, in the order of the queue.
func (u *unacked) of(con *Consumer) (ids []ID) {
	for i := range u.slots {
		if s := &u.slots[i]; s.msg != nil && s.consumer == con {
			ids = append(ids, ID{slot: uint32(i), turn: s.turn})
		}
	}
	slices.SortFunc(ids, func(a, b ID) int { return cmp.Compare(u.slots[a.slot].seq, u.slots[b.slot].seq) })
	return ids
}

// timeOut takes from consumers that were too slow all that they have, and takes
// them out of the queue. As when a channel ends, messages are back in their
// places before somebody else is served.
func (c *core) timeOut(now int64, fx *Effects) {
	for _, con := range c.unacked.late(now) {
		left := con.gone
		con.gone, con.timedOut = true, con.timeout
		c.requeue(c.unacked.of(con), CauseTimeout, now, fx)
		if !left {
			c.takeOver(c.consumers.remove(con))
		}
		fx.cancelled = append(fx.cancelled, con)
	}
	c.dispatch(now, fx)
}

// rearmTimeoutLocked sees to it that the timer fires when a consumer can have
// been too slow, after that has changed.
func (q *Queue) rearmTimeoutLocked() {
	due := q.core.unacked.due
	q.dueAt = due
	wait := time.Until(time.Unix(0, due))
	switch {
	case due == 0:
		q.slow.Stop()
	case q.slow == nil:
		q.slow = time.AfterFunc(wait, q.timeOut)
	default:
		q.slow.Reset(wait)
	}
}

// timeOut runs on the timer's goroutine.
func (q *Queue) timeOut() {
	var fx Effects
	q.mu.Lock()
	if !q.closed {
		now := time.Now().UnixNano()
		q.dueAt = 0
		q.core.timeOut(now, &fx)
		if len(fx.cancelled) > 0 {
			q.leftLocked(&fx)
		}
		q.afterLocked(now)
	}
	q.mu.Unlock()
	q.opts.Apply(&fx)
}
