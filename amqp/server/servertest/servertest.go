package servertest

import (
	"context"
	"errors"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/persistence/memory"
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
	store   *memory.Store // nil if the test brought one of another kind
	sockets *sockets
	serving chan error
}

// Start runs a broker until the test ends. At most one Options may be given. If
// it has no Store, or one of package memory, the broker can start again over what
// is in there; the store is then the Broker's to close.
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
	switch s := b.opts.Store.(type) {
	case nil:
		b.store = memory.New()
	case *memory.Store:
		b.store = s
	}
	b.open()
	t.Cleanup(func() {
		b.end()
		if b.store != nil {
			_ = b.store.Close() // its only error is what the test made it fail with
		}
	})
	return b
}

// Server returns the broker itself.
func (b *Broker) Server() *server.Server { return b.srv }

// Store returns the broker's store, to be held up or made to fail; nil if the
// test brought one that is not of package memory. Restart and Kill replace it.
func (b *Broker) Store() *memory.Store { return b.store }

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

// Restart shuts the broker down and starts another one at the same address, over
// what is in the store. Conn is a new connection then.
func (b *Broker) Restart() {
	b.t.Helper()
	b.checkStore()
	b.end()
	b.again()
}

// errKilled is why the store of a broker takes nothing more that was killed.
var errKilled = errors.New("the broker was killed")

// Kill ends the broker as a crash would, sockets cut and nothing written any
// more, and starts another one at the same address over what the store had got
// by then. Conn is a new connection then.
func (b *Broker) Kill() {
	b.t.Helper()
	b.checkStore()
	b.store.Hold() // what the sessions do when they see their sockets cut is too late
	b.sockets.cut()
	b.store.Fail(errKilled)
	b.within("Close", func() { b.srv.Close() })
	b.served()
	b.again()
}

func (b *Broker) checkStore() {
	b.t.Helper()
	if b.store == nil {
		b.t.Fatal("servertest: a broker can start again only over a store of package memory")
	}
}

// again starts the broker that follows one that has ended.
func (b *Broker) again() {
	b.t.Helper()
	b.store = b.store.Reopen()
	b.open()
}

func (b *Broker) open() {
	b.t.Helper()
	o := b.opts
	if b.store != nil {
		o.Store = b.store
	}
	var err error
	if b.srv, err = server.Open(o); err != nil {
		b.t.Fatalf("servertest: open: %v", err)
	}
	l, err := net.Listen("tcp", b.addr)
	if err != nil {
		b.t.Fatalf("servertest: listen: %v", err)
	}
	b.addr = l.Addr().String()
	b.URL = "amqp://guest:guest@" + b.addr + "/"
	b.sockets = &sockets{Listener: l}
	b.serving = make(chan error, 1)
	srv, sockets, serving := b.srv, b.sockets, b.serving
	go func() { serving <- srv.Serve(sockets) }()
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
	b.served()
}

// served waits for the end of Serve.
func (b *Broker) served() {
	b.t.Helper()
	b.within("Serve", func() {
		if err := <-b.serving; err != server.ErrServerClosed {
			b.t.Errorf("servertest: Serve returned %v", err)
		}
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
