package server

import (
	"sync"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
)

// census counts what limits are for: the open connections of each vhost, and those
// and the channels of each user. What is asked for and what is counted is one step,
// so that no limit is passed by two who come at once. Its lock is a leaf.
type census struct {
	most int64 // connections of all; 0 = no limit

	mu    sync.Mutex
	total int64 // guarded by mu: open connections of all
	// guarded by mu; what has nothing has no entry
	vhosts map[*vhost.VHost]int64
	users  map[string]holdings
}

// holdings are what a user has open.
type holdings struct{ connections, channels int64 }

func newCensus(most int64) census {
	return census{most: most, vhosts: map[*vhost.VHost]int64{}, users: map[string]holdings{}}
}

// reached reports whether there are as many as there may be.
func reached(n, limit int64) bool { return limit >= 0 && n >= limit }

// enter counts a connection, if broker, vhost and user may have one more, else it
// returns 530.
func (s *census) enter(v *vhost.VHost, user string, limits vhost.Limits) error {
	mine := v.Limits().Connections
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.users[user]
	switch {
	case s.most > 0 && s.total >= s.most:
		return amqp.NotAllowed("connection refused: node connection limit (%d) is reached", s.most)
	case reached(s.vhosts[v], mine):
		return amqp.NotAllowed("access to vhost '%s' refused for user '%s': connection limit (%d) is reached",
			v.Name(), user, mine)
	case reached(h.connections, limits.Connections):
		return amqp.NotAllowed("connection refused for user '%s': user connection limit (%d) is reached",
			user, limits.Connections)
	}
	s.total++
	s.vhosts[v]++
	h.connections++
	s.users[user] = h
	return nil
}

// leave is the end of a connection with so many channels open.
func (s *census) leave(v *vhost.VHost, user string, channels int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.vhosts[v]--; s.vhosts[v] == 0 {
		delete(s.vhosts, v)
	}
	s.subtractLocked(user, holdings{1, int64(channels)})
}

// openChannel counts a channel, if the user may have one more, else it returns 530.
func (s *census) openChannel(user string, limit int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.users[user]
	if reached(h.channels, limit) {
		return amqp.NotAllowed("number of channels opened for user '%s' has reached the maximum allowed user limit of (%d)",
			user, limit)
	}
	h.channels++
	s.users[user] = h
	return nil
}

func (s *census) closeChannel(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subtractLocked(user, holdings{channels: 1})
}

func (s *census) subtractLocked(user string, gone holdings) {
	h := s.users[user]
	h.connections -= gone.connections
	h.channels -= gone.channels
	if h == (holdings{}) {
		delete(s.users, user)
		return
	}
	s.users[user] = h
}
