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
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/queue"
)

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("server closed")

// Server is a broker.
type Server struct {
	// immutable
	opts       Options
	vhosts     *vhost.Registry
	auth       Authenticator
	rights     Authorizer    // nil: who is let in may do everything
	pager      *queue.Pager  // nil without a store
	gate       chan struct{} // one token for each accepted connection that is not open yet
	done       chan struct{} // closed when it stops taking connections
	handshakes chan struct{} // one token for each TLS handshake that computes

	nextConn atomic.Uint64
	alarms   alarms
	census   census
	logins   auth.Limiter
	retired  retired
	buffers  buffers
	failed   atomic.Pointer[error] // why the store has, once it has
	wg       sync.WaitGroup        // every goroutine of ours
	ended    sync.Once
	gateFull atomic.Int64 // when it was logged last, in ns since 1970

	mu        sync.Mutex
	closing   bool // guarded by mu
	listeners map[net.Listener]struct{}
	conns     map[uint64]*conn // by id
}

// Open returns a broker that is ready to serve, with all that is in the store.
// Whoever opens it ends it with Shutdown or Close.
func Open(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open broker: %w", err)
	}
	s := &Server{
		opts:       o,
		done:       make(chan struct{}),
		gate:       make(chan struct{}, o.MaxUnauthenticated),
		handshakes: make(chan struct{}, o.MaxTLSHandshakes),
		census:     newCensus(int64(o.MaxConnections)),
		listeners:  map[net.Listener]struct{}{},
		conns:      map[uint64]*conn{},
	}
	if o.Store != nil {
		s.pager = queue.NewPager(o.Store, o.MessageMemory, o.MessageMemory/4*3)
	}
	if err := s.openVHosts(); err != nil {
		s.closePager()
		return nil, fmt.Errorf("open broker: %w", err)
	}
	if o.Store != nil {
		s.wg.Go(s.watchStore)
	}
	return s, nil
}

// openVHosts brings back all that is in the store, and sees to it that somebody can
// log in.
func (s *Server) openVHosts() (err error) {
	o := &s.opts
	s.vhosts, err = vhost.New(vhost.Options{Log: o.Log, Store: o.Store, Pager: s.pager, UserGone: s.userGone, VHostGone: s.vhostGone, Node: o.NodeName})
	if err != nil {
		return err
	}
	if o.LoopbackUsers != nil {
		s.vhosts.SetLoopbackOnly(o.LoopbackUsers)
	}
	if s.auth = o.Auth; s.auth == nil {
		s.auth = s.vhosts
	}
	s.rights, _ = s.auth.(Authorizer)
	if first := o.FirstUser; o.Auth == nil && !first.None {
		account := auth.Account{User: auth.User{Name: first.Name, Tags: first.Tags}, Password: first.Password}
		if err = s.vhosts.MakeFirstUser(account, first.VHost, first.Permissions); err != nil {
			s.vhosts.Close()
		}
	}
	return err
}

// InService returns nil while the broker takes connections and can store what is
// published.
func (s *Server) InService() error {
	if s.isClosing() {
		return ErrServerClosed
	}
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *Server) isClosing() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// VHosts returns the vhosts, with all that is in them and the users: to look at it,
// and to set policies, parameters, limits and rights. It is closed with the server.
func (s *Server) VHosts() *vhost.Registry { return s.vhosts }

// Connections is the number of connections, those under way included.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Shutdown closes the listeners and every connection with 320
// CONNECTION_FORCED, and waits until the clients have answered. When ctx ends
// first, the remaining sockets are cut and its error is returned. Afterwards all
// is handed over to the store, and it is left alone.
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
	s.ended.Do(s.end)
	return err
}

// Close ends the broker at once: sockets are cut.
func (s *Server) Close() error {
	s.stop()
	s.cut()
	s.wg.Wait()
	s.ended.Do(s.end)
	return nil
}

// end is the end of what is left when no connection is.
func (s *Server) end() {
	s.vhosts.Close()
	s.closePager()
}

func (s *Server) closePager() {
	if s.pager != nil {
		s.pager.Close()
	}
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
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

func (s *Server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.cut()
	}
}
