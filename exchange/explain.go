package exchange

import (
	"slices"

	"github.com/leveretmq/leveret/amqp"
)

// Hop is a step of a message from an exchange to what is next.
type Hop struct {
	Exchange string
	// Alternate says that the exchange has no binding for the message, and that its
	// alternate exchange gets it; else Key and Arguments are those of a binding.
	Alternate bool
	Key       string
	Arguments amqp.Table
}

// Reached is a queue that a message reaches, and how: there may be other ways.
type Reached struct {
	Queue Queue
	Via   []Hop
}

// Explain is Route that says by which way a message gets to its queues, and Held is as
// after that. Nothing remembers the message. It takes the longer the more bindings there
// are to the same destinations.
func (r *Result) Explain(t Topology, x *Exchange, msg *amqp.Message) (reached []Reached) {
	e := explanation{r: r, t: t, msg: msg, found: map[Queue]bool{}}
	r.held = r.held[:0]
	r.table, r.decoded, r.dueRead = nil, false, false
	if x.IsDefault() {
		r.queues.reset()
		r.routeByName(t, msg)
		for _, q := range r.queues.list {
			reached = append(reached, Reached{q, []Hop{{Key: q.Name()}}})
		}
		return reached
	}
	e.exchanges = []visit{{x: x}}
	for i := 0; i < len(e.exchanges); i++ {
		e.visit(e.exchanges[i])
	}
	return e.reached
}

// visit is an exchange that is reached, and how.
type visit struct {
	x   *Exchange
	via []Hop
}

// explanation is an Explain under way.
type explanation struct {
	r         *Result
	t         Topology
	msg       *amqp.Message
	exchanges []visit
	found     map[Queue]bool
	reached   []Reached
}

func (e *explanation) visit(v visit) {
	r, x := e.r, v.x
	if x.delays && r.hold(x, e.msg) {
		return
	}
	matched := e.match(x.kind)
	if len(matched) == 0 {
		if name, ok := x.Alternate(); ok {
			e.add(e.t.Exchange(name), append(slices.Clone(v.via), Hop{Exchange: x.Name(), Alternate: true}))
		}
		return
	}
	for _, d := range matched {
		next, isExchange := d.(*Exchange)
		if isExchange && e.knows(next) || !isExchange && e.found[d] {
			continue
		}
		hop := Hop{Exchange: x.Name()}
		hop.Key, hop.Arguments = e.binding(x, d)
		via := append(slices.Clone(v.via), hop)
		if isExchange {
			e.add(next, via)
			continue
		}
		e.found[d] = true
		e.reached = append(e.reached, Reached{d, via})
	}
}

// match is what the bindings of a kind say. One that keeps what comes by does not keep
// this.
func (e *explanation) match(k kind) []Destination {
	e.r.matched = e.r.matched[:0]
	if h, ok := k.(*historyKind); ok {
		return slices.Clone(h.Match(e.r.matched))
	}
	k.match(e.msg, e.r)
	return slices.Clone(e.r.matched)
}

// binding finds one that leads the message to a destination: of several the oldest that
// would do so alone.
func (e *explanation) binding(x *Exchange, to Destination) (key string, args amqp.Table) {
	all := x.BindingsTo(to)
	for _, b := range all {
		kind := newKind(x.kindName())
		if k, ok := kind.(configured); ok && k.configure(x) != nil {
			break
		}
		if _, err := kind.Add(b.Key, b.Arguments, to); err == nil && len(e.match(kind)) > 0 {
			return b.Key, b.Arguments
		}
	}
	if len(all) == 0 {
		return "", nil
	}
	return all[0].Key, all[0].Arguments
}

// kindName is the type by which the exchange routes.
func (x *Exchange) kindName() string {
	if !x.delays {
		return x.options.Type
	}
	name, _ := delayedType(x.options.Arguments) // it was checked
	return name
}

func (e *explanation) knows(x *Exchange) bool {
	return slices.ContainsFunc(e.exchanges, func(v visit) bool { return v.x == x })
}

func (e *explanation) add(x *Exchange, via []Hop) {
	if x != nil && !e.knows(x) {
		e.exchanges = append(e.exchanges, visit{x, via})
	}
}
