package vhost

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/queue"
)

// topology is the exchanges, queues and bindings of a vhost, with the indexes
// that make it cheap to take one of them out. It is guarded by the vhost's mu;
// all that changes it is in this file.
type topology struct {
	exchanges map[string]*exchange.Exchange
	queues    map[string]*queue.Queue
	// replies are the queues of direct reply-to: to be published to by name and
	// otherwise hidden.
	replies map[string]*queue.Queue
	// sources are, for each destination, the exchanges that it is bound to.
	sources map[exchange.Destination][]source
	// schedules hold, for exchanges that delay, what is not due yet.
	schedules map[*exchange.Exchange]*queue.Queue
	// exclusive are the exclusive queues by the connection that owns them.
	exclusive map[uint64]map[*queue.Queue]struct{}
	// defined is what of all this is in the store.
	defined definitions
	closed  bool

	events *events // nil: nobody is told
	author string  // who makes the change under way, for events; empty for the broker
}

// source is an exchange that leads to a destination by so many bindings.
type source struct {
	exchange *exchange.Exchange
	bindings int
}

func newTopology(d definitions) topology {
	return topology{
		defined:   d,
		exchanges: map[string]*exchange.Exchange{},
		queues:    map[string]*queue.Queue{},
		replies:   map[string]*queue.Queue{},
		sources:   map[exchange.Destination][]source{},
		schedules: map[*exchange.Exchange]*queue.Queue{},
		exclusive: map[uint64]map[*queue.Queue]struct{}{},
	}
}

// Exchange finds an exchange for routing; nil if there is none.
func (t *topology) Exchange(name string) *exchange.Exchange { return t.exchanges[name] }

// Queue finds a queue for routing.
func (t *topology) Queue(name string) (q exchange.Queue, ok bool) {
	if q, ok := t.queues[name]; ok {
		return q, true
	}
	if isReplyName(name) {
		if q, ok := t.replies[name]; ok {
			return q, true
		}
	}
	return nil, false
}

func (t *topology) addExchange(x *exchange.Exchange) { t.exchanges[x.Name()] = x }

func (t *topology) addQueue(q *queue.Queue, owner uint64) {
	t.queues[q.Name()] = q
	if owner == 0 {
		return
	}
	owned := t.exclusive[owner]
	if owned == nil {
		owned = map[*queue.Queue]struct{}{}
		t.exclusive[owner] = owned
	}
	owned[q] = struct{}{}
}

// removeQueue takes out a queue that has been closed, with all that leads to it.
func (t *topology) removeQueue(q *queue.Queue) {
	delete(t.queues, q.Name())
	t.defined.removeQueue(q)
	defer t.tellQueueDeleted(q)
	owner := q.Options().Owner
	if owned := t.exclusive[owner]; owned != nil {
		delete(owned, q)
		if len(owned) == 0 {
			delete(t.exclusive, owner)
		}
	}
	t.removeAbandoned(t.removeDestination(q, nil))
}

func (t *topology) addReply(q *queue.Queue) { t.replies[q.Name()] = q }

func (t *topology) removeReply(q *queue.Queue) { delete(t.replies, q.Name()) }

// removeExchange takes out an exchange with the bindings from it and to it.
func (t *topology) removeExchange(x *exchange.Exchange) {
	t.removeAbandoned([]*exchange.Exchange{x})
}

// removeAbandoned takes out exchanges, and the auto-delete ones that have no
// bindings left for that [RabbitMQ: the chain is followed to its end].
func (t *topology) removeAbandoned(gone []*exchange.Exchange) {
	for len(gone) > 0 {
		x := gone[len(gone)-1]
		gone = gone[:len(gone)-1]
		if t.exchanges[x.Name()] != x {
			continue // it was reached by two ways
		}
		delete(t.exchanges, x.Name())
		t.defined.removeExchange(x)
		t.removeSchedule(x)
		// Who still holds the exchange must not get anything routed by it.
		for _, b := range x.Bindings() {
			if removed := x.RemoveDestination(b.Destination); len(removed) > 0 {
				t.forgetSource(b.Destination, x, len(removed))
				t.defined.removeBindings(x, removed...)
				t.tellBindings("binding.deleted", x, internally, removed...)
			}
		}
		gone = t.removeDestination(x, gone)
		t.tellExchangeDeleted(x)
	}
}

// removeDestination removes all bindings to d and appends the exchanges that
// are abandoned because of it.
func (t *topology) removeDestination(d exchange.Destination, abandoned []*exchange.Exchange) []*exchange.Exchange {
	for _, s := range t.sources[d] {
		removed := s.exchange.RemoveDestination(d)
		t.defined.removeBindings(s.exchange, removed...)
		t.tellBindings("binding.deleted", s.exchange, internally, removed...)
		if s.exchange.Abandoned() {
			abandoned = append(abandoned, s.exchange)
		}
	}
	delete(t.sources, d)
	return abandoned
}

// bind adds a binding and reports whether it is new.
func (t *topology) bind(x *exchange.Exchange, to exchange.Destination, key string, args amqp.Table) (bool, error) {
	added, err := x.Bind(to, key, args)
	if err != nil || !added {
		return false, err
	}
	list := t.sources[to]
	for i := range list {
		if list[i].exchange == x {
			list[i].bindings++
			return true, nil
		}
	}
	t.sources[to] = append(list, source{x, 1})
	return true, nil
}

// unbind removes a binding and reports whether it was there. An auto-delete
// exchange goes with its last one.
func (t *topology) unbind(x *exchange.Exchange, to exchange.Destination, key string, args amqp.Table) bool {
	if !x.Unbind(to, key, args) {
		return false
	}
	t.forgetSource(to, x, 1)
	b := exchange.Binding{Destination: to, Key: key, Arguments: args}
	t.defined.removeBindings(x, b)
	t.tellBindings("binding.deleted", x, t.authorLocked(), b)
	if x.Abandoned() {
		t.removeExchange(x)
	}
	return true
}

// forgetSource notes that n bindings from x to d are gone.
func (t *topology) forgetSource(d exchange.Destination, x *exchange.Exchange, n int) {
	list := t.sources[d]
	for i := range list {
		if list[i].exchange != x {
			continue
		}
		if list[i].bindings -= n; list[i].bindings > 0 {
			return
		}
		last := len(list) - 1
		list[i] = list[last]
		list[last] = source{}
		if last == 0 {
			delete(t.sources, d)
		} else {
			t.sources[d] = list[:last]
		}
		return
	}
}

// dropAll closes all queues and empties the topology for good. What is stored
// stays stored.
func (t *topology) dropAll() {
	for _, all := range []map[string]*queue.Queue{t.queues, t.replies} {
		for _, q := range all {
			q.Close()
		}
	}
	for _, q := range t.schedules {
		q.Close()
	}
	*t = newTopology(definitions{})
	t.closed = true
}
