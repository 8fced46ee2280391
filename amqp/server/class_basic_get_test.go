package server

import (
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

func TestBasicGet_1_8_3_10_CountsAndTags(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("a", "b")(p)
		if m, _ := p.wantGet(1, "q", false, handed{"", 1, false, "a"}); m.MessageCount != 1 || m.Exchange != "" || m.RoutingKey != "q" {
			t.Errorf("got %+v", m)
		}
		if m, _ := p.wantGet(1, "q", true, handed{"", 2, false, "b"}); m.MessageCount != 0 {
			t.Errorf("got %+v", m)
		}
		ask[*amqp.BasicGetEmpty](p, 1, &amqp.BasicGet{Queue: "q"})
		p.send(1, &amqp.BasicReject{DeliveryTag: 1, Requeue: true})
		p.wantGet(1, "q", false, handed{"", 3, true, "a"})
	})
	refusals(t, []refusal{
		{"absent", nil, &amqp.BasicGet{Queue: "absent"}, 404, "NOT_FOUND - no queue 'absent' in vhost '/'", ""},
	})
}

// Tags are one sequence for gets and deliveries, and prefetch is for these alone.
func TestBasicGet_RabbitMQ_PrefetchDoesNotCountIt(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("0", "1", "2", "3")(p)
		ask[*amqp.BasicQosOk](p, 1, &amqp.BasicQos{PrefetchCount: 1, Global: true})
		p.wantGet(1, "q", false, handed{"", 1, false, "0"})
		p.wantGet(1, "q", false, handed{"", 2, false, "1"})
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 3, false, "2"})
		p.send(1, &amqp.BasicAck{DeliveryTag: 2, Multiple: true})
		p.wantNothing(1)
		p.wantGet(1, "q", true, handed{"", 4, false, "3"})
		p.send(1, &amqp.BasicAck{DeliveryTag: 3})
		p.wantNothing(1)
	})
}

// unknown is the refusal of a delivery tag.
func unknown(tag uint64) string {
	return fmt.Sprintf("PRECONDITION_FAILED - unknown delivery tag %d", tag)
}

func TestBasicAck_1_8_3_13_UnknownTags(t *testing.T) {
	got := func(n int, then ...amqp.Method) func(p *peer) {
		return func(p *peer) {
			filled("a", "b", "c")(p)
			for i, body := range []string{"a", "b", "c"}[:n] {
				p.wantGet(1, "q", false, handed{"", uint64(i + 1), false, body})
			}
			if len(then) > 0 {
				p.send(1, then...)
			}
		}
	}
	refusals(t, []refusal{
		{"ack", nil, &amqp.BasicAck{DeliveryTag: 7}, 406, unknown(7), ""},
		{"ack multiple", nil, &amqp.BasicAck{DeliveryTag: 7, Multiple: true}, 406, unknown(7), ""},
		{"nack", nil, &amqp.BasicNack{DeliveryTag: 7}, 406, unknown(7), ""},
		{"nack multiple", nil, &amqp.BasicNack{DeliveryTag: 7, Multiple: true}, 406, unknown(7), ""},
		{"reject", nil, &amqp.BasicReject{DeliveryTag: 7}, 406, unknown(7), ""},
		{"reject requeue", nil, &amqp.BasicReject{DeliveryTag: 7, Requeue: true}, 406, unknown(7), ""},
		{"0 not multiple", got(1), &amqp.BasicAck{}, 406, unknown(0), ""},
		{"twice", got(1, &amqp.BasicAck{DeliveryTag: 1}), &amqp.BasicAck{DeliveryTag: 1}, 406, unknown(1), ""},
		{"reject after ack", got(1, &amqp.BasicAck{DeliveryTag: 1}), &amqp.BasicReject{DeliveryTag: 1}, 406, unknown(1), ""},
		{"multiple above all", got(1), &amqp.BasicAck{DeliveryTag: 5, Multiple: true}, 406, unknown(5), ""},
		{"multiple of a settled one, an earlier unacked", got(2, &amqp.BasicAck{DeliveryTag: 2}),
			&amqp.BasicAck{DeliveryTag: 2, Multiple: true}, 406, unknown(2), ""},
		{"multiple below all", got(2, &amqp.BasicAck{DeliveryTag: 1}), &amqp.BasicAck{DeliveryTag: 1, Multiple: true}, 406, unknown(1), ""},
		{"after 0 multiple", got(2, &amqp.BasicAck{Multiple: true}), &amqp.BasicAck{DeliveryTag: 2}, 406, unknown(2), ""},
		{"after recover", got(1, &amqp.BasicRecoverAsync{Requeue: true}), &amqp.BasicAck{DeliveryTag: 1}, 406, unknown(1), ""},
	})
	for _, m := range []amqp.Method{&amqp.BasicAck{Multiple: true}, &amqp.BasicNack{Multiple: true, Requeue: true}, &amqp.BasicNack{Multiple: true}} {
		conforms(t, func(b *broker) { // nothing is outstanding, and that is fine
			p := b.peer()
			p.send(1, m)
			p.wantNothing(1)
		})
	}
}

func TestBasicAck_RabbitMQ_FromAnotherChannel(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		filled("a")(p)
		p.wantGet(1, "q", false, handed{"", 1, false, "a"})
		p.send(2, &amqp.BasicAck{DeliveryTag: 1})
		p.wantClose(2, 406, unknown(1), amqp.IDBasicAck)
		p.send(1, &amqp.BasicAck{DeliveryTag: 1})
		p.wantNothing(1)
		ask[*amqp.ChannelCloseOk](p, 1, &amqp.ChannelClose{ReplyCode: 200})
		p.open(1)
		p.wantCounts(1, "q", 0, 0)
	})
}

