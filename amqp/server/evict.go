package server

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
)

// identity is whose connection it is and where, for who deletes one of them.
type identity struct {
	user  string
	vhost *vhost.VHost
}

// evict closes the connections that is is true for. Who opens one says first who it
// is and looks then whether user and vhost are still there; who deletes them calls
// evict after that: so one of the two sees the other.
func (s *Server) evict(is func(*identity) bool, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if id := c.identity.Load(); id != nil && is(id) {
			c.kick(amqp.Errorf(amqp.CodeConnectionForced, format, args...))
		}
	}
}

// userGone ends the connections of a user who has been deleted, unless it is not
// the vhosts' users who decide.
func (s *Server) userGone(name string) {
	if s.opts.Auth == nil {
		s.evict(func(id *identity) bool { return id.user == name }, "user '%s' is deleted", name)
	}
}

// vhostGone ends the connections to a vhost that is deleted.
func (s *Server) vhostGone(v *vhost.VHost) {
	s.evict(func(id *identity) bool { return id.vhost == v }, "vhost '%s' is deleted", v.Name())
}
