package queue

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// place gives the record of a message, made with the first, a place in this
// queue.
func (c *core) place(it *item, rec **persistence.Record) {
	if *rec == nil {
		*rec = persistence.NewRecord(it.msg)
	}
	it.rec = *rec
	it.place = uint32(it.rec.Add(persistence.Place{Queue: c.id, Seq: it.seq, Expires: it.expires}))
}

// settle tells the store, if it knows the message, that it has left the queue
// for good.
func (c *core) settle(it *item, fx *Effects) {
	if it.rec != nil {
		fx.Use(c.store)
		fx.Settle(it.rec, int(it.place))
	}
}

func (c *core) ack(ids []ID, fx *Effects) {
	c.active = fx.Time()
	for _, id := range ids {
		if s := c.unacked.find(id); s != nil {
			c.counts.Acked++
			c.settle(&s.item, fx)
			c.unacked.remove(id)
		}
	}
}

func (c *core) reject(ids []ID, fx *Effects) {
	c.active = fx.Time()
	for _, id := range ids {
		if s := c.unacked.find(id); s != nil {
			c.counts.Rejected++
			c.drop(&s.item, Rejected, fx)
			c.unacked.remove(id)
		}
	}
}

// requeue puts messages back to their places, or holds them if they are to be
// tried again later. What is then over the limits is dropped before anything is
// handed out again, as in RabbitMQ.
func (c *core) requeue(ids []ID, why Cause, now int64, fx *Effects) {
	c.active = fx.Time()
	for _, id := range ids {
		s := c.unacked.find(id)
		if s == nil {
			continue
		}
		it := s.item
		c.unacked.remove(id)
		it.redelivered = true
		it.returns++
		due, over := c.nextTry(&it, why, now)
		if over || c.limits.DeliveryLimit >= 0 && int64(it.returns) > c.limits.DeliveryLimit {
			c.drop(&it, DeliveryLimit, fx)
			continue
		}
		if it.rec != nil && it.msg.Persistent && c.id != 0 && c.countsReturns() {
			fx.Use(c.store)
			fx.Return(it.rec, int(it.place), it.returns, due)
		}
		if due != 0 {
			c.hold(heldItem{item: it, due: due}, now, fx)
			continue
		}
		c.enter(&it)
		c.ready.putBack(it)
	}
	c.trim(fx)
}

// countsReturns reports whether it matters, after a restart, how often a
// message came back.
func (c *core) countsReturns() bool {
	return c.limits.CountDeliveries || c.limits.DeliveryLimit >= 0 || c.limits.Retry.Backoff != NoBackoff
}

// drop gives up a message that has left the queue. Its dead letter and the end
// of its place are in the same effects.
func (c *core) drop(it *item, why Reason, fx *Effects) {
	if c.limits.DeadLetter {
		d := c.makeDead(it, why)
		fx.dead = append(fx.dead, d)
		if d.Keep {
			return
		}
	}
	c.settle(it, fx)
}

// deadLetter gives up a message that never entered.
func (c *core) deadLetter(m *amqp.Message, why Reason, fx *Effects) {
	if c.limits.DeadLetter {
		fx.dead = append(fx.dead, c.makeDead(&item{msg: m, seq: c.recovered + 1}, why))
	}
}

// again reports whether a message may have left the queue before a restart, or
// another queue that it came from.
func (c *core) again(it *item) bool { return it.seq <= c.recovered || it.msg.Redelivered }

func (c *core) makeDead(it *item, why Reason) DeadLetter {
	l := &c.limits
	d := DeadLetter{
		Queue: c.owner, Message: it.msg, Reason: why,
		Exchange: l.DeadLetterExchange, Key: l.DeadLetterKey, HasKey: l.HasDeadLetterKey,
		Again: c.again(it), Keep: l.AtLeastOnce,
	}
	if l.Retry.Backoff != NoBackoff {
		if d.Attempts = it.returns; why == Rejected {
			d.Attempts++
		}
	}
	if d.Keep {
		d.item = *it
	}
	return d
}
