package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// ListenOptions say how connections of a listener begin. The zero value is for
// plain ones.
type ListenOptions struct {
	// TLS is what clients must speak; nil for none. EXTERNAL is offered to those
	// whose certificate is verified by it. Session tickets are better off, unless it
	// is the same for all time.
	TLS *tls.Config
	// TrustedProxies are the networks whose connections must begin with a header of
	// the PROXY protocol, version 1 or 2, which says whose they are. From elsewhere
	// such a header is refused.
	TrustedProxies []netip.Prefix
}

// Serve is ServeWith for plain connections; those of a tls.Listener are known for
// what they are.
func (s *Server) Serve(l net.Listener) error { return s.ServeWith(l, ListenOptions{}) }

// ServeWith takes connections from l until Shutdown or Close, when it returns
// ErrServerClosed, or until l fails. It closes l. A broker may serve any number
// of listeners.
func (s *Server) ServeWith(l net.Listener, o ListenOptions) error {
	if err := o.check(); err != nil {
		l.Close()
		return err
	}
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		l.Close()
		return ErrServerClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		l.Close()
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			if !s.enterGate() || !s.start(nc, &o, true) {
				nc.Close()
				return ErrServerClosed
			}
			continue
		case s.isClosing():
			return ErrServerClosed
		case !passing(err):
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		// Out of file descriptors, as a rule: connections that end make room.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.opts.Log.Warn().Err(err).Dur("retry_in", pause).Msg("cannot accept a connection")
		select {
		case <-s.done:
			return ErrServerClosed
		case <-time.After(pause):
		}
	}
}

// passing reports whether an error of Accept may go away.
func passing(err error) bool {
	var ne net.Error
	//lint:ignore SA1019 Temporary is what Accept's errors have; net/http asks it too.
	return errors.As(err, &ne) && ne.Temporary()
}

// Pipe returns the client's end of a connection to the broker without a socket:
// the caller speaks AMQP on it. It is closed at once if the broker is.
func (s *Server) Pipe() net.Conn {
	client, ours := net.Pipe()
	if !s.start(ours, &ListenOptions{}, false) {
		ours.Close()
	}
	return client
}

// start gives a connection its goroutines. False: the broker is closing. A gated one
// has come through the gate.
func (s *Server) start(nc net.Conn, o *ListenOptions, gated bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	c := newConn(s, s.newTransport(nc, o), s.nextConn.Add(1))
	c.gated = gated
	s.conns[c.id] = c
	s.wg.Add(2)
	go func() {
		defer s.wg.Done()
		c.run()
		c.leaveGate()
		s.retire(c)
	}()
	go func() {
		defer s.wg.Done()
		c.writeLoop()
	}()
	return true
}

// fullLogPeriod is how often it is logged at most that the gate is full.
const fullLogPeriod = 10 * time.Second

// enterGate waits until fewer connections are under way than there may be. The
// handshake's timeout sees to it that it ends. False: the broker is closing.
func (s *Server) enterGate() bool {
	select {
	case s.gate <- struct{}{}:
		return true
	default:
	}
	now := time.Now().UnixNano()
	if last := s.gateFull.Load(); now-last >= int64(fullLogPeriod) && s.gateFull.CompareAndSwap(last, now) {
		s.opts.Log.Warn().Int("limit", cap(s.gate)).
			Msg("as many connections as there may be have not logged in yet; others wait to be accepted")
	}
	select {
	case s.gate <- struct{}{}:
		return true
	case <-s.done:
		return false
	}
}

// leaveGate is for a connection that is open, or over.
func (c *conn) leaveGate() {
	if c.gated {
		c.gated = false
		<-c.srv.gate
	}
}
