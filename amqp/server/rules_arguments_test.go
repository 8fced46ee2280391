package server_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// argument is one of queue.declare, for one type of queue.
type argument struct {
	key  string
	kind string
	// why it, or this type with it, is ours alone; "" if RabbitMQ 3.10 has it.
	why  string
	with amqp091.Table // what else it needs
	// good is a value, same the same one written otherwise (nil if there is no
	// other way), other is another.
	good, same, other any
	bad               []badValue
}

// badValue is one that a declare is refused for, and RabbitMQ's complaint about
// it; a whole text if it begins with the name of the error.
type badValue struct {
	value any
	term  string
	why   string // it is a complaint of ours alone
}

// table makes the arguments of a declare with this one in it.
func (a *argument) table(value any) amqp091.Table {
	t := amqp091.Table{a.key: value}
	for k, v := range a.with {
		t[k] = v
	}
	if a.key != "x-queue-type" {
		t["x-queue-type"] = a.kind
	}
	return t
}

const (
	classic = "classic"
	quorum  = "quorum"

	quorumOnly  = "RabbitMQ has it for quorum queues only"
	newer       = "newer than 3.10"
	noRetry     = "retry is ours"
	noDuplicate = "deduplication is ours"
)

var (
	negative = badValue{-1, "{value_negative,-1}", ""}
	zero     = badValue{0, "{value_zero,0}", ""}
	noNumber = []badValue{{"a", `"expected integer, got longstr"`, ""}, {1.5, `"expected integer, got double"`, ""},
		{true, `"expected integer, got bool"`, ""}, {amqp091.Table{}, `"expected integer, got table"`, ""}}
	tooLong = badValue{int64(315360000001), "{value_too_large,315360000001}", ""}
	noText  = []badValue{{5, "{unacceptable_type,signedint}", ""}, {int64(5), "{unacceptable_type,long}", ""},
		{true, "{unacceptable_type,bool}", ""}}
	noBool = []badValue{{"true", "{unacceptable_type,longstr}", ""}, {1, "{unacceptable_type,signedint}", ""}}

	withDLX     = amqp091.Table{"x-dead-letter-exchange": "dlx"}
	withBackoff = amqp091.Table{"x-retry-backoff": "linear"}
	withDelay   = amqp091.Table{"x-delayed-retry-type": "all"}
	withDedup   = amqp091.Table{"x-message-deduplication": true}
)

// wrong puts complaints together.
func wrong(lists ...any) (all []badValue) {
	for _, l := range lists {
		switch l := l.(type) {
		case badValue:
			all = append(all, l)
		case []badValue:
			all = append(all, l...)
		}
	}
	return all
}

// unseen says of complaints that RabbitMQ 3.10 does not look at the value yet.
func unseen(list []badValue) (all []badValue) {
	for _, v := range list {
		all = append(all, badValue{v.value, v.term, newer})
	}
	return all
}

// both is an argument of both types.
func both(a argument) []argument {
	c, q := a, a
	c.kind, q.kind = classic, quorum
	return []argument{c, q}
}

// onClassicOurs is one that RabbitMQ has for quorum queues only.
func onClassicOurs(a argument) []argument {
	list := both(a)
	if a.why == "" {
		list[0].why = quorumOnly
	}
	return list
}

