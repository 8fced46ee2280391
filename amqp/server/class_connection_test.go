package server

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

func TestConnection_2_2_4_OutOfOrderWhileRunning(t *testing.T) {
	const unexpected = "CHANNEL_ERROR - unexpected method in connection state running"
	for _, m := range []amqp.Method{
		&amqp.QueueDeclare{Queue: "q"},
		&amqp.ChannelOpen{},
		&amqp.ConnectionOpen{VirtualHost: "/"},
		client{}.startOk(),
		&amqp.ConnectionTuneOk{},
		&amqp.ConnectionCloseOk{},
	} {
		t.Run(m.Name(), func(t *testing.T) {
			conforms(t, func(b *broker) {
				p, other := b.peer(), b.peer()
				p.send(0, m)
				p.wantClose(0, 504, unexpected, ids(m.ClassID(), m.MethodID()))
				other.probe(1)
			})
		})
	}
}

func TestConnectionUpdateSecret_RabbitMQ(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		ask[*amqp.ConnectionUpdateSecretOk](p, 0, &amqp.ConnectionUpdateSecret{NewSecret: "guest", Reason: "renewed"})
		p.probe(1)
		ask[*amqp.ConnectionUpdateSecretOk](p, 0, &amqp.ConnectionUpdateSecret{NewSecret: "any", Reason: "RabbitMQ's own users take any"})
		p.probe(1)
	})
}

func TestConnectionClose_1_4_2_9_WithConsumersAndUnacked(t *testing.T) {
	conforms(t, func(b *broker) {
		p, other := b.peer(), b.peer()
		filled("1", "2", "3")(p)
		p.prefetch(1, 2)
		p.consume(1, "q", "c")
		p.wantDeliver(1, handed{"c", 1, false, "1"})
		p.wantDeliver(1, handed{"c", 2, false, "2"})
		p.bye()
		b.settle()
		other.wantGet(1, "q", true, handed{"", 1, true, "1"})
		other.wantGet(1, "q", true, handed{"", 2, true, "2"})
		other.wantGet(1, "q", true, handed{"", 3, false, "3"})
	})
}

func TestConnectionClose_2_2_4_BothAtOnce(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.send(0, &amqp.QueueDeclare{}, &amqp.ConnectionClose{ReplyCode: 200})
		expect[*amqp.ConnectionClose](p, 0)
		expect[*amqp.ConnectionCloseOk](p, 0)
		p.wantEnd()
	})
}

// Nothing that follows the broker's close is carried out.
func TestConnectionClose_2_2_4_TheRestIsIgnored(t *testing.T) {
	conforms(t, func(b *broker) {
		p, other := b.peer(), b.peer()
		p.queue("q")
		p.add(1, &amqp.BasicQos{PrefetchSize: 1})
		p.addPost(1, post{key: "q", body: "ignored"})
		p.flush()
		p.fill("q", "ignored too")
		p.wantClose(0, 540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)", amqp.IDBasicQos)
		other.wantCounts(1, "q", 0, 0)
	})
}

// A client that sent a frame that makes no sense, but is one, is let go as soon
// as it answers.
func TestConnectionClose_RabbitMQ_EndsWithTheAnswer(t *testing.T) {
	for _, raw := range []string{frameOf(9, 1, "abc"), frameOf(8, 0, "abc"), frameOf(1, 1, "\x00\x3c\x00")} {
		conforms(t, func(b *broker) {
			p := b.peer()
			p.raw(raw)
			expect[*amqp.ConnectionClose](p, 0)
			start := time.Now()
			p.send(0, &amqp.ConnectionCloseOk{})
			p.wantEnd()
			if took := time.Since(start); took > time.Second {
				t.Errorf("%q: the socket was closed after %s", raw, took)
			}
		})
	}
}

// A close may overtake what the client has still to write: it must find the
// socket open until it closes it itself.
func TestConnectionClose_RabbitMQ_OvertakesPublishes(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		ask[*amqp.ConnectionCloseOk](p, 0, &amqp.ConnectionClose{ReplyCode: amqp.CodeSuccess, ReplyText: "bye"})
		for range 3 {
			p.publish(1, post{key: "q", body: "late"})
		}
		p.nc.Close()
		b.settle()
		b.peer().wantBodies("q")
	})
}

// A client that leaves its socket open after close-ok is let go in the end.
func TestConnectionClose_RabbitMQ_SocketStaysOpen(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		for beat, most := range map[uint16]time.Duration{0: 30 * time.Second, 10: 10 * time.Second} {
			p := b.connect(client{heartbeat: beat})
			ask[*amqp.ConnectionCloseOk](p, 0, &amqp.ConnectionClose{ReplyCode: amqp.CodeSuccess, ReplyText: "bye"})
			start := time.Now()
			p.patience = time.Minute
			p.wantEnd()
			if took := time.Since(start); took != most {
				t.Errorf("heartbeat %d: the socket was closed after %s, want %s", beat, took, most)
			}
		}
	})
}

// A client that does not answer a close is let go in the end.
func TestConnectionClose_RabbitMQ_NoAnswer(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.send(1, &amqp.BasicQos{PrefetchSize: 1})
		expect[*amqp.ConnectionClose](p, 0)
		start := time.Now()
		p.patience = time.Minute
		p.wantEnd()
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("the socket was closed after %s", took)
		}
	})
}

