package queue_test

import (
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// args makes a table of names and values in turn.
func args(pairs ...any) amqp.Table {
	var t amqp.Table
	for i := 0; i < len(pairs); i += 2 {
		t = append(t, amqp.Field{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return t
}

func classic(pairs ...any) queue.Options {
	return queue.Options{VHost: "/", Name: "q", Arguments: args(pairs...)}
}

func quorum(pairs ...any) queue.Options {
	return queue.Options{VHost: "/", Name: "q", Durable: true,
		Arguments: args(append([]any{"x-queue-type", "quorum"}, pairs...)...)}
}

// wantError checks a refusal by its code and all of its text.
func wantError(t *testing.T, name string, err error, code amqp.ReplyCode, text string) {
	t.Helper()
	e, ok := err.(*amqp.Error)
	switch {
	case !ok:
		t.Errorf("%s: got %v, want %d %s", name, err, code, text)
	case e.Code != code || e.Text != text:
		t.Errorf("%s:\n got %d %s\nwant %d %s", name, e.Code, e.Text, code, text)
	}
}

// The texts are what RabbitMQ 3.10.8 answers.
func TestParseArgumentsRefuses(t *testing.T) {
	const in = " for queue 'q' in vhost '/': "
	for _, c := range []struct {
		name string
		o    queue.Options
		text string
	}{
		{"expires zero", classic("x-expires", int32(0)), "invalid arg 'x-expires'" + in + "{value_zero,0}"},
		{"expires negative", classic("x-expires", int64(-1)), "invalid arg 'x-expires'" + in + "{value_negative,-1}"},
		{"expires string", classic("x-expires", "a"), "invalid arg 'x-expires'" + in + `"expected integer, got longstr"`},
		{"expires bool", classic("x-expires", true), "invalid arg 'x-expires'" + in + `"expected integer, got bool"`},
		{"expires void", classic("x-expires", nil), "invalid arg 'x-expires'" + in + `"expected integer, got void"`},
		{"expires array", classic("x-expires", amqp.Array{}), "invalid arg 'x-expires'" + in + `"expected integer, got array"`},
		{"expires table", classic("x-expires", amqp.Table{}), "invalid arg 'x-expires'" + in + `"expected integer, got table"`},
		{"expires decimal", classic("x-expires", amqp.Decimal{}), "invalid arg 'x-expires'" + in + `"expected integer, got decimal"`},
		{"expires huge", classic("x-expires", int64(315360000001)), "invalid arg 'x-expires'" + in + "{value_too_large,315360000001}"},
		{"ttl negative", classic("x-message-ttl", int8(-1)), "invalid arg 'x-message-ttl'" + in + "{value_negative,-1}"},
		{"ttl double", classic("x-message-ttl", 1.5), "invalid arg 'x-message-ttl'" + in + `"expected integer, got double"`},
		{"ttl huge", classic("x-message-ttl", int64(1)<<62), "invalid arg 'x-message-ttl'" + in + "{value_too_large,4611686018427387904}"},
		{"length", classic("x-max-length", int32(-1)), "invalid arg 'x-max-length'" + in + "{value_negative,-1}"},
		{"bytes", classic("x-max-length-bytes", "a"), "invalid arg 'x-max-length-bytes'" + in + `"expected integer, got longstr"`},
		{"priority", classic("x-max-priority", int32(256)), "invalid arg 'x-max-priority'" + in + "{max_value_exceeded,256}"},
		{"priority negative", classic("x-max-priority", int32(-1)), "invalid arg 'x-max-priority'" + in + "{value_negative,-1}"},
		{"overflow", classic("x-overflow", "foo"), "invalid arg 'x-overflow'" + in + "invalid_overflow"},
		{"overflow int", classic("x-overflow", int32(1)), "invalid arg 'x-overflow'" + in + "{unacceptable_type,signedint}"},
		{"dlx", classic("x-dead-letter-exchange", int64(1)), "invalid type 'long' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"},
		{"dlx before type", classic("x-queue-type", "foo", "x-dead-letter-exchange", true), "invalid type 'bool' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"},
		{"key alone", classic("x-dead-letter-routing-key", "k"), "invalid arg 'x-dead-letter-routing-key'" + in + "routing_key_but_no_dlx_defined"},
		{"key int", classic("x-dead-letter-routing-key", int32(1)), "invalid arg 'x-dead-letter-routing-key'" + in + "{unacceptable_type,signedint}"},
		{"sac", classic("x-single-active-consumer", "a"), "invalid arg 'x-single-active-consumer'" + in + "{unacceptable_type,longstr}"},
		{"type", classic("x-queue-type", "foo"), "invalid arg 'x-queue-type'" + in + `"unsupported queue type 'foo'"`},
		{"type int", classic("x-queue-type", int32(1)), "invalid arg 'x-queue-type'" + in + "{unacceptable_type,signedint}"},
		{"type before values", classic("x-expires", int32(0), "x-queue-type", "foo"), "invalid arg 'x-queue-type'" + in + `"unsupported queue type 'foo'"`},
		{"version", classic("x-queue-version", int32(3)), "invalid arg 'x-queue-version'" + in + `"unsupported queue version '3'"`},
		{"values in RabbitMQ's order", classic("x-max-length", "a", "x-expires", "a"), "invalid arg 'x-expires'" + in + `"expected integer, got longstr"`},
		{"other type's, in the client's order", classic("x-quorum-initial-group-size", "a", "x-max-age", int32(1)), "invalid arg 'x-quorum-initial-group-size' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"},
		{"values before other type's", classic("x-max-age", "1D", "x-max-length", "a"), "invalid arg 'x-max-length'" + in + `"expected integer, got longstr"`},
		{"quorum priority", quorum("x-max-priority", int32(-1)), "invalid arg 'x-max-priority' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"},
		{"quorum mode", quorum("x-queue-mode", "lazy"), "invalid arg 'x-queue-mode' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"},
		{"quorum group", quorum("x-quorum-initial-group-size", int32(0)), "invalid arg 'x-quorum-initial-group-size'" + in + "{value_zero,0}"},
		{"quorum locator", quorum("x-queue-leader-locator", "foo"), "invalid arg 'x-queue-leader-locator'" + in + "invalid_queue_locator_arg"},
		{"quorum strategy", quorum("x-dead-letter-strategy", "foo"), "invalid arg 'x-dead-letter-strategy'" + in + "invalid_dlx_strategy"},
		{"quorum memory", quorum("x-max-in-memory-bytes", int32(-1)), "invalid arg 'x-max-in-memory-bytes'" + in + "{value_negative,-1}"},
	} {
		_, err := queue.ParseArguments(c.o)
		wantError(t, c.name, err, amqp.CodePreconditionFailed, c.text)
	}
}

func TestParseArgumentsQuorumFlags(t *testing.T) {
	for _, c := range []struct {
		property string
		change   func(*queue.Options)
	}{
		{"non-durable", func(o *queue.Options) { o.Durable = false }},
		{"exclusive-owner", func(o *queue.Options) { o.Owner, o.Durable = 1, false }},
		{"auto-delete", func(o *queue.Options) { o.AutoDelete, o.Owner, o.Durable = true, 1, false }},
	} {
		o := quorum()
		c.change(&o)
		_, err := queue.ParseArguments(o)
		wantError(t, c.property, err, amqp.CodePreconditionFailed, "invalid property '"+c.property+"' for queue 'q' in vhost '/'")
	}
}

func TestParseArgumentsStream(t *testing.T) {
	const text = "queue 'q' in vhost '/' cannot be declared: queues of type stream are not supported"
	_, err := queue.ParseArguments(classic("x-queue-type", "stream"))
	wantError(t, "stream", err, amqp.CodeNotImplemented, text)
}

func TestParseArgumentsLimits(t *testing.T) {
	with := func(change func(*queue.Limits)) queue.Limits {
		l := queue.NoLimits()
		change(&l)
		return l
	}
	counting := func(change func(*queue.Limits)) queue.Limits {
		return with(func(l *queue.Limits) { l.CountDeliveries = true; change(l) })
	}
	replicated := func(change func(*queue.Limits)) queue.Limits {
		return counting(func(l *queue.Limits) { l.MaxPriority = 31; change(l) })
	}
	for _, c := range []struct {
		name string
		o    queue.Options
		want queue.Limits
	}{
		{"none", classic(), queue.NoLimits()},
		{"ignored", classic("x-whatever", int32(1), "x-queue-mode", "foo", "x-queue-version", int32(1), "x-queue-type", "classic",
			"x-queue-master-locator", "foo", "x-consumer-timeout", int64(0)), queue.NoLimits()},
		{"consumer timeout", classic("x-consumer-timeout", int64(5)),
			with(func(l *queue.Limits) { l.ConsumerTimeout = 5 * time.Millisecond })},
		{"delivery limit", classic("x-delivery-limit", int32(3)), counting(func(l *queue.Limits) { l.DeliveryLimit = 3 })},
		{"times", classic("x-expires", int64(315360000000), "x-message-ttl", uint8(0)),
			with(func(l *queue.Limits) { l.TTL, l.Expires = 0, 315360000000*time.Millisecond })},
		{"lengths", classic("x-max-length", uint8(0), "x-max-length-bytes", int16(500), "x-overflow", "reject-publish"),
			with(func(l *queue.Limits) { l.MaxLength, l.MaxBytes, l.Overflow = 0, 500, queue.RejectPublish })},
		{"reject-publish-dlx", classic("x-overflow", "reject-publish-dlx"),
			with(func(l *queue.Limits) { l.Overflow = queue.RejectPublishDLX })},
		{"drop-head", classic("x-overflow", "drop-head"), queue.NoLimits()},
		{"dead letters to the default exchange", classic("x-dead-letter-exchange", ""),
			with(func(l *queue.Limits) { l.DeadLetter = true })},
		{"dead letters with an empty key", classic("x-dead-letter-routing-key", "", "x-dead-letter-exchange", "x"),
			with(func(l *queue.Limits) { l.DeadLetter, l.DeadLetterExchange, l.HasDeadLetterKey = true, "x", true })},
		{"priority", classic("x-max-priority", uint8(255), "x-single-active-consumer", true),
			with(func(l *queue.Limits) { l.MaxPriority, l.SingleActive = 255, true })},
		{"quorum", quorum("x-consumer-disconnected-timeout", int32(5)), replicated(func(*queue.Limits) {})},
		{"quorum limit", quorum("x-delivery-limit", int32(3), "x-dead-letter-strategy", "at-most-once"),
			replicated(func(l *queue.Limits) { l.DeliveryLimit = 3 })},
		{"quorum no limit", quorum("x-delivery-limit", int32(-1)), replicated(func(*queue.Limits) {})},
		{"quorum ignores reject-publish-dlx", quorum("x-overflow", "reject-publish-dlx"), replicated(func(*queue.Limits) {})},
		{"at least once", quorum("x-dead-letter-strategy", "at-least-once", "x-dead-letter-exchange", "x", "x-overflow", "reject-publish"),
			replicated(func(l *queue.Limits) {
				l.AtLeastOnce, l.DeadLetter, l.DeadLetterExchange, l.Overflow = true, true, "x", queue.RejectPublish
			})},
		{"not without an exchange", quorum("x-dead-letter-strategy", "at-least-once", "x-overflow", "reject-publish"),
			replicated(func(l *queue.Limits) { l.Overflow = queue.RejectPublish })},
		{"not with drop-head", quorum("x-dead-letter-strategy", "at-least-once", "x-dead-letter-exchange", ""),
			replicated(func(l *queue.Limits) { l.DeadLetter = true })},
	} {
		got, err := queue.ParseArguments(c.o)
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}
}

func TestCheckServerNamed(t *testing.T) {
	if err := queue.CheckServerNamed(args("x-queue-type", "classic")); err != nil {
		t.Error(err)
	}
	wantError(t, "quorum", queue.CheckServerNamed(args("x-queue-type", "quorum")), amqp.CodePreconditionFailed,
		"Cannot declare a server-named queue for type rabbit_quorum_queue")
	wantError(t, "stream", queue.CheckServerNamed(args("x-queue-type", "stream")), amqp.CodePreconditionFailed,
		"Cannot declare a server-named queue for type rabbit_stream_queue")
}

func FuzzArguments(f *testing.F) {
	for _, t := range []amqp.Table{
		args("x-expires", int32(1), "x-max-length", "a"),
		args("x-queue-type", "quorum", "x-delivery-limit", int64(-1)),
		args("x-dead-letter-routing-key", amqp.Array{amqp.Table{}}, "x-dead-letter-exchange", ""),
		args("x-retry-backoff", "linear", "x-retry-max", int64(5), "x-retry-min", int8(1), "x-retry-limit", int64(1)<<40),
		args("x-delayed-retry-type", "all", "x-delayed-retry-max", int64(5), "x-consumer-timeout", int64(-1)),
	} {
		raw, err := amqp.AppendTable(nil, t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		table, _, err := amqp.DecodeTable(raw)
		if err != nil {
			return
		}
		o := queue.Options{VHost: "/", Name: "q", Durable: true, Arguments: table}
		if err := queue.Equivalent(o, o); err != nil {
			t.Errorf("%v is not equivalent to itself: %v", table, err)
		}
		l, err := queue.ParseArguments(o)
		if err != nil {
			if _, ok := err.(*amqp.Error); !ok {
				t.Errorf("%v: a client cannot be told %v", table, err)
			}
			return
		}
		if l.TTL < queue.Unlimited || l.Expires < 0 || l.MaxLength < queue.Unlimited || l.MaxBytes < queue.Unlimited {
			t.Errorf("%v: limits make no sense: %+v", table, l)
		}
		if r := l.Retry; l.ConsumerTimeout < 0 || r.Min < 0 || r.Max < 0 || r.Jitter > 100 ||
			(r.Backoff == queue.NoBackoff) != (r == queue.Retry{}) || r.Backoff != queue.NoBackoff && r.Min == 0 {
			t.Errorf("%v: limits make no sense: %+v", table, l)
		}
	})
}
