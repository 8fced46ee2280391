package servertest

import (
	"net"
	"sync"
)

// sockets is a listener that can cut what it has accepted.
type sockets struct {
	net.Listener

	mu       sync.Mutex
	accepted []net.Conn // guarded by mu
}

// Accept implements net.Listener.
func (s *sockets) Accept() (net.Conn, error) {
	nc, err := s.Listener.Accept()
	if err == nil {
		s.mu.Lock()
		s.accepted = append(s.accepted, nc)
		s.mu.Unlock()
	}
	return nc, err
}

// cut closes all connections under the broker, which finds its sockets gone.
func (s *sockets) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, nc := range s.accepted {
		nc.Close()
	}
}
