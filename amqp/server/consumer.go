package server

import (
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// consumer is a basic.consume: where a queue's deliveries enter a session.
type consumer struct {
	// immutable
	ch       *channel
	tag      string
	noAck    bool
	prefetch int // most unacked at a time, 0 for no limit
	queue    *queue.Queue
	handle   *queue.Consumer

	// guarded by the outbox's mu
	unacked   int
	starved   bool // parked for want of credit
	waiting   bool // parked for want of room in the outbox
	cancelled bool
	timedOut  bool // what it had is no longer its own: acks that come do nothing
}

// Offer takes a delivery if the client has credit for it and the outbox has
// room. It is the queue's call, under the queue's lock.
func (c *consumer) Offer(d queue.Delivery, fx *queue.Effects) bool {
	taken, owesWake := c.take(&d)
	if owesWake {
		fx.Wake(&c.ch.conn.out)
	}
	if taken && c.ch.conn.vhost.Tracing() {
		c.ch.tracer().deliver(&d, c.queue.Name(), fx)
	}
	return taken
}

// take gives the delivery its tag, enters it as unacked and appends its frames,
// all under one lock, so that tags and frames keep step.
func (c *consumer) take(d *queue.Delivery) (taken, owesWake bool) {
	ch := c.ch
	out := &ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if !c.acceptsLocked() {
		return false, false
	}
	ch.lastTag++
	if !c.noAck {
		ch.unacked.add(entry{ch.lastTag, c.queue, d.ID, c})
		c.unacked++
		ch.outstanding++
	}
	ch.sent.note(c.noAck, d.Redelivered)
	before := out.beginLocked()
	m := d.Message
	out.buf = amqp.AppendDeliver(out.buf, ch.number, c.tag, ch.lastTag, d.Redelivered, m.Exchange, m.RoutingKey)
	out.contentLocked(ch.number, propertiesOf(d), m.Body, ch.conn.frameMax)
	return true, out.noteLocked(before, true)
}

// acceptsLocked says whether the consumer can take a delivery now; if not, it
// notes who is to call Ready later.
func (c *consumer) acceptsLocked() bool {
	out := &c.ch.conn.out
	switch {
	case c.cancelled || out.closed:
		return false
	case !c.noAck && !c.creditLocked():
		c.starved = true
		return false
	case out.size >= outboxHigh:
		if !c.waiting {
			c.waiting = true
			out.waiting = append(out.waiting, c)
		}
		return false
	}
	return true
}

// creditLocked reports whether the prefetch limits leave room for one more
// unacked delivery.
func (c *consumer) creditLocked() bool {
	ch := c.ch
	return (c.prefetch == 0 || c.unacked < c.prefetch) &&
		(ch.globalPrefetch == 0 || ch.outstanding < ch.globalPrefetch)
}

// QueueGone is called, with no lock held, when the consumer's queue was deleted:
// a client that can be told is told [RabbitMQ's consumer cancel notification].
func (c *consumer) QueueGone() {
	out := &c.ch.conn.out
	out.mu.Lock()
	if c.cancelled {
		out.mu.Unlock()
		return
	}
	c.cancelled = true
	owesWake := false
	if c.ch.consumers[c.tag] == c {
		delete(c.ch.consumers, c.tag)
		owesWake = c.notifyLocked()
	} // else channel.enter tells the client
	out.mu.Unlock()
	if owesWake {
		out.Wake()
	}
	c.tellDeleted(internalUser)
}

// TimedOut is called, with no lock held, when the consumer has left a delivery
// unacked for too long, and all that it had is back in its queue. A client that
// can be told that it was cancelled is told; for another the channel is closed,
// by its reader, as in RabbitMQ 4.3.
func (c *consumer) TimedOut(after time.Duration, fx *queue.Effects) {
	ch := c.ch
	ch.conn.log.Warn().Uint16("channel", ch.number).Str("tag", c.tag).Str("queue", c.queue.Name()).
		Dur("timeout", after).Msg("consumer timed out waiting for acknowledgement")
	out := &ch.conn.out
	out.mu.Lock()
	owesWake, was := false, ch.consumers[c.tag] == c
	if was {
		delete(ch.consumers, c.tag)
		if ch.conn.caps.cancelNotify {
			owesWake = c.notifyLocked()
		} else {
			ch.conn.tooSlow = append(ch.conn.tooSlow, slowChannel{ch, after})
			ch.conn.interrupt()
		}
	}
	c.cancelled, c.timedOut = true, true
	ch.outstanding -= c.unacked
	c.unacked = 0
	var ready []*consumer
	if ch.globalPrefetch > 0 {
		ready = ch.fedLocked(nil)
	}
	out.mu.Unlock()
	if was {
		c.tellDeleted(internalUser)
	}
	for _, con := range ready {
		con.queue.Ready(con.handle, fx)
	}
	if owesWake {
		fx.Wake(out)
	}
}

// slowChannel is a channel that is to be closed because one of its consumers has
// exceeded its timeout.
type slowChannel struct {
	ch    *channel
	after time.Duration
}

// closeSlow closes the channels whose consumers were too slow. It reports whether
// there were any.
func (c *conn) closeSlow() bool {
	_ = c.nc.SetReadDeadline(time.Time{}) // before we look: who comes later interrupts again
	c.out.mu.Lock()
	slow := c.tooSlow
	c.tooSlow = nil
	c.out.mu.Unlock()
	for _, s := range slow {
		if c.channels[s.ch.number] != s.ch || s.ch.closing {
			continue
		}
		// The error is soft, so the connection goes on.
		_ = c.fail(s.ch, amqp.PreconditionFailed("delivery acknowledgement on channel %d timed out. Timeout value used: "+
			"%d ms. This timeout value can be configured, see consumers doc guide to learn more",
			s.ch.number, s.after.Milliseconds()), 0)
	}
	c.finishBatch()
	return len(slow) > 0
}

// notifyLocked tells a client that can be told that its consumer was cancelled.
func (c *consumer) notifyLocked() (owesWake bool) {
	if c.ch.conn.caps.cancelNotify {
		// The tag came off the wire or is our own, so it can be encoded.
		owesWake, _ = c.ch.conn.out.sendLocked(c.ch.number, &amqp.BasicCancel{ConsumerTag: c.tag, NoWait: true})
	}
	return owesWake
}

// propertiesOf are the properties as delivered: the message's own, with
// x-delivery-count where the queue counts, and with x-attempts, the number of
// this delivery from 2 on, where it lets messages come back later.
func propertiesOf(d *queue.Delivery) amqp.Properties {
	if d.Returns == 0 || !d.ShowReturns && !d.ShowAttempts {
		return d.Message.Properties
	}
	headers, err := d.Message.Headers()
	if err == nil {
		if d.ShowReturns {
			headers = headers.With("x-delivery-count", int64(d.Returns))
		}
		if d.ShowAttempts {
			headers = headers.With("x-attempts", int64(d.Returns)+1)
		}
		var props amqp.Properties
		props, err = d.Message.Properties.WithHeaders(headers)
		if err == nil {
			return props
		}
	}
	return d.Message.Properties // it was valid when published, so this is not reached
}
