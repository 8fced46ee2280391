package server

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/amqp"
)

const inUse = "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"

func TestBasicConsume_1_8_3_3_Refusals(t *testing.T) {
	consumed := func(m amqp.BasicConsume, args ...any) func(p *peer) {
		return func(p *peer) {
			p.queue("q", args...)
			if m.ConsumerTag != "" {
				m.Queue = "q"
				p.consumeAs(1, &m)
			}
		}
	}
	badPriority := func(got string) string {
		return `PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': "expected integer, got ` + got + `"`
	}
	priority := func(v any) *amqp.BasicConsume {
		return &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", Arguments: table("x-priority", v)}
	}
	refusals(t, []refusal{
		{"absent", nil, &amqp.BasicConsume{Queue: "absent"}, 404, "NOT_FOUND - no queue 'absent' in vhost '/'", ""},
		{"absent, nowait", nil, &amqp.BasicConsume{Queue: "absent", NoWait: true}, 404, "NOT_FOUND - no queue 'absent' in vhost '/'", ""},
		{"tag in use", consumed(amqp.BasicConsume{ConsumerTag: "c"}), &amqp.BasicConsume{Queue: "q", ConsumerTag: "c"},
			530, "NOT_ALLOWED - attempt to reuse consumer tag 'c'", ""},
		{"exclusive, but there is one", consumed(amqp.BasicConsume{ConsumerTag: "a"}),
			&amqp.BasicConsume{Queue: "q", ConsumerTag: "b", Exclusive: true}, 403, inUse, ""},
		{"there is an exclusive one", consumed(amqp.BasicConsume{ConsumerTag: "a", Exclusive: true}),
			&amqp.BasicConsume{Queue: "q", ConsumerTag: "b"}, 403, inUse, ""},
		{"exclusive, single active consumer", consumed(amqp.BasicConsume{}, "x-single-active-consumer", true),
			&amqp.BasicConsume{Queue: "q", ConsumerTag: "b", Exclusive: true}, 403, inUse, ""},
		{"priority a string", q, priority("high"), 406, badPriority("longstr"), ""},
		{"priority a double", q, priority(1.0), 406, badPriority("double"), ""},
		{"priority a bool", q, priority(true), 406, badPriority("bool"), ""},
	})
	ok := &amqp.BasicConsumeOk{ConsumerTag: "c"}
	replies(t, []reply{
		{"priority", q, priority(int32(5)), ok},
		{"negative priority", q, priority(int64(-5)), ok},
		{"exclusive", q, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", Exclusive: true}, ok},
		{"no-local is ignored", q, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoLocal: true}, ok},
		{"unknown arguments", q, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c",
			Arguments: table("x-unknown", int32(1), "x-cancel-on-ha-failover", true)}, ok},
		{"the exclusive one has left", func(p *peer) {
			consumed(amqp.BasicConsume{ConsumerTag: "a", Exclusive: true})(p)
			ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "a"})
		}, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c"}, ok},
	})
}

func TestBasicConsume_1_8_3_3_ServerMadeTag(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		first := ask[*amqp.BasicConsumeOk](p, 1, &amqp.BasicConsume{Queue: "q"}).ConsumerTag
		second := ask[*amqp.BasicConsumeOk](p, 1, &amqp.BasicConsume{Queue: "q"}).ConsumerTag
		if !madeUp.MatchString(first) || !madeUp.MatchString(second) || first == second {
			t.Errorf("tags %q and %q", first, second)
		}
		p.fill("q", "m")
		p.wantDeliver(1, handed{first, 1, false, "m"})
	})
}

func TestBasicConsume_1_8_3_3_TagsAreTheChannels(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		p.queue("q")
		p.consume(1, "q", "c")
		p.consume(2, "q", "c")
		ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "c"})
		p.fill("q", "m")
		p.wantDeliver(2, handed{"c", 1, false, "m"})
	})
}

// consume-ok comes before the first delivery, also when there is much to deliver.
func TestBasicConsume_1_8_3_3_OkComesFirst(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		var bodies []string
		for i := range 500 {
			bodies = append(bodies, fmt.Sprint(i))
		}
		p.fill("q", bodies...)
		p.wantCounts(1, "q", 500, 0)
		p.consume(1, "q", "c")
		for i, body := range bodies {
			p.wantDeliver(1, handed{"c", uint64(i + 1), false, body})
		}
	})
}

