package server

import (
	"bytes"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/rs/zerolog"
)

// broker is what a conformance test talks to: a Server of ours inside a synctest
// bubble, so that nothing waits for real time and what hangs fails at once. With
// RABBITMQ_URL set it is that broker instead, to see that the tests ask for what
// RabbitMQ does; where we mean to differ, a test says so with ours.
type broker struct {
	t   testing.TB
	srv *Server // nil for RabbitMQ
	url *url.URL
	log bytes.Buffer
	// mayLogErrors is set by a test that makes the broker fail.
	mayLogErrors bool

	// declared on RabbitMQ, to be deleted
	queues, exchanges []string
}

// conforms runs a test against a broker that ends with it.
func conforms(t *testing.T, test func(b *broker)) {
	t.Helper()
	if at := os.Getenv("RABBITMQ_URL"); at != "" {
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		b := &broker{t: t, url: u}
		defer b.tidy()
		test(b)
		return
	}
	inBubble(t, Options{}, test)
}

// inBubble runs a test that needs what only a Server of ours has.
func inBubble(t *testing.T, o Options, test func(b *broker)) {
	t.Helper()
	inBubbleWith(t, func() Options { return o }, test)
}

// inBubbleWith is inBubble for options that must be made in the bubble.
func inBubbleWith(t *testing.T, o func() Options, test func(b *broker)) {
	t.Helper()
	if os.Getenv("RABBITMQ_URL") != "" {
		t.Skip("looks into the broker, or sets it up")
	}
	synctest.Test(t, func(t *testing.T) {
		b := &broker{t: t}
		b.open(o())
		defer b.srv.Close()
		test(b)
		b.srv.Close() // so that no session writes any more
		if log := b.log.String(); !b.mayLogErrors && strings.Contains(log, `"level":"error"`) {
			t.Errorf("the broker logged an error:\n%s", log)
		}
	})
}

// open starts the broker. Its log is kept for failures.
func (b *broker) open(o Options) {
	b.t.Helper()
	log := zerolog.New(zerolog.SyncWriter(&b.log))
	o.Log = &log
	var err error
	if b.srv, err = Open(o); err != nil {
		b.t.Fatal(err)
	}
}

// ours says why we mean to differ from RabbitMQ 3.10, where the test ends then.
func (b *broker) ours(why string) {
	b.t.Helper()
	if b.srv == nil {
		b.t.Skip(why)
	}
}

// settle waits until nothing moves in the broker any more.
func (b *broker) settle() {
	if b.srv != nil {
		synctest.Wait()
		return
	}
	time.Sleep(100 * time.Millisecond) // RabbitMQ cannot be asked
}

// tidy deletes from RabbitMQ what the test has declared.
func (b *broker) tidy() {
	if b.t.Failed() {
		b.t.Log("this was RabbitMQ")
	}
	p := b.connect(client{})
	p.open(1)
	for _, name := range b.queues {
		p.send(1, &amqp.QueueDelete{Queue: name})
		if e := p.next("queue.delete-ok"); e.m.Name() != "queue.delete-ok" {
			p.send(1, &amqp.ChannelCloseOk{}, &amqp.ChannelOpen{})
			p.next("channel.open-ok")
		}
	}
	for _, name := range b.exchanges {
		ask[*amqp.ExchangeDeleteOk](p, 1, &amqp.ExchangeDelete{Exchange: name})
	}
	p.nc.Close()
}

// note remembers what a client declares, for tidy.
func (b *broker) note(m amqp.Method) {
	if b.srv != nil {
		return
	}
	switch m := m.(type) {
	case *amqp.QueueDeclare:
		if !m.Passive && !strings.HasPrefix(m.Queue, "amq.") {
			b.queues = append(b.queues, m.Queue)
		}
	case *amqp.QueueDeclareOk:
		b.queues = append(b.queues, m.Queue)
	case *amqp.ExchangeDeclare:
		if !m.Passive && m.Exchange != "" && !strings.HasPrefix(m.Exchange, "amq.") {
			b.exchanges = append(b.exchanges, m.Exchange)
		}
	}
}

// dial returns a client that has sent nothing yet.
func (b *broker) dial() *peer {
	b.t.Helper()
	var nc net.Conn
	if b.srv != nil {
		nc = b.srv.Pipe()
	} else {
		var err error
		if nc, err = net.Dial("tcp", b.url.Host); err != nil {
			b.t.Fatal(err)
		}
	}
	p := &peer{b: b, t: b.t, nc: nc, r: amqp.NewReader(nc, 0), patience: patience}
	if b.srv != nil {
		p.session = b.srv.nextConn.Load()
	} else {
		b.t.Cleanup(func() { nc.Close() })
	}
	return p
}

// client is how a peer introduces itself. The zero value is guest, who knows all
// capabilities, wants no heartbeats and takes the limits that are offered.
type client struct {
	mechanism, response string
	vhost               string // "" for "/"
	noCapabilities      bool
	frameMax            uint32
	channelMax          uint16
	heartbeat           uint16 // in seconds
}

// startOk is the client's connection.start-ok.
func (c client) startOk() *amqp.ConnectionStartOk {
	m := &amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"}
	if c.mechanism != "" {
		m.Mechanism, m.Response = c.mechanism, c.response
	}
	if !c.noCapabilities {
		m.ClientProperties = amqp.Table{{Name: "capabilities", Value: amqp.Table{
			{Name: "authentication_failure_close", Value: true},
			{Name: "consumer_cancel_notify", Value: true},
			{Name: "connection.blocked", Value: true},
		}}}
	}
	return m
}

// tuneOk is the client's answer to connection.tune.
func (c client) tuneOk(offered *amqp.ConnectionTune) *amqp.ConnectionTuneOk {
	m := &amqp.ConnectionTuneOk{ChannelMax: offered.ChannelMax, FrameMax: offered.FrameMax, Heartbeat: c.heartbeat}
	if c.channelMax != 0 {
		m.ChannelMax = c.channelMax
	}
	if c.frameMax != 0 {
		m.FrameMax = c.frameMax
	}
	return m
}

// connect returns a client with a connection that is open.
func (b *broker) connect(c client) *peer {
	b.t.Helper()
	p := b.dial()
	p.raw(amqp.ProtocolHeader)
	expect[*amqp.ConnectionStart](p, 0)
	tune := ask[*amqp.ConnectionTune](p, 0, c.startOk())
	ok := c.tuneOk(tune)
	p.frameMax = ok.FrameMax
	vhost := c.vhost
	if vhost == "" {
		vhost = "/"
	}
	p.send(0, ok, &amqp.ConnectionOpen{VirtualHost: vhost})
	expect[*amqp.ConnectionOpenOk](p, 0)
	return p
}

// peer returns a client with an open connection, channel 1 open.
func (b *broker) peer() *peer {
	b.t.Helper()
	p := b.connect(client{})
	p.open(1)
	return p
}
