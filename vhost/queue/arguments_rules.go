package queue

import (
	"fmt"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/dedup"
)

// argumentRule is one argument of queue.declare that RabbitMQ knows.
type argumentRule struct {
	name string
	// types are the queue types that know the argument; others refuse it.
	types uint8
	// parse checks the value and puts it into l. It returns RabbitMQ's
	// complaint, an Erlang term, or "".
	parse func(v any, args amqp.Table, l *Limits) (term string)
}

const (
	forClassic = 1 << iota
	forQuorum
	forStream
	forQueue = forClassic | forQuorum // all but streams
	forAll   = forQueue | forStream
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
// quorum queues. There is no limit of deliveries unless one is asked for. What
// RabbitMQ has for quorum queues only, x-delivery-limit, x-consumer-timeout and
// x-delayed-retry, goes with classic ones too. How many members a quorum queue
// has, and what is done about nodes that are lost, has no meaning on one node.
var argumentRules = [...]argumentRule{
	{name: "x-expires", types: forQueue, parse: parseExpires},
	{name: "x-message-ttl", types: forQueue, parse: parseTTL},
	{name: argExchange, types: forQueue, parse: parseDeadLetterExchange},
	{name: argDeadKey, types: forQueue, parse: parseDeadLetterKey},
	{name: argStrategy, types: forQuorum, parse: parseDeadLetterStrategy},
	{name: "x-max-length", types: forQueue, parse: parseMaxLength},
	{name: "x-max-length-bytes", types: forAll, parse: parseMaxBytes},
	{name: "x-max-in-memory-length", types: forQuorum, parse: parseCount},
	{name: "x-max-in-memory-bytes", types: forQuorum, parse: parseCount},
	{name: "x-max-priority", types: forClassic, parse: parseMaxPriority},
	{name: argOverflow, types: forQueue, parse: parseOverflow},
	{name: "x-queue-mode", types: forClassic, parse: parseNothing},
	{name: "x-queue-version", types: forClassic, parse: parseVersion},
	{name: "x-single-active-consumer", types: forQueue, parse: parseSingleActive},
	{name: argType, types: forAll, parse: parseNothing}, // see checkType
	{name: "x-queue-master-locator", types: forClassic, parse: parseNothing},
	{name: "x-quorum-initial-group-size", types: forQuorum, parse: parsePositive},
	{name: "x-initial-cluster-size", types: forQuorum | forStream, parse: parsePositive},
	{name: "x-queue-leader-locator", types: forQuorum | forStream, parse: parseLeaderLocator},
	{name: "x-delivery-limit", types: forQueue, parse: parseDeliveryLimit},
	{name: argTimeout, types: forQueue, parse: parseConsumerTimeout},
	{name: "x-consumer-disconnected-timeout", types: forQuorum, parse: parseMilliseconds},
	{name: argDelayedRetry, types: forQueue, parse: parseDelayedRetryType},
	{name: "x-delayed-retry-min", types: forQueue, parse: parseMilliseconds},
	{name: "x-delayed-retry-max", types: forQueue, parse: parseMilliseconds},
	{name: argBackoff, types: forQueue, parse: parseBackoff},
	{name: argRetryMin, types: forQueue, parse: parseRetryMin},
	{name: argRetryMax, types: forQueue, parse: parseRetryMax},
	{name: "x-retry-jitter", types: forQueue, parse: parseRetryJitter},
	{name: "x-retry-limit", types: forQueue, parse: parseRetryLimit},
	{name: dedup.Argument, types: forQueue, parse: parseDedup(dedup.Argument)},
	{name: dedup.ArgumentHeader, types: forQueue, parse: parseDedup(dedup.ArgumentHeader)},
	{name: dedup.ArgumentSize, types: forQueue, parse: parseDedup(dedup.ArgumentSize)},
	{name: dedup.ArgumentTTL, types: forQueue, parse: parseDedup(dedup.ArgumentTTL)},
	{name: "x-max-age", types: forStream},
	{name: "x-stream-max-segment-size-bytes", types: forStream},
	{name: "x-stream-filter-size-bytes", types: forStream},
}

func parseNothing(any, amqp.Table, *Limits) string { return "" }

func parseCount(v any, _ amqp.Table, _ *Limits) string {
	_, term := count(v)
	return term
}

func parseMilliseconds(v any, _ amqp.Table, _ *Limits) string {
	_, term := milliseconds(v, count)
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

func parseDeadLetterStrategy(v any, _ amqp.Table, l *Limits) string {
	s, term := oneOf(v, "invalid_dlx_strategy", "at-most-once", atLeastOnce)
	l.AtLeastOnce = s == atLeastOnce
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
	l.Overflow = overflowOf(s)
	return term
}

// overflowOf returns the kind of a name, DropHead if it is none.
func overflowOf(name string) Overflow {
	switch name {
	case "reject-publish":
		return RejectPublish
	case "reject-publish-dlx":
		return RejectPublishDLX
	}
	return DropHead
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

// parseConsumerTimeout takes 0 for none.
func parseConsumerTimeout(v any, _ amqp.Table, l *Limits) (term string) {
	l.ConsumerTimeout, term = milliseconds(v, count)
	return term
}
