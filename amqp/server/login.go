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
	held, err := s.logins.Allow(remote)
	if err == nil {
		var user auth.User
		if user, err = s.auth.Authenticate(name, password, remote); err == nil {
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
