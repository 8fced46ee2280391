package server

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/amqp/server/tlstest"
)

// ends is a pipe with addresses.
type ends struct {
	net.Conn
	local, remote net.Addr
}

func (e ends) LocalAddr() net.Addr  { return e.local }
func (e ends) RemoteAddr() net.Addr { return e.remote }

// gate is a listener without sockets. Its clients come from anywhere.
type gate struct {
	b      *broker
	conns  chan net.Conn
	closed chan struct{}
	served chan error
}

var gateAddr = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 100), Port: 5671}

// listen serves a listener until the broker is closed.
func (b *broker) listen(o ListenOptions) *gate {
	g := &gate{b: b, conns: make(chan net.Conn), closed: make(chan struct{}), served: make(chan error, 1)}
	go func() { g.served <- b.srv.ServeWith(g, o) }()
	return g
}

func (g *gate) Accept() (net.Conn, error) {
	select {
	case nc := <-g.conns:
		return nc, nil
	case <-g.closed:
		return nil, net.ErrClosed
	}
}

func (g *gate) Close() error {
	select {
	case <-g.closed:
	default:
		close(g.closed)
	}
	return nil
}

func (g *gate) Addr() net.Addr { return gateAddr }

// from returns the client's end of a connection from an address, like 192.0.2.1:4000.
func (g *gate) from(address string) net.Conn {
	g.b.t.Helper()
	remote, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		g.b.t.Fatal(err)
	}
	client, ours := net.Pipe()
	select {
	case g.conns <- ends{ours, gateAddr, remote}:
	case <-g.closed:
		client.Close()
	}
	return client
}

// over returns a client that speaks over a connection of its own.
func (b *broker) over(nc net.Conn) *peer {
	return &peer{b: b, t: b.t, nc: nc, r: amqp.NewReader(nc, 0), patience: patience, session: b.srv.nextConn.Load()}
}

// start reads connection.start.
func (p *peer) start() *amqp.ConnectionStart {
	p.t.Helper()
	p.raw(amqp.ProtocolHeader)
	return expect[*amqp.ConnectionStart](p, 0)
}

// enter opens the connection as c.
func (p *peer) enter(c client) {
	p.t.Helper()
	p.start()
	ok := c.tuneOk(ask[*amqp.ConnectionTune](p, 0, c.startOk()))
	p.send(0, ok, &amqp.ConnectionOpen{VirtualHost: "/"})
	expect[*amqp.ConnectionOpenOk](p, 0)
}

// tlsBed are the certificates that tests of TLS need.
type tlsBed struct {
	ca     *tlstest.CA
	server *tls.Config // asks for certificates and verifies them
}

func newTLSBed(t *testing.T) tlsBed {
	t.Helper()
	ca := tlstest.NewCA(t, "ca")
	return tlsBed{ca, &tls.Config{Certificates: []tls.Certificate{ca.Server("broker.example")}, ClientCAs: ca.Pool,
		ClientAuth: tls.VerifyClientCertIfGiven, SessionTicketsDisabled: true}}
}

// client returns the configuration of a client with a certificate for name, none if
// that is empty.
func (b tlsBed) client(name string) *tls.Config {
	c := &tls.Config{ServerName: "broker.example", RootCAs: b.ca.Pool}
	if name != "" {
		c.Certificates = []tls.Certificate{b.ca.Client(name)}
	}
	return c
}

// settledLog is the log once nothing moves any more.
func (b *broker) settledLog() string {
	b.settle()
	return b.log.String()
}
