package server

import (
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// confirming puts channel 1 in confirm mode.
func confirming(p *peer) {
	p.t.Helper()
	ask[*amqp.ConfirmSelectOk](p, 1, &amqp.ConfirmSelect{})
}

// settled reads confirms until n publishes are settled, counting from first, and
// returns which were refused. A confirm must not settle anything twice.
func (p *peer) settled(first uint64, n int) (refusedTags []uint64) {
	p.t.Helper()
	open := map[uint64]bool{}
	for i := range n {
		open[first+uint64(i)] = true
	}
	settle := func(tag uint64, multiple, ok bool) {
		p.t.Helper()
		if !open[tag] {
			p.t.Fatalf("confirm of %d, which is not open", tag)
		}
		low := tag
		if multiple {
			low = first
		}
		for at := low; at <= tag; at++ {
			if open[at] && !ok {
				refusedTags = append(refusedTags, at)
			}
			delete(open, at)
		}
	}
	for len(open) > 0 {
		switch e := p.next("a confirm"); m := e.m.(type) {
		case *amqp.BasicAck:
			settle(m.DeliveryTag, m.Multiple, true)
		case *amqp.BasicNack:
			settle(m.DeliveryTag, m.Multiple, false)
		default:
			p.t.Fatalf("want a confirm, got %v%s", e, p.logged())
		}
	}
	return refusedTags
}

func TestConfirmSelect_RabbitMQ(t *testing.T) {
	ok := &amqp.ConfirmSelectOk{}
	replies(t, []reply{
		{"once", nil, &amqp.ConfirmSelect{}, ok},
		{"twice", confirming, &amqp.ConfirmSelect{}, ok},
	})
	refusals(t, []refusal{
		{"on a tx channel", func(p *peer) { ask[*amqp.TxSelectOk](p, 1, &amqp.TxSelect{}) }, &amqp.ConfirmSelect{},
			406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode", ""},
	})
	conforms(t, func(b *broker) {
		p := b.peer()
		p.publish(1, post{key: "absent", body: "before: not numbered"})
		p.send(1, &amqp.ConfirmSelect{NoWait: true})
		p.publish(1, post{key: "absent", body: "m"})
		p.wantAck(1, 1, false)
	})
}

func TestConfirm_RabbitMQ_WhatIsConfirmed(t *testing.T) {
	for name, c := range map[string]struct {
		m       post
		prepare func(p *peer)
	}{
		"unroutable":           {post{key: "absent"}, nil},
		"routed":               {post{key: "q", body: "m"}, q},
		"to two queues":        {post{exchange: "amq.fanout"}, func(p *peer) { q(p); p.queue("r"); p.bind("q", "amq.fanout", ""); p.bind("r", "amq.fanout", "") }},
		"persistent":           {post{key: "q", props: amqp.BasicProperties{DeliveryMode: 2}}, q},
		"expires at once":      {post{key: "q", props: amqp.BasicProperties{Expiration: "0"}}, q},
		"dropped for length":   {post{key: "q"}, func(p *peer) { p.queue("q", "x-max-length", int32(0)) }},
		"dead-lettered":        {post{key: "q"}, func(p *peer) { p.queue("q", "x-max-length", int32(0), "x-dead-letter-exchange", "amq.fanout") }},
		"to a fanout of none":  {post{exchange: "amq.fanout"}, nil},
		"by alternate":         {post{exchange: "x"}, func(p *peer) { p.exchange("x", "direct", "alternate-exchange", "amq.fanout") }},
		"to a queue of itself": {post{exchange: "x"}, func(p *peer) { p.exchange("x", "direct", "alternate-exchange", "x") }},
	} {
		t.Run(name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.peer()
				if c.prepare != nil {
					c.prepare(p)
				}
				confirming(p)
				p.publish(1, c.m)
				p.wantAck(1, 1, false)
				p.wantNothing(1)
			})
		})
	}
}

func TestConfirm_RabbitMQ_MultipleCoversABatch(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		q(p)
		confirming(p)
		for range 1000 {
			p.addPost(1, post{key: "q", body: "m"})
		}
		p.flush()
		if refusedTags := p.settled(1, 1000); len(refusedTags) != 0 {
			t.Errorf("refused: %v", refusedTags)
		}
		p.fill("q", "m")
		p.wantAck(1, 1001, false)
		p.wantNothing(1)
	})
}

