package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// noAck consumes without acks.
func (p *peer) noAck(ch uint16, queue, tag string) {
	p.t.Helper()
	p.consumeAs(ch, &amqp.BasicConsume{Queue: queue, ConsumerTag: tag, NoAck: true})
}

// wantReply wants a reply. Its delivery tag means nothing: RabbitMQ's is always 1.
func (p *peer) wantReply(ch uint16, body string) (*amqp.BasicDeliver, amqp.BasicProperties) {
	p.t.Helper()
	m, e := expectContent[*amqp.BasicDeliver](p, ch)
	if m.ConsumerTag != "c" || m.Redelivered || e.body != body {
		p.t.Fatalf("want the reply %.50q, got %.300v", body, e)
	}
	return m, e.props
}

// request publishes a request on channel 1 and returns the reply-to that it
// arrives with, as seen by other.
func (p *peer) request(other *peer, body string) (name string) {
	p.t.Helper()
	p.publish(1, post{key: "requests", body: body, props: amqp.BasicProperties{ReplyTo: replyTo, CorrelationID: "1"}})
	p.b.settle()
	other.send(1, &amqp.BasicGet{Queue: "requests", NoAck: true})
	_, e := expectContent[*amqp.BasicGetOk](other, 1)
	name = e.props.ReplyTo
	if !strings.HasPrefix(name, replyTo+".") || len(name) < len(replyTo)+20 || e.props.CorrelationID != "1" || e.body != body {
		p.t.Fatalf("the request arrived as %v", e)
	}
	return name
}

func TestDirectReplyTo_RabbitMQ_Refusals(t *testing.T) {
	set := func(p *peer) { p.noAck(1, replyTo, "c") }
	refusals(t, []refusal{
		{"with acks", nil, &amqp.BasicConsume{Queue: replyTo, ConsumerTag: "c"}, 406, "PRECONDITION_FAILED - reply consumer cannot acknowledge", ""},
		{"a second one", set, &amqp.BasicConsume{Queue: replyTo, ConsumerTag: "d", NoAck: true},
			406, "PRECONDITION_FAILED - reply consumer already set", ""},
		{"the same tag again", set, &amqp.BasicConsume{Queue: replyTo, ConsumerTag: "c", NoAck: true},
			406, "PRECONDITION_FAILED - reply consumer already set", ""},
		{"the tag of another consumer", func(p *peer) { q(p); p.consume(1, "q", "c") },
			&amqp.BasicConsume{Queue: replyTo, ConsumerTag: "c", NoAck: true}, 530, "NOT_ALLOWED - attempt to reuse consumer tag 'c'", ""},
		{"get", set, &amqp.BasicGet{Queue: replyTo}, 404, "NOT_FOUND - no queue 'amq.rabbitmq.reply-to' in vhost '/'", ""},
		{"purge", nil, &amqp.QueuePurge{Queue: replyTo}, 404, "NOT_FOUND - no queue 'amq.rabbitmq.reply-to' in vhost '/'", ""},
		{"bind", nil, &amqp.QueueBind{Queue: replyTo, Exchange: "amq.direct", RoutingKey: "k"},
			404, "NOT_FOUND - no queue 'amq.rabbitmq.reply-to' in vhost '/'", ""},
	})
	ok := &amqp.QueueDeclareOk{Queue: replyTo, ConsumerCount: 1}
	replies(t, []reply{
		{"declare", nil, &amqp.QueueDeclare{Queue: replyTo}, ok},
		{"passive declare", nil, &amqp.QueueDeclare{Queue: replyTo, Passive: true}, ok},
		{"delete", nil, &amqp.QueueDelete{Queue: replyTo}, &amqp.QueueDeleteOk{}},
		{"exclusive is ignored", nil, &amqp.BasicConsume{Queue: replyTo, ConsumerTag: "c", NoAck: true, Exclusive: true}, &amqp.BasicConsumeOk{ConsumerTag: "c"}},
		{"again after a cancel", func(p *peer) { set(p); ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "c"}) },
			&amqp.BasicConsume{Queue: replyTo, ConsumerTag: "d", NoAck: true}, &amqp.BasicConsumeOk{ConsumerTag: "d"}},
		{"one for each channel", func(p *peer) { p.open(2); p.noAck(2, replyTo, "c") },
			&amqp.BasicConsume{Queue: replyTo, ConsumerTag: "c", NoAck: true}, &amqp.BasicConsumeOk{ConsumerTag: "c"}},
	})
}

func TestDirectReplyTo_RabbitMQ_TheRound(t *testing.T) {
	for _, where := range []string{"another connection", "another channel", "the same channel"} {
		t.Run(where, func(t *testing.T) {
			conforms(t, func(b *broker) {
				asker := b.peer()
				answerer, ch := asker, uint16(1)
				switch where {
				case "another connection":
					answerer = b.peer()
				case "another channel":
					asker.open(2)
					ch = 2
				}
				asker.queue("requests")
				asker.noAck(1, replyTo, "c")
				name := asker.request(answerer, "ask")
				if b.srv != nil || where != "the same channel" { // where RabbitMQ fails
					ok := ask[*amqp.QueueDeclareOk](answerer, ch, &amqp.QueueDeclare{Queue: name, Passive: true})
					if want := (amqp.QueueDeclareOk{Queue: name, ConsumerCount: 1}); *ok != want {
						t.Errorf("passive declare of a living name: %+v", ok)
					}
				}
				for i := range 3 {
					body := fmt.Sprint("answer ", i)
					answerer.publish(ch, post{key: name, body: body, props: amqp.BasicProperties{CorrelationID: "1"}})
					m, props := asker.wantReply(1, body)
					if m.Exchange != "" || m.RoutingKey != name || props.CorrelationID != "1" {
						t.Errorf("got %+v, %+v", m, props)
					}
				}
			})
		})
	}
}

