package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// heard reads frames until the connection ends and sends each one's time and
// type to the chan, which it closes.
func (p *peer) heard() <-chan amqp.FrameType {
	types := make(chan amqp.FrameType, 1000)
	_ = p.nc.SetReadDeadline(time.Time{})
	go func() {
		defer close(types)
		for {
			f, err := p.r.ReadFrame()
			if err != nil {
				return
			}
			types <- f.Type
		}
	}()
	return types
}

// heartbeat is a heartbeat frame.
const heartbeat = "\x08\x00\x00\x00\x00\x00\x00\xce"

func TestHeartbeat_4_2_7_SentToAnIdleClient(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.connect(client{heartbeat: 10})
		types := p.heard()
		for range 60 { // a minute, at the end of which half of 120 is expected
			time.Sleep(time.Second)
			p.raw(heartbeat)
		}
		synctest.Wait()
		n := len(types)
		if n < 6 || n > 12 {
			t.Errorf("%d heartbeats in 60 s, want one in 5 to 10 s", n)
		}
		for range n {
			if typ := <-types; typ != amqp.FrameHeartbeat {
				t.Errorf("got a frame of type %d", typ)
			}
		}
	})
}

func TestHeartbeat_4_2_7_NotSentAmidTraffic(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.connect(client{heartbeat: 10})
		p.open(1)
		for range 60 {
			time.Sleep(time.Second)
			p.send(1, &amqp.ChannelFlow{Active: true})
			f := p.frame("flow-ok")
			if f.Type == amqp.FrameHeartbeat {
				t.Fatal("a heartbeat, though something else was sent")
			}
		}
	})
}

func TestHeartbeat_4_2_7_SilentClientIsGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		offered   time.Duration
		heartbeat uint16
	}{
		"as offered":              {0, 60},
		"the client's own":        {0, 7},
		"though none was offered": {-1, 10},
		"a second":                {time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{Heartbeat: c.offered}, func(b *broker) {
				other := b.peer()
				p := b.connect(client{heartbeat: c.heartbeat})
				p.open(1)
				ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Exclusive: true})
				start := time.Now()
				for range p.heard() {
				}
				interval := time.Duration(c.heartbeat) * time.Second
				if took := time.Since(start); took < 2*interval || took > 3*interval {
					t.Errorf("given up after %s, want 2 to 3 intervals of %s", took, interval)
				}
				synctest.Wait()
				other.send(1, &amqp.QueueDeclare{Queue: "q", Passive: true})
				other.wantClose(1, 404, "NOT_FOUND - no queue 'q' in vhost '/'", amqp.IDQueueDeclare)
			})
		})
	}
}

// A frame that comes byte by byte is a sign of life.
func TestHeartbeat_4_2_7_AnyByteCounts(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.connect(client{heartbeat: 10})
		p.open(1)
		types := p.heard()
		for _, c := range []byte(methodOf(t, &amqp.ChannelFlow{Active: true})) {
			time.Sleep(9 * time.Second)
			p.raw(string(c))
		}
		synctest.Wait()
		for typ := range types {
			if typ == amqp.FrameMethod {
				return
			}
		}
		t.Error("the connection ended before the method was whole")
	})
}

func TestHeartbeat_RabbitMQ_ZeroDisables(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.connect(client{heartbeat: 0})
		p.open(1)
		types := p.heard()
		time.Sleep(24 * time.Hour)
		if n := len(types); n != 0 {
			t.Errorf("%d frames came", n)
		}
		p.raw(methodOf(t, &amqp.ChannelFlow{Active: true}))
		if typ, ok := <-types; !ok || typ != amqp.FrameMethod {
			t.Errorf("after a day of silence: frame type %d, open %v", typ, ok)
		}
	})
}

func TestHeartbeat_RabbitMQ_NoneOffered(t *testing.T) {
	inBubble(t, Options{Heartbeat: -1}, func(b *broker) {
		p := b.greeted()
		if m := ask[*amqp.ConnectionTune](p, 0, client{}.startOk()); m.Heartbeat != 0 {
			t.Errorf("offered %d", m.Heartbeat)
		}
	})
}

// A client that reads nothing is no reason to cut it, as long as it shows life.
func TestHeartbeat_4_2_7_ClientThatDoesNotRead(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.connect(client{heartbeat: 10})
		p.open(1)
		for range 100 {
			time.Sleep(8 * time.Second)
			p.raw(heartbeat)
		}
		p.probe(1)
	})
}

// While a publisher is held back by an alarm nobody reads its heartbeats.
func TestHeartbeat_RabbitMQ_PausedWhileBlocked(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		b.srv.SetAlarm(AlarmMemory, true)
		p := b.connect(client{heartbeat: 10})
		p.open(1)
		p.publish(1, post{key: "absent", body: "m"})
		expect[*amqp.ConnectionBlocked](p, 0)
		types := p.heard()
		time.Sleep(time.Hour)
		synctest.Wait()
		b.srv.SetAlarm(AlarmMemory, false)
		p.raw(methodOf(t, &amqp.ChannelFlow{Active: true}))
		synctest.Wait()
		var got []amqp.FrameType
		for len(types) > 0 {
			got = append(got, <-types)
		}
		if n := len(got); n < 360 || got[n-2] != amqp.FrameMethod || got[n-1] != amqp.FrameMethod {
			t.Errorf("%d frames, the last %v; want heartbeats, then connection.unblocked and flow-ok", n, got[max(0, n-3):])
		}
	})
}
