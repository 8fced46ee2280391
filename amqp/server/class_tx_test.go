package server

import (
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// transactional puts channel 1 in tx mode.
func transactional(p *peer) {
	p.t.Helper()
	ask[*amqp.TxSelectOk](p, 1, &amqp.TxSelect{})
}

func (p *peer) commit() {
	p.t.Helper()
	ask[*amqp.TxCommitOk](p, 1, &amqp.TxCommit{})
}

func (p *peer) rollback() {
	p.t.Helper()
	ask[*amqp.TxRollbackOk](p, 1, &amqp.TxRollback{})
}

func TestTx_1_9_2_Refusals(t *testing.T) {
	got := func(p *peer) {
		filled("a")(p)
		transactional(p)
		p.wantGet(1, "q", false, handed{"", 1, false, "a"})
	}
	const none = "PRECONDITION_FAILED - channel is not transactional"
	refusals(t, []refusal{
		{"on a confirm channel", confirming, &amqp.TxSelect{}, 406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", ""},
		{"commit without select", nil, &amqp.TxCommit{}, 406, none, ""},
		{"rollback without select", nil, &amqp.TxRollback{}, 406, none, ""},
		{"unknown tag, at once", transactional, &amqp.BasicAck{DeliveryTag: 7}, 406, unknown(7), ""},
		{"a tag twice, at once", func(p *peer) { got(p); p.ack(1) }, &amqp.BasicAck{DeliveryTag: 1}, 406, unknown(1), ""},
		{"after the commit", func(p *peer) { got(p); p.ack(1); p.commit() }, &amqp.BasicAck{DeliveryTag: 1}, 406, unknown(1), ""},
		{"refused by a queue", func(p *peer) {
			p.queue("q", "x-max-length", int32(1), "x-overflow", "reject-publish")
			transactional(p)
			p.fill("q", "a", "b")
		}, &amqp.TxCommit{}, 406, "PRECONDITION_FAILED - partial tx completion", ""},
	})
	replies(t, []reply{
		{"select twice", transactional, &amqp.TxSelect{}, &amqp.TxSelectOk{}},
		{"empty commit", transactional, &amqp.TxCommit{}, &amqp.TxCommitOk{}},
		{"empty rollback", transactional, &amqp.TxRollback{}, &amqp.TxRollbackOk{}},
	})
	conforms(t, func(b *broker) {
		p := b.peer()
		transactional(p)
		p.publish(1, post{exchange: "absent", body: "at once"})
		p.wantClose(1, 404, "NOT_FOUND - no exchange 'absent' in vhost '/'", amqp.IDBasicPublish)
	})
}

func TestTxCommit_1_9_2_3_PublishesThen(t *testing.T) {
	conforms(t, func(b *broker) {
		p, other := b.peer(), b.peer()
		q(p)
		transactional(p)
		p.fill("q", "a", "b")
		p.wantCounts(1, "q", 0, 0)
		p.commit()
		other.wantBodies("q", "a", "b")
		p.fill("q", "c")
		p.rollback()
		p.commit()
		p.fill("q", "d")
		p.commit()
		other.wantBodies("q", "d")
	})
}

func TestTxCommit_RabbitMQ_ReturnsThen(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		transactional(p)
		p.publish(1, post{key: "absent", body: "1", mandatory: true}, post{key: "absent", body: "2", mandatory: true})
		p.wantNothing(1)
		p.send(1, &amqp.TxCommit{})
		p.wantReturn(1, "", "absent", "1")
		p.wantReturn(1, "", "absent", "2")
		expect[*amqp.TxCommitOk](p, 1)
		p.publish(1, post{key: "absent", body: "3", mandatory: true})
		p.rollback()
		p.wantNothing(1)
	})
}

