package server

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/auth"
)

func TestEvict_RabbitMQ_DeletedUser(t *testing.T) {
	withAnn(t, func(b *broker) {
		b.allow(".*", ".*", ".*")
		guest, first, second := b.peer(), b.ann(), b.ann()
		filled("1")(guest)
		first.wantGet(1, "q", false, handed{"", 1, false, "1"})
		if b.srv == nil {
			b.manage(http.MethodDelete, "users/ann", nil)
			defer b.putUser("ann") // to be deleted once more
		} else {
			b.must(b.srv.VHosts().DeleteUser("ann"))
		}
		for _, p := range []*peer{first, second} {
			p.wantClose(0, 320, "CONNECTION_FORCED - user 'ann' is deleted", 0)
		}
		b.settle()
		guest.wantGet(1, "q", true, handed{"", 1, true, "1"})
		p := b.greeted()
		p.send(0, ann.startOk())
		p.wantClose(0, 403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.", 0)
	})
}

func TestEvict_RabbitMQ_DeletedVHost(t *testing.T) {
	withAnn(t, func(b *broker) {
		b.addVHost("v")
		guest, p := b.peer(), b.connect(client{vhost: "v"})
		if b.srv == nil {
			b.manage(http.MethodDelete, "vhosts/v", nil)
		} else {
			b.must(b.srv.VHosts().DeleteVHost("v"))
		}
		// RabbitMQ does not wait for the answer, and says at times that it is down.
		want := amqp.ConnectionClose{ReplyCode: 320, ReplyText: "CONNECTION_FORCED - vhost 'v' is deleted"}
		down := amqp.ConnectionClose{ReplyCode: 320, ReplyText: "CONNECTION_FORCED - vhost 'v' is down"}
		if m := expect[*amqp.ConnectionClose](p, 0); *m != want && (b.srv != nil || *m != down) {
			t.Errorf("got %+v", m)
		}
		p = b.greeted()
		tune := ask[*amqp.ConnectionTune](p, 0, client{}.startOk())
		p.send(0, client{}.tuneOk(tune), &amqp.ConnectionOpen{VirtualHost: "v"})
		p.wantClose(0, 530, "NOT_ALLOWED - vhost v not found", amqp.IDConnectionOpen)
		guest.probe(1)
	})
}

// What its clients hold goes with a vhost: consumers, unacked messages, exclusive
// queues, replies.
func TestEvict_DeletedVHostWithAllThatIsInIt(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		before, err := store.Definitions()
		b.must(err)
		for range 2 { // the name is free again
			b.addVHost("v")
			p := b.connect(client{vhost: "v"})
			p.open(1, 2)
			p.durable("q")
			ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "mine", Exclusive: true})
			p.bind("q", "amq.topic", "a")
			p.publish(1, lasting("q", "1"), lasting("q", "2"), lasting("q", "3"))
			p.wantGet(1, "q", false, handed{"", 1, false, "1"})
			p.consume(2, "mine", "c")
			p.noAck(2, replyTo, "r")
			b.must(b.srv.VHosts().DeleteVHost("v"))
			for {
				if e := p.next("a close"); e.m.Name() != "basic.cancel" {
					if m, ok := e.m.(*amqp.ConnectionClose); !ok || m.ReplyText != "CONNECTION_FORCED - vhost 'v' is deleted" {
						t.Errorf("got %v", e)
					}
					break
				}
			}
			p.send(0, &amqp.ConnectionCloseOk{})
			synctest.Wait()
			if b.srv.Connections() != 0 {
				t.Error("the connection is still there")
			}
			if after, err := store.Definitions(); len(after) != len(before) || err != nil {
				t.Errorf("before it were %d definitions, now %d, %v", len(before), len(after), err)
			}
		}
		b.wantCensus(0, 0, 0)
	})
}

// Users and vhosts come and go while clients log in: who is in at the end has a user
// and a vhost. Nobody stays in by slipping through.
func TestEvict_NobodySlipsThrough(t *testing.T) {
	withStore(t, func(b *broker, _ *recorder) {
		all := b.srv.VHosts()
		for i := range 60 {
			b.putUser("ann")
			v := fmt.Sprintf("v%d", i%2)
			b.addVHost(v)
			b.must(all.SetPermissions("ann", v, auth.All))
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() { tryToOpen(b, client{mechanism: ann.mechanism, response: ann.response, vhost: v}) })
			}
			for range i % 5 { // in the middle of it, perhaps
				runtime.Gosched()
			}
			if i%3 == 0 {
				b.must(all.DeleteUser("ann"))
			}
			if i%3 != 1 {
				b.must(all.DeleteVHost(v))
			} else {
				b.must(all.DeleteUser("ann"))
			}
			wg.Wait() // each has seen its end
		}
	})
}

// tryToOpen opens a connection, and waits until it is refused or closed.
func tryToOpen(b *broker, c client) {
	p := b.dial()
	defer p.nc.Close()
	p.raw(amqp.ProtocolHeader)
	p.send(0, c.startOk())
	for e, ok := p.try(patience); ; e, ok = p.try(patience) {
		if !ok {
			b.t.Error("a connection is open whose user or vhost is gone")
			return
		}
		switch m := e.m.(type) {
		case *amqp.ConnectionTune:
			p.send(0, c.tuneOk(m), &amqp.ConnectionOpen{VirtualHost: c.vhost})
		case *amqp.ConnectionClose:
			return
		}
	}
}
