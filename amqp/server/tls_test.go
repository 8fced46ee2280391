package server

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// hello returns what a TLS client sends first.
func hello(t *testing.T, c *tls.Config) string {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		_ = tls.Client(client, c).Handshake()
		client.Close()
	}()
	b := make([]byte, 4096)
	n, err := server.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestTLSOnTheWrongPort(t *testing.T) {
	bed := newTLSBed(t)
	greeting := hello(t, bed.client(""))
	for _, c := range []struct {
		name   string
		secure bool
		sent   string
		log    string
	}{
		{"AMQP for TLS", true, amqp.ProtocolHeader, "not TLS: it is AMQP without TLS"},
		{"HTTP for TLS", true, "GET / HTTP/1.1\r\n\r\n", "not TLS: it is HTTP"},
		{"PROXY header for TLS", true, unknownV1, "not TLS: it is a PROXY header, and its sender is not trusted"},
		{"nonsense for TLS", true, "hello", `"not TLS"`},
		{"TLS for AMQP", false, greeting, "not AMQP 0-9-1: it is TLS, and this port is without"},
		{"HTTP for AMQP", false, "POST / HTTP/1.1\r\n\r\n", "not AMQP 0-9-1: it is HTTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				o := ListenOptions{}
				if c.secure {
					o.TLS = bed.server
				}
				p := b.over(b.listen(o).from("192.0.2.1:4000"))
				began := time.Now()
				p.rawUnread(c.sent)
				for {
					if _, err := p.nc.Read(make([]byte, 64)); err != nil {
						break
					}
				}
				if took := time.Since(began); took != 0 {
					t.Errorf("it was kept for %s", took)
				}
				if log := b.settledLog(); strings.Count(log, c.log) != 1 {
					t.Errorf("logged:\n%s", log)
				}
			})
		})
	}
}

// What checks only whether the port is open is not worth a warning.
func TestTLSProbe(t *testing.T) {
	bed := newTLSBed(t)
	inBubble(t, Options{}, func(b *broker) {
		b.listen(ListenOptions{TLS: bed.server}).from("192.0.2.1:4000").Close()
		if log := b.settledLog(); strings.Contains(log, `"level":"warn"`) || !strings.Contains(log, "without a word") {
			t.Errorf("logged:\n%s", log)
		}
	})
}

func TestTLSSlowClientIsCut(t *testing.T) {
	bed := newTLSBed(t)
	greeting := hello(t, bed.client(""))
	// One handshake at a time: who waits for its client must not keep others out.
	inBubble(t, Options{HandshakeTimeout: 4 * time.Second, MaxTLSHandshakes: 1}, func(b *broker) {
		l := b.listen(ListenOptions{TLS: bed.server})
		began := time.Now()
		silent := b.over(l.from("192.0.2.1:4000"))
		half := b.over(l.from("192.0.2.1:4001"))
		half.rawUnread(greeting[:100])
		whole := b.over(l.from("192.0.2.1:4002")) // it never answers
		whole.rawUnread(greeting)
		go func() {
			for {
				if _, err := whole.nc.Read(make([]byte, 4096)); err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		for range 3 {
			p := b.over(tls.Client(l.from("192.0.2.1:4003"), bed.client("")))
			p.start()
			p.nc.Close()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("others were kept waiting for %s", took)
		}
		silent.wantEnd()
		half.wantEnd()
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("slow clients were cut after %s", took)
		}
		if log := b.settledLog(); strings.Count(log, "handshake timed out") != 3 {
			t.Errorf("logged:\n%s", log)
		}
		if n := len(b.srv.handshakes); n != 0 {
			t.Errorf("%d handshakes are under way", n)
		}
	})
}

func TestMaxConnections(t *testing.T) {
	inBubble(t, Options{MaxConnections: 2}, func(b *broker) {
		first := b.peer()
		b.peer()
		p := b.greeted()
		tune := ask[*amqp.ConnectionTune](p, 0, client{}.startOk())
		p.send(0, client{}.tuneOk(tune), &amqp.ConnectionOpen{VirtualHost: "/"})
		p.wantClose(0, 530, "NOT_ALLOWED - connection refused: node connection limit (2) is reached", amqp.IDConnectionOpen)
		first.nc.Close()
		b.settle()
		b.peer()
	})
}

func TestMaxUnauthenticated(t *testing.T) {
	const limit = 3
	inBubble(t, Options{MaxUnauthenticated: limit, HandshakeTimeout: 5 * time.Second}, func(b *broker) {
		l := b.listen(ListenOptions{})
		for range 2 {
			p := b.over(l.from("192.0.2.1:4000")) // those that are open do not count
			b.addUser("ann")
			p.raw(amqp.ProtocolHeader)
			expect[*amqp.ConnectionStart](p, 0)
			p.nc.Close()
		}
		b.settle()
		var idle []*peer
		for range limit {
			idle = append(idle, b.over(l.from("192.0.2.1:4000")))
		}
		began := time.Now()
		late := b.over(l.from("192.0.2.2:4000")) // accepted, and waits
		b.settle()
		if n := b.srv.Connections(); n != limit {
			t.Errorf("%d are under way", n)
		}
		if log := b.settledLog(); strings.Count(log, "others wait to be accepted") != 1 {
			t.Errorf("logged:\n%s", log)
		}
		idle[0].nc.Close()
		late.start()
		if took := time.Since(began); took != 0 {
			t.Errorf("it waited for %s", took)
		}

		later := b.over(l.from("192.0.2.2:4000")) // has to wait until the others are cut
		_ = later.nc.SetDeadline(began.Add(time.Minute))
		later.patience = time.Minute
		later.start()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it waited for %s", took)
		}
		if log := b.settledLog(); strings.Count(log, "others wait to be accepted") != 1 {
			t.Errorf("it is logged again within 10 s:\n%s", log)
		}
		if n := len(b.srv.gate); n != 1 {
			t.Errorf("%d are in the gate", n)
		}
	})
}

// A listener of package tls is known for what it is.
func TestServeTLSListener(t *testing.T) {
	bed := newTLSBed(t)
	inBubble(t, Options{}, func(b *broker) {
		b.addUser("CN=ann")
		g := &gate{b: b, conns: make(chan net.Conn), closed: make(chan struct{}), served: make(chan error, 1)}
		go func() { g.served <- b.srv.Serve(tls.NewListener(g, bed.server)) }()
		p := b.over(tls.Client(g.from("192.0.2.1:4000"), bed.client("ann")))
		p.enter(client{mechanism: "EXTERNAL"})
		if got := b.conn(p).user.Name; got != "CN=ann" {
			t.Errorf("it is %s", got)
		}
	})
}

// Whoever does not read is cut at once too; to say so by TLS would take seconds.
func TestCloseDoesNotWaitForTLS(t *testing.T) {
	bed := newTLSBed(t)
	inBubble(t, Options{}, func(b *broker) {
		b.addUser("CN=ann")
		p := b.over(tls.Client(b.listen(ListenOptions{TLS: bed.server}).from("192.0.2.1:4000"), bed.client("ann")))
		p.enter(client{mechanism: "EXTERNAL"})
		b.settle()
		began := time.Now()
		b.srv.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %s", took)
		}
	})
}
