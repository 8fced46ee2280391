package queue

import "github.com/leveretmq/leveret/amqp"

// Outcome is what became of a publish.
type Outcome uint8

// The outcomes of a publish.
const (
	// Accepted: the queue has the message, or has already handed it on.
	Accepted Outcome = iota
	// Refused: the queue is full and its overflow is reject-publish.
	Refused
	// Closed: the queue was deleted. The route must be asked again.
	Closed
)

// Counts are totals since the queue was declared.
type Counts struct {
	Published, Delivered, DeliveredNoAck, Got, GotNoAck, GotEmpty uint64
	Redelivered, Acked, Rejected, Expired, Dropped                uint64
}

// core is the queue as a state machine. Its methods take the time (Unix
// nanoseconds; 0 when nothing can expire) and add to fx what follows.
type core struct {
	owner     *Queue // for effects only
	limits    Limits
	ready     lines
	unacked   unacked
	consumers roster
	nextSeq   uint64
	bytes     int64 // bodies of ready messages
	mortal    int   // ready messages that have an expiry
	counts    Counts
}

func (c *core) full(m *amqp.Message) bool {
	l := &c.limits
	return l.MaxLength >= 0 && int64(c.ready.count)+1 > l.MaxLength ||
		l.MaxBytes >= 0 && c.bytes+m.Size() > l.MaxBytes
}

func (c *core) publish(m *amqp.Message, now int64, fx *Effects) Outcome {
	c.expire(now, fx)
	if c.limits.Overflow != DropHead && c.full(m) {
		if c.limits.Overflow == RejectPublishDLX {
			c.deadLetter(m, MaxLen, fx)
		}
		return Refused
	}
	c.nextSeq++
	c.counts.Published++
	c.enter(item{msg: m, seq: c.nextSeq, expires: c.deadline(m, now)})
	// A TTL of 0 means now or never: for this one attempt its time has not come.
	c.dispatch(now-1, fx)
	c.trim(fx)
	c.expire(now, fx)
	return Accepted
}

// deadline is when a message published now dies: the queue's TTL or the
// message's own, whichever is first.
func (c *core) deadline(m *amqp.Message, now int64) int64 {
	ttl := int64(c.limits.TTL)
	if m.Expiration >= 0 {
		if own := m.Expiration * 1e6; ttl < 0 || own < ttl {
			ttl = own
		}
	}
	if ttl < 0 {
		return 0
	}
	return now + ttl
}

// enter makes a new message ready.
func (c *core) enter(it item) {
	c.ready.push(it)
	c.bytes += it.msg.Size()
	if it.expires != 0 {
		c.mortal++
	}
}

// leave forgets what a ready message counted for.
func (c *core) leave(it *item) {
	c.bytes -= it.msg.Size()
	if it.expires != 0 {
		c.mortal--
	}
}

// dispatch hands ready messages to consumers until one or the other runs out.
// What is dead when it gets to the head expires instead.
func (c *core) dispatch(now int64, fx *Effects) {
	for c.expire(now, fx); c.ready.count > 0; c.expire(now, fx) {
		con := c.consumers.next()
		if con == nil {
			return
		}
		it := c.ready.front()
		d := Delivery{Message: it.msg, Redelivered: it.redelivered,
			Returns: it.returns, ShowReturns: c.limits.CountDeliveries}
		if con.NoAck {
			if !con.Receiver.Offer(d, fx) {
				c.consumers.park(con)
				continue
			}
			c.counts.DeliveredNoAck++
		} else {
			d.ID = c.unacked.put(*it, con)
			if !con.Receiver.Offer(d, fx) {
				c.unacked.take(d.ID)
				c.consumers.park(con)
				continue
			}
			c.counts.Delivered++
		}
		if it.redelivered {
			c.counts.Redelivered++
		}
		c.leave(it)
		c.ready.drop()
		c.consumers.served(con)
	}
}

// get takes the first ready message. The dead ones around it expire, so that
// they are neither handed out nor counted as left.
func (c *core) get(noAck bool, now int64, fx *Effects) (d Delivery, ok bool) {
	c.expire(now, fx)
	it := c.ready.front()
	if it == nil {
		c.counts.GotEmpty++
		return Delivery{}, false
	}
	d = Delivery{Message: it.msg, Redelivered: it.redelivered,
		Returns: it.returns, ShowReturns: c.limits.CountDeliveries}
	if noAck {
		c.counts.GotNoAck++
	} else {
		d.ID = c.unacked.put(*it, nil)
		c.counts.Got++
	}
	if it.redelivered {
		c.counts.Redelivered++
	}
	c.leave(it)
	c.ready.drop()
	c.expire(now, fx)
	return d, true
}

func (c *core) ack(ids []ID) {
	for _, id := range ids {
		if _, _, ok := c.unacked.take(id); ok {
			c.counts.Acked++
		}
	}
}

func (c *core) reject(ids []ID, fx *Effects) {
	for _, id := range ids {
		if it, _, ok := c.unacked.take(id); ok {
			c.counts.Rejected++
			c.deadLetter(it.msg, Rejected, fx)
		}
	}
}

// requeue puts messages back to their places. What is then over the limits is
// dropped before anything is handed out again, as in RabbitMQ.
func (c *core) requeue(ids []ID, fx *Effects) {
	for _, id := range ids {
		it, _, ok := c.unacked.take(id)
		if !ok {
			continue
		}
		it.redelivered = true
		it.returns++
		if c.limits.DeliveryLimit >= 0 && int64(it.returns) > c.limits.DeliveryLimit {
			c.deadLetter(it.msg, DeliveryLimit, fx)
			continue
		}
		c.ready.putBack(it)
		c.bytes += it.msg.Size()
		if it.expires != 0 {
			c.mortal++
		}
	}
	c.trim(fx)
}

// expire removes what has died at the head of the queue. A message behind one
// that lives waits its turn, even one of lower priority behind one of higher,
// as in RabbitMQ's classic queues.
func (c *core) expire(now int64, fx *Effects) {
	for c.mortal > 0 {
		it := c.ready.front()
		if it.expires == 0 || it.expires > now {
			return
		}
		msg := it.msg
		c.leave(it)
		c.ready.drop()
		c.counts.Expired++
		c.deadLetter(msg, Expired, fx)
	}
}

// nextDeath is when expire has something to do next, or 0.
func (c *core) nextDeath() int64 {
	if c.mortal == 0 {
		return 0
	}
	return c.ready.front().expires
}

// trim drops from the head what is over the limits, if that is the queue's way.
func (c *core) trim(fx *Effects) {
	l := &c.limits
	if l.Overflow != DropHead {
		return
	}
	for c.ready.count > 0 && (l.MaxLength >= 0 && int64(c.ready.count) > l.MaxLength ||
		l.MaxBytes >= 0 && c.bytes > l.MaxBytes) {
		it := c.ready.front()
		msg := it.msg
		c.leave(it)
		c.ready.drop()
		c.counts.Dropped++
		c.deadLetter(msg, MaxLen, fx)
	}
}

func (c *core) deadLetter(m *amqp.Message, why Reason, fx *Effects) {
	if c.limits.DeadLetter {
		fx.dead = append(fx.dead, DeadLetter{Queue: c.owner, Message: m, Reason: why})
	}
}

// purge drops what is ready and returns how many that were.
func (c *core) purge() int {
	n := c.ready.count
	c.ready = newLines(c.limits.MaxPriority)
	c.bytes, c.mortal = 0, 0
	return n
}
