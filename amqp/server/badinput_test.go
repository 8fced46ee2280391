package server

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/auth"
)

// session returns the broker's side of the peer's connection.
func (b *broker) session(p *peer) *conn {
	b.t.Helper()
	b.srv.mu.Lock()
	defer b.srv.mu.Unlock()
	var found *conn
	for _, c := range b.srv.conns {
		if c.id == p.session {
			found = c
		}
	}
	if found == nil {
		b.t.Fatalf("no connection %d", p.session)
	}
	return found
}

// waiting returns what waits in a connection's outbox.
func (c *conn) waiting() (size, owed int) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.size, c.out.owed
}

func TestBadInput_HalfAFrameThenSilence(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p, other := b.connect(client{heartbeat: 10}), b.peer()
		p.open(1)
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Exclusive: true})
		publish := methodOf(t, &amqp.BasicPublish{RoutingKey: "q"}) + headerOf(10) + bodyOf("0123456789")
		p.raw(publish[:len(publish)-3])
		for range p.heard() { // until it is given up
		}
		synctest.Wait()
		other.send(1, &amqp.QueueDeclare{Queue: "q", Passive: true})
		other.wantClose(1, 404, "NOT_FOUND - no queue 'q' in vhost '/'", amqp.IDQueueDeclare)
	})
}

// However a publish is cut short, nothing of it is left.
func TestBadInput_HangUpAnywhereInAPublish(t *testing.T) {
	publish := methodOf(t, &amqp.BasicPublish{RoutingKey: "q"}) + headerOf(10) + bodyOf("01234") + bodyOf("56789")
	inBubble(t, Options{}, func(b *broker) {
		other := b.peer()
		q(other)
		for n := range len(publish) {
			p := b.peer()
			p.raw(publish[:n])
			p.nc.Close()
		}
		other.wantCounts(1, "q", 0, 0)
		if n := b.srv.Connections(); n != 1 {
			t.Errorf("%d connections are left, want 1", n)
		}
	})
}

// A claim of a large body costs nothing before its bytes come.
func TestBadInput_ClaimedBodiesCostNoMemory(t *testing.T) {
	inBubble(t, Options{MaxMessageSize: 512 << 20}, func(b *broker) {
		p := b.connect(client{})
		const channels = 1000
		for ch := uint16(1); ch <= channels; ch++ {
			p.open(ch)
			p.add(ch, &amqp.BasicPublish{RoutingKey: "q"})
			p.buf = amqp.AppendContentHeader(p.buf, ch, amqp.ClassBasic, 512<<20, nil)
			p.buf = amqp.AppendBody(p.buf, ch, []byte("a little"), 0)
			p.flush()
		}
		synctest.Wait()
		total := 0
		for _, ch := range b.session(p).channels {
			if ch != nil && ch.content.message != nil {
				total += cap(ch.content.message.Body)
			}
		}
		if total > channels*1024 {
			t.Errorf("%d bytes were set aside for %d bodies of which 8 bytes have come", total, channels)
		}
	})
}

func TestBadInput_50000BindingsThenDisconnect(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p, other := b.peer(), b.peer()
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Exclusive: true})
		kinds := []string{"amq.direct", "amq.topic", "amq.fanout", "amq.headers"}
		for i := range 50_000 {
			p.add(1, &amqp.QueueBind{Queue: "q", Exchange: kinds[i%len(kinds)], RoutingKey: fmt.Sprintf("a.%d.#", i),
				Arguments: table("n", int32(i)), NoWait: true})
			if len(p.buf) > 32<<10 {
				p.flush()
			}
		}
		p.flush()
		p.probe(1)
		other.publish(1, post{exchange: "amq.topic", key: "a.4001.b", body: "m", mandatory: true})
		other.probe(1)
		p.wantCounts(1, "q", 1, 0)
		p.nc.Close()
		synctest.Wait()
		for _, name := range kinds {
			other.publish(1, post{exchange: name, key: "a.4001.#", body: "m", mandatory: true})
			other.wantReturn(1, name, "a.4001.#", "m")
		}
	})
}

