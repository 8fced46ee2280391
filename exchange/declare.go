package exchange

import (
	"fmt"
	"strconv"

	"github.com/leveretmq/leveret/amqp"
)

// Options are what exchange.declare says about an exchange [1.6.2.1], its name
// in its vhost included.
type Options struct {
	VHost, Name string
	// Type is one of the Type constants.
	Type string
	// Durable exchanges survive a restart of the broker.
	Durable bool
	// AutoDelete exchanges go with the last binding of which they are the source.
	AutoDelete bool
	// Internal exchanges cannot be published to, only bound.
	Internal bool
	// Arguments may hold alternate-exchange, a string, and what the type knows:
	// see the Type constants. Others are kept.
	Arguments amqp.Table
}

const alternateArgument = "alternate-exchange"

// CheckType returns 406 if there is no such exchange type. RabbitMQ checks this
// before anything else, also for an exchange that exists.
func CheckType(name string) error {
	if newKind(name) == nil && name != TypeDelayed {
		return amqp.PreconditionFailed("unknown exchange type '%s'", name)
	}
	return nil
}

// New returns an exchange without bindings. The error is 406: an unknown type,
// or an argument that the exchange or its type cannot use. The exchange keeps
// o.Arguments.
func New(o Options) (*Exchange, error) {
	if err := CheckType(o.Type); err != nil {
		return nil, err
	}
	x := &Exchange{options: o, delays: o.Type == TypeDelayed, deduplicates: deduplicates(o.Arguments)}
	if v, ok := o.Arguments.Get(alternateArgument); ok {
		name, isText := v.(string)
		if !isText {
			return nil, x.wrongType(alternateArgument, v)
		}
		x.alternate, x.hasAlternate = name, true
	}
	inner := o.Type
	if x.delays {
		var err error
		if inner, err = delayedType(o.Arguments); err != nil {
			return nil, err
		}
	}
	x.kind = newKind(inner)
	if k, ok := x.kind.(configured); ok {
		if err := k.configure(x); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// wrongType is the error for an argument that should be a string.
func (x *Exchange) wrongType(name string, v any) error {
	return amqp.PreconditionFailed("invalid type '%s' for arg '%s' in %s", amqp.TypeName(v), name, x.describe())
}

// Predeclared returns the exchanges that each vhost has from the start, the
// default exchange "" first. All are durable.
func Predeclared(vhost string) []*Exchange {
	return []*Exchange{
		predeclared(vhost, "", TypeDirect),
		predeclared(vhost, "amq.direct", TypeDirect),
		predeclared(vhost, "amq.fanout", TypeFanout),
		predeclared(vhost, "amq.headers", TypeHeaders),
		predeclared(vhost, "amq.match", TypeHeaders),
		predeclared(vhost, "amq.rabbitmq.trace", TypeTopic),
		predeclared(vhost, "amq.topic", TypeTopic),
	}
}

func predeclared(vhost, name, kind string) *Exchange {
	return &Exchange{
		options: Options{
			VHost: vhost, Name: name, Type: kind, Durable: true,
			Internal: name == "amq.rabbitmq.trace", // only the broker publishes there
		},
		kind: newKind(kind),
	}
}

// Equivalent returns nil if the exchange is what o asks for, as a second
// declare must, and else a 406 that names the first difference in RabbitMQ's
// order. Of the arguments only alternate-exchange counts, for each type [also in
// RabbitMQ's plugins]; see EquivalentArgument for others.
func (x *Exchange) Equivalent(o Options) error {
	if err := CheckType(o.Type); err != nil {
		return err
	}
	for _, field := range []struct{ name, current, received string }{
		{"type", atom(x.options.Type), atom(o.Type)},
		{"durable", strconv.FormatBool(x.options.Durable), strconv.FormatBool(o.Durable)},
		{"auto_delete", strconv.FormatBool(x.options.AutoDelete), strconv.FormatBool(o.AutoDelete)},
		{"internal", strconv.FormatBool(x.options.Internal), strconv.FormatBool(o.Internal)},
	} {
		if field.current != field.received {
			return x.inequivalent(field.name, quote(field.received), quote(field.current))
		}
	}
	return x.equivalentAlternate(o.Arguments)
}

// equivalentAlternate compares the argument alternate-exchange. If both sides
// have it, RabbitMQ shows the bare values, else the one with its type.
func (x *Exchange) equivalentAlternate(args amqp.Table) error {
	v, received := args.Get(alternateArgument)
	switch {
	case received != x.hasAlternate:
		return x.inequivalent(alternateArgument,
			typedValue(v, received), typedValue(x.alternate, x.hasAlternate))
	case !received:
		return nil
	case v == nil:
		return x.inequivalent(alternateArgument, "none", quote(x.alternate))
	case plain(v) != x.alternate:
		return x.inequivalent(alternateArgument, quote(plain(v)), quote(x.alternate))
	}
	return nil
}

func (x *Exchange) inequivalent(field, received, current string) error {
	return amqp.PreconditionFailed("inequivalent arg '%s' for %s: received %s but current is %s",
		field, x.describe(), received, current)
}

// describe names the exchange as RabbitMQ's reply texts do.
func (x *Exchange) describe() string {
	return fmt.Sprintf("exchange '%s' in vhost '%s'", x.options.Name, x.options.VHost)
}

func quote(s string) string { return "'" + s + "'" }

func typedValue(v any, present bool) string {
	if !present {
		return "none"
	}
	return fmt.Sprintf("the value '%s' of type '%s'", plain(v), amqp.TypeName(v))
}

// plain shows text and bytes as they are and other values as Erlang terms.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return amqp.Term(v)
}