func arguments() (all []argument) {
	for _, list := range [][]argument{
		both(argument{key: "x-expires", good: 60000, same: int64(60000), other: 70000, bad: wrong(zero, negative, noNumber,
			badValue{int64(1e15), "{value_too_large,1000000000000000}", ""}, tooLong)}),
		both(argument{key: "x-message-ttl", good: 60000, same: int64(60000), other: int64(0), bad: wrong(negative, noNumber, tooLong)}),
		both(argument{key: "x-max-length", good: 5, same: int16(5), other: 0, bad: wrong(negative, noNumber,
			badValue{int64(-1 << 63), "{value_negative,-9223372036854775808}", ""})}),
		both(argument{key: "x-max-length-bytes", good: int64(5), same: byte(5), other: int64(1 << 40), bad: wrong(negative, noNumber)}),
		both(argument{key: "x-overflow", good: "drop-head", same: []byte("drop-head"), other: "reject-publish",
			bad: wrong(badValue{"foo", "invalid_overflow", ""}, badValue{"", "invalid_overflow", ""}, noText)}),
		both(argument{key: "x-dead-letter-exchange", good: "a", other: "", bad: []badValue{
			{5, "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'Q' in vhost '/'", ""},
			{true, "PRECONDITION_FAILED - invalid type 'bool' for arg 'x-dead-letter-exchange' in queue 'Q' in vhost '/'", ""}}}),
		both(argument{key: "x-dead-letter-routing-key", with: withDLX, good: "a", other: "", bad: noText}),
		both(argument{key: "x-single-active-consumer", good: true, other: false, bad: noBool}),
		{
			{key: "x-max-priority", kind: classic, good: 5, same: byte(5), other: 255, bad: wrong(negative, noNumber, badValue{256, "{max_value_exceeded,256}", ""})},
			{key: "x-queue-version", kind: classic, good: 2, same: int64(2), other: 1, bad: wrong(
				badValue{3, `"unsupported queue version '3'"`, ""}, badValue{0, `"unsupported queue version '0'"`, ""}, negative, noNumber)},
			{key: "x-queue-mode", kind: classic, good: "lazy", other: "default"},
			{key: "x-queue-type", kind: classic, good: "classic", other: "quorum",
				bad: wrong(badValue{"foo", `"unsupported queue type 'foo'"`, ""}, badValue{"", `"unsupported queue type ''"`, ""}, noText)},
			{key: "x-queue-type", kind: quorum, good: "quorum", other: "classic"},
			{key: "x-dead-letter-strategy", kind: quorum, with: withDLX, good: "at-most-once", other: "at-least-once",
				bad: wrong(badValue{"foo", "invalid_dlx_strategy", ""}, noText)},
			{key: "x-quorum-initial-group-size", kind: quorum, good: 1, same: int64(1), other: 3, bad: wrong(zero, negative, noNumber)},
			{key: "x-queue-leader-locator", kind: quorum, good: "client-local", other: "balanced",
				bad: wrong(badValue{"foo", "invalid_queue_locator_arg", ""}, noText)},
			{key: "x-max-in-memory-length", kind: quorum, good: 5, same: int64(5), other: 6, bad: wrong(negative, noNumber)},
			{key: "x-max-in-memory-bytes", kind: quorum, good: 5, same: int64(5), other: 6, bad: wrong(negative, noNumber)},
			{key: "x-consumer-disconnected-timeout", kind: quorum, why: newer, good: 5000, same: int64(5000), other: 6000, bad: wrong(negative, noNumber, tooLong)},
		},
		onClassicOurs(argument{key: "x-delivery-limit", good: 5, same: byte(5), other: -1, bad: unseen(noNumber)}),
		both(argument{key: "x-consumer-timeout", why: newer, good: 60000, same: int64(60000), other: 70000, bad: wrong(negative, noNumber, tooLong)}),
		both(argument{key: "x-delayed-retry-type", why: newer, good: "all", other: "failed", bad: wrong(badValue{"foo", "invalid_delayed_retry_type", ""}, noText)}),
		both(argument{key: "x-delayed-retry-min", why: newer, with: withDelay, good: 10, same: int64(10), other: 20, bad: wrong(negative, noNumber, tooLong)}),
		both(argument{key: "x-delayed-retry-max", why: newer, with: withDelay, good: 10, same: int64(10), other: 20, bad: wrong(negative, noNumber, tooLong)}),
		both(argument{key: "x-retry-backoff", why: noRetry, good: "linear", other: "constant", bad: wrong(badValue{"foo", "invalid_retry_backoff", ""}, noText)}),
		both(argument{key: "x-retry-min", why: noRetry, with: withBackoff, good: 10, same: int64(10), other: 20, bad: wrong(zero, negative, noNumber, tooLong)}),
		both(argument{key: "x-retry-max", why: noRetry, with: withBackoff, good: 10, same: int64(10), other: 20, bad: wrong(zero, negative, noNumber, tooLong)}),
		both(argument{key: "x-retry-jitter", why: noRetry, with: withBackoff, good: 10, same: byte(10), other: 0,
			bad: wrong(negative, noNumber, badValue{101, "{max_value_exceeded,101}", ""})}),
		both(argument{key: "x-retry-limit", why: noRetry, with: withBackoff, good: 10, same: int64(10), other: 0, bad: wrong(negative, noNumber)}),
		both(argument{key: "x-message-deduplication", why: noDuplicate, good: true, other: false, bad: noBool}),
		both(argument{key: "x-deduplication-header", why: noDuplicate, with: withDedup, good: "id", other: "key",
			bad: wrong(noText, badValue{"", `"expected the name of a header"`, ""})}),
		both(argument{key: "x-cache-size", why: noDuplicate, with: withDedup, good: 10, same: int64(10), other: 20,
			bad: wrong(zero, negative, noNumber, badValue{1000001, "{max_value_exceeded,1000001}", ""})}),
		both(argument{key: "x-cache-ttl", why: noDuplicate, with: withDedup, good: 10, same: int64(10), other: 20, bad: wrong(zero, negative, noNumber, tooLong)}),
	} {
		all = append(all, list...)
	}
	return all
}

