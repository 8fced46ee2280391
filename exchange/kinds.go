package exchange

import (
	"iter"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/binding"
)

// kind is what an exchange type does: keep bindings, and match a message
// against them.
type kind interface {
	bindings
	// match appends the destinations of the message to r.matched. It may name
	// one several times. If more than the routing key plays a part, it says so
	// by r.notByKey.
	match(msg *amqp.Message, r *Result)
}

// bindings is what all indexes of package binding have in common.
type bindings interface {
	Add(key string, args amqp.Table, to Destination) (added bool, err error)
	Remove(key string, args amqp.Table, to Destination) bool
	RemoveDestination(to Destination) []Binding
	Has(key string, args amqp.Table, to Destination) bool
	To(to Destination) []Binding
	All() iter.Seq[Binding]
	Len() int
}

// configured is a kind that has arguments of its own. It is called once, before
// anything else, with the exchange that it is for; the error is 406.
type configured interface {
	configure(x *Exchange) error
}

type directKind struct{ *binding.Direct[Destination] }

func (k directKind) match(msg *amqp.Message, r *Result) {
	r.matched = k.Match(msg.RoutingKey, &r.scratch, r.matched)
	for _, key := range msg.ExtraKeys {
		r.matched = k.Match(key, &r.scratch, r.matched)
	}
}

type fanoutKind struct{ *binding.Fanout[Destination] }

func (k fanoutKind) match(_ *amqp.Message, r *Result) { r.matched = k.Match(r.matched) }

type topicKind struct{ *binding.Topic[Destination] }

func (k topicKind) match(msg *amqp.Message, r *Result) {
	r.matched = k.Match(msg.RoutingKey, &r.scratch, r.matched)
	for _, key := range msg.ExtraKeys {
		r.matched = k.Match(key, &r.scratch, r.matched)
	}
}

type headersKind struct{ *binding.Headers[Destination] }

func (k headersKind) match(msg *amqp.Message, r *Result) {
	r.notByKey = true
	r.matched = k.Match(r.headers(msg), &r.scratch, r.matched)
}

// modulusKind hashes all routing keys, CC and BCC included, into one destination
// [RabbitMQ].
type modulusKind struct{ *binding.Modulus[Destination] }

func (k modulusKind) match(msg *amqp.Message, r *Result) {
	h := binding.HashText(msg.RoutingKey)
	for _, key := range msg.ExtraKeys {
		h = h.Then(binding.HashText(key))
	}
	r.matched = k.Match(h, r.matched)
}

type randomKind struct{ *binding.Random[Destination] }

func (k randomKind) match(_ *amqp.Message, r *Result) {
	r.notByKey = true
	r.matched = k.Match(r.matched)
}
