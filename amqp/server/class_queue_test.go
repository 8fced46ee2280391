package server

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

const noQueue = "NOT_FOUND - no previously declared queue"

// locked is the refusal of an exclusive queue.
func locked(queue string) string {
	return fmt.Sprintf("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '%s' in vhost '/'. It could be originally "+
		"declared on another connection or the exclusive property value does not match that of the original declaration.", queue)
}

// q prepares the queue q.
func q(p *peer) { p.queue("q") }

// filled prepares the queue q with messages in it.
func filled(bodies ...string) func(p *peer) {
	return func(p *peer) {
		p.queue("q")
		p.fill("q", bodies...)
		p.wantCounts(1, "q", uint32(len(bodies)), 0)
	}
}

func TestQueueDeclare_1_7_2_1_Refusals(t *testing.T) {
	refusals(t, []refusal{
		{"passive and absent", nil, &amqp.QueueDeclare{Queue: "absent", Passive: true},
			404, "NOT_FOUND - no queue 'absent' in vhost '/'", ""},
		{"passive and absent, nowait", nil, &amqp.QueueDeclare{Queue: "absent", Passive: true, NoWait: true},
			404, "NOT_FOUND - no queue 'absent' in vhost '/'", ""},
		{"passive, no name, none declared", nil, &amqp.QueueDeclare{Passive: true}, 404, "NOT_FOUND - no queue '' in vhost '/'", ""},
		{"passive, no name, one declared", q, &amqp.QueueDeclare{Passive: true}, 404, "NOT_FOUND - no queue '' in vhost '/'", ""},
		{"reserved name", nil, &amqp.QueueDeclare{Queue: "amq.foo"},
			403, "ACCESS_REFUSED - queue name 'amq.foo' contains reserved prefix 'amq.*'", ""},
		{"reserved name, passive", nil, &amqp.QueueDeclare{Queue: "amq.foo", Passive: true},
			404, "NOT_FOUND - no queue 'amq.foo' in vhost '/'", ""},
		{"no such queue for replies", nil, &amqp.QueueDeclare{Queue: "amq.rabbitmq.reply-to.absent", Passive: true},
			404, "NOT_FOUND - no queue 'amq.rabbitmq.reply-to.absent' in vhost '/'", ""},
		{"differs, nowait", q, &amqp.QueueDeclare{Queue: "q", Durable: true, NoWait: true}, 406,
			"PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'", ""},
	})
}

func TestQueueDeclare_1_7_2_1_Accepts(t *testing.T) {
	ok := func(name string, messages, consumers uint32) *amqp.QueueDeclareOk {
		return &amqp.QueueDeclareOk{Queue: name, MessageCount: messages, ConsumerCount: consumers}
	}
	was := func(m amqp.QueueDeclare) func(p *peer) {
		return func(p *peer) { ask[*amqp.QueueDeclareOk](p, 1, &m) }
	}
	replies(t, []reply{
		{"transient, not exclusive", nil, &amqp.QueueDeclare{Queue: "q"}, ok("q", 0, 0)},
		{"durable", nil, &amqp.QueueDeclare{Queue: "q", Durable: true}, ok("q", 0, 0)},
		{"again", q, &amqp.QueueDeclare{Queue: "q"}, ok("q", 0, 0)},
		{"passive compares nothing", was(amqp.QueueDeclare{Queue: "q", Durable: true}),
			&amqp.QueueDeclare{Queue: "q", Passive: true, AutoDelete: true, Arguments: table("x-expires", "abc")}, ok("q", 0, 0)},
		{"exclusive ones are never durable", was(amqp.QueueDeclare{Queue: "q", Exclusive: true, Durable: true}),
			&amqp.QueueDeclare{Queue: "q", Exclusive: true}, ok("q", 0, 0)},
		{"CR and LF are dropped from names", was(amqp.QueueDeclare{Queue: "a\r\nb"}),
			&amqp.QueueDeclare{Queue: "ab", Passive: true}, ok("ab", 0, 0)},
		{"names are any UTF-8", nil, &amqp.QueueDeclare{Queue: "Warteschlange für 兎 / #*"}, ok("Warteschlange für 兎 / #*", 0, 0)},
		{"it counts ready messages", filled("a", "b"), &amqp.QueueDeclare{Queue: "q"}, ok("q", 2, 0)},
		{"but no unacked ones", func(p *peer) {
			filled("a", "b")(p)
			p.wantGet(1, "q", false, handed{"", 1, false, "a"})
		}, &amqp.QueueDeclare{Queue: "q"}, ok("q", 1, 0)},
		{"it counts consumers", func(p *peer) {
			q(p)
			p.consume(1, "q", "a")
			p.consume(1, "q", "b")
		}, &amqp.QueueDeclare{Queue: "q", Passive: true}, ok("q", 0, 2)},
	})
}

