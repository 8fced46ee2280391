package queue

import (
	"fmt"

	"github.com/leveretmq/leveret/amqp"
)

// argumentRule is one argument of queue.declare that RabbitMQ knows.
type argumentRule struct {
	name string
	// types are the queue types that know the argument; others refuse it.
	types uint8
	// parse checks the value and puts it into l. It returns RabbitMQ's
	// complaint, an Erlang term, or "".
	parse func(v any, args amqp.Table, l *Limits) (term string)
	// missing, if set, says of a good value whether it asks for what this
	// broker does not do.
	missing func(v any) bool
}

const (
	forClassic = 1 << iota
	forQuorum
	forStream
	forAll = forClassic | forQuorum | forStream
)

func (r *argumentRule) known(kind string) bool {
	switch kind {
	case TypeClassic:
		return r.types&forClassic != 0
	case TypeQuorum:
		return r.types&forQuorum != 0
	}
	return r.types&forStream != 0
}

func ruleOf(name string) *argumentRule {
	for i := range argumentRules {
		if argumentRules[i].name == name {
			return &argumentRules[i]
		}
	}
	return nil
}

// argumentRules are in the order in which RabbitMQ checks values. Where its
// versions differ, the more permissive one holds: x-queue-mode and
// x-queue-master-locator say where and how messages are stored, so any value
// is taken; x-queue-version may be 1 or 2; x-initial-cluster-size goes with
// quorum queues. There is no limit of deliveries unless one is asked for.
// x-consumer-timeout is not here, so it is ignored as in RabbitMQ 3.10: who
// does not time consumers out is as lenient as any value that a client asks for.
var argumentRules = [...]argumentRule{
	{name: "x-expires", types: forClassic | forQuorum, parse: parseExpires},
	{name: "x-message-ttl", types: forClassic | forQuorum, parse: parseTTL},
	{name: argExchange, types: forClassic | forQuorum, parse: parseDeadLetterExchange},
	{name: argDeadKey, types: forClassic | forQuorum, parse: parseDeadLetterKey},
	{name: "x-dead-letter-strategy", types: forQuorum, parse: parseDeadLetterStrategy, missing: not("at-most-once")},
	{name: "x-max-length", types: forClassic | forQuorum, parse: parseMaxLength},
	{name: "x-max-length-bytes", types: forAll, parse: parseMaxBytes},
	{name: "x-max-in-memory-length", types: forQuorum, parse: parseCount},
	{name: "x-max-in-memory-bytes", types: forQuorum, parse: parseCount},
	{name: "x-max-priority", types: forClassic, parse: parseMaxPriority},
	{name: "x-overflow", types: forClassic | forQuorum, parse: parseOverflow},
	{name: "x-queue-mode", types: forClassic, parse: parseNothing},
	{name: "x-queue-version", types: forClassic, parse: parseVersion},
	{name: "x-single-active-consumer", types: forClassic | forQuorum, parse: parseSingleActive},
	{name: argType, types: forAll, parse: parseNothing}, // see checkType
	{name: "x-queue-master-locator", types: forClassic, parse: parseNothing},
	{name: "x-quorum-initial-group-size", types: forQuorum, parse: parsePositive},
	{name: "x-initial-cluster-size", types: forQuorum | forStream, parse: parsePositive},
	{name: "x-queue-leader-locator", types: forQuorum | forStream, parse: parseLeaderLocator},
	{name: "x-delivery-limit", types: forQuorum, parse: parseDeliveryLimit},
	{name: "x-delayed-retry-type", types: forQuorum, parse: parseNothing, missing: not("disabled")},
	{name: "x-delayed-retry-min", types: forQuorum, parse: parseCount},
	{name: "x-delayed-retry-max", types: forQuorum, parse: parseCount},
	{name: "x-max-age", types: forStream},
	{name: "x-stream-max-segment-size-bytes", types: forStream},
	{name: "x-stream-filter-size-bytes", types: forStream},
}

// not is missing for an argument that has one value which is implemented.
func not(implemented string) func(any) bool {
	return func(v any) bool { return v != implemented }
}

func parseNothing(any, amqp.Table, *Limits) string { return "" }

func parseCount(v any, _ amqp.Table, _ *Limits) string {
	_, term := count(v)
	return term
}

func parsePositive(v any, _ amqp.Table, _ *Limits) string {
	_, term := positive(v)
	return term
}

func parseExpires(v any, _ amqp.Table, l *Limits) (term string) {
	l.Expires, term = milliseconds(v, positive)
	return term
}

func parseTTL(v any, _ amqp.Table, l *Limits) (term string) {
	l.TTL, term = milliseconds(v, count)
	return term
}

// parseDeadLetterExchange relies on ParseArguments for the check of the type.
func parseDeadLetterExchange(v any, _ amqp.Table, l *Limits) (term string) {
	l.DeadLetter = true
	l.DeadLetterExchange, term = text(v)
	return term
}

func parseDeadLetterKey(v any, args amqp.Table, l *Limits) (term string) {
	if l.DeadLetterKey, term = text(v); term != "" {
		return term
	}
	l.HasDeadLetterKey = true
	if _, ok := args.Get(argExchange); !ok {
		return "routing_key_but_no_dlx_defined"
	}
	return ""
}

func parseDeadLetterStrategy(v any, _ amqp.Table, _ *Limits) string {
	_, term := oneOf(v, "invalid_dlx_strategy", "at-most-once", "at-least-once")
	return term
}

func parseMaxLength(v any, _ amqp.Table, l *Limits) (term string) {
	l.MaxLength, term = count(v)
	return term
}

func parseMaxBytes(v any, _ amqp.Table, l *Limits) (term string) {
	l.MaxBytes, term = count(v)
	return term
}

func parseMaxPriority(v any, _ amqp.Table, l *Limits) string {
	n, term := count(v)
	if term == "" && n > 255 {
		term = fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	if term == "" {
		l.MaxPriority = uint8(n)
	}
	return term
}

func parseOverflow(v any, _ amqp.Table, l *Limits) string {
	s, term := oneOf(v, "invalid_overflow", "drop-head", "reject-publish", "reject-publish-dlx")
	switch s {
	case "reject-publish":
		l.Overflow = RejectPublish
	case "reject-publish-dlx":
		l.Overflow = RejectPublishDLX
	}
	return term
}

func parseVersion(v any, _ amqp.Table, _ *Limits) string {
	n, term := count(v)
	if term == "" && n != 1 && n != 2 {
		term = fmt.Sprintf(`"unsupported queue version '%d'"`, n)
	}
	return term
}

func parseSingleActive(v any, _ amqp.Table, l *Limits) string {
	b, ok := v.(bool)
	if !ok {
		return unacceptable(v)
	}
	l.SingleActive = b
	return ""
}

func parseLeaderLocator(v any, _ amqp.Table, _ *Limits) string {
	_, term := oneOf(v, "invalid_queue_locator_arg",
		"client-local", "balanced", "random", "least-leaders")
	return term
}

// parseDeliveryLimit takes any negative number for none.
func parseDeliveryLimit(v any, _ amqp.Table, l *Limits) string {
	n, term := integer(v)
	if term == "" && n >= 0 {
		l.DeliveryLimit = n
	}
	return term
}
