package server

import (
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// Each thing that a client does is counted once, as RabbitMQ counts it.
func TestMessageCounts(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(p *peer)
		want MessageCounts
	}{
		{"publish", func(p *peer) { p.fill("q", "a", "b") }, MessageCounts{Publish: 2}},
		{"to nowhere", func(p *peer) { p.fill("none", "a") }, MessageCounts{Publish: 1, DropUnroutable: 1}},
		{"to nowhere, mandatory", func(p *peer) {
			p.publish(1, post{key: "none", mandatory: true})
			expectContent[*amqp.BasicReturn](p, 1)
		}, MessageCounts{Publish: 1, ReturnUnroutable: 1}},
		{"confirms", func(p *peer) {
			confirming(p)
			p.fill("q", "a", "b", "c")
			for last := uint64(0); last < 3; {
				last = expect[*amqp.BasicAck](p, 1).DeliveryTag
			}
		}, MessageCounts{Publish: 3, Confirm: 3}},
		{"get", func(p *peer) {
			p.fill("q", "a", "b")
			p.send(1, &amqp.BasicGet{Queue: "q"}, &amqp.BasicGet{Queue: "q", NoAck: true}, &amqp.BasicGet{Queue: "q"})
			expectContent[*amqp.BasicGetOk](p, 1)
			expectContent[*amqp.BasicGetOk](p, 1)
			expect[*amqp.BasicGetEmpty](p, 1)
		}, MessageCounts{Publish: 2, Get: 1, GetNoAck: 1, GetEmpty: 1}},
		{"ack, reject, get again", func(p *peer) {
			p.fill("q", "a", "b", "c")
			for range 3 {
				p.send(1, &amqp.BasicGet{Queue: "q"})
				expectContent[*amqp.BasicGetOk](p, 1)
			}
			p.send(1, &amqp.BasicAck{DeliveryTag: 1}, &amqp.BasicReject{DeliveryTag: 2}, &amqp.BasicReject{DeliveryTag: 3, Requeue: true})
			p.send(1, &amqp.BasicGet{Queue: "q"})
			expectContent[*amqp.BasicGetOk](p, 1)
		}, MessageCounts{Publish: 3, Get: 4, Ack: 1, Redeliver: 1}},
		{"deliver, ack of many", func(p *peer) {
			p.consumeAs(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c"})
			p.fill("q", "a", "b", "c")
			for range 3 {
				expectContent[*amqp.BasicDeliver](p, 1)
			}
			p.send(1, &amqp.BasicAck{DeliveryTag: 3, Multiple: true})
		}, MessageCounts{Publish: 3, Deliver: 3, Ack: 3}},
		{"deliver again, without acks", func(p *peer) {
			p.fill("q", "a")
			p.send(1, &amqp.BasicGet{Queue: "q"})
			expectContent[*amqp.BasicGetOk](p, 1)
			p.send(1, &amqp.BasicReject{DeliveryTag: 1, Requeue: true})
			p.consumeAs(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
			expectContent[*amqp.BasicDeliver](p, 1)
		}, MessageCounts{Publish: 1, Get: 1, DeliverNoAck: 1, Redeliver: 1}},
		{"rolled back", func(p *peer) {
			ask[*amqp.TxSelectOk](p, 1, &amqp.TxSelect{})
			p.fill("q", "a")
			ask[*amqp.TxRollbackOk](p, 1, &amqp.TxRollback{})
		}, MessageCounts{}},
		{"committed", func(p *peer) {
			ask[*amqp.TxSelectOk](p, 1, &amqp.TxSelect{})
			p.fill("q", "a")
			ask[*amqp.TxCommitOk](p, 1, &amqp.TxCommit{})
			p.send(1, &amqp.BasicGet{Queue: "q"})
			expectContent[*amqp.BasicGetOk](p, 1)
			p.send(1, &amqp.BasicAck{DeliveryTag: 1})
			ask[*amqp.TxCommitOk](p, 1, &amqp.TxCommit{})
		}, MessageCounts{Publish: 1, Get: 1, Ack: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				p := b.peer()
				ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q"})
				c.do(p)
				b.settle()
				if got := b.srv.ChannelInfos()[0].Messages; got != c.want {
					t.Errorf("channel: got %+v\n        want %+v", got, c.want)
				}
				if got := b.srv.Totals().Messages; got != c.want {
					t.Errorf("totals: got %+v\n        want %+v", got, c.want)
				}
				p.bye()
				b.settle()
				if got := b.srv.Totals().Messages; got != c.want {
					t.Errorf("totals without the connection: got %+v\n        want %+v", got, c.want)
				}
			})
		})
	}
}