func TestDirectReplyTo_RabbitMQ_EndsWithItsConsumer(t *testing.T) {
	for how, end := range map[string]func(p *peer){
		"cancel":           func(p *peer) { ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "c"}) },
		"channel.close":    func(p *peer) { ask[*amqp.ChannelCloseOk](p, 1, &amqp.ChannelClose{ReplyCode: 200}) },
		"connection.close": func(p *peer) { p.bye() },
		"a channel error": func(p *peer) {
			p.send(1, &amqp.QueuePurge{Queue: "absent"})
			p.wantClose(1, 404, "NOT_FOUND - no queue 'absent' in vhost '/'", amqp.IDQueuePurge)
		},
		"a lost connection": func(p *peer) { p.nc.Close() },
	} {
		t.Run(how, func(t *testing.T) {
			conforms(t, func(b *broker) {
				asker, answerer := b.peer(), b.peer()
				answerer.queue("requests")
				asker.noAck(1, replyTo, "c")
				name := asker.request(answerer, "ask")
				end(asker)
				b.settle()
				answerer.publish(1, post{key: name, body: "too late", mandatory: true})
				answerer.wantReturn(1, "", name, "too late")
				answerer.send(1, &amqp.QueueDeclare{Queue: name, Passive: true})
				answerer.wantClose(1, 404, "NOT_FOUND - no queue '"+name+"' in vhost '/'", amqp.IDQueueDeclare)
			})
		})
	}
}

func TestDirectReplyTo_RabbitMQ_MadeUpName(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.publish(1, post{key: replyTo + ".absent", body: "m", mandatory: true})
		p.wantReturn(1, "", replyTo+".absent", "m")
	})
}

// A name that stands for a consumer is nothing to consume, get, bind or declare
// exclusively for anybody else.
func TestDirectReplyTo_RabbitMQ_TheNameIsNoQueue(t *testing.T) {
	conforms(t, func(b *broker) {
		asker, other := b.peer(), b.peer()
		other.queue("requests")
		asker.noAck(1, replyTo, "c")
		name := asker.request(other, "ask")
		for _, m := range []amqp.Method{
			&amqp.BasicConsume{Queue: name}, &amqp.BasicGet{Queue: name}, &amqp.QueuePurge{Queue: name},
			&amqp.QueueBind{Queue: name, Exchange: "amq.fanout"},
		} {
			other.send(1, m)
			other.wantClose(1, 404, "NOT_FOUND - no queue '"+name+"' in vhost '/'", ids(m.ClassID(), m.MethodID()))
			other.open(1)
		}
		ask[*amqp.QueueDeleteOk](other, 1, &amqp.QueueDelete{Queue: name})
		other.publish(1, post{key: name, body: "still there"})
		asker.wantReply(1, "still there")
	})
}

func TestDirectReplyTo_RabbitMQ_MandatoryToALivingName(t *testing.T) {
	conforms(t, func(b *broker) {
		b.ours("3.10 returns it as well as delivering it, 4.x as here")
		asker, other := b.peer(), b.peer()
		other.queue("requests")
		asker.noAck(1, replyTo, "c")
		name := asker.request(other, "ask")
		confirming(other)
		other.publish(1, post{key: name, body: "m", mandatory: true})
		other.wantAck(1, 1, false)
		asker.wantReply(1, "m")
	})
}

// Replies wait for a client that does not read; the one who answers goes on.
func TestDirectReplyTo_RabbitMQ_WaitsForASlowReader(t *testing.T) {
	conforms(t, func(b *broker) {
		asker, other := b.peer(), b.peer()
		other.queue("requests")
		asker.noAck(1, replyTo, "c")
		name := asker.request(other, "ask")
		body := strings.Repeat("x", 10_000)
		const n = 200
		for range n {
			other.publish(1, post{key: name, body: body})
		}
		other.probe(1)
		for range n {
			asker.wantReply(1, body)
		}
	})
}

// Askers and answerers by the dozen, all on one queue of requests.
func TestDirectReplyTo_RabbitMQ_ManyAtOnce(t *testing.T) {
	const askers, rounds = 8, 20
	inBubble(t, Options{}, func(b *broker) {
		server := b.peer()
		server.queue("requests")
		server.noAck(1, "requests", "s")
		var done sync.WaitGroup
		for i := range askers {
			p := b.peer()
			p.noAck(1, replyTo, "c")
			done.Go(func() {
				for round := range rounds {
					body := fmt.Sprint(i, ".", round)
					p.publish(1, post{key: "requests", body: body, props: amqp.BasicProperties{ReplyTo: replyTo}})
					m, e := expectContent[*amqp.BasicDeliver](p, 1)
					if want := "re: " + body; e.body != want || m.DeliveryTag != uint64(round+1) {
						t.Errorf("asker %d got %v, want %q", i, e, want)
					}
				}
			})
		}
		for range askers * rounds {
			_, e := expectContent[*amqp.BasicDeliver](server, 1)
			server.publish(1, post{key: e.props.ReplyTo, body: "re: " + e.body})
		}
		done.Wait()
	})
}
