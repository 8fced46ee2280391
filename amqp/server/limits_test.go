package server

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
)

// users are guest and ann.
func users(t *testing.T) *auth.Users {
	u := auth.Default()
	err := u.Put(auth.Account{User: auth.User{Name: "ann"}, Password: "ann"})
	for _, of := range [][2]string{{"ann", "/"}, {"guest", "other"}} {
		if err == nil {
			err = u.SetPermissions(of[0], of[1], auth.All)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

var ann = client{mechanism: "PLAIN", response: "\x00ann\x00ann"}

// limit sets limits of the vhost "/" and of users.
func (b *broker) limit(inVHost string, ofUsers map[string]string) {
	b.t.Helper()
	v, err := b.srv.vhosts.VHost("/")
	if err == nil {
		err = v.SetLimits(json.RawMessage(inVHost))
	}
	for user, limits := range ofUsers {
		if err == nil {
			err = b.srv.vhosts.SetUserLimits(user, json.RawMessage(limits))
		}
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// refused connects, and wants connection.open to be refused with 530 and the text.
func (b *broker) refused(c client, text string) {
	b.t.Helper()
	p := b.greeted()
	tune := ask[*amqp.ConnectionTune](p, 0, c.startOk())
	p.send(0, c.tuneOk(tune), &amqp.ConnectionOpen{VirtualHost: "/"})
	p.wantClose(0, 530, "NOT_ALLOWED - "+text, amqp.IDConnectionOpen)
}

// wantCensus checks what is counted.
func (b *broker) wantCensus(connections, ofGuest, channels int64) {
	b.t.Helper()
	b.settle()
	s := &b.srv.census
	s.mu.Lock()
	defer s.mu.Unlock()
	var inVHosts int64
	for _, n := range s.vhosts {
		inVHosts += n
	}
	if h := s.users["guest"]; inVHosts != connections || h != (holdings{ofGuest, channels}) {
		b.t.Errorf("counted are %d connections, %+v of guest; want %d, %d and %d", inVHosts, h, connections, ofGuest, channels)
	}
	if connections == 0 && len(s.vhosts)+len(s.users) > 0 {
		b.t.Errorf("entries are left: %v, %v", s.vhosts, s.users)
	}
}

// The texts are those of RabbitMQ 3.10.
func TestConnectionOpen_RabbitMQ_VHostLimit(t *testing.T) {
	inBubble(t, Options{Auth: users(t)}, func(b *broker) {
		const full = "access to vhost '/' refused for user '%s': connection limit (%d) is reached"
		if _, err := b.srv.vhosts.AddVHost("other"); err != nil {
			t.Fatal(err)
		}
		b.limit(`{"max-connections":2}`, nil)
		first, second := b.connect(client{}), b.connect(ann)
		b.connect(client{vhost: "other"})
		b.greeted() // not open, so it does not count
		b.refused(client{}, fmt.Sprintf(full, "guest", 2))
		b.refused(ann, fmt.Sprintf(full, "ann", 2))
		b.wantCensus(3, 2, 0)

		first.bye()
		first = b.connect(client{}) // its place is free when close-ok is there
		second.nc.Close()           // it is just gone
		b.settle()
		b.connect(ann)
		b.refused(client{}, fmt.Sprintf(full, "guest", 2))

		b.limit(`{"max-connections":0}`, nil)
		first.bye()
		b.refused(client{}, fmt.Sprintf(full, "guest", 0))
		b.limit(`{"max-connections":-1}`, nil)
		b.connect(client{})
	})
}

func TestConnectionOpen_RabbitMQ_UserLimit(t *testing.T) {
	inBubble(t, Options{Auth: users(t)}, func(b *broker) {
		const full = "connection refused for user 'guest': user connection limit (%d) is reached"
		b.limit(`{}`, map[string]string{"guest": `{"max-connections":1}`})
		p := b.connect(client{})
		b.refused(client{}, fmt.Sprintf(full, 1))
		b.connect(ann)
		p.bye()
		p = b.connect(client{})
		// The vhost's limit comes first.
		b.limit(`{"max-connections":2}`, nil)
		b.refused(client{}, "access to vhost '/' refused for user 'guest': connection limit (2) is reached")
		b.limit(`{}`, map[string]string{"guest": `{"max-connections":0}`})
		p.bye()
		b.refused(client{}, fmt.Sprintf(full, 0))
		b.wantCensus(1, 0, 0)
	})
}

func TestChannelOpen_RabbitMQ_UserLimit(t *testing.T) {
	inBubble(t, Options{Auth: users(t)}, func(b *broker) {
		const full = "NOT_ALLOWED - number of channels opened for user 'guest' has reached the maximum allowed user limit of (%d)"
		b.limit(`{}`, map[string]string{"guest": `{"max-channels":3}`})
		p, q := b.connect(client{}), b.connect(client{})
		p.open(1, 2)
		q.open(7)
		b.wantCensus(2, 2, 3)
		other := b.connect(ann)
		other.open(1, 2, 3, 4)
		p.send(3, &amqp.ChannelOpen{})
		p.wantClose(0, 530, fmt.Sprintf(full, 3), 0)
		q.open(8, 9) // what p had is free

		ask[*amqp.ChannelCloseOk](q, 8, &amqp.ChannelClose{ReplyCode: 200})
		q.open(8)
		q.send(9, &amqp.QueueDelete{}) // the broker closes it; it counts until close-ok
		m := expect[*amqp.ChannelClose](q, 9)
		if m.ReplyCode != amqp.CodeNotFound {
			t.Fatalf("got %+v", m)
		}
		b.wantCensus(2, 1, 3)
		q.send(9, &amqp.ChannelCloseOk{})
		q.open(10)
		b.wantCensus(2, 1, 3)
		other.bye()
		b.limit(`{}`, map[string]string{"guest": `{"max-channels":0}`})
		q.probe(10) // what is open stays
		q.send(11, &amqp.ChannelOpen{})
		q.wantClose(0, 530, fmt.Sprintf(full, 0), 0)
		b.wantCensus(0, 0, 0)
	})
}

// Sessions that end in all ways are counted no more.
func TestCensus_IsExact(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		b.mayLogErrors = true
		ends := []func(*peer){
			func(p *peer) { p.bye() },
			func(p *peer) { p.nc.Close() },
			func(p *peer) { p.send(1, &amqp.BasicQos{PrefetchSize: 1}) }, // 540
			func(p *peer) { p.raw("\x09nonsense") },
			func(p *peer) { b.session(p).kick(amqp.InternalError("test")) },
			func(p *peer) { b.session(p).cut() },
			func(p *peer) { // a fault in the session
				c := b.session(p)
				b.settle()
				c.channels[1].router = nil
				p.publish(1, post{key: "q"})
			},
		}
		for i, end := range ends {
			p := b.connect(client{})
			p.open(1, 2)
			b.wantCensus(1, 1, 2)
			end(p)
			p.nc.Close()
			if b.wantCensus(0, 0, 0); t.Failed() {
				t.Fatalf("end %d", i)
			}
		}
	})
}

// Many who come at once do not pass a limit together.
func TestCensus_AtOnce(t *testing.T) {
	r, err := vhost.New(vhost.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	v, err := r.VHost("/")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.SetLimits(json.RawMessage(`{"max-connections":5}`)); err != nil {
		t.Fatal(err)
	}
	s := newCensus(0)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 500 {
				if s.enter(v, "u", vhost.Limits{Connections: -1}) != nil {
					continue
				}
				s.mu.Lock()
				if s.vhosts[v] > 5 {
					t.Errorf("%d connections", s.vhosts[v])
				}
				s.mu.Unlock()
				open := 0
				for range rand.IntN(4) {
					if s.openChannel("u", 7) == nil {
						open++
					}
				}
				if open > 0 {
					s.closeChannel("u")
					open--
				}
				s.leave(v, "u", open)
			}
		})
	}
	work.Wait()
	if len(s.vhosts)+len(s.users) > 0 {
		t.Errorf("%v and %v are left", s.vhosts, s.users)
	}
}

func TestQueueDeclare_RabbitMQ_VHostLimit(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		b.limit(`{"max-queues":1}`, nil)
		p := b.peer()
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q1"})
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q1"})
		p.send(1, &amqp.QueueDeclare{Queue: "q2"})
		p.wantClose(1, 406, "PRECONDITION_FAILED - cannot declare queue 'q2': queue limit in vhost '/' (1) is reached", amqp.IDQueueDeclare)
		p.open(1)
		ask[*amqp.QueueDeleteOk](p, 1, &amqp.QueueDelete{Queue: "q1"})
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q2", Exclusive: true})
	})
}

