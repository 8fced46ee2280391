package server

import (
	"context"
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
)

// traced starts to trace a vhost and returns a client that gets all copies.
func (b *broker) traced() *peer {
	v, err := b.srv.VHosts().VHost("/")
	b.must(err)
	b.must(v.SetTracing(true))
	p := b.peer()
	ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "traces"})
	ask[*amqp.QueueBindOk](p, 1, &amqp.QueueBind{Queue: "traces", Exchange: vhost.TraceExchange, RoutingKey: "#"})
	p.consumeAs(1, &amqp.BasicConsume{Queue: "traces", ConsumerTag: "t", NoAck: true})
	return p
}

// wantTrace wants the copy of a message, with these headers besides node and vhost.
func (p *peer) wantTrace(key, body string, headers amqp.Table) {
	p.t.Helper()
	d, e := expectContent[*amqp.BasicDeliver](p, 1)
	if d.Exchange != vhost.TraceExchange || d.RoutingKey != key || e.body != body || e.props.Present != amqp.HasHeaders {
		p.t.Errorf("want %s %q, got %v", key, body, e)
	}
	headers = append(headers, amqp.Field{Name: "node", Value: "leveret@here"}, amqp.Field{Name: "vhost", Value: "/"})
	if len(headers) != len(e.props.Headers) {
		p.t.Errorf("%s: got the headers %v", key, e.props.Headers)
	}
	for _, f := range headers {
		if got, _ := e.props.Headers.Get(f.Name); fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", f.Value, f.Value) {
			p.t.Errorf("%s: %s is %T %v, want %T %v", key, f.Name, got, got, f.Value, f.Value)
		}
	}
}

// The copies are those that RabbitMQ 3.10 makes of the same messages, but that it names
// also queues that there are not as routed to by the default exchange.
func TestTrace(t *testing.T) {
	inBubble(t, Options{NodeName: "leveret@here"}, func(b *broker) {
		traces, p := b.traced(), b.peer()
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q"})
		p.publish(1, post{key: "q", body: "p", props: amqp.BasicProperties{
			Headers:      amqp.Table{{Name: "CC", Value: amqp.Array{"cc1"}}, {Name: "BCC", Value: amqp.Array{"q", "bcc"}}},
			DeliveryMode: 2, Priority: 3, Timestamp: 17, Expiration: "60000", Type: "ty", UserID: "guest", MessageID: "mi",
		}})
		who := func(more ...amqp.Field) amqp.Table {
			return append(amqp.Table{
				{Name: "connection", Value: "pipe -> pipe"}, {Name: "channel", Value: int32(1)}, {Name: "user", Value: "guest"},
			}, more...)
		}
		of := amqp.Table{
			{Name: "exchange_name", Value: ""}, {Name: "routing_keys", Value: amqp.Array{"q", "cc1", "q", "bcc"}},
			{Name: "properties", Value: amqp.Table{
				{Name: "user_id", Value: "guest"}, {Name: "type", Value: "ty"}, {Name: "timestamp", Value: int32(17)},
				{Name: "message_id", Value: "mi"}, {Name: "expiration", Value: "60000"}, {Name: "priority", Value: int32(3)},
				{Name: "delivery_mode", Value: int32(2)}, {Name: "headers", Value: amqp.Table{{Name: "CC", Value: amqp.Array{"cc1"}}}},
			}},
		}
		traces.wantTrace("publish.", "p", append(who(amqp.Field{Name: "routed_queues", Value: amqp.Array{"q"}}), of...))
		p.send(1, &amqp.BasicGet{Queue: "q"}, &amqp.BasicReject{DeliveryTag: 1, Requeue: true})
		expectContent[*amqp.BasicGetOk](p, 1)
		traces.wantTrace("deliver.q", "p", append(who(amqp.Field{Name: "redelivered", Value: int32(0)}), of...))
		p.consumeAs(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c"})
		expectContent[*amqp.BasicDeliver](p, 1)
		traces.wantTrace("deliver.q", "p", append(who(amqp.Field{Name: "redelivered", Value: int32(1)}), of...))
		traces.wantNothing(1)
	})
}

// What is published and delivered at once is traced in that order; what has no queue is
// traced, too; when tracing ends nothing is.
func TestTrace_OrderAndEnd(t *testing.T) {
	inBubble(t, Options{NodeName: "leveret@here"}, func(b *broker) {
		traces, p := b.traced(), b.peer()
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q"})
		p.consumeAs(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
		p.publish(1, post{key: "q", body: "a"}, post{exchange: "amq.fanout", key: "k", body: "b"}, post{key: "q", body: "c"})
		for _, want := range []string{"publish. a", "deliver.q a", "publish.amq.fanout b", "publish. c", "deliver.q c"} {
			d, e := expectContent[*amqp.BasicDeliver](traces, 1)
			if got := d.RoutingKey + " " + e.body; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		v, err := b.srv.VHosts().VHost("/")
		b.must(err)
		b.must(v.SetTracing(false))
		p.fill("q", "d")
		traces.wantNothing(1)
	})
}

func TestTrace_OfAnActor(t *testing.T) {
	inBubble(t, Options{NodeName: "leveret@here"}, func(b *broker) {
		traces := b.traced()
		ask[*amqp.QueueDeclareOk](traces, 1, &amqp.QueueDeclare{Queue: "q"})
		v, err := b.srv.VHosts().VHost("/")
		b.must(err)
		a, err := b.srv.As(auth.User{Name: "guest"}, v)
		b.must(err)
		_, err = a.Publish(context.Background(), Publishing{Key: "q", Body: []byte("m")})
		b.must(err)
		_, err = a.Get("q", 1, GetAck)
		b.must(err)
		for _, want := range []string{"publish.", "deliver.q"} {
			d, e := expectContent[*amqp.BasicDeliver](traces, 1)
			if by, _ := e.props.Headers.Get("connection"); d.RoutingKey != want || e.body != "m" || by != "direct" {
				t.Errorf("want %s, got %v", want, e)
			}
		}
	})
}

// A message that is traced is traced where it is: not in another vhost, and copies are
// not traced again.
func TestTrace_OneVHost(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		b.addVHost("other")
		traces, p := b.traced(), b.connect(client{vhost: "other"})
		p.open(1)
		p.fill("none", "a")
		p.probe(1)
		traces.wantNothing(1)
	})
}