// A client that asks and asks and reads nothing is not read from any more, before
// its answers fill the memory; and gets them all when it reads.
func TestBadInput_AsksAndNeverReads(t *testing.T) {
	const most = outboxOwed + 2<<20 // what is asked for in one read comes on top
	for _, c := range []struct {
		name   string
		n      int
		ask    func(p *peer)
		answer amqp.Method
	}{
		{"passive declares", 100_000, func(p *peer) { p.add(1, &amqp.QueueDeclare{Queue: "q", Passive: true}) }, &amqp.QueueDeclareOk{}},
		{"bodies that come back", 200, func(p *peer) {
			p.addPost(1, post{key: "absent", mandatory: true, body: strings.Repeat("a", 100_000)})
		}, &amqp.BasicReturn{}},
		{"gets", 2_000, func(p *peer) { p.add(1, &amqp.BasicGet{Queue: "q"}) }, &amqp.BasicGetOk{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				p, other := b.peer(), b.peer()
				q(p)
				for range 2_000 {
					other.addPost(1, post{key: "q", body: strings.Repeat("a", 5_000)})
				}
				other.flush()
				other.probe(1)
				p.patience = time.Hour
				asked := make(chan struct{})
				go func() {
					defer close(asked)
					for range c.n {
						if c.ask(p); len(p.buf) > 4000 {
							p.flush()
						}
					}
					p.flush()
				}()
				synctest.Wait()
				if size, _ := b.session(p).waiting(); size > most {
					t.Errorf("%d bytes wait for the client, want at most %d", size, most)
				}
				other.probe(1)
				for i := range c.n {
					if e := p.next(c.answer.Name()); e.m.Name() != c.answer.Name() {
						t.Fatalf("answer %d is %v", i, e)
					}
				}
				<-asked
				p.probe(1)
			})
		})
	}
}

// A consumer that does not read fills its outbox to the mark and no further: the
// rest stays in the queue, and others go on at full speed.
func TestBadInput_ConsumesAndNeverReads(t *testing.T) {
	for _, size := range []int{100, 10_000, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				n := 4<<20/size + 1000
				if size == 1<<20 {
					n = 20
				}
				slow, fast, publisher := b.peer(), b.peer(), b.peer()
				publisher.queue("slow")
				publisher.queue("fast")
				publisher.bind("slow", "amq.fanout", "")
				publisher.bind("fast", "amq.fanout", "")
				slow.noAck(1, "slow", "c")
				fast.noAck(1, "fast", "c")
				body := strings.Repeat("a", size)
				for i := range n {
					publisher.publish(1, post{exchange: "amq.fanout", body: body})
					fast.wantDeliver(1, handed{"c", uint64(i + 1), false, body})
				}
				synctest.Wait()
				if waiting, _ := b.session(slow).waiting(); waiting > outboxHigh+size+200 {
					t.Errorf("%d bytes wait for the slow one, want at most %d and a message", waiting, outboxHigh)
				}
				ok := ask[*amqp.QueueDeclareOk](publisher, 1, &amqp.QueueDeclare{Queue: "slow", Passive: true})
				if ok.MessageCount == 0 {
					t.Error("nothing waits in its queue")
				}
				for i := range n { // when it reads, it gets all in order
					slow.wantDeliver(1, handed{"c", uint64(i + 1), false, body})
				}
				slow.wantNothing(1)
			})
		})
	}
}

// What a slow consumer cannot take, another one of the queue gets.
func TestBadInput_AnotherConsumerTakesOver(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		slow, fast, publisher := b.peer(), b.peer(), b.peer()
		q(publisher)
		slow.noAck(1, "q", "slow")
		fast.noAck(1, "q", "fast")
		types := fast.heard()
		const n = 100
		for range n {
			publisher.fill("q", strings.Repeat("a", 100_000))
		}
		publisher.wantCounts(1, "q", 0, 2)
		got := 0
		for len(types) > 0 {
			if <-types == amqp.FrameMethod {
				got++
			}
		}
		if got < n-10 {
			t.Errorf("the fast one got %d of %d", got, n)
		}
	})
}

