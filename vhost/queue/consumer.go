package queue

import (
	"slices"

	"github.com/leveretmq/leveret/amqp"
)

// Delivery is one message handed to one consumer or getter.
type Delivery struct {
	Message *amqp.Message
	// ID settles the delivery. It has no meaning for a no-ack consumer, whose
	// deliveries are settled as they are made.
	ID ID
	// Returns is how often the message came back before.
	Returns uint32
	// ShowReturns asks for the header x-delivery-count.
	ShowReturns bool
	Redelivered bool
}

// Receiver is where a consumer's deliveries go.
type Receiver interface {
	// Offer hands over a delivery and reports whether it was taken. It is
	// called under the queue's lock and must not call the queue. After false
	// the consumer is parked: it is not offered anything until Ready. Wake-ups
	// go into fx.
	Offer(d Delivery, fx *Effects) bool
}

// Key tells consumers apart for people and for the store.
type Key struct {
	Connection uint64
	Channel    uint16
	Tag        string
}

// Spec describes a consumer.
type Spec struct {
	Key       Key
	Receiver  Receiver
	NoAck     bool
	Exclusive bool
	// Priority is x-priority: higher ones are served first while they can
	// take messages. Any sign.
	Priority int64
	// Prefetch and Arguments are kept to be shown.
	Prefetch  uint16
	Arguments amqp.Table
}

// Consumer is a consumer of a queue, as the queue knows it.
type Consumer struct {
	Spec // immutable

	// guarded by the queue's lock
	order      uint64 // of arrival
	started    bool   // Ready was called
	turn       *turn  // non-nil while it waits for messages
	next, prev *Consumer
	gone       bool
}

// turn is the round robin of the consumers of one priority that can take
// messages: a ring, whose head is served next.
type turn struct {
	priority int64
	head     *Consumer
}

func (t *turn) add(c *Consumer) {
	c.turn = t
	if t.head == nil {
		c.next, c.prev = c, c
		t.head = c
		return
	}
	c.next, c.prev = t.head, t.head.prev
	c.prev.next, c.next.prev = c, c
}

func (t *turn) remove(c *Consumer) {
	if c.next == c {
		t.head = nil
	} else {
		c.prev.next, c.next.prev = c.next, c.prev
		if t.head == c {
			t.head = c.next
		}
	}
	c.next, c.prev, c.turn = nil, nil, nil
}

// roster is the consumers of a queue.
type roster struct {
	all    []*Consumer // by arrival
	turns  []*turn     // by priority, highest first
	active *Consumer   // with a single active consumer: the one
	single bool
	// exclusive is set while a consumer has the queue to itself.
	exclusive bool
	arrivals  uint64
}

// add enters a consumer, parked.
func (r *roster) add(c *Consumer) {
	r.arrivals++
	c.order = r.arrivals
	r.all = append(r.all, c)
	r.exclusive = r.exclusive || c.Exclusive
	if r.single && r.active == nil {
		r.active = c
	}
}

// remove takes a consumer out. If it was the single active one, the next is
// returned, which may be waiting for messages.
func (r *roster) remove(c *Consumer) (successor *Consumer) {
	r.park(c)
	if i := slices.Index(r.all, c); i >= 0 {
		r.all = slices.Delete(r.all, i, i+1)
	}
	if !slices.ContainsFunc(r.all, func(o *Consumer) bool { return o.Priority == c.Priority }) {
		r.turns = slices.DeleteFunc(r.turns, func(t *turn) bool { return t.priority == c.Priority })
	}
	if c.Exclusive {
		r.exclusive = false
	}
	if r.active != c {
		return nil
	}
	r.active = nil
	for _, other := range r.all {
		if r.active == nil || other.Priority > r.active.Priority {
			r.active = other
		}
	}
	return r.active
}

// ready puts a consumer at the end of the round robin of its priority.
func (r *roster) ready(c *Consumer) {
	c.started = true
	if c.turn != nil || c.gone || (r.single && r.active != c) {
		return
	}
	i := 0
	for ; i < len(r.turns); i++ {
		if r.turns[i].priority == c.Priority {
			r.turns[i].add(c)
			return
		}
		if r.turns[i].priority < c.Priority {
			break
		}
	}
	t := &turn{priority: c.Priority}
	t.add(c)
	r.turns = append(r.turns, nil)
	copy(r.turns[i+1:], r.turns[i:])
	r.turns[i] = t
}

// park takes a consumer out of the round robin.
func (r *roster) park(c *Consumer) {
	if c.turn != nil {
		c.turn.remove(c)
	}
}

// next returns who is served next, or nil.
func (r *roster) next() *Consumer {
	for _, t := range r.turns {
		if t.head != nil {
			return t.head
		}
	}
	return nil
}

// served moves a consumer behind the others of its priority.
func (r *roster) served(c *Consumer) { c.turn.head = c.next }
