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
	for _, id := range ids {
		if s := c.unacked.find(id); s != nil {
			c.counts.Acked++
			c.settle(&s.item, fx)
			c.unacked.remove(id)
		}
	}
}

func (c *core) reject(ids []ID, fx *Effects) {
	for _, id := range ids {
		if s := c.unacked.find(id); s != nil {
			c.counts.Rejected++
			c.drop(&s.item, Rejected, fx)
			c.unacked.remove(id)
		}
	}
}

// requeue puts messages back to their places. What is then over the limits is
// dropped before anything is handed out again, as in RabbitMQ.
func (c *core) requeue(ids []ID, fx *Effects) {
	for _, id := range ids {
		s := c.unacked.find(id)
		if s == nil {
			continue
		}
		it := s.item
		c.unacked.remove(id)
		it.redelivered = true
		it.returns++
		if c.limits.DeliveryLimit >= 0 && int64(it.returns) > c.limits.DeliveryLimit {
			c.drop(&it, DeliveryLimit, fx)
			continue
		}
		if it.rec != nil && it.msg.Persistent && c.id != 0 && c.countsReturns() {
			fx.Use(c.store)
			fx.Return(it.rec, int(it.place), it.returns)
		}
		c.enter(&it)
		c.ready.putBack(it)
	}
	c.trim(fx)
}

// countsReturns reports whether it matters, after a restart, how often a
// message came back.
func (c *core) countsReturns() bool {
	return c.limits.CountDeliveries || c.limits.DeliveryLimit >= 0
}

// drop gives up a message that has left the queue. Its dead letter and the end
// of its place are in the same effects.
func (c *core) drop(it *item, why Reason, fx *Effects) {
	c.deadLetter(it.msg, why, fx)
	c.settle(it, fx)
}

func (c *core) deadLetter(m *amqp.Message, why Reason, fx *Effects) {
	if c.limits.DeadLetter {
		fx.dead = append(fx.dead, DeadLetter{Queue: c.owner, Message: m, Reason: why})
	}
}
