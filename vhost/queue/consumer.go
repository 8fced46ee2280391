package queue

import (
	"slices"
	"sync/atomic"
	"time"

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
	// ShowReturns asks for the header x-delivery-count, ShowAttempts for
	// x-attempts, if it came back before.
	ShowReturns, ShowAttempts bool
	Redelivered               bool
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
	// Timeout is how long it may leave a delivery unacked, 0 for ever, if
	// HasTimeout; else the queue says.
	Timeout    time.Duration
	HasTimeout bool
	// Prefetch and Arguments are kept to be shown.
	Prefetch  uint16
	Arguments amqp.Table
}

// Consumer is a consumer of a queue, as the queue knows it.
type Consumer struct {
	Spec // immutable

	active atomic.Bool

	// guarded by the queue's lock
	order      uint64 // of arrival
	started    bool   // Ready was called
	turn       *turn  // non-nil while it waits for messages
	next, prev *Consumer
	gone       bool
	unacked    int           // deliveries
	timeout    time.Duration // in force; 0 is none
	timedOut   time.Duration // the timeout that it has exceeded
}

// Active reports whether the consumer has deliveries, when there are messages:
// with a single active consumer only one of the queue's is.
func (c *Consumer) Active() bool { return c.active.Load() }

// TimedOut returns the timeout that the consumer has exceeded, and for which it
// was taken out of its queue; 0 if it was not. It is for whoever carries out the
// effect.
func (c *Consumer) TimedOut() time.Duration { return c.timedOut }

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
	// yielding says that the active one gets nothing more, because one of higher
	// priority is to take over when all that it has is settled.
	yielding bool
	timed    bool // some have a timeout
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
	switch {
	case !r.single:
		c.active.Store(true)
	case r.active == nil:
		r.activate(c)
	}
}

// activate makes a consumer the single active one.
func (r *roster) activate(c *Consumer) {
	if r.active != nil {
		r.park(r.active)
		r.active.active.Store(false)
	}
	r.active, r.yielding = c, false
	if c != nil {
		c.active.Store(true)
	}
}

// succeed lets a consumer of higher priority take over from the single active
// one, as in RabbitMQ's quorum queues; of several that which came first. It
// returns who may be waiting for messages now, if that has changed.
func (r *roster) succeed() *Consumer {
	if !r.single || r.active == nil {
		return nil
	}
	best := r.active
	for _, c := range r.all {
		if c.Priority > best.Priority {
			best = c
		}
	}
	switch {
	case best == r.active:
		if !r.yielding {
			return nil
		}
		r.yielding = false // the other has left
	case r.active.unacked > 0:
		r.yielding = true
		r.park(r.active)
		return nil
	default:
		r.activate(best)
	}
	return best
}

// remove takes a consumer out. If there is another single active one then, it is
// returned, because it may be waiting for messages.
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
	r.timed = r.timed && slices.ContainsFunc(r.all, func(o *Consumer) bool { return o.timeout > 0 })
	if r.active != c {
		return r.succeed()
	}
	var best *Consumer
	for _, other := range r.all {
		if best == nil || other.Priority > best.Priority {
			best = other
		}
	}
	r.activate(best)
	return best
}

// ready puts a consumer at the end of the round robin of its priority.
func (r *roster) ready(c *Consumer) {
	c.started = true
	if c.turn != nil || c.gone || (r.single && (r.active != c || r.yielding)) {
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
