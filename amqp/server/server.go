package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
)

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("server closed")

// Server is a broker.
type Server struct {
	// immutable
	opts   Options
	vhosts *vhost.Registry
	done   chan struct{} // closed when it stops taking connections

	nextConn atomic.Uint64
	alarm    alarm
	buffers  buffers
	wg       sync.WaitGroup // every goroutine of every connection

	mu        sync.Mutex
	closing   bool // guarded by mu
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
}

// Open returns a broker that is ready to serve. Whoever opens it ends it with
// Shutdown or Close.
func Open(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open broker: %w", err)
	}
	return &Server{
		opts:      o,
		vhosts:    vhost.New(vhost.Options{Log: o.Log}),
		done:      make(chan struct{}),
		listeners: map[net.Listener]struct{}{},
		conns:     map[*conn]struct{}{},
	}, nil
}

// InService returns nil while the broker takes connections.
func (s *Server) InService() error {
	select {
	case <-s.done:
		return ErrServerClosed
	default:
		return nil
	}
}

// Connections is the number of connections, those under way included.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Block stops publishers: a connection that publishes is told why
// (connection.blocked, if it can be) and not read from until Unblock. Consumers
// go on. The reason is RabbitMQ's: "low on memory", "low on disk".
func (s *Server) Block(reason string) { s.alarm.set(reason) }

// Unblock lets publishers go on.
func (s *Server) Unblock() { s.alarm.set("") }

// Shutdown closes the listeners and every connection with 320
// CONNECTION_FORCED, and waits until the clients have answered. When ctx ends
// first, the remaining sockets are cut and its error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.stop() {
		c.kick(amqp.Errorf(amqp.CodeConnectionForced, "broker forced connection closure with reason 'shutdown'"))
	}
	gone := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(gone)
	}()
	var err error
	select {
	case <-gone:
	case <-ctx.Done():
		err = ctx.Err()
		s.cut()
		<-gone
	}
	s.vhosts.Close()
	return err
}

// Close ends the broker at once: sockets are cut.
func (s *Server) Close() error {
	s.stop()
	s.cut()
	s.wg.Wait()
	s.vhosts.Close()
	return nil
}

// stop closes the listeners and returns the connections that are left.
func (s *Server) stop() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.closing = true
		close(s.done)
	}
	for l := range s.listeners {
		l.Close()
	}
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

func (s *Server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.cut()
	}
}
