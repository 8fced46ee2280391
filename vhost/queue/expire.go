package queue

import "math"

// expire removes what has died at the head of the queue. A message behind one
// that lives waits its turn, even one of lower priority behind one of higher,
// as in RabbitMQ's classic queues; so does one that is not in memory.
func (c *core) expire(now int64, fx *Effects) {
	for c.mortal > 0 {
		it := c.ready.front()
		if it.expires == 0 || it.expires > now {
			return
		}
		if it.msg == nil {
			c.want = true
			return
		}
		c.counts.Expired++
		c.drop(it, Expired, fx)
		c.leave(it)
	}
}

// nextDeath is when expire has something to do next, or 0. It has not while it
// waits for the head to come to memory.
func (c *core) nextDeath() int64 {
	if c.mortal == 0 {
		return 0
	}
	it := c.ready.front()
	if it.msg == nil && c.want {
		return 0
	}
	return it.expires
}

// trimStep is how many messages are dropped at a time when trim is behind, a
// millisecond's work or so.
const trimStep = 1000

// trim drops from the head what is over the limits, if that is the queue's way.
// When it is behind, because a policy has made the queue far too long or because
// the head is not in memory, it leaves that to trimSome; but what has come before
// such a head does not wait for it.
func (c *core) trim(fx *Effects) {
	switch {
	case !c.tooLong():
	case !c.over:
		c.trimSome(math.MaxInt, fx)
	case c.want && c.ready.front().msg != nil:
		c.trimSome(trimStep, fx)
	}
}

// trimSome is trim that drops so many messages at most, and notes it if that is
// not all, or not all are in memory.
func (c *core) trimSome(most int, fx *Effects) {
	for c.over = false; c.tooLong(); most-- {
		it := c.ready.front()
		if c.over = it.msg == nil || most == 0; c.over {
			c.want = c.want || it.msg == nil
			return
		}
		c.counts.Dropped++
		c.drop(it, MaxLen, fx)
		c.leave(it)
	}
}

// tooLong reports whether there is something to trim.
func (c *core) tooLong() bool {
	l := &c.limits
	return l.Overflow == DropHead && c.ready.count > 0 &&
		(l.MaxLength >= 0 && int64(c.ready.count) > l.MaxLength || l.MaxBytes >= 0 && c.bytes > l.MaxBytes)
}
