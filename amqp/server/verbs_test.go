package server

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// The peer's verbs for what most tests do on the way to their point. Arguments
// are pairs of a name and a value.

func table(args ...any) (t amqp.Table) {
	for i := 0; i+1 < len(args); i += 2 {
		t = append(t, amqp.Field{Name: args[i].(string), Value: args[i+1]})
	}
	return t
}

// queue declares a transient queue on channel 1.
func (p *peer) queue(name string, args ...any) {
	p.t.Helper()
	ok := ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: name, Arguments: table(args...)})
	if ok.Queue != name {
		p.t.Fatalf("declared %q, got %q", name, ok.Queue)
	}
}

// exchange declares a transient exchange on channel 1.
func (p *peer) exchange(name, kind string, args ...any) {
	p.t.Helper()
	ask[*amqp.ExchangeDeclareOk](p, 1, &amqp.ExchangeDeclare{Exchange: name, Type: kind, Arguments: table(args...)})
}

// bind binds a queue on channel 1.
func (p *peer) bind(queue, exchange, key string, args ...any) {
	p.t.Helper()
	ask[*amqp.QueueBindOk](p, 1, &amqp.QueueBind{Queue: queue, Exchange: exchange, RoutingKey: key, Arguments: table(args...)})
}

// consume starts a consumer that acks.
func (p *peer) consume(ch uint16, queue, tag string, args ...any) {
	p.t.Helper()
	p.consumeAs(ch, &amqp.BasicConsume{Queue: queue, ConsumerTag: tag, Arguments: table(args...)})
}

// consumeAs starts any consumer.
func (p *peer) consumeAs(ch uint16, m *amqp.BasicConsume) {
	p.t.Helper()
	if ok := ask[*amqp.BasicConsumeOk](p, ch, m); ok.ConsumerTag != m.ConsumerTag {
		p.t.Fatalf("consumer tag %q, got %q", m.ConsumerTag, ok.ConsumerTag)
	}
}

// prefetch sets the limit of each consumer to come.
func (p *peer) prefetch(ch, count uint16) {
	p.t.Helper()
	ask[*amqp.BasicQosOk](p, ch, &amqp.BasicQos{PrefetchCount: count})
}

// handed is a message as a client gets it, by deliver or get.
type handed struct {
	consumer    string // "" by get
	tag         uint64
	redelivered bool
	body        string
}

func (h handed) String() string {
	return fmt.Sprintf("{consumer %q, tag %d, redelivered %v, body %.100q}", h.consumer, h.tag, h.redelivered, h.body)
}

// wantDeliver wants one delivery and returns all of it.
func (p *peer) wantDeliver(ch uint16, w handed) (*amqp.BasicDeliver, amqp.BasicProperties) {
	p.t.Helper()
	m, e := expectContent[*amqp.BasicDeliver](p, ch)
	if got := (handed{m.ConsumerTag, m.DeliveryTag, m.Redelivered, e.body}); got != w {
		p.t.Errorf("want delivery %v,\n got %v", w, got)
	}
	return m, e.props
}

// wantGet gets a message and returns all of it.
func (p *peer) wantGet(ch uint16, queue string, noAck bool, w handed) (*amqp.BasicGetOk, amqp.BasicProperties) {
	p.t.Helper()
	p.send(ch, &amqp.BasicGet{Queue: queue, NoAck: noAck})
	m, e := expectContent[*amqp.BasicGetOk](p, ch)
	if got := (handed{"", m.DeliveryTag, m.Redelivered, e.body}); got != w {
		p.t.Errorf("want from %s %v,\n got %v", queue, w, got)
	}
	return m, e.props
}

// wantBodies takes all that a queue has, on channel 1.
func (p *peer) wantBodies(queue string, bodies ...string) {
	p.t.Helper()
	p.b.settle()
	for i, body := range bodies {
		p.send(1, &amqp.BasicGet{Queue: queue, NoAck: true})
		m, e := expectContent[*amqp.BasicGetOk](p, 1)
		if left := len(bodies) - 1 - i; e.body != body || int(m.MessageCount) != left {
			p.t.Errorf("want %q from %s and %d left, got %q and %d", body, queue, left, e.body, m.MessageCount)
		}
	}
	ask[*amqp.BasicGetEmpty](p, 1, &amqp.BasicGet{Queue: queue})
}

// wantCounts wants a queue to have so many ready messages and consumers.
func (p *peer) wantCounts(ch uint16, queue string, messages, consumers uint32) {
	p.t.Helper()
	p.b.settle()
	ok := ask[*amqp.QueueDeclareOk](p, ch, &amqp.QueueDeclare{Queue: queue, Passive: true})
	if ok.MessageCount != messages || ok.ConsumerCount != consumers {
		p.t.Errorf("queue %s: want %d messages and %d consumers, got %d and %d",
			queue, messages, consumers, ok.MessageCount, ok.ConsumerCount)
	}
}

// wantReturn wants a mandatory message back.
func (p *peer) wantReturn(ch uint16, exchange, key, body string) amqp.BasicProperties {
	p.t.Helper()
	m, e := expectContent[*amqp.BasicReturn](p, ch)
	w := amqp.BasicReturn{ReplyCode: amqp.CodeNoRoute, ReplyText: "NO_ROUTE", Exchange: exchange, RoutingKey: key}
	if *m != w || e.body != body {
		p.t.Errorf("want return %+v of %q, got %v", w, body, e)
	}
	return e.props
}

// wantAck wants a confirm.
func (p *peer) wantAck(ch uint16, tag uint64, multiple bool) {
	p.t.Helper()
	if m := expect[*amqp.BasicAck](p, ch); m.DeliveryTag != tag || m.Multiple != multiple {
		p.t.Errorf("want ack of %d, multiple %v, got %+v", tag, multiple, m)
	}
}

// refusal is a method that the broker must refuse, and how.
type refusal struct {
	name    string
	prepare func(p *peer) // on channel 1, before
	m       amqp.Method
	code    amqp.ReplyCode
	text    string
	ours    string // why we mean to differ from RabbitMQ 3.10, if we do
}

// refusals runs a table of refusals. Each is sent on channel 1 to a broker of its
// own; channel 2 and another connection must not be touched by it, and after a
// channel error the channel may be opened again.
func refusals(t *testing.T, table []refusal) {
	t.Helper()
	for _, r := range table {
		t.Run(r.name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				if r.ours != "" {
					b.ours(r.ours)
				}
				p, other := b.peer(), b.peer()
				p.open(2)
				if r.prepare != nil {
					r.prepare(p)
				}
				p.send(1, r.m)
				p.wantClose(1, r.code, r.text, ids(r.m.ClassID(), r.m.MethodID()))
				if !r.code.Hard() {
					p.probe(2)
					p.open(1)
				}
				other.probe(1)
			})
		})
	}
}

// reply is a method that the broker must answer, and how.
type reply struct {
	name    string
	prepare func(p *peer)
	m       amqp.Method
	want    amqp.Method
}

// replies runs a table of replies, each with a broker of its own.
func replies(t *testing.T, table []reply) {
	t.Helper()
	for _, r := range table {
		t.Run(r.name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.peer()
				if r.prepare != nil {
					r.prepare(p)
				}
				p.send(1, r.m)
				if e := p.next(r.want.Name()); !reflect.DeepEqual(e.m, r.want) {
					t.Errorf("want %s %+v, got %v", r.want.Name(), r.want, e)
				}
				p.wantNothing(1)
			})
		})
	}
}
