package exchange

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/binding"
)

// Topology finds exchanges and queues by name. Route calls it under the lock
// that its own caller holds.
type Topology interface {
	// Exchange returns nil if there is none of that name.
	Exchange(name string) *Exchange
	// Queue returns false if there is none of that name.
	Queue(name string) (q Queue, ok bool)
}

// Result is the memory of Route, kept from one message to the next so that
// routing does not allocate, except where headers must be decoded. The zero
// value is ready. It belongs to one goroutine at a time. What it found last
// stays referenced until the next Route or Reset, and its memory stays as large
// as the widest route needed: where owners are many and mostly idle, share a
// few through a pool.
type Result struct {
	queues    distinct[Queue]
	exchanges distinct[*Exchange] // visited or about to be, in this order
	matched   []Destination       // what the bindings of one exchange say
	scratch   binding.Scratch

	table    amqp.Table // headers of the message
	decoded  bool       // table is set
	notByKey bool       // some exchange looked at more than the routing key

	held    []Held
	due     int64     // of the message, if dueRead
	dueRead bool      // its headers have been read for that
	release *Exchange // does not hold the message
}

// Route returns the queues of a message that was published to x, each once, in
// no particular order. The slice is valid until the next Route or Reset.
//
// Each exchange that is reached is visited once, so circles do no harm. The
// alternate exchange is visited when the exchange's own bindings match nothing;
// a binding to an exchange that has no use for the message is a match
// [RabbitMQ], and so is an exchange that holds it. Headers that do not decode
// count as absent: whoever takes a message from a client checks them there.
func (r *Result) Route(t Topology, x *Exchange, msg *amqp.Message) []Queue {
	r.queues.reset()
	r.held = r.held[:0]
	r.table, r.decoded, r.dueRead = nil, false, false
	r.notByKey = len(msg.ExtraKeys) > 0
	if x.IsDefault() {
		r.routeByName(t, msg)
		return r.queues.list
	}
	r.exchanges.reset()
	r.exchanges.add(x)
	for i := 0; i < len(r.exchanges.list); i++ {
		r.visit(t, r.exchanges.list[i], msg)
	}
	return r.queues.list
}

// ByKey reports whether the last Route depended on nothing but the exchange,
// the routing key and the topology, so that it may be remembered for them.
func (r *Result) ByKey() bool { return !r.notByKey }

// Held returns the exchanges at which the last Route ended because they delay
// the message, each once. The slice is valid until the next Route or Reset.
func (r *Result) Held() []Held { return r.held }

// Release is Route for a message that x has held and that is due now, in the
// form that Released gives it: x does not hold it again, whatever the clock says.
func (r *Result) Release(t Topology, x *Exchange, msg *amqp.Message) []Queue {
	r.release = x
	queues := r.Route(t, x, msg)
	r.release = nil
	return queues
}

// Reset lets go of queues, exchanges and headers of the last Route but keeps
// the memory, as for a pool.
func (r *Result) Reset() {
	r.queues.forget()
	r.exchanges.forget()
	clear(r.matched[:cap(r.matched)])
	clear(r.held[:cap(r.held)])
	r.held = r.held[:0]
	r.table, r.decoded, r.dueRead = nil, false, false
}

// routeByName is the default exchange: every queue is bound to it by its name.
// Only publishing reaches these bindings; as an alternate exchange the default
// exchange has none [RabbitMQ 3.10].
func (r *Result) routeByName(t Topology, msg *amqp.Message) {
	if q, ok := t.Queue(msg.RoutingKey); ok {
		r.queues.add(q)
	}
	for _, key := range msg.ExtraKeys {
		if q, ok := t.Queue(key); ok {
			r.queues.add(q)
		}
	}
}

// visit takes in what one exchange does with the message.
func (r *Result) visit(t Topology, x *Exchange, msg *amqp.Message) {
	if x.delays && r.hold(x, msg) {
		return
	}
	r.matched = r.matched[:0]
	x.kind.match(msg, r)
	if len(r.matched) == 0 {
		r.visitAlternate(t, x)
		return
	}
	// A first exchange asked for one key has named each destination once.
	first := len(r.queues.list) == 0 && len(msg.ExtraKeys) == 0
	for _, d := range r.matched {
		if next, ok := d.(*Exchange); ok {
			r.exchanges.add(next)
		} else if first {
			r.queues.addNew(d)
		} else {
			r.queues.add(d)
		}
	}
}

func (r *Result) visitAlternate(t Topology, x *Exchange) {
	name, ok := x.Alternate()
	if !ok {
		return
	}
	if alternate := t.Exchange(name); alternate != nil {
		r.exchanges.add(alternate)
	}
}

// headers decodes the headers of the message once a Route.
func (r *Result) headers(msg *amqp.Message) amqp.Table {
	if !r.decoded {
		r.decoded = true
		if t, err := msg.Headers(); err == nil {
			r.table = t
		}
	}
	return r.table
}
