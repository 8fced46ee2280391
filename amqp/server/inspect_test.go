package server

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
)

func TestConnectionInfos_States(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		want := func(state string) ConnectionInfo {
			t.Helper()
			b.settle()
			all := b.srv.ConnectionInfos()
			if len(all) != 1 || all[0].State != state {
				t.Fatalf("want one connection that is %s, got %+v", state, all)
			}
			return all[0]
		}
		if all := b.srv.ConnectionInfos(); len(all) != 0 {
			t.Fatalf("there is %+v", all)
		}
		began := time.Now()
		p := b.dial()
		want("starting")
		p.raw(amqp.ProtocolHeader)
		expect[*amqp.ConnectionStart](p, 0)
		want("starting")
		ok := client{}.startOk()
		ok.ClientProperties = ok.ClientProperties.With("connection_name", "me")
		ask[*amqp.ConnectionTune](p, 0, ok)
		if i := want("tuning"); i.User != "guest" || i.VHost != "" || i.AuthMechanism != "PLAIN" || i.UserProvidedName != "me" {
			t.Errorf("after the login: %+v", i)
		}
		p.send(0, &amqp.ConnectionTuneOk{ChannelMax: 7, FrameMax: 9000, Heartbeat: 30})
		want("opening")
		if n := b.srv.Totals(); n.Connections != 0 || n.ConnectionsOpened != 0 {
			t.Errorf("counted before it is open: %+v", n)
		}
		ask[*amqp.ConnectionOpenOk](p, 0, &amqp.ConnectionOpen{VirtualHost: "/"})
		i := want("running")
		if i.VHost != "/" || i.ChannelMax != 7 || i.FrameMax != 9000 || i.Heartbeat != 30*time.Second ||
			i.Protocol != "AMQP 0-9-1" || !i.ConnectedAt.Equal(began) || i.Name != "pipe -> pipe" || i.TLS != nil {
			t.Errorf("open: %+v", i)
		}
		if v, _ := i.ClientProperties.Get("connection_name"); v != "me" {
			t.Errorf("client properties %v", i.ClientProperties)
		}
		if ref, ok := b.srv.ConnectionRef(i.ID); !ok || ref.User != "guest" || ref.VHost != "/" || ref.Name != i.Name {
			t.Errorf("ref %+v, %v", ref, ok)
		}
		p.bye()
		b.settle()
		if n := b.srv.Totals(); n.Connections != 0 || n.ConnectionsOpened != 1 || n.ConnectionsClosed != 1 {
			t.Errorf("when it is gone: %+v", n)
		}
		if _, ok := b.srv.ConnectionRef(i.ID); ok {
			t.Error("it is still known")
		}
	})
}

func TestConnectionInfos_Alarm(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p, q := b.peer(), b.peer()
		want := func(publisher, other string, blocked int) {
			t.Helper()
			b.settle()
			all := b.srv.ConnectionInfos()
			if all[0].State != publisher || all[1].State != other {
				t.Errorf("want %s and %s, got %s and %s", publisher, other, all[0].State, all[1].State)
			}
			if n := b.srv.Totals().Blocked; n != blocked {
				t.Errorf("%d blocked, want %d", n, blocked)
			}
		}
		want("running", "running", 0)
		b.srv.SetAlarm(AlarmDisk, true)
		if b.srv.Alarms() != AlarmDisk {
			t.Errorf("alarms %v", b.srv.Alarms())
		}
		want("blocking", "blocking", 0)
		p.fill("nowhere", "a")
		expect[*amqp.ConnectionBlocked](p, 0)
		want("blocked", "blocking", 1)
		b.srv.SetAlarm(AlarmDisk, false)
		expect[*amqp.ConnectionUnblocked](p, 0)
		want("running", "running", 0)
		q.probe(1)
	})
}