func TestBasicAck_1_8_3_13_MultipleOverQueues(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		for _, queue := range []string{"q", "r", "s"} {
			p.queue(queue)
			p.fill(queue, queue+"1", queue+"2")
		}
		p.send(2, &amqp.BasicGet{Queue: "q"}, &amqp.BasicGet{Queue: "r"}, &amqp.BasicGet{Queue: "q"}, &amqp.BasicGet{Queue: "s"}, &amqp.BasicGet{Queue: "r"})
		for range 5 {
			expectContent[*amqp.BasicGetOk](p, 2)
		}
		p.send(2, &amqp.BasicAck{DeliveryTag: 4, Multiple: true})
		ask[*amqp.ChannelCloseOk](p, 2, &amqp.ChannelClose{ReplyCode: 200})
		b.settle()
		p.wantBodies("q")
		p.wantBodies("r", "r2")
		p.wantBodies("s", "s2")
	})
}

func TestBasicReject_1_8_3_14_RequeuesToItsPlace(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("1", "2", "3")(p)
		p.wantGet(1, "q", false, handed{"", 1, false, "1"})
		p.wantGet(1, "q", false, handed{"", 2, false, "2"})
		p.send(1, &amqp.BasicReject{DeliveryTag: 1, Requeue: true})
		p.wantGet(1, "q", true, handed{"", 3, true, "1"})
		p.send(1, &amqp.BasicReject{DeliveryTag: 2, Requeue: true})
		p.wantGet(1, "q", true, handed{"", 4, true, "2"})
		p.wantGet(1, "q", true, handed{"", 5, false, "3"})
	})
}

func TestBasicReject_RabbitMQ_RequeuesInReverse(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("1", "2", "3")(p)
		for i, body := range []string{"1", "2", "3"} {
			p.wantGet(1, "q", false, handed{"", uint64(i + 1), false, body})
		}
		for tag := uint64(3); tag > 0; tag-- {
			p.send(1, &amqp.BasicReject{DeliveryTag: tag, Requeue: true})
		}
		for i, body := range []string{"1", "2", "3"} {
			p.wantGet(1, "q", true, handed{"", uint64(i + 4), true, body})
		}
	})
}

func TestBasicReject_1_8_3_14_WithoutRequeueDrops(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("1", "2", "3", "4")(p)
		for i, body := range []string{"1", "2", "3"} {
			p.wantGet(1, "q", false, handed{"", uint64(i + 1), false, body})
		}
		p.send(1, &amqp.BasicReject{DeliveryTag: 1}, &amqp.BasicNack{DeliveryTag: 3, Multiple: true})
		p.wantBodies("q", "4")
	})
}

func TestBasicNack_RabbitMQ_MultipleGoesBackInOrder(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("1", "2", "3")(p)
		p.wantGet(1, "q", false, handed{"", 1, false, "1"})
		p.wantGet(1, "q", false, handed{"", 2, false, "2"})
		p.fill("q", "4")
		p.send(1, &amqp.BasicNack{DeliveryTag: 2, Multiple: true, Requeue: true})
		p.wantGet(1, "q", true, handed{"", 3, true, "1"})
		p.wantGet(1, "q", true, handed{"", 4, true, "2"})
		p.wantGet(1, "q", true, handed{"", 5, false, "3"})
		p.wantGet(1, "q", true, handed{"", 6, false, "4"})
	})
}

func TestBasicNack_RabbitMQ_RequeueToTheOnlyConsumer(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("1", "2")(p)
		p.prefetch(1, 1)
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 1, false, "1"})
		p.send(1, &amqp.BasicNack{DeliveryTag: 1, Requeue: true})
		p.wantDeliver(1, handed{"c", 2, true, "1"})
		p.send(1, &amqp.BasicAck{DeliveryTag: 2})
		p.wantDeliver(1, handed{"c", 3, false, "2"})
	})
}

func TestBasicRecover_1_8_3_16(t *testing.T) {
	refusals(t, []refusal{
		{"without requeue", nil, &amqp.BasicRecover{}, 540, "NOT_IMPLEMENTED - requeue=false", ""},
		{"async without requeue", nil, &amqp.BasicRecoverAsync{}, 540, "NOT_IMPLEMENTED - requeue=false", ""},
	})
	replies(t, []reply{{"nothing to recover", nil, &amqp.BasicRecover{Requeue: true}, &amqp.BasicRecoverOk{}}})
}

// recover-ok comes before the redeliveries.
func TestBasicRecover_1_8_3_16_RedeliversInOrder(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("1", "2", "3")(p)
		p.prefetch(1, 2)
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 1, false, "1"})
		p.wantDeliver(1, handed{"c", 2, false, "2"})
		ask[*amqp.BasicRecoverOk](p, 1, &amqp.BasicRecover{Requeue: true})
		p.wantDeliver(1, handed{"c", 3, true, "1"})
		p.wantDeliver(1, handed{"c", 4, true, "2"})
		p.send(1, &amqp.BasicRecoverAsync{Requeue: true})
		p.wantDeliver(1, handed{"c", 5, true, "1"})
		p.wantDeliver(1, handed{"c", 6, true, "2"})
		p.send(1, &amqp.BasicAck{DeliveryTag: 6, Multiple: true})
		p.wantDeliver(1, handed{"c", 7, false, "3"})
	})
}
