package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/pires/go-proxyproto"
)

var behindProxies = ListenOptions{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("127.0.0.0/8")}}

// proxyHeader is a header of the PROXY protocol.
func proxyHeader(t *testing.T, version byte, client, server net.Addr) string {
	t.Helper()
	b, err := proxyproto.HeaderProxyFromAddrs(version, client, server).Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func tcp(ip string, port int) *net.TCPAddr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: port} }

const (
	localV2   = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	unknownV1 = "PROXY UNKNOWN\r\n"
)

func TestProxyProtocol(t *testing.T) {
	front := tcp("203.0.113.9", 5672)
	for _, c := range []struct {
		name, from, header string
		conn               string // what the connection is called
		guest              bool   // it may come as guest, who must be of this machine
	}{
		{"version 1", "10.1.2.3:999", proxyHeader(t, 1, tcp("198.51.100.7", 4000), front), "198.51.100.7:4000 -> 203.0.113.9:5672", false},
		{"version 1, IPv6", "10.1.2.3:999", proxyHeader(t, 1, tcp("2001:db8:1::7", 4000), tcp("2001:db8::9", 5672)), "[2001:db8:1::7]:4000 -> [2001:db8::9]:5672", false},
		{"version 2", "10.1.2.3:999", proxyHeader(t, 2, tcp("198.51.100.7", 4000), front), "198.51.100.7:4000 -> 203.0.113.9:5672", false},
		{"version 2, proxy by IPv6", "[2001:db8::1]:999", proxyHeader(t, 2, tcp("198.51.100.7", 4000), front), "198.51.100.7:4000 -> 203.0.113.9:5672", false},
		{"from a proxy here", "127.0.0.1:999", proxyHeader(t, 1, tcp("198.51.100.7", 4000), front), "198.51.100.7:4000 -> 203.0.113.9:5672", false},
		{"of this machine by a proxy here", "127.0.0.1:999", proxyHeader(t, 2, tcp("127.0.0.1", 4000), front), "127.0.0.1:4000 -> 203.0.113.9:5672", true},
		{"of that machine by a proxy elsewhere", "10.1.2.3:999", proxyHeader(t, 2, tcp("127.0.0.1", 4000), front), "127.0.0.1:4000 -> 203.0.113.9:5672", false},
		{"by a socket of that machine", "10.1.2.3:999", proxyHeader(t, 2, &net.UnixAddr{Name: "/x", Net: "unix"}, &net.UnixAddr{Name: "/y", Net: "unix"}), "/x -> /y", false},
		{"of the proxy itself", "10.1.2.3:999", localV2, "10.1.2.3:999 -> 192.0.2.100:5671", false},
		{"of a proxy here itself", "127.0.0.1:999", localV2, "127.0.0.1:999 -> 192.0.2.100:5671", true},
		{"unknown to a proxy here", "127.0.0.1:999", unknownV1, "127.0.0.1:999 -> 192.0.2.100:5671", false},
		{"without a proxy", "198.51.100.7:4000", "", "198.51.100.7:4000 -> 192.0.2.100:5671", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				b.addUser("ann")
				p := b.over(b.listen(behindProxies).from(c.from))
				p.raw(c.header)
				p.start()
				conn := b.conn(p)
				if got := conn.name(); got != c.conn {
					t.Errorf("it is called %s, want %s", got, c.conn)
				}
				p.send(0, client{}.startOk())
				if c.guest {
					expect[*amqp.ConnectionTune](p, 0)
					return
				}
				p.wantClose(0, 403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.", 0)
				log := b.settledLog()
				if !strings.Contains(log, "can only connect via localhost") || !strings.Contains(log, `"connection":"`+c.conn+`"`) {
					t.Errorf("the log does not say whom it was about:\n%s", log)
				}
			})
		})
	}
}

