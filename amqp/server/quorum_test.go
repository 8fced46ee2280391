package server

import (
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// quorum declares a quorum queue on channel 1.
func (p *peer) quorum(name string, args ...any) {
	p.t.Helper()
	ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: name, Durable: true,
		Arguments: table(append([]any{"x-queue-type", "quorum"}, args...)...)})
}

func TestQuorum_RabbitMQ_Refusals(t *testing.T) {
	declared := func(args ...any) func(p *peer) {
		return func(p *peer) { p.quorum("qq", args...) }
	}
	const locked = "RESOURCE_LOCKED - cannot obtain access to locked queue 'qq' in vhost '/'. " +
		"basic.get operations are not supported by quorum queues with single active consumer"
	const kept = "NOT_IMPLEMENTED - cannot delete queue 'qq' in vhost '/'. queue.delete operations with "
	refusals(t, []refusal{
		{"get with a single active consumer", declared("x-single-active-consumer", true),
			&amqp.BasicGet{Queue: "qq"}, 405, locked, ""},
		{"delete if unused", declared(), &amqp.QueueDelete{Queue: "qq", IfUnused: true},
			540, kept + "if-unused flag set are not supported by quorum queues", ""},
		{"delete if empty", declared(), &amqp.QueueDelete{Queue: "qq", IfEmpty: true},
			540, kept + "if-empty flag set are not supported by quorum queues", ""},
	})
	replies(t, []reply{
		{"get", declared(), &amqp.BasicGet{Queue: "qq"}, &amqp.BasicGetEmpty{}},
		{"purge", declared(), &amqp.QueuePurge{Queue: "qq"}, &amqp.QueuePurgeOk{}},
		{"delete", declared(), &amqp.QueueDelete{Queue: "qq"}, &amqp.QueueDeleteOk{}},
	})
}

// A quorum queue does not heed the exclusive flag.
func TestQuorum_RabbitMQ_ExclusiveConsumers(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.quorum("qq")
		p.consumeAs(1, &amqp.BasicConsume{Queue: "qq", ConsumerTag: "a", Exclusive: true})
		p.consumeAs(1, &amqp.BasicConsume{Queue: "qq", ConsumerTag: "b", Exclusive: true})
		p.wantCounts(1, "qq", 0, 2)
	})
}

func TestQuorum_RabbitMQ_DeliveryCount(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.quorum("qq", "x-delivery-limit", int32(2), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "dead")
		p.queue("dead")
		p.publish(1, post{key: "qq", body: "m", props: amqp.BasicProperties{Headers: table("a", "b")}})
		p.consume(1, "qq", "c")
		for n := range 3 {
			_, props := p.wantDeliver(1, handed{"c", uint64(n + 1), n > 0, "m"})
			got, ok := props.Headers.Get("x-delivery-count")
			if count, _ := amqp.Int(got); ok != (n > 0) || int(count) != n {
				t.Errorf("delivery %d: x-delivery-count is %v", n+1, got)
			}
			p.send(1, &amqp.BasicReject{DeliveryTag: uint64(n + 1), Requeue: true})
		}
		p.wantNothing(1)
		p.wantBodies("dead", "m")
	})
}

// RabbitMQ 3.10 refuses a consumer on a channel with a limit that its consumers
// share, 4.3 makes it one of each consumer: here it is what was asked for.
func TestQuorum_GlobalPrefetch(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.quorum("qq")
		p.global(1)
		p.consume(1, "qq", "c")
		p.fill("qq", "1", "2")
		p.wantDeliver(1, handed{"c", 1, false, "1"})
		p.wantNothing(1)
		p.ack(1)
		p.wantDeliver(1, handed{"c", 2, false, "2"})
	})
}

// As RabbitMQ 4.3 has it.
func TestQuorum_Priorities(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.quorum("qq")
		for i, priority := range []uint8{0, 31, 1, 200, 30} {
			p.publish(1, post{key: "qq", body: string(rune('a' + i)), props: amqp.BasicProperties{Priority: priority}})
		}
		p.wantBodies("qq", "b", "d", "e", "c", "a")
	})
}

// What is settled lets a consumer of higher priority take over, as in RabbitMQ
// 4.x; 3.10 has no takeover.
func TestSingleActiveConsumer_Takeover(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p, other := b.peer(), b.peer()
		p.queue("q", "x-single-active-consumer", true)
		p.consume(1, "q", "low")
		p.fill("q", "1", "2")
		p.wantDeliver(1, handed{"low", 1, false, "1"})
		p.wantDeliver(1, handed{"low", 2, false, "2"})
		other.consume(1, "q", "high", "x-priority", int32(1))
		p.fill("q", "3")
		p.ack(1)
		other.wantNothing(1)
		p.wantNothing(1)
		p.send(1, &amqp.BasicNack{DeliveryTag: 2, Requeue: true})
		other.wantDeliver(1, handed{"high", 1, true, "2"})
		other.wantDeliver(1, handed{"high", 2, false, "3"})
		other.bye()
		p.wantDeliver(1, handed{"low", 3, true, "2"})
		p.wantDeliver(1, handed{"low", 4, true, "3"})
	})
}

// The number of the attempt is told where messages come back later.
func TestDeliver_Attempts(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-retry-backoff", "constant", "x-retry-min", int32(10))
		p.publish(1, post{key: "q", body: "m", props: amqp.BasicProperties{Headers: table("a", "b")}})
		p.consume(1, "q", "c")
		_, props := p.wantDeliver(1, handed{"c", 1, false, "m"})
		if _, ok := props.Headers.Get("x-attempts"); ok || len(props.Headers) != 1 {
			t.Errorf("headers of the first attempt: %v", props.Headers)
		}
		p.send(1, &amqp.BasicNack{DeliveryTag: 1, Requeue: true})
		p.wantNothing(1)
		p.wait(10)
		_, props = p.wantDeliver(1, handed{"c", 2, true, "m"})
		attempts, _ := props.Headers.Get("x-attempts")
		count, _ := props.Headers.Get("x-delivery-count")
		if attempts != int64(2) || count != int64(1) || len(props.Headers) != 3 {
			t.Errorf("headers of the second attempt: %v", props.Headers)
		}
		p.send(1, &amqp.BasicReject{DeliveryTag: 2, Requeue: true})
		p.send(1, &amqp.BasicCancel{ConsumerTag: "c", NoWait: true})
		p.wait(10)
		_, props = p.wantGet(1, "q", true, handed{"", 3, true, "m"})
		if attempts, _ := props.Headers.Get("x-attempts"); attempts != int64(3) {
			t.Errorf("headers of the third attempt: %v", props.Headers)
		}
	})
}