var madeUp = regexp.MustCompile(`^amq\.(gen|ctag)-[A-Za-z0-9_-]{22}$`)

func TestQueueDeclare_1_7_2_1_2_NamesAQueueWithoutName(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		first := ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{}).Queue
		second := ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{}).Queue
		if first == second {
			t.Errorf("both queues are named %s", first)
		}
		for _, name := range []string{first, second} {
			if !madeUp.MatchString(name) {
				t.Errorf("%q is no name of RabbitMQ's form", name)
			}
			p.publish(1, post{key: name, body: name})
			p.wantBodies(name, name)
		}
	})
}

func TestQueueDeclare_1_7_2_1_NoWait(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.send(1, &amqp.QueueDeclare{NoWait: true}, &amqp.QueueBind{Exchange: "amq.direct", RoutingKey: "no-wait", NoWait: true})
		p.wantNothing(1)
		p.publish(1, post{exchange: "amq.direct", key: "no-wait", body: "m"})
		p.wantBodies("", "m")
		p.send(1, &amqp.QueuePurge{NoWait: true}, &amqp.QueueDelete{NoWait: true})
		p.wantNothing(1)
		p.publish(1, post{exchange: "amq.direct", key: "no-wait", body: "m", mandatory: true})
		p.wantReturn(1, "amq.direct", "no-wait", "m")
	})
}

// An empty name is the queue declared last on the channel.
func TestQueue_1_7_2_3_2_EmptyNames(t *testing.T) {
	refusals(t, []refusal{
		{"bind", nil, &amqp.QueueBind{Exchange: "amq.direct", RoutingKey: "k"}, 404, noQueue, ""},
		{"unbind", nil, &amqp.QueueUnbind{Exchange: "amq.direct", RoutingKey: "k"}, 404, noQueue, ""},
		{"purge", nil, &amqp.QueuePurge{}, 404, noQueue, ""},
		{"delete", nil, &amqp.QueueDelete{}, 404, noQueue, ""},
		{"consume", nil, &amqp.BasicConsume{}, 404, noQueue, ""},
		{"get", nil, &amqp.BasicGet{}, 404, noQueue, ""},
		{"get, the queue is deleted since", func(p *peer) {
			q(p)
			ask[*amqp.QueueDeleteOk](p, 1, &amqp.QueueDelete{Queue: "q"})
		}, &amqp.BasicGet{}, 404, "NOT_FOUND - no queue 'q' in vhost '/'", ""},
	})
	passive := func(p *peer) {
		q(p)
		p.queue("other")
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Passive: true})
		p.publish(1, post{key: "q", body: "m"})
	}
	replies(t, []reply{
		{"a passive declare counts", passive, &amqp.QueuePurge{}, &amqp.QueuePurgeOk{MessageCount: 1}},
		{"consume", q, &amqp.BasicConsume{ConsumerTag: "c"}, &amqp.BasicConsumeOk{ConsumerTag: "c"}},
		{"unbind", q, &amqp.QueueUnbind{Exchange: "amq.direct"}, &amqp.QueueUnbindOk{}},
		{"delete", passive, &amqp.QueueDelete{}, &amqp.QueueDeleteOk{MessageCount: 1}},
	})
}

func TestQueueBind_1_7_2_3_3_EmptyQueueAndKey(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		ask[*amqp.QueueBindOk](p, 1, &amqp.QueueBind{Exchange: "amq.direct"})
		p.publish(1, post{exchange: "amq.direct", key: "q", body: "by name"}, post{exchange: "amq.direct", key: "", body: "by nothing"})
		p.wantBodies("q", "by name")
	})
}

