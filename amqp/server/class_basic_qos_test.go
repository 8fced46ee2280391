package server

import (
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// global sets the limit that the consumers of channel 1 share.
func (p *peer) global(count uint16) {
	p.t.Helper()
	ask[*amqp.BasicQosOk](p, 1, &amqp.BasicQos{PrefetchCount: count, Global: true})
}

// ack settles on channel 1.
func (p *peer) ack(tags ...uint64) {
	p.t.Helper()
	for _, tag := range tags {
		p.add(1, &amqp.BasicAck{DeliveryTag: tag})
	}
	p.flush()
}

func TestBasicQos_1_8_3_1_PrefetchSizeIsRefused(t *testing.T) {
	refusals(t, []refusal{{"10 bytes", nil, &amqp.BasicQos{PrefetchSize: 10}, 540, "NOT_IMPLEMENTED - prefetch_size!=0 (10)", ""}})
}

func TestBasicQos_RabbitMQ_PerConsumer(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("0", "1", "2", "3", "4")(p)
		p.prefetch(1, 1)
		p.consume(1, "q", "a")
		p.wantDeliver(1, handed{"a", 1, false, "0"})
		p.consume(1, "q", "b")
		p.wantDeliver(1, handed{"b", 2, false, "1"})
		p.wantNothing(1)
		p.ack(1)
		p.wantDeliver(1, handed{"a", 3, false, "2"})
		p.ack(2)
		p.wantDeliver(1, handed{"b", 4, false, "3"})
		p.wantNothing(1)
	})
}

func TestBasicQos_RabbitMQ_ChangesNewConsumersOnly(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("0", "1", "2", "3", "4")(p)
		p.prefetch(1, 1)
		p.consume(1, "q", "a")
		p.wantDeliver(1, handed{"a", 1, false, "0"})
		p.prefetch(1, 3)
		p.wantNothing(1)
		p.consume(1, "q", "b")
		for i := range 3 {
			p.wantDeliver(1, handed{"b", uint64(i + 2), false, fmt.Sprint(i + 1)})
		}
		p.wantNothing(1)
		p.ack(1)
		p.wantDeliver(1, handed{"a", 5, false, "4"})
	})
}

func TestBasicQos_1_8_3_1_ZeroIsNoLimit(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.prefetch(1, 1)
		p.prefetch(1, 0)
		p.queue("q")
		p.consume(1, "q", "a")
		for i := range 1000 {
			p.addPost(1, post{key: "q", body: fmt.Sprint(i)})
		}
		p.flush()
		for i := range 1000 {
			p.wantDeliver(1, handed{"a", uint64(i + 1), false, fmt.Sprint(i)})
		}
	})
}

func TestBasicQos_RabbitMQ_GlobalIsShared(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("0", "1", "2", "3", "4", "5", "6")(p)
		p.global(3)
		p.consume(1, "q", "a")
		for i := range 3 {
			p.wantDeliver(1, handed{"a", uint64(i + 1), false, fmt.Sprint(i)})
		}
		p.consume(1, "q", "b")
		p.wantNothing(1)
		p.ack(1)
		_, e := expectContent[*amqp.BasicDeliver](p, 1) // whose turn it is differs
		if e.body != "3" {
			t.Errorf("got %v", e)
		}
		p.wantNothing(1)
		p.global(5) // under way: deliveries go on
		for _, body := range []string{"4", "5"} {
			if _, e := expectContent[*amqp.BasicDeliver](p, 1); e.body != body {
				t.Errorf("want %q, got %v", body, e)
			}
		}
		p.wantNothing(1)
		p.global(2) // below what is out: nothing comes until enough is settled
		p.ack(2, 3, 4)
		p.wantNothing(1)
		p.ack(5)
		if _, e := expectContent[*amqp.BasicDeliver](p, 1); e.body != "6" {
			t.Errorf("got %v", e)
		}
	})
}

func TestBasicQos_RabbitMQ_GlobalZeroIsNoLimit(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("0", "1", "2")(p)
		p.global(1)
		p.consume(1, "q", "a")
		p.wantDeliver(1, handed{"a", 1, false, "0"})
		p.wantNothing(1)
		p.global(0)
		p.wantDeliver(1, handed{"a", 2, false, "1"})
		p.wantDeliver(1, handed{"a", 3, false, "2"})
	})
}

func TestBasicQos_RabbitMQ_BothLimitsHold(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("0", "1", "2", "3", "4", "5")(p)
		p.prefetch(1, 2)
		p.global(3)
		p.consume(1, "q", "a")
		p.wantDeliver(1, handed{"a", 1, false, "0"})
		p.wantDeliver(1, handed{"a", 2, false, "1"})
		p.consume(1, "q", "b")
		p.wantDeliver(1, handed{"b", 3, false, "2"})
		p.wantNothing(1)
		p.ack(3)
		p.wantDeliver(1, handed{"b", 4, false, "3"})
		p.wantNothing(1)
		p.global(4)
		p.wantDeliver(1, handed{"b", 5, false, "4"})
		p.wantNothing(1)
	})
}

// Each channel has its own credit: one that is full does not keep the message
// from another.
func TestBasicQos_1_8_3_1_IsTheChannels(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		p.queue("q")
		p.global(1)
		p.consume(1, "q", "a")
		p.consume(2, "q", "b")
		p.fill("q", "0", "1", "2", "3")
		p.b.settle()
		got := map[uint16]int{}
		for range 4 {
			e := p.next("a delivery")
			got[e.ch]++
		}
		if got[1] != 1 || got[2] != 3 {
			t.Errorf("deliveries by channel: %v", got)
		}
	})
}

// What is requeued or rejected gives its credit back too.
func TestBasicQos_RabbitMQ_EverySettlementFreesCredit(t *testing.T) {
	for name, settle := range map[string]amqp.Method{
		"ack":            &amqp.BasicAck{DeliveryTag: 2, Multiple: true},
		"reject":         &amqp.BasicNack{DeliveryTag: 2, Multiple: true},
		"ack everything": &amqp.BasicAck{Multiple: true},
	} {
		t.Run(name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.peer()
				filled("0", "1", "2", "3", "4")(p)
				p.prefetch(1, 2)
				p.consume(1, "q", "a")
				p.wantDeliver(1, handed{"a", 1, false, "0"})
				p.wantDeliver(1, handed{"a", 2, false, "1"})
				p.send(1, settle)
				p.wantDeliver(1, handed{"a", 3, false, "2"})
				p.wantDeliver(1, handed{"a", 4, false, "3"})
				p.wantNothing(1)
			})
		})
	}
}
