package queue

import (
	"fmt"
	"strconv"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/dedup"
)

// Exclusive is the 405 that a connection gets who may not use a queue, because
// it belongs to another or because a declare differs in being exclusive.
func Exclusive(o Options) error {
	return amqp.ResourceLocked("cannot obtain exclusive access to locked %s. It could be originally "+
		"declared on another connection or the exclusive property value does not match that of the "+
		"original declaration.", describe(o))
}

// Equivalent returns nil if a queue is what a second declare asks for: the same
// flags, and the same arguments as far as the queue's type knows them. Absent
// x-queue-type equals classic, and integers are compared by value. The errors
// are 405 if one of them is exclusive or they differ in their owner, else 406
// with the first difference in RabbitMQ's order and words.
func Equivalent(current, asked Options) error {
	if current.Owner != asked.Owner {
		return Exclusive(current)
	}
	if current.Durable != asked.Durable {
		return inequivalentFlag(current, "durable", current.Durable, asked.Durable)
	}
	if current.AutoDelete != asked.AutoDelete {
		return inequivalentFlag(current, "auto_delete", current.AutoDelete, asked.AutoDelete)
	}
	names := classicCompared
	if Type(current.Arguments) == TypeQuorum {
		names = quorumCompared
	}
	for _, name := range names {
		if err := equivalentArgument(current, asked, name); err != nil {
			return err
		}
	}
	return nil
}

// The arguments that count when a queue is declared again, in RabbitMQ's order.
var (
	classicCompared = []string{
		"x-expires", "x-message-ttl", argExchange, argDeadKey, "x-max-length", "x-max-length-bytes",
		"x-max-priority", argOverflow, "x-queue-mode", "x-queue-version", "x-single-active-consumer",
		argType, "x-queue-master-locator", "x-delivery-limit",
		argDelayedRetry, "x-delayed-retry-min", "x-delayed-retry-max", argTimeout,
		argBackoff, argRetryMin, argRetryMax, "x-retry-jitter", "x-retry-limit",
		dedup.Argument, dedup.ArgumentHeader, dedup.ArgumentSize, dedup.ArgumentTTL,
	}
	quorumCompared = []string{
		argExchange, argDeadKey, argStrategy, "x-expires", "x-max-length", "x-max-length-bytes",
		"x-max-in-memory-length", "x-max-in-memory-bytes", argOverflow, "x-single-active-consumer", argType,
		"x-quorum-initial-group-size", "x-initial-cluster-size", "x-delivery-limit", "x-message-ttl",
		"x-queue-leader-locator", argDelayedRetry, "x-delayed-retry-min", "x-delayed-retry-max",
		argTimeout, "x-consumer-disconnected-timeout",
		argBackoff, argRetryMin, argRetryMax, "x-retry-jitter", "x-retry-limit",
		dedup.Argument, dedup.ArgumentHeader, dedup.ArgumentSize, dedup.ArgumentTTL,
	}
)

func equivalentArgument(current, asked Options, name string) error {
	cur, hasCur := current.Arguments.Get(name)
	ask, hasAsk := asked.Arguments.Get(name)
	if name == argType {
		// To leave it out and to say classic is the same.
		if hasCur != hasAsk && (cur == TypeClassic || ask == TypeClassic) {
			return nil
		}
	}
	switch {
	case !hasCur && !hasAsk:
		return nil
	case hasCur != hasAsk:
		return inequivalent(current, name, typed(ask, hasAsk), typed(cur, hasCur))
	case same(cur, ask):
		return nil
	}
	return inequivalent(current, name, bare(ask), bare(cur))
}

func inequivalentFlag(o Options, name string, current, asked bool) error {
	return inequivalent(o, name, bare(asked), bare(current))
}

func inequivalent(o Options, name, received, current string) error {
	return amqp.PreconditionFailed("inequivalent arg '%s' for %s: received %s but current is %s",
		name, describe(o), received, current)
}

// typed shows a value of which the other side has none.
func typed(v any, present bool) string {
	if !present {
		return "none"
	}
	return fmt.Sprintf("the value '%s' of type '%s'", plain(v), amqp.TypeName(v))
}

// bare shows one of two values. RabbitMQ takes a void for an absent one here.
func bare(v any) string {
	if v == nil {
		return "none"
	}
	return "'" + plain(v) + "'"
}

// same compares as RabbitMQ does: integers of all widths are one class, floats
// are, and so are strings and bytes; other values must have the same type.
func same(a, b any) bool {
	if x, ok := octets(a); ok {
		y, ok := octets(b)
		return ok && x == y
	}
	if x, ok := amqp.Int(a); ok {
		y, ok := amqp.Int(b)
		return ok && x == y
	}
	if x, ok := float(a); ok {
		y, ok := float(b)
		return ok && x == y
	}
	switch a.(type) {
	case amqp.Array, amqp.Table:
		// Of no argument that is compared a good value looks like this.
		return fmt.Sprintf("%T%v", a, a) == fmt.Sprintf("%T%v", b, b)
	}
	switch b.(type) {
	case amqp.Array, amqp.Table: // cannot be compared with ==
		return false
	}
	return a == b
}

// octets returns what is in a string, whichever way the client sent it.
func octets(v any) (s string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

func float(v any) (f float64, ok bool) {
	switch v := v.(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// plain shows a value as RabbitMQ's texts do: strings as they are, the rest as
// Erlang terms.
func plain(v any) string {
	if n, ok := amqp.Int(v); ok {
		return strconv.FormatInt(n, 10)
	}
	switch v := v.(type) {
	case nil:
		return "undefined"
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}