func TestTxRollback_1_9_2_5_AcksAreUndone(t *testing.T) {
	conforms(t, func(b *broker) {
		p, other := b.peer(), b.peer()
		filled("1", "2", "3", "4")(p)
		transactional(p)
		for i, body := range []string{"1", "2", "3"} {
			p.wantGet(1, "q", false, handed{"", uint64(i + 1), false, body})
		}
		p.send(1, &amqp.BasicAck{DeliveryTag: 1}, &amqp.BasicReject{DeliveryTag: 3, Requeue: true}, &amqp.BasicNack{DeliveryTag: 2})
		p.wantCounts(1, "q", 1, 0)
		p.rollback()
		p.wantCounts(1, "q", 1, 0) // unacked still, not requeued
		p.ack(2)
		p.commit()
		p.rollback()
		p.nc.Close()
		b.settle()
		other.wantGet(1, "q", true, handed{"", 1, true, "1"})
		other.wantGet(1, "q", true, handed{"", 2, true, "3"})
		other.wantGet(1, "q", true, handed{"", 3, false, "4"})
	})
}

// A recover does not wait for the commit, and leaves alone what does.
func TestTx_RabbitMQ_RecoverIsNoPartOfIt(t *testing.T) {
	conforms(t, func(b *broker) {
		p, other := b.peer(), b.peer()
		filled("1", "2")(p)
		transactional(p)
		p.wantGet(1, "q", false, handed{"", 1, false, "1"})
		p.wantGet(1, "q", false, handed{"", 2, false, "2"})
		p.ack(1)
		ask[*amqp.BasicRecoverOk](p, 1, &amqp.BasicRecover{Requeue: true})
		p.wantGet(1, "q", false, handed{"", 3, true, "2"})
		p.send(1, &amqp.BasicRecoverAsync{Requeue: true})
		p.probe(1)
		other.wantGet(1, "q", true, handed{"", 1, true, "2"})
		p.rollback()
		p.send(1, &amqp.BasicRecoverAsync{Requeue: true})
		p.probe(1)
		other.wantGet(1, "q", true, handed{"", 2, true, "1"})
	})
}

// Settling takes effect at the commit, the credit it frees included.
func TestTxCommit_1_9_2_3_SettlesThen(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		filled("1", "2", "3", "4", "5")(p)
		transactional(p)
		p.prefetch(1, 2)
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 1, false, "1"})
		p.wantDeliver(1, handed{"c", 2, false, "2"})
		p.send(1, &amqp.BasicAck{DeliveryTag: 1}, &amqp.BasicNack{DeliveryTag: 2, Requeue: true})
		p.wantNothing(1)
		p.send(1, &amqp.TxCommit{})
		var got []string
		for committed := false; len(got) < 2 || !committed; {
			switch e := p.next("commit-ok and two deliveries"); m := e.m.(type) {
			case *amqp.TxCommitOk:
				committed = true
			case *amqp.BasicDeliver:
				if m.Redelivered != (e.body == "2") {
					t.Errorf("got %v", e)
				}
				got = append(got, e.body)
			default:
				t.Fatalf("got %v", e)
			}
		}
		if got[0] != "3" || got[1] != "2" { // the ack was the first to make room
			t.Errorf("delivered %v", got)
		}
		p.wantNothing(1)
	})
}

// What was settled but not committed goes back when the channel ends.
func TestTx_1_9_2_EndsWithItsChannel(t *testing.T) {
	conforms(t, func(b *broker) {
		p, other := b.peer(), b.peer()
		filled("1", "2")(p)
		transactional(p)
		p.wantGet(1, "q", false, handed{"", 1, false, "1"})
		p.ack(1)
		p.fill("q", "never")
		ask[*amqp.ChannelCloseOk](p, 1, &amqp.ChannelClose{ReplyCode: 200})
		b.settle()
		other.wantGet(1, "q", true, handed{"", 1, true, "1"})
		other.wantBodies("q", "2")
	})
}

func TestTxCommit_RabbitMQ_ExchangeIsGoneByThen(t *testing.T) {
	conforms(t, func(b *broker) {
		b.ours("RabbitMQ routes at the publish, we at the commit")
		p, other := b.peer(), b.peer()
		p.exchange("x", "fanout")
		q(p)
		p.bind("q", "x", "")
		transactional(p)
		p.publish(1, post{exchange: "x", body: "m"})
		p.probe(1)
		ask[*amqp.ExchangeDeleteOk](other, 1, &amqp.ExchangeDelete{Exchange: "x"})
		p.commit()
		other.wantBodies("q")
	})
}
