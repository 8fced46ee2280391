package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/pires/go-proxyproto"
)

// transport is what lies between a session and its socket.
type transport struct {
	// immutable
	nc      net.Conn         // what the session reads, and writes by
	sink    net.Conn         // what the writer writes to: the socket itself without TLS
	socket  net.Conn         // the innermost: it is closed without a word to the client
	proxied *proxyproto.Conn // nil: there is no PROXY header to come
	turns   *turns           // nil without TLS of ours
	secure  *tls.Conn        // nil without TLS

	peer   atomic.Pointer[peerName]            // changes once, with the PROXY header
	agreed atomic.Pointer[tls.ConnectionState] // by TLS; nil before and without
	gated  bool                                // it takes up a place in the gate; the reader's
}

// newTransport puts TLS and the PROXY protocol around a socket. It reads and writes
// nothing yet.
func (s *Server) newTransport(nc net.Conn, o *ListenOptions) *transport {
	t := &transport{nc: nc, socket: nc}
	if o.trusts(nc.RemoteAddr()) {
		// Without a timeout of its own: ours is for all of the handshake.
		t.proxied = proxyproto.NewConn(nc, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(0))
		t.nc = t.proxied
	}
	if o.TLS != nil {
		t.turns = &turns{Conn: t.nc, places: s.handshakes}
		t.secure = tls.Server(t.turns, o.TLS)
		t.nc = t.secure
	} else if secure, ok := nc.(*tls.Conn); ok { // of a tls.Listener
		t.secure, t.socket = secure, secure.NetConn()
	}
	if t.sink = t.nc; t.secure == nil {
		t.sink = t.socket // nothing is written before the header was read
	}
	t.peer.Store(newPeerName(t.socket.RemoteAddr(), t.socket.LocalAddr()))
	return t
}

// trusts reports whether what comes from an address begins with a PROXY header.
func (o *ListenOptions) trusts(remote net.Addr) bool {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok || len(o.TrustedProxies) == 0 {
		return false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(o.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// peerName is who is at the ends of a connection.
type peerName struct {
	name           string // as RabbitMQ's: "CLIENT -> SERVER"
	client, server net.Addr
}

func newPeerName(client, server net.Addr) *peerName {
	return &peerName{client.String() + " -> " + server.String(), client, server}
}

// name is what the connection is called.
func (c *conn) name() string { return c.peer.Load().name }

// tls returns what was agreed on with the client, nil without TLS or before. Anybody
// may ask.
func (c *conn) tls() *tls.ConnectionState { return c.agreed.Load() }

// verified reports whether the client has shown a certificate that is good.
func (c *conn) verified() bool {
	state := c.tls()
	return state != nil && len(state.VerifiedChains) > 0
}

// openTransport reads the PROXY header and shakes hands by TLS, if the listener
// wants that. Its error has been logged.
func (c *conn) openTransport() error {
	if c.proxied != nil {
		if err := c.readProxyHeader(); err != nil {
			return c.noTransport(err, "no PROXY header that can be used")
		}
	}
	if c.secure == nil {
		return nil
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(c.srv.opts.HandshakeTimeout))
	c.turns.begin()
	err := c.secure.Handshake()
	c.turns.end()
	if err != nil {
		return c.noTransport(err, "TLS handshake failed")
	}
	_ = c.nc.SetWriteDeadline(time.Time{})
	state := c.secure.ConnectionState()
	c.agreed.Store(&state)
	return nil
}

// readProxyHeader takes the client's address from the header, which the proxy sends
// first.
func (c *conn) readProxyHeader() error {
	h := c.proxied.ProxyHeader()
	if h == nil {
		_, err := c.proxied.Read(nil) // the same again
		return err
	}
	socket := c.proxied.Raw()
	client, server := c.proxied.RemoteAddr(), c.proxied.LocalAddr()
	untold := h.Version == 1 && h.Command.IsLocal() // UNKNOWN: somebody came, but not who
	if untold || auth.IsLoopback(client) && !auth.IsLoopback(socket.RemoteAddr()) {
		client = auth.Elsewhere{Addr: client}
	}
	c.peer.Store(newPeerName(client, server))
	c.log = c.srv.opts.Log.With().Uint64("conn", c.id).Str("connection", c.name()).
		Str("proxy", socket.RemoteAddr().String()).Logger()
	return nil
}

// noTransport logs why a connection has no session, and says how run is to end it.
func (c *conn) noTransport(err error, what string) error {
	var plain tls.RecordHeaderError
	switch {
	case c.wasKicked() != nil || errors.Is(err, net.ErrClosed): // it is given up by us
	case errors.Is(err, io.EOF) && !c.turns.heard():
		return errProbe
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.log.Warn().Dur("timeout", c.srv.opts.HandshakeTimeout).Msg("handshake timed out")
	case errors.As(err, &plain):
		c.log.Warn().Bytes("header", plain.RecordHeader[:]).Msg("not TLS" + looksLike(plain.RecordHeader[:]))
	default:
		c.log.Warn().Err(err).Msg(what)
	}
	return errNoGreeting
}

// looksLike says what the first bytes of a connection are of, if they are of
// something that is often seen in the wrong place.
func looksLike(b []byte) string {
	for _, c := range []struct{ prefix, what string }{
		{"\x16\x03", "TLS, and this port is without"},
		{"AMQP", "AMQP without TLS"},
		{"PROXY", "a PROXY header, and its sender is not trusted"},
		{"\r\n\r\n\x00", "a PROXY header, and its sender is not trusted"},
		{"GET ", "HTTP"}, {"POST ", "HTTP"}, {"HEAD ", "HTTP"}, {"PUT ", "HTTP"},
	} {
		if bytes.HasPrefix(b, []byte(c.prefix)) {
			return ": it is " + c.what
		}
	}
	return ""
}

// turns lets few TLS handshakes compute at the same time, so that many clients who
// come at once leave the processors to those who are there. One that waits for its
// client holds no place, so no client can keep one.
type turns struct {
	net.Conn
	places chan struct{} // one token for each that computes
	// owned by the reader, who alone shakes hands
	shaking bool
	got     bool // something was read
}

// begin and end enclose the handshake. They do nothing without turns.
func (t *turns) begin() {
	if t != nil {
		t.shaking = true
		t.places <- struct{}{}
	}
}

func (t *turns) end() {
	if t != nil {
		t.shaking = false
		<-t.places
	}
}

// heard reports whether the client has sent anything.
func (t *turns) heard() bool { return t != nil && t.got }

// Read gives the place up while it waits for the client.
func (t *turns) Read(b []byte) (int, error) {
	if !t.shaking {
		return t.Conn.Read(b)
	}
	<-t.places
	n, err := t.Conn.Read(b)
	t.got = t.got || n > 0
	t.places <- struct{}{}
	return n, err
}

// check returns why a listener cannot be served so.
func (o *ListenOptions) check() error {
	for _, p := range o.TrustedProxies {
		if !p.IsValid() {
			return fmt.Errorf("trusted proxies: %q is no network", strings.TrimSpace(p.String()))
		}
	}
	return nil
}
