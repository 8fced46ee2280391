package server

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

const tooSlow = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 100 ms. " +
	"This timeout value can be configured, see consumers doc guide to learn more"

// wait lets time pass.
func (p *peer) wait(ms int) {
	<-time.After(time.Duration(ms) * time.Millisecond)
	synctest.Wait()
}

// wantCancel wants the broker to cancel a consumer.
func (p *peer) wantCancel(ch uint16, tag string) {
	p.t.Helper()
	if m := expect[*amqp.BasicCancel](p, ch); m.ConsumerTag != tag || !m.NoWait {
		p.t.Errorf("want cancel of %s, nowait, got %+v", tag, m)
	}
}

// RabbitMQ 4.3 cancels the consumer that is too slow, and no more.
func TestConsumerTimeout_RabbitMQ_Cancels(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-consumer-timeout", int32(100))
		p.queue("other")
		p.fill("q", "1", "2", "3")
		p.fill("other", "4")
		p.prefetch(1, 2)
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 1, false, "1"})
		p.wantDeliver(1, handed{"c", 2, false, "2"})
		p.consume(1, "other", "d")
		p.wantDeliver(1, handed{"d", 3, false, "4"})
		p.ack(1)
		p.wantDeliver(1, handed{"c", 4, false, "3"})
		p.wait(99)
		p.wantCounts(1, "q", 0, 1)
		p.wait(1)
		p.wantCancel(1, "c")
		p.wantCounts(1, "q", 2, 0)

		// Late acks, and the other consumer's.
		p.send(1, &amqp.BasicAck{DeliveryTag: 2})
		p.send(1, &amqp.BasicReject{DeliveryTag: 4})
		p.ack(3)
		p.wantNothing(1)
		p.wantCounts(1, "q", 2, 0)
		p.send(1, &amqp.BasicAck{DeliveryTag: 2}) // once
		p.wantClose(1, 406, "PRECONDITION_FAILED - unknown delivery tag 2", amqp.IDBasicAck)
		p.open(1)
		p.wantBodies("q", "2", "3")
	})
}

func TestConsumerTimeout_RabbitMQ_OtherSettlesOfWhatIsGone(t *testing.T) {
	for name, settle := range map[string]amqp.Method{
		"ack all": &amqp.BasicAck{Multiple: true}, "nack": &amqp.BasicNack{DeliveryTag: 2, Multiple: true},
		"nack with requeue": &amqp.BasicNack{DeliveryTag: 2, Multiple: true, Requeue: true},
		"recover":           &amqp.BasicRecoverAsync{Requeue: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				p := b.peer()
				p.queue("q", "x-consumer-timeout", int32(100))
				p.fill("q", "1", "2")
				p.consume(1, "q", "c")
				p.wantDeliver(1, handed{"c", 1, false, "1"})
				p.wantDeliver(1, handed{"c", 2, false, "2"})
				p.wait(100)
				p.wantCancel(1, "c")
				p.consume(1, "q", "c") // the tag is free
				p.wantDeliver(1, handed{"c", 3, true, "1"})
				p.wantDeliver(1, handed{"c", 4, true, "2"})
				p.send(1, settle)
				if name == "recover" { // which is for all that is unacked
					p.wantDeliver(1, handed{"c", 5, true, "1"})
					p.wantDeliver(1, handed{"c", 6, true, "2"})
				}
				p.wantNothing(1)
				p.bye()
				p = b.peer()
				want := []string{"1", "2"}
				if name == "ack all" {
					want = nil
				}
				p.wantBodies("q", want...)
			})
		})
	}
}

// A client that cannot be told loses its channel, though it says nothing.
func TestConsumerTimeout_RabbitMQ_ClosesTheChannel(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.connect(client{noCapabilities: true})
		p.open(1, 2)
		p.queue("q", "x-consumer-timeout", int32(100))
		p.queue("other")
		p.fill("q", "1")
		p.fill("other", "2")
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 1, false, "1"})
		p.consume(1, "other", "d")
		p.wantDeliver(1, handed{"d", 2, false, "2"})
		p.wait(100)
		p.wantClose(1, 406, tooSlow, 0)
		p.wantNothing(2)
		p.wantCounts(2, "q", 1, 0)
		p.wantCounts(2, "other", 1, 0)
		p.open(1)
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 1, true, "1"})
		p.wait(100)
		p.wantClose(1, 406, tooSlow, 0)
		p.bye()
	})
}