func TestConnectionBlocked_RabbitMQ_HoldsPublishersBack(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p, other := b.peer(), b.peer()
		p.queue("q")
		b.srv.SetAlarm(AlarmMemory, true)
		p.probe(1) // it has not published yet
		p.fill("q", "1")
		if m := expect[*amqp.ConnectionBlocked](p, 0); m.Reason != "low on memory" {
			t.Errorf("reason %q", m.Reason)
		}
		var sent sync.WaitGroup
		sent.Go(func() { p.fill("q", "2") })
		other.consume(1, "q", "c")
		other.wantDeliver(1, handed{"c", 1, false, "1"})
		other.send(1, &amqp.BasicAck{DeliveryTag: 1})
		other.wantNothing(1)

		b.srv.SetAlarm(AlarmMemory, false)
		expect[*amqp.ConnectionUnblocked](p, 0)
		sent.Wait()
		other.wantDeliver(1, handed{"c", 2, false, "2"})
		p.fill("q", "3")
		p.wantNothing(1)
		other.wantDeliver(1, handed{"c", 3, false, "3"})
	})
}

func TestConnectionBlocked_RabbitMQ_ClientsWithoutTheCapabilityAreNotTold(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p, other := b.connect(client{noCapabilities: true}), b.peer()
		p.open(1)
		p.queue("q")
		b.srv.SetAlarm(AlarmDisk, true)
		p.fill("q", "1")
		other.wantCounts(1, "q", 1, 0)
		var sent sync.WaitGroup
		sent.Go(func() { p.fill("q", "2") })
		other.wantCounts(1, "q", 1, 0)
		b.srv.SetAlarm(AlarmDisk, false)
		sent.Wait()
		p.wantNothing(1)
		other.wantCounts(1, "q", 2, 0)
	})
}

func TestConnectionBlocked_RabbitMQ_SecondAlarm(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		b.srv.SetAlarm(AlarmMemory, true)
		p.publish(1, post{key: "absent"})
		expect[*amqp.ConnectionBlocked](p, 0)
		b.srv.SetAlarm(AlarmDisk, true)
		b.srv.SetAlarm(AlarmMemory, false)
		p.probe(1)
		b.srv.SetAlarm(AlarmMemory, false) // once more
		p.probe(1)
		b.srv.SetAlarm(AlarmDisk, false)
		expect[*amqp.ConnectionUnblocked](p, 0)
		b.srv.SetAlarm(AlarmMemory, true)
		b.srv.SetAlarm(AlarmDisk, true)
		p.publish(1, post{key: "absent"})
		if m := expect[*amqp.ConnectionBlocked](p, 0); m.Reason != "low on disk & memory" {
			t.Errorf("reason %q", m.Reason)
		}
		b.srv.SetAlarm(AlarmMemory, false)
		b.srv.SetAlarm(AlarmDisk, false)
		expect[*amqp.ConnectionUnblocked](p, 0)
		p.wantNothing(1)
	})
}

// A confirm is not held back by the alarm that its publish has met.
func TestConnectionBlocked_RabbitMQ_ConfirmsAreStillSent(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		ask[*amqp.ConfirmSelectOk](p, 1, &amqp.ConfirmSelect{})
		b.srv.SetAlarm(AlarmMemory, true)
		p.publish(1, post{key: "absent"})
		p.wantAck(1, 1, false)
		expect[*amqp.ConnectionBlocked](p, 0)
	})
}

// RabbitMQ does not read from a blocked connection, not even its close.
func TestConnectionBlocked_AllButPublishingGoesOn(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		filled("1", "2")(p)
		b.srv.SetAlarm(AlarmMemory, true)
		p.publish(1, post{key: "absent"})
		expect[*amqp.ConnectionBlocked](p, 0)
		p.wantGet(1, "q", false, handed{"", 1, false, "1"})
		p.ack(1)
		p.wantCounts(1, "q", 1, 0)
		p.bye()
		synctest.Wait()
		if n := b.srv.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// A publish that is held back holds back what follows it, and is carried out
// before it in the end.
func TestConnectionBlocked_WhatFollowsAPublishWaits(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p, other := b.peer(), b.peer()
		p.queue("q")
		b.srv.SetAlarm(AlarmMemory, true)
		p.publish(1, post{key: "absent"})
		expect[*amqp.ConnectionBlocked](p, 0)
		p.addPost(1, post{key: "q", body: "m"})
		p.add(1, &amqp.QueueDelete{Queue: "q", IfEmpty: true})
		p.flush()
		after(time.Hour)
		other.wantCounts(1, "q", 0, 0)
		b.srv.SetAlarm(AlarmMemory, false)
		expect[*amqp.ConnectionUnblocked](p, 0)
		p.wantClose(1, 406, "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty", amqp.IDQueueDelete)
	})
}

func TestConnectionBlocked_RabbitMQ_AClientMayLeave(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.queue("q")
		b.srv.SetAlarm(AlarmMemory, true)
		p.fill("q", "1")
		expect[*amqp.ConnectionBlocked](p, 0)
		p.nc.Close()
		b.srv.SetAlarm(AlarmMemory, false)
		synctest.Wait()
		if n := b.srv.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}