func TestConnectionInfos_Traffic(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		b.settle()
		before := b.srv.ConnectionInfos()[0].Traffic
		b.settle()
		p.fill("nowhere", strings.Repeat("a", 1000))
		p.probe(1)
		b.settle()
		after := b.srv.ConnectionInfos()[0].Traffic
		// The publish, its header, its body; the question; the answer.
		sent := after.SendBytes - before.SendBytes
		if n := after.RecvBytes - before.RecvBytes; n < 1000+3*8 || n > 1200 || sent != 12 {
			t.Errorf("%d bytes came and %d went", n, sent)
		}
		if n := after.RecvFrames - before.RecvFrames; n != 2 || after.SendFrames-before.SendFrames != 1 {
			t.Errorf("%d reads and %d writes", n, after.SendFrames-before.SendFrames)
		}
		p.bye()
		b.settle()
		if n := b.srv.Totals().Traffic; n.RecvBytes < after.RecvBytes || n.SendBytes <= after.SendBytes {
			t.Errorf("in all %+v, and one alone had %+v", n, after)
		}
	})
}

func TestChannelInfos(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.open(5, 3)
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q"})
		ask[*amqp.ConfirmSelectOk](p, 3, &amqp.ConfirmSelect{})
		ask[*amqp.TxSelectOk](p, 5, &amqp.TxSelect{})
		ask[*amqp.BasicQosOk](p, 1, &amqp.BasicQos{PrefetchCount: 10})
		ask[*amqp.BasicQosOk](p, 1, &amqp.BasicQos{PrefetchCount: 20, Global: true})
		p.publish(5, post{key: "q"}, post{key: "q"})
		p.fill("q", "a", "b", "c")
		p.consumeAs(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c"})
		for range 3 {
			expectContent[*amqp.BasicDeliver](p, 1)
		}
		b.settle()
		all := b.srv.ChannelInfos()
		if len(all) != 3 || all[0].Number != 1 || all[1].Number != 3 || all[2].Number != 5 {
			t.Fatalf("got %+v", all)
		}
		if c := all[0]; c.Prefetch != 10 || c.GlobalPrefetch != 20 || c.Consumers != 1 || c.Unacked != 3 || c.Confirm || c.Transactional ||
			c.State != "running" || c.Connection.User != "guest" || c.Messages.Publish != 3 || c.Messages.Deliver != 3 {
			t.Errorf("channel 1: %+v", c)
		}
		if c := all[1]; !c.Confirm || c.Transactional {
			t.Errorf("channel 3: %+v", c)
		}
		if c := all[2]; c.Confirm || !c.Transactional || c.Uncommitted != 2 || c.Messages.Publish != 0 {
			t.Errorf("channel 5: %+v", c)
		}
		n := b.srv.Totals()
		if n.Channels != 3 || n.ChannelsOpened != 3 || n.Consumers != 1 || n.Publishers != 1 {
			t.Errorf("totals %+v", n)
		}
		ask[*amqp.TxRollbackOk](p, 5, &amqp.TxRollback{})
		ask[*amqp.ChannelCloseOk](p, 1, &amqp.ChannelClose{})
		b.settle()
		n = b.srv.Totals()
		if n.Channels != 2 || n.ChannelsClosed != 1 || n.Consumers != 0 || n.Messages.Publish != 3 || n.Messages.Deliver != 3 {
			t.Errorf("totals with one channel less: %+v", n)
		}
		if c := b.srv.ChannelInfos()[1]; c.Uncommitted != 0 || c.AcksUncommitted != 0 {
			t.Errorf("rolled back: %+v", c)
		}
	})
}

// A channel that the broker has closed stays until the client has answered.
func TestChannelInfos_Closing(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		ask[*amqp.ChannelClose](p, 1, &amqp.QueueDeclare{Queue: "none", Passive: true})
		b.settle()
		if all := b.srv.ChannelInfos(); len(all) != 1 || all[0].State != "closing" {
			t.Errorf("got %+v", all)
		}
		p.send(1, &amqp.ChannelCloseOk{})
		b.settle()
		if all := b.srv.ChannelInfos(); len(all) != 0 {
			t.Errorf("got %+v", all)
		}
	})
}

func TestChannelInfos_IdleSince(t *testing.T) {
	inBubble(t, Options{Heartbeat: -1}, func(b *broker) {
		p := b.peer()
		if c := b.srv.ChannelInfos()[0]; !c.IdleSince.IsZero() {
			t.Errorf("nobody has looked yet, but idle since %v", c.IdleSince)
		}
		looked := time.Now()
		<-time.After(time.Minute)
		if c := b.srv.ChannelInfos()[0]; !c.IdleSince.Equal(looked) {
			t.Errorf("idle since %v, want %v", c.IdleSince, looked)
		}
		p.fill("nowhere", "a")
		b.settle()
		if c := b.srv.ChannelInfos()[0]; !c.IdleSince.IsZero() {
			t.Errorf("it has published, but is idle since %v", c.IdleSince)
		}
	})
}

