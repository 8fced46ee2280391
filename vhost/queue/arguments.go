package queue

import (
	"fmt"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// The queue types that a client may ask for with x-queue-type.
const (
	TypeClassic = "classic"
	TypeQuorum  = "quorum"
	typeStream  = "stream"
)

// Arguments of queue.declare that this package looks at itself; argumentRules
// names the others.
const (
	argType       = "x-queue-type"
	argExchange   = "x-dead-letter-exchange"
	argDeadKey    = "x-dead-letter-routing-key"
	argStrategy   = "x-dead-letter-strategy"
	argOverflow   = "x-overflow"
	argTimeout    = "x-consumer-timeout" // of basic.consume too
	atLeastOnce   = "at-least-once"
	maxDurationMs = 315360000000 // ten years, RabbitMQ's limit for times
)

// Type returns the queue type that the arguments ask for, as they say it; a
// queue without x-queue-type is classic.
func Type(args amqp.Table) string {
	if v, ok := args.Get(argType); ok {
		if s, ok := v.(string); ok {
			return s
		}
	}
	return TypeClassic
}

// CheckServerNamed returns 406 if a queue of this type must have a name of the
// client's choice.
func CheckServerNamed(args amqp.Table) error {
	switch kind := Type(args); kind {
	case TypeQuorum, typeStream:
		return amqp.PreconditionFailed("Cannot declare a server-named queue for type %s", moduleName(kind))
	}
	return nil
}

// ParseArguments checks what a declare says about a new queue, with RabbitMQ's
// rules, order and words, and returns what its arguments come to. The errors
// are 406, and 540 for a stream. Unknown arguments are ignored. o.Limits,
// o.Policy and o.Apply are not looked at.
func ParseArguments(o Options) (Limits, error) {
	l := NoLimits()
	if v, ok := o.Arguments.Get(argExchange); ok {
		if _, ok := v.(string); !ok {
			return l, amqp.PreconditionFailed("invalid type '%s' for arg '%s' in %s",
				amqp.TypeName(v), argExchange, describe(o))
		}
	}
	if err := checkType(o); err != nil {
		return l, err
	}
	kind := Type(o.Arguments)
	for i := range argumentRules {
		rule := &argumentRules[i]
		v, ok := o.Arguments.Get(rule.name)
		if !ok || !rule.known(kind) {
			continue
		}
		if term := rule.parse(v, o.Arguments, &l); term != "" {
			return l, invalid(o, rule.name, term)
		}
	}
	for _, f := range o.Arguments {
		if rule := ruleOf(f.Name); rule != nil && !rule.known(kind) {
			return l, amqp.PreconditionFailed("invalid arg '%s' for %s of queue type %s",
				f.Name, describe(o), moduleName(kind))
		}
	}
	if kind == TypeQuorum {
		if err := checkQuorum(o); err != nil {
			return l, err
		}
	}
	l.Retry = retryOf(o.Arguments.Get)
	l.settle(kind)
	return l, nil
}

// checkType is the check of x-queue-type, which comes before all others.
func checkType(o Options) error {
	v, ok := o.Arguments.Get(argType)
	if !ok {
		return nil
	}
	s, ok := v.(string)
	if !ok {
		return invalid(o, argType, unacceptable(v))
	}
	switch s {
	case TypeClassic, TypeQuorum:
		return nil
	case typeStream:
		return amqp.NotImplemented("%s cannot be declared: queues of type stream are not supported", describe(o))
	}
	return invalid(o, argType, fmt.Sprintf(`"unsupported queue type '%s'"`, s))
}

// checkQuorum refuses the flags that do not go with a quorum queue.
func checkQuorum(o Options) error {
	property := ""
	switch {
	case o.AutoDelete:
		property = "auto-delete"
	case o.Owner != 0:
		property = "exclusive-owner"
	case !o.Durable:
		property = "non-durable"
	default:
		return nil
	}
	return amqp.PreconditionFailed("invalid property '%s' for %s", property, describe(o))
}

func describe(o Options) string {
	return fmt.Sprintf("queue '%s' in vhost '%s'", o.Name, o.VHost)
}

// moduleName is what RabbitMQ's texts call a queue type.
func moduleName(kind string) string { return "rabbit_" + kind + "_queue" }

func invalid(o Options, name, term string) error {
	return amqp.PreconditionFailed("invalid arg '%s' for %s: %s", name, describe(o), term)
}

func unacceptable(v any) string { return "{unacceptable_type," + amqp.TypeName(v) + "}" }

// integer reads a whole number of any width; term is RabbitMQ's complaint.
func integer(v any) (n int64, term string) {
	n, ok := amqp.Int(v)
	if !ok {
		return 0, fmt.Sprintf(`"expected integer, got %s"`, amqp.TypeName(v))
	}
	return n, ""
}

// count reads a number that is not negative.
func count(v any) (n int64, term string) {
	if n, term = integer(v); term == "" && n < 0 {
		term = fmt.Sprintf("{value_negative,%d}", n)
	}
	return n, term
}

// positive reads a number above zero.
func positive(v any) (n int64, term string) {
	if n, term = count(v); term == "" && n == 0 {
		term = "{value_zero,0}"
	}
	return n, term
}

// milliseconds reads a time of at most ten years.
func milliseconds(v any, read func(any) (int64, string)) (d time.Duration, term string) {
	n, term := read(v)
	if term == "" && n > maxDurationMs {
		term = fmt.Sprintf("{value_too_large,%d}", n)
	}
	if term != "" {
		return 0, term
	}
	return time.Duration(n) * time.Millisecond, ""
}

// text reads a string.
func text(v any) (s, term string) {
	s, ok := v.(string)
	if !ok {
		return "", unacceptable(v)
	}
	return s, ""
}

// oneOf reads a string that must be one of several.
func oneOf(v any, complaint string, allowed ...string) (s, term string) {
	if s, term = text(v); term != "" {
		return s, term
	}
	for _, a := range allowed {
		if s == a {
			return s, ""
		}
	}
	return s, complaint
}
