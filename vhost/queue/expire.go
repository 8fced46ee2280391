package queue

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

// trim drops from the head what is over the limits, if that is the queue's way.
func (c *core) trim(fx *Effects) {
	l := &c.limits
	if l.Overflow != DropHead {
		return
	}
	c.over = false
	for c.ready.count > 0 && (l.MaxLength >= 0 && int64(c.ready.count) > l.MaxLength ||
		l.MaxBytes >= 0 && c.bytes > l.MaxBytes) {
		it := c.ready.front()
		if it.msg == nil {
			c.want, c.over = true, true
			return
		}
		c.counts.Dropped++
		c.drop(it, MaxLen, fx)
		c.leave(it)
	}
}