func TestCloseConnection(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		id := b.srv.ConnectionInfos()[0].ID
		if !b.srv.CloseConnection(id, "Closed via management plugin") {
			t.Fatal("it is not there")
		}
		p.wantClose(0, 320, "CONNECTION_FORCED - Closed via management plugin", 0)
		b.settle()
		if b.srv.CloseConnection(id, "again") {
			t.Error("it is still there")
		}
	})
}

// Looking and working at the same time is no race, and what is counted adds up
// whenever one looks.
func TestTotals_WhileAllGoesOn(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		var work sync.WaitGroup
		const peers, rounds = 4, 20
		done := make(chan struct{})
		for range peers {
			work.Go(func() {
				for range rounds {
					p := b.peer()
					q := ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Exclusive: true}).Queue
					p.consumeAs(1, &amqp.BasicConsume{Queue: q, ConsumerTag: "c", NoAck: true})
					p.fill(q, "a", "b")
					expectContent[*amqp.BasicDeliver](p, 1)
					expectContent[*amqp.BasicDeliver](p, 1)
					p.bye()
				}
			})
		}
		go func() { work.Wait(); close(done) }()
		var last Totals
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
			}
			n := b.srv.Totals()
			b.srv.ConnectionInfos()
			b.srv.ChannelInfos()
			if n.Messages.Publish < last.Messages.Publish || n.Messages.DeliverNoAck < last.Messages.DeliverNoAck ||
				n.MessageBytes < last.MessageBytes || n.Traffic.RecvBytes < last.Traffic.RecvBytes ||
				n.ConnectionsOpened < n.ConnectionsClosed || n.ChannelsOpened-n.ChannelsClosed != uint64(n.Channels) {
				t.Fatalf("from %+v\n  to %+v", last, n)
			}
			last = n
			<-time.After(time.Millisecond)
		}
		b.settle()
		n := b.srv.Totals()
		if all := uint64(peers * rounds); n.Messages.Publish != 2*all || n.Messages.DeliverNoAck != 2*all || n.ConnectionsOpened != all ||
			n.ConnectionsClosed != all || n.ChannelsClosed != all || n.MessageBytes != 2*all || n.QueuesDeleted != all {
			t.Errorf("in the end %+v", n)
		}
	})
}

func TestTotals_Actor(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		v, err := b.srv.VHosts().VHost("/")
		b.must(err)
		a, err := b.srv.As(auth.User{Name: "guest"}, v)
		b.must(err)
		_, err = a.DeclareQueue(vhost.QueueDeclare{Name: "q"})
		b.must(err)
		for _, key := range []string{"q", "q", "none"} {
			if _, err := a.Publish(context.Background(), Publishing{Key: key, Body: []byte("abc")}); err != nil {
				t.Fatal(err)
			}
		}
		for _, mode := range []GetMode{GetRequeue, GetAck} {
			if _, err := a.Get("q", 5, mode); err != nil {
				t.Fatal(err)
			}
		}
		n := b.srv.Totals()
		want := MessageCounts{Publish: 3, Confirm: 3, ReturnUnroutable: 1, Get: 2, GetNoAck: 2, GetEmpty: 2, Redeliver: 2}
		if n.Messages != want || n.MessageBytes != 9 || n.Routed != 2 {
			t.Errorf("got %+v, want %+v", n, want)
		}
	})
}

func TestTotals_Logins(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		b.peer()
		p := b.greeted()
		p.send(0, client{mechanism: "PLAIN", response: "\x00guest\x00no"}.startOk())
		expect[*amqp.ConnectionClose](p, 0)
		if _, err := b.srv.Login(context.Background(), "guest", "no", nil); err == nil {
			t.Fatal("let in")
		}
		got := b.srv.Totals().Logins
		if got["amqp"] != (LoginCounts{2, 1, 1}) || got["http"] != (LoginCounts{1, 0, 1}) {
			t.Errorf("got %+v", got)
		}
	})
}