func TestQueueBind_1_7_2_3_Refusals(t *testing.T) {
	bind := func(queue, exchange string, args ...any) *amqp.QueueBind {
		return &amqp.QueueBind{Queue: queue, Exchange: exchange, RoutingKey: "k", Arguments: table(args...)}
	}
	refusals(t, []refusal{
		{"absent queue", nil, bind("absent", "amq.direct"), 404, "NOT_FOUND - no queue 'absent' in vhost '/'", ""},
		{"absent queue, nowait", nil, &amqp.QueueBind{Queue: "absent", Exchange: "amq.direct", NoWait: true},
			404, "NOT_FOUND - no queue 'absent' in vhost '/'", ""},
		{"absent exchange", q, bind("q", "absent"), 404, "NOT_FOUND - no exchange 'absent' in vhost '/'", ""},
		{"both absent", nil, bind("absent", "absent.x"), 404, "NOT_FOUND - no exchange 'absent.x' in vhost '/'", ""},
		{"the default exchange", q, bind("q", ""), 403, defaultExchange, ""},
		{"the default exchange, by name", q, &amqp.QueueBind{Queue: "q", RoutingKey: "q"}, 403, defaultExchange, ""},
		{"unbind from the default exchange", q, &amqp.QueueUnbind{Queue: "q", RoutingKey: "q"}, 403, defaultExchange, ""},
		{"x-match of a wrong value", q, bind("q", "amq.headers", "x-match", "foo"), 406,
			`PRECONDITION_FAILED - Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x`, ""},
		{"x-match of a wrong type", q, bind("q", "amq.headers", "x-match", int32(1)), 406,
			"PRECONDITION_FAILED - Invalid x-match field type signedint (value 1); expected longstr", ""},
		{"x-match void", q, bind("q", "amq.headers", "x-match", nil), 406,
			"PRECONDITION_FAILED - Invalid x-match field type void (value undefined); expected longstr", ""},
	})
	replies(t, []reply{
		{"twice is once", func(p *peer) { q(p); p.bind("q", "amq.direct", "k") }, bind("q", "amq.direct"), &amqp.QueueBindOk{}},
		{"x-match any-with-x", q, bind("q", "amq.headers", "x-match", "any-with-x"), &amqp.QueueBindOk{}},
		{"x-match all-with-x", q, bind("q", "amq.headers", "x-match", "all-with-x"), &amqp.QueueBindOk{}},
		{"unbind an absent binding", q, &amqp.QueueUnbind{Queue: "q", Exchange: "amq.direct", RoutingKey: "k"}, &amqp.QueueUnbindOk{}},
		{"unbind an absent queue", nil, &amqp.QueueUnbind{Queue: "absent", Exchange: "amq.direct"}, &amqp.QueueUnbindOk{}},
		{"unbind from an absent exchange", q, &amqp.QueueUnbind{Queue: "q", Exchange: "absent"}, &amqp.QueueUnbindOk{}},
	})
}

func TestQueueUnbind_1_7_2_5_TakesOneBinding(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		p.bind("q", "amq.direct", "unbind.a")
		p.bind("q", "amq.direct", "unbind.b")
		ask[*amqp.QueueUnbindOk](p, 1, &amqp.QueueUnbind{Queue: "q", Exchange: "amq.direct", RoutingKey: "unbind.a"})
		p.publish(1, post{exchange: "amq.direct", key: "unbind.a", body: "a"}, post{exchange: "amq.direct", key: "unbind.b", body: "b"})
		p.wantBodies("q", "b")
		p.bind("q", "amq.direct", "unbind.b") // twice is once
		ask[*amqp.QueueUnbindOk](p, 1, &amqp.QueueUnbind{Queue: "q", Exchange: "amq.direct", RoutingKey: "unbind.b"})
		p.publish(1, post{exchange: "amq.direct", key: "unbind.b", body: "b"})
		p.wantBodies("q")
	})
}

