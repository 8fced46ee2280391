package vhost

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/queue"
)

// Router publishes for one goroutine. It remembers the last exchange and the
// last route, for as long as the topology stays the same, so that who publishes
// to the same place again and again neither takes a lock of the vhost nor looks
// anything up.
type Router struct {
	v      *VHost
	result exchange.Result

	// the exchange that was asked for last
	named        *exchange.Exchange
	namedVersion uint64

	// the last route, if from is not nil
	from    *exchange.Exchange
	key     []byte // a copy: a message's key would keep its body in memory
	version uint64
	queues  []*queue.Queue

	routed     int // how many queues the last message has found
	throughput throughput

	held     []heldBy // where the last message waits
	releases bool     // messages are due: the exchange does not delay them
}

// NewRouter returns a Router, which belongs to one goroutine.
func (v *VHost) NewRouter() *Router { return &Router{v: v} }

// Exchange returns the exchange that a client wants to publish to: 404 if there
// is none of that name, 403 if it is internal.
func (r *Router) Exchange(name []byte) (*exchange.Exchange, error) {
	v := r.v
	if r.named != nil && r.namedVersion == v.version.Load() && string(name) == r.named.Name() {
		return r.named, nil
	}
	v.mu.RLock()
	x, version := v.exchanges[string(name)], v.version.Load()
	v.mu.RUnlock()
	if x == nil {
		return nil, v.noExchange(string(name))
	}
	if x.Internal() {
		return nil, amqp.AccessRefused("cannot publish to internal exchange '%s' in vhost '%s'", x.Name(), v.name)
	}
	r.named, r.namedVersion = x, version
	return x, nil
}

// Ticket says who is to be told when a message is stored, and by which number.
// The zero Ticket is nobody.
type Ticket struct {
	Waiter persistence.Waiter
	Number uint64
}

// Published says what became of a message.
type Published struct {
	// Routed: at least one queue was found for it, or it is a duplicate.
	Routed bool
	// Kept: some queue has taken it, or the schedule of an exchange.
	Kept bool
	// Duplicate: the exchange, or some queue, has seen its key and dropped it.
	Duplicate bool
	// Refused: the overflow of some queue refused it; others may have it.
	Refused bool
	// Stored: it is on its way into the store with the batch in fx, or that of
	// which it is a duplicate is on its way there. Unless it was Refused, the
	// ticket's waiter will be told, or was just now; else, and if it is not
	// Stored, nobody is told anything more.
	Stored bool
}

// Publish routes a message and gives it to its queues. It does not allocate,
// unless the exchange must decode headers or the message is to be stored. What
// follows from it is in fx.
func (r *Router) Publish(x *exchange.Exchange, m *amqp.Message, t Ticket, fx *queue.Effects) Published {
	return r.deliver(x, m, t, fx, nil)
}

// Routed returns the queues that were found for what was published last, whatever they
// did with it. The slice is valid until the next Publish.
func (r *Router) Routed() []*queue.Queue { return r.queues[:r.routed] }

// deliver is Publish that leaves out the queues of which skip, if set, is true.
func (r *Router) deliver(x *exchange.Exchange, m *amqp.Message, t Ticket, fx *queue.Effects, skip func(*queue.Queue) bool) Published {
	if x.Deduplicates() && !r.releases {
		return r.deliverOnce(x, m, t, fx, skip)
	}
	return r.deliverAny(x, m, t, fx, skip)
}

// deliverAny is deliver whatever the exchange has seen.
func (r *Router) deliverAny(x *exchange.Exchange, m *amqp.Message, t Ticket, fx *queue.Effects, skip func(*queue.Queue) bool) Published {
	var (
		p     Published
		rec   *persistence.Record
		stale bool
	)
	r.held = r.held[:0]
	queues := r.route(x, m)
	r.routed = len(queues)
	for _, q := range queues {
		if skip == nil || !skip(q) {
			stale = !p.offer(q, m, &rec, fx) || stale
		}
	}
	for _, h := range r.held {
		if h.queue.Hold(m, h.due, &rec, fx) == queue.Accepted {
			p.Routed, p.Kept = true, true
		}
	}
	if stale {
		r.deliverAgain(x, m, &p, &rec, fx, skip)
		r.routed = len(r.queues)
	}
	if p.Duplicate {
		t = r.awaitOriginals(m, t, &p, rec != nil)
	}
	if rec != nil {
		if p.Refused {
			t = Ticket{} // the publisher gets a nack for it, whatever others do
		}
		fx.Append(rec, t.Waiter, t.Number)
		p.Stored = true
	}
	return p
}

// offer gives a message to one queue. False: the queue was deleted after it was
// found.
func (p *Published) offer(q *queue.Queue, m *amqp.Message, rec **persistence.Record, fx *queue.Effects) bool {
	switch q.Publish(m, rec, fx) {
	case queue.Accepted:
		p.Kept = true
	case queue.Closed:
		return false
	case queue.Refused:
		p.Refused = true
	case queue.Duplicate:
		p.Duplicate = true
	}
	p.Routed = true
	return true
}

// deliverAgain asks for the route once more, because a queue was deleted after
// it was found, and delivers to queues that are new in it: one that was deleted
// and declared again gets the message.
func (r *Router) deliverAgain(x *exchange.Exchange, m *amqp.Message, p *Published, rec **persistence.Record, fx *queue.Effects, skip func(*queue.Queue) bool) {
	tried := make(map[*queue.Queue]struct{}, len(r.queues))
	for _, q := range r.queues {
		tried[q] = struct{}{}
	}
	for _, q := range r.find(x, m) {
		if _, ok := tried[q]; !ok && (skip == nil || !skip(q)) {
			p.offer(q, m, rec, fx)
		}
	}
}

// route returns the queues of a message. The slice is valid until the next call.
func (r *Router) route(x *exchange.Exchange, m *amqp.Message) []*queue.Queue {
	if r.from == x && r.version == r.v.version.Load() && string(r.key) == m.RoutingKey && len(m.ExtraKeys) == 0 {
		return r.queues
	}
	return r.find(x, m)
}

// find is route without the memory of the last one.
func (r *Router) find(x *exchange.Exchange, m *amqp.Message) []*queue.Queue {
	v := r.v
	clear(r.queues)
	r.queues = r.queues[:0]
	r.from = nil
	v.mu.RLock()
	for _, q := range r.ask(x, m) {
		r.queues = append(r.queues, q.(*queue.Queue)) // no other kind is bound
	}
	r.heldLocked()
	version := v.version.Load()
	v.mu.RUnlock()
	if r.result.ByKey() {
		r.from, r.version = x, version
		r.key = append(r.key[:0], m.RoutingKey...)
	}
	return r.queues
}

// ask asks the exchange for the queues of a message.
func (r *Router) ask(x *exchange.Exchange, m *amqp.Message) []exchange.Queue {
	if r.releases {
		return r.result.Release(&r.v.topology, x, m)
	}
	return r.result.Route(&r.v.topology, x, m)
}

// forget lets go of what the last message led to.
func (r *Router) forget() {
	clear(r.queues)
	r.queues, r.routed = r.queues[:0], 0
	r.from, r.named = nil, nil
	r.result.Reset()
}