func TestProxyProtocolRefused(t *testing.T) {
	v1 := proxyHeader(t, 1, tcp("198.51.100.7", 4000), tcp("203.0.113.9", 5672))
	v2 := proxyHeader(t, 2, tcp("198.51.100.7", 4000), tcp("203.0.113.9", 5672))
	for _, c := range []struct {
		name, from, sent string
		log              string
	}{
		{"none from a proxy", "10.1.2.3:999", "AMQP\x00\x00\x09\x01", "no PROXY header that can be used"},
		{"nonsense in version 1", "10.1.2.3:999", "PROXY TCP4 a b c d\r\n", "no PROXY header that can be used"},
		{"an endless line", "10.1.2.3:999", "PROXY TCP4 " + strings.Repeat("1", 200), "no PROXY header that can be used"},
		{"nonsense in version 2", "10.1.2.3:999", v2[:12] + "\x99\x99\x00\x00", "no PROXY header that can be used"},
		{"a header that is too long", "10.1.2.3:999", v2[:14] + "\xff\xff", "no PROXY header that can be used"},
		{"version 1 from elsewhere", "198.51.100.7:4000", v1, "not AMQP 0-9-1: it is a PROXY header, and its sender is not trusted"},
		{"version 2 from elsewhere", "198.51.100.7:4000", v2, "not AMQP 0-9-1: it is a PROXY header, and its sender is not trusted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				p := b.over(b.listen(behindProxies).from(c.from))
				p.rawUnread(c.sent)
				began := time.Now()
				for { // the protocol header is for those who speak something else
					if _, err := p.nc.Read(make([]byte, 8)); err != nil {
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

// One that sends no header must not keep others out, nor stay for ever.
func TestProxyProtocolSlow(t *testing.T) {
	inBubble(t, Options{HandshakeTimeout: 3 * time.Second}, func(b *broker) {
		l := b.listen(behindProxies)
		began := time.Now()
		slow, silent := b.over(l.from("10.1.2.3:999")), b.over(l.from("10.1.2.3:998"))
		slow.rawUnread("PRO")
		p := b.over(l.from("10.1.2.4:999"))
		p.raw(localV2)
		p.start()
		p.nc.Close()
		slow.wantEnd()
		silent.wantEnd()
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("they were cut after %s", took)
		}
		if log := b.settledLog(); strings.Count(log, "handshake timed out") != 2 {
			t.Errorf("logged:\n%s", log)
		}
	})
}

func TestProxyProtocolBeforeTLS(t *testing.T) {
	bed := newTLSBed(t)
	inBubble(t, Options{}, func(b *broker) {
		b.addUser("CN=ann")
		l := b.listen(ListenOptions{TLS: bed.server, TrustedProxies: behindProxies.TrustedProxies})
		nc := l.from("10.1.2.3:999")
		p := b.over(nc)
		p.raw(proxyHeader(t, 2, tcp("198.51.100.7", 4000), tcp("203.0.113.9", 5671)))
		p = b.over(tls.Client(nc, bed.client("ann")))
		p.enter(client{mechanism: "EXTERNAL"})
		conn := b.conn(p)
		if got := conn.name(); got != "198.51.100.7:4000 -> 203.0.113.9:5671" {
			t.Errorf("it is called %s", got)
		}
		if state := conn.tls(); state == nil || state.PeerCertificates[0].Subject.CommonName != "ann" {
			t.Errorf("its TLS is %v", state)
		}
	})
}

func TestShutdownWhileAProxyIsSilent(t *testing.T) {
	bed := newTLSBed(t)
	inBubble(t, Options{}, func(b *broker) {
		l := b.listen(behindProxies)
		l.from("10.1.2.3:999")
		b.listen(ListenOptions{TLS: bed.server}).from("192.0.2.1:4000")
		synctest.Wait()
		began := time.Now()
		if err := b.srv.Shutdown(context.Background()); err != nil || time.Since(began) != 0 {
			t.Errorf("it took %s: %v", time.Since(began), err)
		}
		if err := <-l.served; err != ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestListenOptionsRefused(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		l := b.listen(ListenOptions{TrustedProxies: []netip.Prefix{{}}})
		if err := <-l.served; err == nil || err.Error() != `trusted proxies: "invalid Prefix" is no network` {
			t.Errorf("Serve returned %v", err)
		}
		<-l.closed
	})
}