func TestBasicConsume_1_8_3_3_NoWait(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("m")(p)
		p.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoWait: true})
		p.wantDeliver(1, handed{"c", 1, false, "m"})
		p.send(1, &amqp.BasicCancel{ConsumerTag: "c", NoWait: true})
		p.wantNothing(1)
		p.wantCounts(1, "q", 0, 0)
	})
}

func TestBasicConsume_1_8_3_3_NoAckIsSettledAtOnce(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		p.open(2)
		p.prefetch(2, 1) // does not limit it
		p.consumeAs(2, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
		p.fill("q", "1", "2", "3")
		for i, body := range []string{"1", "2", "3"} {
			p.wantDeliver(2, handed{"c", uint64(i + 1), false, body})
		}
		p.send(2, &amqp.BasicAck{DeliveryTag: 1})
		p.wantClose(2, 406, "PRECONDITION_FAILED - unknown delivery tag 1", amqp.IDBasicAck)
		p.wantCounts(1, "q", 0, 0)
	})
}

func TestBasicConsume_RabbitMQ_RoundRobin(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		tags := []string{"a", "b", "c"}
		for _, tag := range tags {
			p.consume(1, "q", tag)
		}
		for i := range 9 {
			body := fmt.Sprint(i)
			p.fill("q", body)
			p.wantDeliver(1, handed{tags[i%3], uint64(i + 1), false, body})
		}
	})
}

// A consumer of higher priority is served first for as long as it has credit.
func TestBasicConsume_RabbitMQ_Priorities(t *testing.T) {
	conforms(t, func(b *broker) {
		p, other := b.peer(), b.peer()
		p.queue("q")
		p.prefetch(1, 2)
		other.prefetch(1, 1)
		p.consume(1, "q", "low", "x-priority", int32(-1))
		other.consume(1, "q", "high", "x-priority", int32(10))
		p.consume(1, "q", "none")
		p.fill("q", "1")
		other.wantDeliver(1, handed{"high", 1, false, "1"})
		p.fill("q", "2", "3", "4", "5", "6")
		p.wantDeliver(1, handed{"none", 1, false, "2"})
		p.wantDeliver(1, handed{"none", 2, false, "3"})
		p.wantDeliver(1, handed{"low", 3, false, "4"})
		p.wantDeliver(1, handed{"low", 4, false, "5"})
		p.wantCounts(1, "q", 1, 3)
		other.send(1, &amqp.BasicAck{DeliveryTag: 1})
		other.wantDeliver(1, handed{"high", 2, false, "6"})
	})
}

func TestBasicConsume_RabbitMQ_SingleActiveConsumer(t *testing.T) {
	conforms(t, func(b *broker) {
		p, other := b.peer(), b.peer()
		p.queue("q", "x-single-active-consumer", true)
		p.consume(1, "q", "a")
		other.consume(1, "q", "b")
		p.consume(1, "q", "c")
		p.fill("q", "1", "2")
		p.wantDeliver(1, handed{"a", 1, false, "1"})
		p.wantDeliver(1, handed{"a", 2, false, "2"})
		other.wantNothing(1)
		ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "a"})
		p.fill("q", "3")
		other.wantDeliver(1, handed{"b", 1, false, "3"})
		p.send(1, &amqp.BasicNack{DeliveryTag: 1, Requeue: true}) // cancelled, but its deliveries are its own
		other.wantDeliver(1, handed{"b", 2, true, "1"})
		other.nc.Close()
		p.wantDeliver(1, handed{"c", 3, true, "1"})
		p.wantDeliver(1, handed{"c", 4, true, "3"})
	})
}