func TestBasicConsume_RabbitMQ_MaxConsumersPerChannel(t *testing.T) {
	inBubble(t, Options{MaxConsumersPerChannel: 2}, func(b *broker) {
		p := b.peer()
		p.open(2)
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q"})
		consume := func(ch uint16, queue, tag string) {
			t.Helper()
			ask[*amqp.BasicConsumeOk](p, ch, &amqp.BasicConsume{Queue: queue, ConsumerTag: tag, NoAck: true})
		}
		consume(1, "amq.rabbitmq.reply-to", "r") // does not count
		consume(1, "q", "a")
		consume(1, "q", "b")
		consume(2, "q", "a")
		ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "a"})
		consume(1, "q", "c")
		p.send(1, &amqp.BasicConsume{Queue: "no such queue", ConsumerTag: "d"})
		p.wantClose(1, 530, "NOT_ALLOWED - reached maximum (2) of consumers per channel", amqp.IDBasicConsume)

		p = b.peer()
		consume(1, "q", "a")
		consume(1, "q", "b")
		p.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "b"})
		p.wantClose(1, 530, "NOT_ALLOWED - attempt to reuse consumer tag 'b'", amqp.IDBasicConsume)
	})
}

func TestOpen_ChecksMaxConsumers(t *testing.T) {
	for n, good := range map[int]bool{-1: false, 0: true, 1: true, 1 << 20: true, 1<<20 + 1: false} {
		s, err := Open(Options{MaxConsumersPerChannel: n})
		if (err == nil) != good {
			t.Errorf("%d: %v", n, err)
		}
		if err == nil {
			s.Close()
		}
	}
}

func TestConnectionStart_RabbitMQ_ClusterName(t *testing.T) {
	if os.Getenv("RABBITMQ_URL") != "" {
		t.Skip("sets it up")
	}
	inBubble(t, Options{ClusterName: "by option"}, func(b *broker) {
		for _, want := range []string{"by option", "by parameter"} {
			p := b.dial()
			p.raw(amqp.ProtocolHeader)
			m := expect[*amqp.ConnectionStart](p, 0)
			if got, _ := m.ServerProperties.Get("cluster_name"); got != want {
				t.Errorf("got %v, want %s", got, want)
			}
			if err := b.srv.vhosts.SetGlobalParameter("cluster_name", json.RawMessage(`"by parameter"`)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
