package server

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// Serve takes connections from l until Shutdown or Close, when it returns
// ErrServerClosed, or until l fails. It closes l. A broker may serve any number
// of listeners.
func (s *Server) Serve(l net.Listener) error {
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
			if !s.start(nc) {
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
	if !s.start(ours) {
		ours.Close()
	}
	return client
}

// start gives a connection its goroutines. False: the broker is closing.
func (s *Server) start(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	c := newConn(s, nc, s.nextConn.Add(1))
	s.conns[c] = struct{}{}
	s.wg.Add(2)
	go func() {
		defer s.wg.Done()
		c.run()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	go func() {
		defer s.wg.Done()
		c.writeLoop()
	}()
	return true
}