func TestBasicCancel_1_8_3_5_UnackedStayWithTheChannel(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("1", "2", "3")(p)
		p.prefetch(1, 2)
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 1, false, "1"})
		p.wantDeliver(1, handed{"c", 2, false, "2"})
		ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "c"})
		p.send(1, &amqp.BasicAck{DeliveryTag: 1}, &amqp.BasicNack{DeliveryTag: 2, Requeue: true})
		p.wantCounts(1, "q", 2, 0)
		p.consume(1, "q", "c") // the tag is free
		p.wantDeliver(1, handed{"c", 3, true, "2"})
		p.wantDeliver(1, handed{"c", 4, false, "3"})
	})
}

func TestBasicCancel_1_8_3_5_UnknownTag(t *testing.T) {
	replies(t, []reply{{"absent", nil, &amqp.BasicCancel{ConsumerTag: "absent"}, &amqp.BasicCancelOk{ConsumerTag: "absent"}}})
	conforms(t, func(b *broker) {
		p := b.peer()
		p.send(1, &amqp.BasicCancel{ConsumerTag: "absent", NoWait: true})
		p.wantNothing(1)
	})
}

func TestBasicCancel_RabbitMQ_NotifiesOfADeletedQueue(t *testing.T) {
	conforms(t, func(b *broker) {
		p, other, old := b.peer(), b.peer(), b.connect(client{noCapabilities: true})
		old.open(1)
		p.queue("q")
		p.consume(1, "q", "mine")
		other.consume(1, "q", "theirs")
		old.consume(1, "q", "untold")
		ask[*amqp.QueueDeleteOk](p, 1, &amqp.QueueDelete{Queue: "q"}) // the answer comes first
		for _, c := range []struct {
			p   *peer
			tag string
		}{{p, "mine"}, {other, "theirs"}} {
			if m := expect[*amqp.BasicCancel](c.p, 1); m.ConsumerTag != c.tag || !m.NoWait {
				t.Errorf("want cancel of %s, nowait, got %+v", c.tag, m)
			}
			ask[*amqp.BasicCancelOk](c.p, 1, &amqp.BasicCancel{ConsumerTag: c.tag})
			c.p.wantNothing(1)
		}
		old.wantNothing(1)
		ask[*amqp.BasicCancelOk](old, 1, &amqp.BasicCancel{ConsumerTag: "untold"})
		p.queue("q")
		p.wantCounts(1, "q", 0, 0)
		p.consume(1, "q", "mine") // the tag is free

		b.ours("RabbitMQ closes the connection of who answers a cancel")
		other.send(1, &amqp.BasicCancelOk{ConsumerTag: "theirs"})
		other.wantNothing(1)
	})
}

// A queue that is deleted while a client begins to consume: the client must learn
// of its consumer before it learns that it is gone.
func TestBasicCancel_RabbitMQ_NotifyComesBehindConsumeOk(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		synctest.Wait()
		ch := b.session(p).channels[1]
		con := &consumer{ch: ch, tag: "c"}
		con.QueueGone() // after its entry in the queue, before that in the channel
		if ch.enter(con, false) {
			ch.conn.out.Wake()
		}
		expect[*amqp.BasicConsumeOk](p, 1)
		expect[*amqp.BasicCancel](p, 1)
		con.QueueGone()
		p.wantNothing(1)
		if len(ch.consumers) != 0 {
			t.Errorf("the channel has %d consumers", len(ch.consumers))
		}
	})
}

// Settling what came from a queue that is gone is no error.
func TestBasicCancel_RabbitMQ_AcksAfterTheQueueIsGone(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("1", "2", "3")(p)
		p.consume(1, "q", "c")
		for i := range 3 {
			p.wantDeliver(1, handed{"c", uint64(i + 1), false, fmt.Sprint(i + 1)})
		}
		ask[*amqp.QueueDeleteOk](p, 1, &amqp.QueueDelete{Queue: "q"})
		expect[*amqp.BasicCancel](p, 1)
		p.send(1, &amqp.BasicAck{DeliveryTag: 1}, &amqp.BasicReject{DeliveryTag: 2, Requeue: true}, &amqp.BasicNack{DeliveryTag: 3})
		p.wantNothing(1)
		p.send(1, &amqp.BasicAck{DeliveryTag: 3})
		p.wantClose(1, 406, "PRECONDITION_FAILED - unknown delivery tag 3", amqp.IDBasicAck)
	})
}
