package servertest

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// patience is how long anything that should happen at once may take here.
const patience = 10 * time.Second

// Broker is a broker that lives as long as its test.
type Broker struct {
	// URL is what clients dial.
	URL string
	// Conn is a connection of amqp091-go, open.
	Conn *amqp091.Connection

	t       testing.TB
	opts    server.Options
	addr    string
	srv     *server.Server
	serving chan error
}

// Start runs a broker until the test ends. At most one Options may be given.
func Start(t testing.TB, opts ...server.Options) *Broker {
	t.Helper()
	b := &Broker{t: t, addr: "127.0.0.1:0"}
	switch len(opts) {
	case 0:
	case 1:
		b.opts = opts[0]
	default:
		t.Fatal("servertest: at most one Options")
	}
	b.open()
	t.Cleanup(b.end)
	return b
}

// Server returns the broker itself.
func (b *Broker) Server() *server.Server { return b.srv }

// Dial opens one more connection, which is closed when the test ends.
func (b *Broker) Dial() *amqp091.Connection {
	b.t.Helper()
	conn, err := amqp091.Dial(b.URL)
	if err != nil {
		b.t.Fatalf("servertest: dial: %v", err)
	}
	b.t.Cleanup(func() { conn.Close() })
	return conn
}

// Channel opens a channel of Conn.
func (b *Broker) Channel() *amqp091.Channel {
	b.t.Helper()
	ch, err := b.Conn.Channel()
	if err != nil {
		b.t.Fatalf("servertest: channel: %v", err)
	}
	return ch
}

// Restart shuts the broker down and starts another one at the same address.
// Conn is a new connection then; what was kept in memory is gone.
func (b *Broker) Restart() {
	b.t.Helper()
	b.end()
	b.open()
}

// Kill ends the broker as a crash would: sockets are cut, nobody is told.
func (b *Broker) Kill() {
	b.t.Helper()
	b.within("Close", func() { b.srv.Close() })
}

func (b *Broker) open() {
	b.t.Helper()
	var err error
	if b.srv, err = server.Open(b.opts); err != nil {
		b.t.Fatalf("servertest: open: %v", err)
	}
	l, err := net.Listen("tcp", b.addr)
	if err != nil {
		b.t.Fatalf("servertest: listen: %v", err)
	}
	b.addr = l.Addr().String()
	b.URL = "amqp://guest:guest@" + b.addr + "/"
	b.serving = make(chan error, 1)
	srv, serving := b.srv, b.serving
	go func() { serving <- srv.Serve(l) }()
	if b.Conn, err = amqp091.Dial(b.URL); err != nil {
		b.t.Fatalf("servertest: dial: %v", err)
	}
}

// end closes the client and then the broker, and waits for both.
func (b *Broker) end() {
	b.t.Helper()
	b.Conn.Close()
	b.within("Shutdown", func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		if err := b.srv.Shutdown(ctx); err != nil {
			b.t.Errorf("servertest: shutdown: %v", err)
		}
	})
	b.within("Serve", func() {
		if err := <-b.serving; err != server.ErrServerClosed {
			b.t.Errorf("servertest: Serve returned %v", err)
		}
		b.serving <- server.ErrServerClosed // for a second end, after Kill or Restart
	})
}

// within fails the test, with the stacks of all goroutines, if do does not
// return: something of the broker's is still running.
func (b *Broker) within(what string, do func()) {
	b.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		stacks := make([]byte, 1<<20)
		b.t.Errorf("servertest: %s has not returned after %s: goroutines of the broker leak\n%s",
			what, patience, stacks[:runtime.Stack(stacks, true)])
	}
}
