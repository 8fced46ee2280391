package exchange

import "github.com/leveretmq/leveret/amqp"

// dedupArgument makes an exchange deduplicate what is published to it. Whoever
// publishes does that: the exchange only says so.
const dedupArgument = "x-message-deduplication"

func deduplicates(args amqp.Table) bool {
	v, _ := args.Get(dedupArgument)
	return v == true
}

// Deduplicates reports whether what is published to the exchange must be looked
// at for duplicates first.
func (x *Exchange) Deduplicates() bool { return x.deduplicates }

// EquivalentArgument is Equivalent for one more argument, which counts whatever
// the type. Integers are compared by value.
func (x *Exchange) EquivalentArgument(name string, args amqp.Table) error {
	asked, received := args.Get(name)
	current, is := x.options.Arguments.Get(name)
	switch {
	case received != is:
		return x.inequivalent(name, typedValue(asked, received), typedValue(current, is))
	case !is || sameValue(asked, current):
		return nil
	}
	return x.inequivalent(name, quote(plain(asked)), quote(plain(current)))
}

func sameValue(a, b any) bool {
	_, integer := amqp.Int(a)
	_, also := amqp.Int(b)
	return plain(a) == plain(b) && (integer && also || amqp.TypeName(a) == amqp.TypeName(b))
}
