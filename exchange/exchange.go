package exchange

import (
	"slices"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/binding"
)

// Queue is where routing ends. Values must be comparable, as pointers are: two
// equal ones are the same queue.
type Queue interface {
	Name() string
}

// Destination is what a binding leads to: an *Exchange, or else a Queue.
type Destination interface {
	Name() string
}

// Binding leads from an exchange to a Destination.
type Binding = binding.Binding[Destination]

// Exchange is one exchange and the bindings of which it is the source. See the
// package for who may call what at which time.
type Exchange struct {
	// immutable
	options      Options
	alternate    string // argument alternate-exchange
	hasAlternate bool
	delays       bool // of type x-delayed-message
	deduplicates bool // argument x-message-deduplication

	// guarded by the lock of the topology
	kind            kind
	policyAlternate string

	counts counts
}

// VHost returns the name of the vhost that the exchange is in.
func (x *Exchange) VHost() string { return x.options.VHost }

// Name returns the name; that of the default exchange is empty.
func (x *Exchange) Name() string { return x.options.Name }

// Type returns the exchange type, one of the Type constants.
func (x *Exchange) Type() string { return x.options.Type }

// Durable reports whether the exchange survives a restart.
func (x *Exchange) Durable() bool { return x.options.Durable }

// AutoDelete reports whether the exchange goes with its last binding.
func (x *Exchange) AutoDelete() bool { return x.options.AutoDelete }

// Internal reports whether clients may not publish to the exchange.
func (x *Exchange) Internal() bool { return x.options.Internal }

// Arguments returns the arguments of the declare. Nobody changes them.
func (x *Exchange) Arguments() amqp.Table { return x.options.Arguments }

// Delays reports whether the exchange is of type x-delayed-message: it may hold
// messages, see Result.Held.
func (x *Exchange) Delays() bool { return x.delays }

// History returns the messages that an exchange of type x-recent-history has
// kept, oldest first; nil for other types. It may be called at any time; what it
// says agrees with the bindings only under the lock of the topology.
func (x *Exchange) History() []*amqp.Message {
	if k, ok := x.kind.(*historyKind); ok {
		return k.kept()
	}
	return nil
}

// IsDefault reports whether this is the exchange "", to which every queue is
// bound by its name without a binding being kept.
func (x *Exchange) IsDefault() bool { return x.options.Name == "" }

// Alternate returns the name of the exchange that gets what this one cannot
// route; ok is false if there is none. The argument wins over a policy. There
// need not be an exchange of that name.
func (x *Exchange) Alternate() (name string, ok bool) {
	if x.hasAlternate {
		return x.alternate, true
	}
	return x.policyAlternate, x.policyAlternate != ""
}

// SetPolicyAlternate sets the alternate exchange that a policy gives, "" for
// none.
func (x *Exchange) SetPolicyAlternate(name string) { x.policyAlternate = name }

// Bind adds a binding and reports whether it is new: bindings that agree in
// destination, key and arguments are one. The error is 406: arguments that the
// exchange type cannot use. The exchange keeps args.
func (x *Exchange) Bind(to Destination, key string, args amqp.Table) (added bool, err error) {
	return x.kind.Add(key, args, to)
}

// Unbind removes a binding and reports whether it was there.
func (x *Exchange) Unbind(to Destination, key string, args amqp.Table) (removed bool) {
	return x.kind.Remove(key, args, to)
}

// RemoveDestination removes all bindings that lead to the destination and
// returns them. It does not look at others, so it is cheap where there is
// nothing to remove.
func (x *Exchange) RemoveDestination(to Destination) []Binding {
	return x.kind.RemoveDestination(to)
}

// Bound reports whether there is such a binding.
func (x *Exchange) Bound(to Destination, key string, args amqp.Table) bool {
	return x.kind.Has(key, args, to)
}

// Bindings returns the bindings of which the exchange is the source, oldest
// first. The default exchange has none of its own.
func (x *Exchange) Bindings() []Binding {
	out := make([]Binding, 0, x.kind.Len())
	return slices.AppendSeq(out, x.kind.All())
}

// BindingsTo returns those that lead to the destination, oldest first.
func (x *Exchange) BindingsTo(to Destination) []Binding { return x.kind.To(to) }

// BindingCount returns the number of bindings of which the exchange is the
// source. While it is 0, the exchange is unused in the sense of delete if-unused.
func (x *Exchange) BindingCount() int { return x.kind.Len() }

// Abandoned reports whether the exchange has to go now: it is auto-delete and
// has no bindings. To be asked after bindings were removed; one that never had
// any stays [1.6.2.1, and RabbitMQ].
func (x *Exchange) Abandoned() bool { return x.options.AutoDelete && x.kind.Len() == 0 }