func TestMessageSizes(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		for _, size := range []int{0, 100, 101, 1000, 1001, 50_000} {
			p.fill("none", strings.Repeat("a", size))
		}
		b.settle()
		n := b.srv.Totals()
		if want := [9]uint64{2, 2, 1, 1}; n.MessageSizes != want || n.MessageBytes != 52202 {
			t.Errorf("got %v, %d bytes, want %v", n.MessageSizes, n.MessageBytes, want)
		}
	})
}

// What is published to an exchange counts there, and what went to queues through it;
// dead letters do not, nor what comes by a binding, as in RabbitMQ.
func TestExchangeCounts(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		declare := func(m amqp.Method) { ask[*amqp.ExchangeDeclareOk](p, 1, m) }
		declare(&amqp.ExchangeDeclare{Exchange: "one", Type: "fanout"})
		declare(&amqp.ExchangeDeclare{Exchange: "two", Type: "fanout"})
		declare(&amqp.ExchangeDeclare{Exchange: "dead", Type: "fanout"})
		for _, q := range []string{"a", "b", "c"} {
			ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: q,
				Arguments: amqp.Table{{Name: "x-max-length", Value: int32(0)}, {Name: "x-dead-letter-exchange", Value: "dead"}}})
		}
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "end"})
		for _, bind := range [][2]string{{"one", "a"}, {"two", "b"}, {"two", "c"}, {"dead", "end"}} {
			ask[*amqp.QueueBindOk](p, 1, &amqp.QueueBind{Exchange: bind[0], Queue: bind[1]})
		}
		ask[*amqp.ExchangeBindOk](p, 1, &amqp.ExchangeBind{Source: "one", Destination: "two"})
		p.publish(1, post{exchange: "one"}, post{exchange: "two"}, post{exchange: "one"}, post{key: "a"}, post{key: "none"})
		p.probe(1)
		v, err := b.srv.VHosts().VHost("/")
		b.must(err)
		for name, want := range map[string][2]uint64{"one": {2, 6}, "two": {1, 2}, "": {2, 1}, "dead": {0, 0}} {
			if in, out := v.ExchangeNamed(name).Counts(); in != want[0] || out != want[1] {
				t.Errorf("%q: %d in, %d out, want %v", name, in, out, want)
			}
		}
		n := b.srv.Totals()
		if n.DeadLettered["maxlen"] != 9 || n.DeadLettered["expired"] != 0 || n.Routed != 4 || n.QueuesDeclared != 4 || n.QueuesCreated != 4 {
			t.Errorf("totals %+v", n)
		}
	})
}

func TestTotals_QueueChurn(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		for range 3 {
			ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q"})
		}
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Passive: true})
		ask[*amqp.QueueDeleteOk](p, 1, &amqp.QueueDelete{Queue: "q"})
		if n := b.srv.Totals(); n.QueuesDeclared != 3 || n.QueuesCreated != 1 || n.QueuesDeleted != 1 {
			t.Errorf("declared %d, made %d, deleted %d", n.QueuesDeclared, n.QueuesCreated, n.QueuesDeleted)
		}
	})
}