func TestConfirm_RabbitMQ_ReturnComesBeforeItsAck(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		q(p)
		confirming(p)
		p.publish(1, post{key: "absent", body: "1", mandatory: true})
		p.wantReturn(1, "", "absent", "1")
		p.wantAck(1, 1, false)

		p.publish(1, post{key: "q", body: "2"}, post{key: "absent", body: "3", mandatory: true}, post{key: "q", body: "4"})
		acked := uint64(1)
		for returned := false; acked < 4; {
			switch e := p.next("a return or an ack"); m := e.m.(type) {
			case *amqp.BasicReturn:
				returned = true
			case *amqp.BasicAck:
				if m.DeliveryTag >= 3 && !returned {
					t.Fatalf("%v before the return of 3", e)
				}
				acked = m.DeliveryTag
			default:
				t.Fatalf("got %v", e)
			}
		}
	})
}

func TestConfirm_RabbitMQ_NackWhenAQueueRefuses(t *testing.T) {
	for _, overflow := range []string{"reject-publish", "reject-publish-dlx"} {
		t.Run(overflow, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.peer()
				p.queue("q", "x-max-length", int32(2), "x-overflow", overflow)
				p.queue("r")
				p.bind("q", "amq.fanout", "")
				p.bind("r", "amq.fanout", "")
				confirming(p)
				for i := range 5 {
					p.addPost(1, post{exchange: "amq.fanout", body: fmt.Sprint(i)})
				}
				p.flush()
				if got := fmt.Sprint(p.settled(1, 5)); got != "[3 4 5]" {
					t.Errorf("refused: %s", got)
				}
				p.wantBodies("q", "0", "1")
				p.wantBodies("r", "0", "1", "2", "3", "4")
				p.publish(1, post{exchange: "amq.fanout", body: "5", mandatory: true}) // routed once more
				p.wantAck(1, 6, false)
			})
		})
	}
}

// A message that was refused is no unroutable one.
func TestConfirm_RabbitMQ_RefusedIsNotReturned(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-max-length", int32(0), "x-overflow", "reject-publish")
		confirming(p)
		p.publish(1, post{key: "q", body: "m", mandatory: true})
		if got := fmt.Sprint(p.settled(1, 1)); got != "[1]" {
			t.Errorf("refused: %s", got)
		}
		p.wantNothing(1)
	})
}

func TestConfirm_RabbitMQ_NumbersAreTheChannels(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2, 3)
		q(p)
		confirming(p)
		ask[*amqp.ConfirmSelectOk](p, 2, &amqp.ConfirmSelect{})
		for ch := uint16(1); ch <= 3; ch++ {
			p.addPost(ch, post{key: "q", body: "m"})
		}
		p.flush()
		got := map[uint16]uint64{}
		for range 2 {
			e := p.next("an ack")
			got[e.ch] = e.m.(*amqp.BasicAck).DeliveryTag
		}
		if len(got) != 2 || got[1] != 1 || got[2] != 1 {
			t.Errorf("acks by channel: %v", got)
		}
		p.wantNothing(1)
	})
}

// What was published before the channel's end is confirmed before it.
func TestConfirm_RabbitMQ_ComesBeforeTheChannelIsClosed(t *testing.T) {
	conforms(t, func(b *broker) {
		b.ours("RabbitMQ may close first")
		p := b.peer()
		q(p)
		confirming(p)
		p.publish(1, post{key: "q", body: "1"}, post{key: "q", body: "2"}, post{exchange: "absent"})
		p.wantAck(1, 2, true)
		p.wantClose(1, 404, "NOT_FOUND - no exchange 'absent' in vhost '/'", amqp.IDBasicPublish)
		p.open(1)
		confirming(p)
		p.addPost(1, post{key: "q", body: "3"})
		p.add(1, &amqp.ChannelClose{ReplyCode: 200})
		p.flush()
		p.wantAck(1, 1, false)
		expect[*amqp.ChannelCloseOk](p, 1)
	})
}
