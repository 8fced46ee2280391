package server

import (
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

func TestQueueDeclare_RabbitMQ_ArgumentsAreValidated(t *testing.T) {
	invalid := func(key, term string) string {
		return "PRECONDITION_FAILED - invalid arg '" + key + "' for queue 'q' in vhost '/': " + term
	}
	for _, c := range []struct {
		key   string
		value any
		text  string // the term after invalid arg, or the whole text
	}{
		{"x-expires", int32(0), "{value_zero,0}"},
		{"x-expires", int32(-1), "{value_negative,-1}"},
		{"x-expires", "abc", `"expected integer, got longstr"`},
		{"x-expires", int64(1000000000000000), "{value_too_large,1000000000000000}"},
		{"x-message-ttl", int32(-1), "{value_negative,-1}"},
		{"x-message-ttl", "abc", `"expected integer, got longstr"`},
		{"x-message-ttl", 1.5, `"expected integer, got double"`},
		{"x-message-ttl", true, `"expected integer, got bool"`},
		{"x-message-ttl", nil, `"expected integer, got void"`},
		{"x-message-ttl", int64(315360000001), "{value_too_large,315360000001}"},
		{"x-max-length", int32(-1), "{value_negative,-1}"},
		{"x-max-length", "a", `"expected integer, got longstr"`},
		{"x-max-length-bytes", int32(-1), "{value_negative,-1}"},
		{"x-max-priority", int32(256), "{max_value_exceeded,256}"},
		{"x-max-priority", int32(-1), "{value_negative,-1}"},
		{"x-overflow", "foo", "invalid_overflow"},
		{"x-overflow", int32(1), "{unacceptable_type,signedint}"},
		{"x-dead-letter-exchange", int32(5),
			"PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"},
		{"x-dead-letter-routing-key", "k", "routing_key_but_no_dlx_defined"},
		{"x-queue-type", "foo", `"unsupported queue type 'foo'"`},
		{"x-queue-type", int32(5), "{unacceptable_type,signedint}"},
		{"x-single-active-consumer", "true", "{unacceptable_type,longstr}"},
		{"x-queue-version", int32(3), `"unsupported queue version '3'"`},
		{"x-quorum-initial-group-size", int32(3),
			"PRECONDITION_FAILED - invalid arg 'x-quorum-initial-group-size' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"},
		{"x-max-age", "1D",
			"PRECONDITION_FAILED - invalid arg 'x-max-age' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"},
	} {
		text := c.text
		if !strings.HasPrefix(text, "PRECONDITION_FAILED") {
			text = invalid(c.key, c.text)
		}
		m := &amqp.QueueDeclare{Queue: "q", Durable: true, Arguments: table(c.key, c.value)}
		refusals(t, []refusal{{c.key, nil, m, 406, text, ""}})
	}
	refusals(t, []refusal{{"x-dead-letter-routing-key of a wrong type", nil,
		&amqp.QueueDeclare{Queue: "q", Arguments: table("x-dead-letter-exchange", "", "x-dead-letter-routing-key", int32(5))},
		406, invalid("x-dead-letter-routing-key", "{unacceptable_type,signedint}"), ""}})
}

func TestQueueDeclare_RabbitMQ_ArgumentsAccepted(t *testing.T) {
	for _, c := range []struct {
		key   string
		value any
	}{
		{"x-max-length", int8(5)}, {"x-max-length", int16(500)}, {"x-max-length", uint8(200)}, {"x-max-length", int64(5)},
		{"x-max-length", int32(0)}, {"x-message-ttl", int32(0)}, {"x-message-ttl", int64(315360000000)},
		{"x-max-priority", int32(255)}, {"x-dead-letter-exchange", "absent"}, {"x-queue-type", "classic"},
		{"x-queue-version", int32(2)}, {"x-queue-version", int32(1)}, {"x-queue-mode", "lazy"}, {"x-queue-mode", "default"},
		{"x-overflow", "drop-head"}, {"x-overflow", "reject-publish"}, {"x-overflow", "reject-publish-dlx"},
		{"x-single-active-consumer", true}, {"x-unknown", amqp.Table{}},
	} {
		m := &amqp.QueueDeclare{Queue: "q", Durable: true, Arguments: table(c.key, c.value)}
		replies(t, []reply{{c.key, nil, m, &amqp.QueueDeclareOk{Queue: "q"}}})
	}
}

// A second declare must agree with the first in the flags and in the arguments
// that mean something.
func TestQueueDeclare_RabbitMQ_Inequivalent(t *testing.T) {
	flags := func(durable, autoDelete bool, args ...any) *amqp.QueueDeclare {
		return &amqp.QueueDeclare{Queue: "q", Durable: durable, AutoDelete: autoDelete, Arguments: table(args...)}
	}
	for _, c := range []struct {
		name          string
		first, second *amqp.QueueDeclare
		field, text   string
	}{
		{"durable lost", flags(true, false), flags(false, false), "durable", "received 'false' but current is 'true'"},
		{"durable gained", flags(false, false), flags(true, false), "durable", "received 'true' but current is 'false'"},
		{"auto-delete lost", flags(false, true), flags(false, false), "auto_delete", "received 'false' but current is 'true'"},
		{"auto-delete gained", flags(false, false), flags(false, true), "auto_delete", "received 'true' but current is 'false'"},
		{"durable first", flags(true, true, "x-message-ttl", int32(1)), flags(false, false, "x-message-ttl", int32(2)),
			"durable", "received 'false' but current is 'true'"},
		{"integers by value", flags(false, false, "x-message-ttl", int32(1)), flags(false, false, "x-message-ttl", int64(2)),
			"x-message-ttl", "received '2' but current is '1'"},
		{"a long gained", flags(false, false), flags(false, false, "x-message-ttl", int64(1)),
			"x-message-ttl", "received the value '1' of type 'long' but current is none"},
		{"queue type", flags(true, false, "x-queue-type", "classic"), flags(true, false, "x-queue-type", "quorum"),
			"x-queue-type", "received 'quorum' but current is 'classic'"},
		{"queue type gained", flags(true, false), flags(true, false, "x-queue-type", "quorum"),
			"x-queue-type", "received the value 'quorum' of type 'longstr' but current is none"},
	} {
		refusals(t, []refusal{{c.name, func(p *peer) { ask[*amqp.QueueDeclareOk](p, 1, c.first) }, c.second, 406,
			"PRECONDITION_FAILED - inequivalent arg '" + c.field + "' for queue 'q' in vhost '/': " + c.text, ""}})
	}
	for _, c := range []struct {
		key    string
		a, b   any
		as, bs string // as the texts show them
		kind   string
	}{
		{"x-message-ttl", int32(60000), int32(70000), "60000", "70000", "signedint"},
		{"x-expires", int32(60000), int32(70000), "60000", "70000", "signedint"},
		{"x-max-length", int32(5), int32(6), "5", "6", "signedint"},
		{"x-max-length-bytes", int32(5), int32(6), "5", "6", "signedint"},
		{"x-max-priority", int32(5), int32(6), "5", "6", "signedint"},
		{"x-overflow", "drop-head", "reject-publish", "drop-head", "reject-publish", "longstr"},
		{"x-dead-letter-exchange", "a", "b", "a", "b", "longstr"},
		{"x-queue-mode", "lazy", "default", "lazy", "default", "longstr"},
		{"x-single-active-consumer", true, false, "true", "false", "bool"},
	} {
		with := func(value any) *amqp.QueueDeclare {
			return &amqp.QueueDeclare{Queue: "q", Durable: true, Arguments: table(c.key, value)}
		}
		after := func(m *amqp.QueueDeclare) func(p *peer) {
			return func(p *peer) { ask[*amqp.QueueDeclareOk](p, 1, m) }
		}
		bare := &amqp.QueueDeclare{Queue: "q", Durable: true}
		text := "PRECONDITION_FAILED - inequivalent arg '" + c.key + "' for queue 'q' in vhost '/': received "
		refusals(t, []refusal{
			{c.key + " changed", after(with(c.a)), with(c.b), 406, text + "'" + c.bs + "' but current is '" + c.as + "'", ""},
			{c.key + " lost", after(with(c.a)), bare, 406,
				text + "none but current is the value '" + c.as + "' of type '" + c.kind + "'", ""},
			{c.key + " gained", after(bare), with(c.b), 406,
				text + "the value '" + c.bs + "' of type '" + c.kind + "' but current is none", ""},
		})
	}
}

func TestQueueDeclare_RabbitMQ_Equivalent(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second amqp.Table
	}{
		{"integers of another width", table("x-message-ttl", int32(60000)), table("x-message-ttl", int64(60000))},
		{"classic is the type if none is given", table("x-queue-type", "classic"), nil},
		{"unknown arguments", table("x-unknown", int32(1)), table("x-unknown", int32(2))},
		{"unknown argument lost", table("x-unknown", int32(1)), nil},
	} {
		first := func(p *peer) {
			ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Durable: true, Arguments: c.first})
		}
		replies(t, []reply{{c.name, first, &amqp.QueueDeclare{Queue: "q", Durable: true, Arguments: c.second},
			&amqp.QueueDeclareOk{Queue: "q"}}})
	}
}

func TestQueueDeclare_RabbitMQ_Quorum(t *testing.T) {
	quorum := func(m amqp.QueueDeclare, args ...any) *amqp.QueueDeclare {
		m.Arguments = table(append([]any{"x-queue-type", "quorum"}, args...)...)
		return &m
	}
	refusals(t, []refusal{
		{"server-named", nil, quorum(amqp.QueueDeclare{Durable: true}),
			406, "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue", ""},
		{"transient", nil, quorum(amqp.QueueDeclare{Queue: "qq"}),
			406, "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'qq' in vhost '/'", ""},
		{"auto-delete", nil, quorum(amqp.QueueDeclare{Queue: "qq", Durable: true, AutoDelete: true}),
			406, "PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'qq' in vhost '/'", ""},
		{"exclusive", nil, quorum(amqp.QueueDeclare{Queue: "qq", Durable: true, Exclusive: true}),
			406, "PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'qq' in vhost '/'", ""},
		{"x-max-priority", nil, quorum(amqp.QueueDeclare{Queue: "qq", Durable: true}, "x-max-priority", int32(5)),
			406, "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'qq' in vhost '/' of queue type rabbit_quorum_queue", ""},
	})
}
