package server

import (
	"context"
	"net"
	"time"

	"github.com/leveretmq/leveret/vhost/auth"
)

// Login checks a name and a password as for a connection from an address, for
// whoever lets users in by another way, as management does. A refusal takes its
// time, the more the more of them came from that address, but no longer than ctx. Its
// error is for the log, not for the client.
func (s *Server) Login(ctx context.Context, name, password string, remote net.Addr) (auth.User, error) {
	user, err := s.authenticate(ctx, name, password, remote)
	s.countLogin("http", err)
	return user, err
}

// authenticate is Login without a count.
func (s *Server) authenticate(ctx context.Context, name, password string, remote net.Addr) (auth.User, error) {
	return s.login(ctx, remote, func() (auth.User, error) { return s.auth.Authenticate(name, password, remote) })
}

// recognize is Login for a user who has shown otherwise who they are.
func (s *Server) recognize(ctx context.Context, name string, remote net.Addr) (auth.User, error) {
	return s.login(ctx, remote, func() (auth.User, error) { return s.auth.(Recognizer).Recognize(name, remote) })
}

// login looks at what a client shows, at the pace that is due to its address.
func (s *Server) login(ctx context.Context, remote net.Addr, look func() (auth.User, error)) (auth.User, error) {
	held, err := s.logins.Allow(remote)
	if err == nil {
		var user auth.User
		if user, err = look(); err == nil {
			return user, nil
		}
		held = s.logins.Failed(remote)
	}
	late := time.NewTimer(held)
	defer late.Stop()
	select {
	case <-late.C:
	case <-ctx.Done():
	case <-s.done:
	}
	return auth.User{}, err
}