// In the middle of a frame, two channels at once, one of which is being closed.
func TestConsumerTimeout_ClosesChannelsOfABusyReader(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.connect(client{noCapabilities: true})
		p.open(1, 2, 3)
		p.queue("q", "x-consumer-timeout", int32(100))
		for ch := uint16(1); ch <= 2; ch++ {
			p.prefetch(ch, 1)
			p.consume(ch, "q", "c")
			p.publish(3, post{key: "q", body: fmt.Sprint(ch)})
			p.wantDeliver(ch, handed{"c", 1, false, fmt.Sprint(ch)})
		}
		p.send(2, &amqp.BasicAck{DeliveryTag: 7})
		closed := expect[*amqp.ChannelClose](p, 2)
		if closed.ReplyCode != 406 {
			t.Fatalf("%+v", closed)
		}
		p.addPost(3, post{key: "q", body: "half"})
		half := string(p.buf)
		p.buf = nil
		p.raw(half[:len(half)-20])
		p.wait(100)
		if m := expect[*amqp.ChannelClose](p, 1); m.ReplyText != tooSlow {
			t.Errorf("%+v", m)
		}
		p.raw(half[len(half)-20:])
		p.send(1, &amqp.ChannelCloseOk{})
		p.send(2, &amqp.ChannelCloseOk{})
		p.wantCounts(3, "q", 3, 0)
		p.bye()
	})
}

// The consumer's own argument goes before the queue's.
func TestConsumerTimeout_RabbitMQ_ConsumerArgument(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-consumer-timeout", int32(100))
		p.fill("q", "1", "2")
		p.prefetch(1, 1)
		p.consume(1, "q", "none", "x-consumer-timeout", int32(0))
		p.wantDeliver(1, handed{"none", 1, false, "1"})
		p.consume(1, "q", "short", "x-consumer-timeout", int64(20))
		p.wantDeliver(1, handed{"short", 2, false, "2"})
		p.wait(20)
		p.wantCancel(1, "short")
		p.wait(1000)
		p.wantNothing(1)
		p.wantCounts(1, "q", 1, 1)
	})
	argument := func(v any) *amqp.BasicConsume {
		return &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", Arguments: table("x-consumer-timeout", v)}
	}
	const bad = "PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'q' in vhost '/': "
	const why = "RabbitMQ 3.10 does not know it"
	refusals(t, []refusal{
		{"a string", q, argument("1"), 406, bad + `"expected integer, got longstr"`, why},
		{"negative", q, argument(int32(-1)), 406, bad + "{value_negative,-1}", why},
		{"too large", q, argument(int64(315360000001)), 406, bad + "{value_too_large,315360000001}", why},
	})
}

// What a consumer has lost gives its credit of the channel back, once.
func TestConsumerTimeout_GivesBackTheChannelsCredit(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.queue("slow", "x-consumer-timeout", int32(100))
		p.queue("q")
		p.global(2)
		p.consume(1, "slow", "c")
		p.consume(1, "q", "d")
		p.fill("slow", "1", "2")
		p.wantDeliver(1, handed{"c", 1, false, "1"})
		p.wantDeliver(1, handed{"c", 2, false, "2"})
		p.fill("q", "3", "4", "5")
		p.wantNothing(1)
		p.wait(100)
		p.wantCancel(1, "c")
		p.wantDeliver(1, handed{"d", 3, false, "3"})
		p.wantDeliver(1, handed{"d", 4, false, "4"})
		p.ack(1, 2)
		p.wantNothing(1)
		p.ack(3)
		p.wantDeliver(1, handed{"d", 5, false, "5"})
	})
}

// A transaction takes the tags, but a settle that is not committed is none.
func TestConsumerTimeout_InATransaction(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-consumer-timeout", int32(100))
		p.fill("q", "1", "2")
		ask[*amqp.TxSelectOk](p, 1, &amqp.TxSelect{})
		p.prefetch(1, 1)
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 1, false, "1"})
		p.ack(1)
		p.wait(100)
		p.wantCancel(1, "c")
		ask[*amqp.TxCommitOk](p, 1, &amqp.TxCommit{})
		p.wantCounts(1, "q", 2, 0)
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 2, true, "1"})
		p.ack(2)
		p.send(1, &amqp.TxCommit{})
		p.wantDeliver(1, handed{"c", 3, false, "2"})
		expect[*amqp.TxCommitOk](p, 1)
	})
}

// A consumer that the client has cancelled may keep what it has, for as long.
func TestConsumerTimeout_AfterCancel(t *testing.T) {
	for _, c := range []client{{}, {noCapabilities: true}} {
		inBubble(t, Options{}, func(b *broker) {
			p := b.connect(c)
			p.open(1)
			p.queue("q", "x-consumer-timeout", int32(100))
			p.fill("q", "1")
			p.consume(1, "q", "c")
			p.wantDeliver(1, handed{"c", 1, false, "1"})
			ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "c"})
			p.wait(99)
			p.wantCounts(1, "q", 0, 0)
			p.wait(1)
			p.wantCounts(1, "q", 1, 0)
			p.ack(1)
			p.wantNothing(1)
			p.wantCounts(1, "q", 1, 0)
		})
	}
}

// RabbitMQ closes the channel for a message that was got, too. It is not a
// consumer's, so there is nobody to be too slow.
func TestConsumerTimeout_NotForGet(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-consumer-timeout", int32(100))
		p.fill("q", "1")
		p.wantGet(1, "q", false, handed{"", 1, false, "1"})
		p.wait(1000)
		p.ack(1)
		p.wantNothing(1)
		p.wantCounts(1, "q", 0, 0)
	})
}