func TestQueuePurge_1_7_2_7(t *testing.T) {
	refusals(t, []refusal{
		{"absent", nil, &amqp.QueuePurge{Queue: "absent"}, 404, "NOT_FOUND - no queue 'absent' in vhost '/'", ""},
		{"absent, nowait", nil, &amqp.QueuePurge{Queue: "absent", NoWait: true}, 404, "NOT_FOUND - no queue 'absent' in vhost '/'", ""},
	})
	replies(t, []reply{
		{"counts ready", filled("a", "b"), &amqp.QueuePurge{Queue: "q"}, &amqp.QueuePurgeOk{MessageCount: 2}},
		{"leaves unacked", func(p *peer) {
			filled("a", "b")(p)
			p.wantGet(1, "q", false, handed{"", 1, false, "a"})
			ask[*amqp.QueuePurgeOk](p, 1, &amqp.QueuePurge{Queue: "q"})
			p.send(1, &amqp.BasicReject{DeliveryTag: 1, Requeue: true})
			p.wantCounts(1, "q", 1, 0)
		}, &amqp.QueuePurge{Queue: "q"}, &amqp.QueuePurgeOk{MessageCount: 1}},
	})
}

func TestQueueDelete_1_7_2_9(t *testing.T) {
	consumed := func(p *peer) {
		q(p)
		p.consume(1, "q", "c")
	}
	refusals(t, []refusal{
		{"if-unused, in use", consumed, &amqp.QueueDelete{Queue: "q", IfUnused: true},
			406, "PRECONDITION_FAILED - queue 'q' in vhost '/' in use", ""},
		{"if-empty, not empty", filled("a"), &amqp.QueueDelete{Queue: "q", IfEmpty: true},
			406, "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty", ""},
		{"both, in use and not empty", func(p *peer) {
			ask[*amqp.BasicQosOk](p, 1, &amqp.BasicQos{PrefetchCount: 1})
			consumed(p)
			p.fill("q", "a", "b")
			p.wantDeliver(1, handed{"c", 1, false, "a"})
		}, &amqp.QueueDelete{Queue: "q", IfUnused: true, IfEmpty: true}, 406, "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty", ""},
		{"and it is gone", func(p *peer) {
			filled("a")(p)
			ask[*amqp.QueueDeleteOk](p, 1, &amqp.QueueDelete{Queue: "q"})
		}, &amqp.QueueDeclare{Queue: "q", Passive: true}, 404, "NOT_FOUND - no queue 'q' in vhost '/'", ""},
	})
	replies(t, []reply{
		{"absent", nil, &amqp.QueueDelete{Queue: "absent"}, &amqp.QueueDeleteOk{}},
		{"counts ready", func(p *peer) {
			filled("a", "b")(p)
			p.wantGet(1, "q", false, handed{"", 1, false, "a"})
		}, &amqp.QueueDelete{Queue: "q"}, &amqp.QueueDeleteOk{MessageCount: 1}},
		{"if-empty, all unacked", func(p *peer) {
			filled("a")(p)
			p.wantGet(1, "q", false, handed{"", 1, false, "a"})
		}, &amqp.QueueDelete{Queue: "q", IfEmpty: true}, &amqp.QueueDeleteOk{}},
		{"CR and LF are dropped from names", q, &amqp.QueueDelete{Queue: "\r\nq"}, &amqp.QueueDeleteOk{}},
	})
}

// A reply text has 255 bytes at most, whatever it quotes.
func TestQueueDeclare_RabbitMQ_LongNamesInReplyTexts(t *testing.T) {
	for name, text := range map[string]string{
		strings.Repeat("x", 255):      "NOT_FOUND - no queue '" + strings.Repeat("x", 230) + "...",
		strings.Repeat("é", 127):      "NOT_FOUND - no queue '" + strings.Repeat("é", 115) + "...",
		"x" + strings.Repeat("兎", 84): "NOT_FOUND - no queue 'x" + strings.Repeat("兎", 76) + "...",
	} {
		conforms(t, func(b *broker) {
			if strings.Contains(name, "兎") {
				b.ours("RabbitMQ cuts characters in two")
			}
			p := b.peer()
			p.send(1, &amqp.QueueDeclare{Queue: name, Passive: true})
			p.wantClose(1, 404, text, amqp.IDQueueDeclare)
			p.open(1)
			p.queue(name)
			p.consume(1, name, name)
			p.publish(1, post{key: name, body: "m"})
			if m, _ := p.wantDeliver(1, handed{name, 1, false, "m"}); m.RoutingKey != name {
				t.Errorf("routing key %q", m.RoutingKey)
			}
		})
	}
}
