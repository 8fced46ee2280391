package server

import (
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

const notOpen = "CHANNEL_ERROR - expected 'channel.open'"

func TestChannel_1_5_2_Refusals(t *testing.T) {
	refusals(t, []refusal{
		{"opened twice", nil, &amqp.ChannelOpen{}, 504, "CHANNEL_ERROR - second 'channel.open' seen", ""},
		{"flow stopped", nil, &amqp.ChannelFlow{Active: false}, 540, "NOT_IMPLEMENTED - active=false", ""},
		{"an answer of the broker's", nil, &amqp.QueueDeclareOk{Queue: "q"}, 503, "COMMAND_INVALID - unimplemented method", ""},
		{"a delivery", nil, &amqp.BasicDeliver{ConsumerTag: "c"}, 503, "COMMAND_INVALID - unimplemented method",
			"3.10 waits for the content first"},
		{"connection.close", nil, &amqp.ConnectionClose{ReplyCode: 200}, 503, "COMMAND_INVALID - unimplemented method", ""},
		{"an answer to no close", nil, &amqp.ChannelCloseOk{}, 503, "COMMAND_INVALID - unimplemented method", ""},
		{"an answer to no flow", nil, &amqp.ChannelFlowOk{Active: true}, 503, "COMMAND_INVALID - unimplemented method", ""},
	})
	replies(t, []reply{
		{"flow goes on", nil, &amqp.ChannelFlow{Active: true}, &amqp.ChannelFlowOk{Active: true}},
		{"access.request of AMQP 0-8", nil, &amqp.AccessRequest{Realm: "/data", Read: true}, &amqp.AccessRequestOk{Ticket: 1}},
	})
}

func TestChannelOpen_1_5_2_1_ComesFirst(t *testing.T) {
	for _, m := range []amqp.Method{
		&amqp.QueueDeclare{Queue: "q"},
		&amqp.BasicAck{DeliveryTag: 1},
		&amqp.ChannelClose{ReplyCode: 200},
		&amqp.TxSelect{},
	} {
		t.Run(m.Name(), func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.peer()
				p.send(5, m)
				p.wantClose(5, 504, notOpen, ids(m.ClassID(), m.MethodID()))
			})
		})
	}
	t.Run("basic.publish", func(t *testing.T) {
		conforms(t, func(b *broker) {
			p := b.peer()
			p.publish(5, post{key: "q", body: "m"})
			p.wantClose(5, 504, notOpen, amqp.IDBasicPublish)
		})
	})
}

func TestChannelOpen_RabbitMQ_AnyNumber(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(3000, 65535)
		p.probe(65535)
		ask[*amqp.ChannelCloseOk](p, 65535, &amqp.ChannelClose{ReplyCode: 200})
		p.probe(3000)
	})
}

func TestChannelOpen_RabbitMQ_NoMoreThanChannelMax(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.connect(client{channelMax: 2})
		p.open(1, 2)
		ask[*amqp.ChannelCloseOk](p, 1, &amqp.ChannelClose{ReplyCode: 200})
		p.open(7)
		p.send(3, &amqp.ChannelOpen{})
		p.wantClose(3, 530, "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)", 0)
	})
}

// A channel that the broker is closing counts until the client has agreed.
func TestChannelOpen_RabbitMQ_ClosingChannelsCount(t *testing.T) {
	conforms(t, func(b *broker) {
		b.ours("RabbitMQ does not count them")
		p := b.connect(client{channelMax: 1})
		p.open(1)
		p.send(1, &amqp.QueueDeclare{Queue: "absent", Passive: true})
		expect[*amqp.ChannelClose](p, 1)
		p.send(2, &amqp.ChannelOpen{})
		p.wantClose(2, 530, "NOT_ALLOWED - number of channels opened (1) has reached the negotiated channel_max (1)", 0)
	})
}

func TestChannelClose_1_5_2_5_ThenTheNumberIsFree(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		ask[*amqp.ChannelCloseOk](p, 1, &amqp.ChannelClose{ReplyCode: 200, ReplyText: "bye"})
		p.open(1)
		p.queue("q")
		ask[*amqp.ChannelCloseOk](p, 1, &amqp.ChannelClose{ReplyCode: 200, ReplyText: "bye"})
		p.send(1, &amqp.QueueDeclare{Queue: "q"})
		p.wantClose(1, 504, notOpen, amqp.IDQueueDeclare)
	})
}

// What a client sends before it has seen the close is ignored, whatever it is.
func TestChannelClose_2_2_6_2_TheRestIsIgnored(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		p.queue("q")
		p.add(1, &amqp.QueueDeclare{Queue: "absent", Passive: true})
		p.addPost(1, post{key: "q", body: "ignored"})
		p.add(1, &amqp.QueueDeclare{Queue: "other"}, &amqp.ChannelFlow{Active: false})
		p.flush()
		p.wantClose(1, 404, "NOT_FOUND - no queue 'absent' in vhost '/'", amqp.IDQueueDeclare)
		p.wantCounts(2, "q", 0, 0)
		p.send(2, &amqp.QueueDeclare{Queue: "other", Passive: true})
		p.wantClose(2, 404, "NOT_FOUND - no queue 'other' in vhost '/'", amqp.IDQueueDeclare)
	})
}