// Each ends with one warning, which names the connection and says why; somebody
// who only knocked is no reason for one.
func TestBadInput_TheLogSaysWhoAndWhy(t *testing.T) {
	publish := methodOf(t, &amqp.BasicPublish{RoutingKey: "q"})
	for _, c := range []struct {
		name, raw string
		early     bool   // in place of the protocol header
		why       string // "" for no warning
	}{
		{"garbage", "GET / HTTP/1.1\r\n\r\n", false, "{frame_too_large,539959368,131064}"},
		{"a method on a channel that is not open", "\x01\x00\x05" + methodOf(t, &amqp.TxSelect{})[3:], false, "expected 'channel.open'"},
		{"2 GiB", string(amqp.AppendFrameHeader(nil, amqp.FrameBody, 1, 1<<31-1)), false, "{frame_too_large,2147483647,131064}"},
		{"hangs up amid a body", publish + headerOf(10) + bodyOf("01234"), false, "client closed the socket without connection.close"},
		{"hangs up amid a frame", publish[:9], false, "unexpected EOF"},
		{"another protocol", "GET / HTTP/1.1\r\n\r\n", true, "not AMQP 0-9-1"},
		{"half a protocol header", "AMQP", true, "unexpected EOF"},
		{"knocks", "", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				var p *peer
				if c.early {
					p = b.dial()
				} else {
					p = b.peer()
				}
				p.rawUnread(c.raw)
				synctest.Wait()
				p.nc.Close()
				synctest.Wait()
				b.srv.Close()
				var warnings []string
				for _, line := range strings.Split(b.log.String(), "\n") {
					if strings.Contains(line, `"level":"warn"`) {
						warnings = append(warnings, line)
					}
				}
				who := fmt.Sprintf(`"conn":%d,`, p.session)
				switch {
				case c.why == "" && len(warnings) > 0, c.why != "" && len(warnings) != 1:
					t.Errorf("%d warnings: %q", len(warnings), warnings)
				case c.why != "" && (!strings.Contains(warnings[0], who) || !strings.Contains(warnings[0], c.why)):
					t.Errorf("want %s and %q in %s", who, c.why, warnings[0])
				}
			})
		})
	}
}

// wantCut wants the close of a session that failed, which waits for no answer.
func (p *peer) wantCut() {
	p.t.Helper()
	m := expect[*amqp.ConnectionClose](p, 0)
	if want := (amqp.ConnectionClose{ReplyCode: 541, ReplyText: "INTERNAL_ERROR"}); *m != want {
		p.t.Errorf("want %+v, got %+v", want, m)
	}
	p.wantEnd()
}

// panicky lets guest in and falls over everybody else.
type panicky struct{}

func (panicky) Authenticate(name, password string, _ net.Addr) (auth.User, error) {
	if name == "guest" {
		return auth.User{Name: name}, nil
	}
	panic("authenticator fell over")
}

func TestPanic_ClosesTheConnectionOnly(t *testing.T) {
	inBubble(t, Options{Auth: panicky{}}, func(b *broker) {
		b.mayLogErrors = true
		other := b.peer()
		p := b.greeted()
		p.send(0, client{mechanism: "PLAIN", response: "\x00someone\x00x"}.startOk())
		p.wantCut()
		other.probe(1)
		b.peer()
		b.srv.Close()
		if log := b.log.String(); !strings.Contains(log, "authenticator fell over") || !strings.Contains(log, "handshake.go") {
			t.Errorf("the log does not say what happened:\n%s", log)
		}
	})
}

// A panic amid a session gives back what it held.
func TestPanic_ReleasesTheSession(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		b.mayLogErrors = true
		p, other := b.peer(), b.peer()
		filled("1", "2")(p)
		p.wantGet(1, "q", false, handed{"", 1, false, "1"})
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "mine", Exclusive: true})
		synctest.Wait()
		b.session(p).channels[1].router = nil
		p.publish(1, post{key: "q", body: "m"})
		p.wantCut()
		synctest.Wait()
		other.wantGet(1, "q", true, handed{"", 1, true, "1"})
		other.send(1, &amqp.QueueDeclare{Queue: "mine", Passive: true})
		other.wantClose(1, 404, "NOT_FOUND - no queue 'mine' in vhost '/'", amqp.IDQueueDeclare)
	})
}