// eachArgument runs a test for those that the broker has.
func eachArgument(t *testing.T, test func(t *testing.T, b *bed, a *argument)) {
	t.Helper()
	for _, a := range arguments() {
		t.Run(strings.TrimPrefix(a.key, "x-")+"/"+a.kind, func(t *testing.T) {
			if a.why != "" {
				ours(t, a.why)
			}
			test(t, bare(t), &a)
		})
	}
}

// declareOn declares a durable queue on a channel of its own.
func declareOn(t *testing.T, b *bed, name string, args amqp091.Table) error {
	t.Helper()
	ch := channel(t, b.conn)
	closed := closing(ch)
	_, err := ch.QueueDeclare(name, true, false, false, false, args)
	if err != nil {
		next(t, closed)
		return err
	}
	return ch.Close()
}

// A bad value is refused with RabbitMQ's words, and nothing is declared.
func TestRules_Arguments_BadValues(t *testing.T) {
	eachArgument(t, func(t *testing.T, b *bed, a *argument) {
		for _, v := range a.bad {
			if v.why != "" && rabbit() {
				continue
			}
			name := unique("bad")
			text := strings.ReplaceAll(v.term, "'Q'", "'"+name+"'")
			if !strings.HasPrefix(text, "PRECONDITION_FAILED") {
				text = fmt.Sprintf("PRECONDITION_FAILED - invalid arg '%s' for queue '%s' in vhost '/': %s", a.key, name, v.term)
			}
			wantError(t, declareOn(t, b, name, a.table(v.value)), 406, text)
			if b.exists(name) {
				t.Errorf("%v: it is declared", v.value)
				b.tidy(name)
			}
		}
	})
}

// shown is how a value looks in a text, and the name of its type.
func shown(v any) (value, kind string) {
	switch v.(type) {
	case string, []byte:
		return fmt.Sprintf("%s", v), "longstr"
	case bool:
		return fmt.Sprint(v), "bool"
	case int64:
		return fmt.Sprint(v), "long"
	}
	return fmt.Sprint(v), "signedint"
}

// A queue is declared again with the same arguments or not at all, and what was
// refused changes nothing.
func TestRules_Arguments_Equivalence(t *testing.T) {
	eachArgument(t, func(t *testing.T, b *bed, a *argument) {
		first := a.table(a.good)
		name := b.named("again", true, first)
		if a.same != nil {
			must(t, declareOn(t, b, name, a.table(a.same)))
		}
		good, kind := shown(a.good)
		other, otherKind := shown(a.other)
		inequivalent := func(key, what string) string {
			return fmt.Sprintf("PRECONDITION_FAILED - inequivalent arg '%s' for queue '%s' in vhost '/': received %s", key, name, what)
		}
		wantError(t, declareOn(t, b, name, a.table(a.other)), 406, inequivalent(a.key, "'"+other+"' but current is '"+good+"'"))
		missing := a.table(a.good)
		delete(missing, a.key)
		if err := declareOn(t, b, name, missing); a.good == "classic" { // which is what is meant without it
			must(t, err)
		} else {
			wantError(t, err, 406, inequivalent(a.key, "none but current is the value '"+good+"' of type '"+kind+"'"))
		}
		must(t, declareOn(t, b, name, first))

		if a.key != "x-queue-type" {
			plain := b.named("plain", true, missing)
			text := strings.Replace(inequivalent(a.key, "the value '"+other+"' of type '"+otherKind+"' but current is none"), name, plain, 1)
			wantError(t, declareOn(t, b, plain, a.table(a.other)), 406, text)
			must(t, declareOn(t, b, plain, missing))
		}
	})
}