// A content under way when its channel is closed is ignored to its end, and so is
// one that makes no sense.
func TestChannelClose_2_2_6_2_ContentUnderWay(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		p.queue("q")
		p.addPost(1, post{exchange: "absent", body: strings.Repeat("a", 300_000)})
		p.addPost(1, post{key: "q", body: "behind it"})
		p.flush()
		p.wantClose(1, 404, "NOT_FOUND - no exchange 'absent' in vhost '/'", amqp.IDBasicPublish)
		p.open(1)
		p.fill("q", "on the new one")
		p.probe(1)
		p.wantBodies("q", "on the new one")

		b.ours("RabbitMQ wants the frames of a closing channel in order")
		p.add(1, &amqp.QueueDeclare{Queue: "absent", Passive: true}, &amqp.BasicPublish{RoutingKey: "q"})
		p.buf = amqp.AppendBody(p.buf, 1, []byte("a body without header"), 0)
		p.flush()
		p.wantClose(1, 404, "NOT_FOUND - no queue 'absent' in vhost '/'", amqp.IDQueueDeclare)
		p.wantCounts(2, "q", 0, 0)
	})
}

// Both sides close at once: the broker answers, and waits for its own answer.
func TestChannelClose_2_2_6_2_CrossesTheBrokers(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.send(1, &amqp.QueueDeclare{Queue: "absent", Passive: true}, &amqp.ChannelClose{ReplyCode: 200})
		expect[*amqp.ChannelClose](p, 1)
		expect[*amqp.ChannelCloseOk](p, 1)
		p.send(1, &amqp.ChannelCloseOk{})
		p.open(1)
		p.probe(1)
	})
}

func TestChannelClose_RabbitMQ_RequeuesInOrder(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		filled("1", "2", "3")(p)
		p.wantGet(2, "q", false, handed{"", 1, false, "1"})
		p.wantGet(2, "q", false, handed{"", 2, false, "2"})
		ask[*amqp.ChannelCloseOk](p, 2, &amqp.ChannelClose{ReplyCode: 200})
		b.settle()
		p.wantGet(1, "q", true, handed{"", 1, true, "1"})
		p.wantGet(1, "q", true, handed{"", 2, true, "2"})
		p.wantGet(1, "q", true, handed{"", 3, false, "3"})
	})
}

// What a channel had unacked comes before what is ready, also for the consumer
// whose turn comes only now.
func TestChannelClose_RabbitMQ_TheNextConsumerSeesTheOrder(t *testing.T) {
	for _, c := range []struct {
		name string
		args []any
	}{{"plain", nil}, {"single active consumer", []any{"x-single-active-consumer", true}}} {
		t.Run(c.name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p, other := b.peer(), b.peer()
				p.queue("q", c.args...)
				p.open(2)
				p.prefetch(2, 2)
				p.consume(2, "q", "first")
				p.fill("q", "1", "2", "3", "4")
				p.wantDeliver(2, handed{"first", 1, false, "1"})
				p.wantDeliver(2, handed{"first", 2, false, "2"})
				p.wantCounts(1, "q", 2, 1)
				other.prefetch(1, 1)
				if c.args != nil {
					other.consume(1, "q", "next")
				}
				ask[*amqp.ChannelCloseOk](p, 2, &amqp.ChannelClose{ReplyCode: 200})
				b.settle()
				if c.args == nil {
					other.consume(1, "q", "next")
				}
				for i, body := range []string{"1", "2", "3", "4"} {
					tag := uint64(i + 1)
					other.wantDeliver(1, handed{"next", tag, i < 2, body})
					other.send(1, &amqp.BasicAck{DeliveryTag: tag})
				}
			})
		})
	}
}

func TestChannel_4_2_6_ContentsOfTwoChannelsMayMix(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		p.queue("q")
		for _, ch := range []uint16{1, 2} {
			p.add(ch, &amqp.BasicPublish{RoutingKey: "q"})
		}
		for _, ch := range []uint16{2, 1} {
			p.buf = amqp.AppendContentHeader(p.buf, ch, amqp.ClassBasic, 2, nil)
		}
		for _, piece := range []struct {
			ch   uint16
			body string
		}{{1, "a"}, {2, "x"}, {2, "y"}, {1, "b"}} {
			p.buf = amqp.AppendBody(p.buf, piece.ch, []byte(piece.body), 0)
		}
		p.flush()
		b.settle()
		got := map[string]bool{} // in which order two channels publish is not said
		for range 2 {
			p.send(1, &amqp.BasicGet{Queue: "q", NoAck: true})
			_, e := expectContent[*amqp.BasicGetOk](p, 1)
			got[e.body] = true
		}
		if !got["ab"] || !got["xy"] {
			t.Errorf("got %v, want ab and xy", got)
		}
	})
}