// Arguments that one type of queue has and the other has not.
func TestRules_Arguments_OfAnotherType(t *testing.T) {
	b := bare(t)
	for kind, args := range map[string]amqp091.Table{
		classic: {"x-dead-letter-strategy": "at-most-once", "x-quorum-initial-group-size": 1, "x-queue-leader-locator": "balanced",
			"x-max-in-memory-length": 1, "x-max-in-memory-bytes": 1, "x-max-age": "1D", "x-stream-max-segment-size-bytes": 1000},
		quorum: {"x-max-priority": 5, "x-queue-mode": "lazy", "x-queue-version": 1, "x-queue-master-locator": "min-masters",
			"x-max-age": "1D", "x-stream-max-segment-size-bytes": 1000},
	} {
		for key, value := range args {
			name := unique("other")
			wantError(t, declareOn(t, b, name, amqp091.Table{"x-queue-type": kind, key: value}), 406, fmt.Sprintf(
				"PRECONDITION_FAILED - invalid arg '%s' for queue '%s' in vhost '/' of queue type rabbit_%s_queue", key, name, kind))
			if b.exists(name) {
				t.Errorf("%s on %s: it is declared", key, kind)
			}
		}
	}
}

// Arguments that are good alone but not together, or not alone.
func TestRules_Arguments_Contradictions(t *testing.T) {
	for _, c := range []struct {
		args      amqp091.Table
		key, term string
		why       string
	}{
		{amqp091.Table{"x-dead-letter-routing-key": "k"}, "x-dead-letter-routing-key", "routing_key_but_no_dlx_defined", ""},
		{amqp091.Table{"x-retry-min": 5}, "x-retry-min", "no_retry_backoff_defined", noRetry},
		{amqp091.Table{"x-retry-max": 5}, "x-retry-max", "no_retry_backoff_defined", noRetry},
		{amqp091.Table{"x-retry-jitter": 5}, "x-retry-jitter", "no_retry_backoff_defined", noRetry},
		{amqp091.Table{"x-retry-limit": 5}, "x-retry-limit", "no_retry_backoff_defined", noRetry},
		{amqp091.Table{"x-retry-backoff": "linear", "x-retry-min": 10, "x-retry-max": 5}, "x-retry-max", "{less_than_retry_min,5}", noRetry},
		{amqp091.Table{"x-retry-backoff": "linear", "x-delayed-retry-type": "all"}, "x-retry-backoff", `{conflicts_with,"x-delayed-retry-type"}`, noRetry},
		// The first in the broker's order, whatever the client's.
		{amqp091.Table{"x-max-length": -5, "x-message-ttl": -7, "x-expires": 0}, "x-expires", "{value_zero,0}", ""},
		{amqp091.Table{"x-overflow": "foo", "x-max-priority": 256}, "x-max-priority", "{max_value_exceeded,256}", ""},
	} {
		if c.why != "" && rabbit() {
			continue
		}
		b := bare(t)
		name := unique("contradiction")
		wantError(t, declareOn(t, b, name, c.args), 406,
			fmt.Sprintf("PRECONDITION_FAILED - invalid arg '%s' for queue '%s' in vhost '/': %s", c.key, name, c.term))
		if b.exists(name) {
			t.Errorf("%v: it is declared", c.args)
		}
	}
}

// A redeclare with a value that would be refused at first is compared, no more.
func TestRules_Arguments_BadValueForAQueueThatIsThere(t *testing.T) {
	b := bare(t)
	name := b.named("there", true, amqp091.Table{"x-max-length": 5})
	wantError(t, declareOn(t, b, name, amqp091.Table{"x-max-length": -1}), 406,
		"PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue '"+name+"' in vhost '/': received '-1' but current is '5'")
}

// What no broker knows is taken, and of no weight.
func TestRules_Arguments_Unknown(t *testing.T) {
	b := bare(t)
	name := b.named("unknown", true, amqp091.Table{"x-mine": 1, "mine": amqp091.Table{"a": []any{"b"}}})
	must(t, declareOn(t, b, name, amqp091.Table{"x-mine": "other"}))
	must(t, declareOn(t, b, name, nil))
}

// Streams do not exist yet; the connection is closed, as for all that is not
// implemented.
func TestRules_Arguments_Stream(t *testing.T) {
	ours(t, "RabbitMQ has streams")
	b := bare(t)
	name := unique("stream")
	conn := b.dial()
	_, err := channel(t, conn).QueueDeclare(name, true, false, false, false, amqp091.Table{"x-queue-type": "stream"})
	var e *amqp091.Error
	if !errors.As(err, &e) || e.Code != 540 ||
		e.Reason != "NOT_IMPLEMENTED - queue '"+name+"' in vhost '/' cannot be declared: queues of type stream are not supported" {
		t.Errorf("got %v", err)
	}
	if b.exists(name) {
		t.Error("it is declared")
	}
}
