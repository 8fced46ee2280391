package vhost

import (
	"net"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/auth"
)

// newUsers makes the users of a registry, who are stored if it is.
func (r *Registry) newUsers() *auth.Users {
	if r.store == nil {
		return auth.New()
	}
	return auth.NewStored(r.store.NewID, func(name string) uint64 { return r.vhosts[name].defined.vhost })
}

// changeUsers carries out a change of users or rights, and returns when it is in
// the store. Nothing is changed if it fails.
func (r *Registry) changeUsers(change func(*definitions) error) error {
	stored, err := r.enterUsers(change)
	if err != nil {
		return err
	}
	return stored.await()
}

func (r *Registry) enterUsers(change func(*definitions) error) (*commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed()
	}
	d := newDefinitions(r.store, 0)
	if err := change(&d); err != nil {
		return nil, err
	}
	d.batch.Changes = append(d.batch.Changes, r.users.TakeChanges()...)
	if c := d.handOver(); c != nil {
		r.last = c
	}
	return r.last, nil
}

// PutUser makes a user, or changes tags and password of the one of that name, who
// keeps all rights. The error is a *policy.Refused, or the store's.
func (r *Registry) PutUser(a auth.Account) error {
	known := false
	err := r.changeUsers(func(*definitions) error {
		_, known = r.users.Account(a.Name)
		return r.users.Put(a)
	})
	if err == nil {
		r.events.tellUser(a, known)
	}
	return err
}

// DeleteUser deletes a user with all rights and limits, and then says so to
// Options.UserGone. The error is auth.ErrNoUser, or the store's.
func (r *Registry) DeleteUser(name string) error {
	err := r.changeUsers(func(d *definitions) error {
		if err := r.users.Delete(name); err != nil {
			return err
		}
		if s, ok := r.settings[ofUser][name]; ok {
			delete(r.settings[ofUser], name)
			if d.store != nil {
				d.drop(persistence.KindParameter, s.id)
			}
		}
		return nil
	})
	if err == nil && r.userGone != nil {
		r.userGone(name)
	}
	r.events.tellIf(err, "user.deleted", func() amqp.Table { return amqp.Table{field("name", name)} })
	return err
}

// User returns what there is to know about a user, but for the password.
func (r *Registry) User(name string) (_ auth.Account, ok bool) { return r.users.Account(name) }

// Users returns all users by name.
func (r *Registry) Users() []auth.Account { return r.users.Accounts() }

// SetLoopbackOnly says which users may come from this machine only, instead of
// guest.
func (r *Registry) SetLoopbackOnly(names []string) { r.users.SetLoopbackOnly(names) }

// SetPermissions says what a user may do in a vhost; who has permissions may enter
// it. It holds for what is done from then on, also by connections that are open.
// The error is auth.ErrNoUser, 530 if there is no such vhost, a *policy.Refused for
// an expression that cannot be used, or the store's.
func (r *Registry) SetPermissions(user, vhost string, p auth.Permissions) error {
	err := r.changeRights(vhost, func() error { return r.users.SetPermissions(user, vhost, p) })
	r.events.tellIf(err, "permission.created", func() amqp.Table {
		return amqp.Table{field("user", user), field("vhost", vhost), field("configure", p.Configure), field("write", p.Write), field("read", p.Read)}
	})
	return err
}

// DeletePermissions takes all rights in a vhost from a user, but for topic
// permissions. As in RabbitMQ connections that are open stay open and may do nothing new;
// consumers that there are go on. Errors are as with SetPermissions.
func (r *Registry) DeletePermissions(user, vhost string) error {
	err := r.changeRights(vhost, func() error { return r.users.DeletePermissions(user, vhost) })
	r.events.tellIf(err, "permission.deleted", func() amqp.Table { return amqp.Table{field("user", user), field("vhost", vhost)} })
	return err
}

// SetTopicPermissions says which routing keys of a topic exchange a user may use.
// There need not be such an exchange. Errors are as with SetPermissions.
func (r *Registry) SetTopicPermissions(user, vhost, exchange string, p auth.TopicPermissions) error {
	err := r.changeRights(vhost, func() error { return r.users.SetTopicPermissions(user, vhost, exchange, p) })
	r.events.tellIf(err, "topic.permission.created", func() amqp.Table {
		return amqp.Table{field("user", user), field("vhost", vhost), field("exchange", exchange), field("write", p.Write), field("read", p.Read)}
	})
	return err
}

// DeleteTopicPermissions lets a user use all routing keys of an exchange again, with
// an empty name those of all exchanges of the vhost. Errors are as with SetPermissions.
func (r *Registry) DeleteTopicPermissions(user, vhost, exchange string) error {
	err := r.changeRights(vhost, func() error { return r.users.DeleteTopicPermissions(user, vhost, exchange) })
	r.events.tellIf(err, "topic.permission.deleted", func() amqp.Table { return amqp.Table{field("user", user), field("vhost", vhost)} })
	return err
}

func (r *Registry) changeRights(vhost string, change func() error) error {
	return r.changeUsers(func(*definitions) error {
		if _, err := r.vhostLocked(vhost); err != nil {
			return err
		}
		return change()
	})
}

// Permissions returns all permissions by vhost and user.
func (r *Registry) Permissions() []auth.Permission { return r.users.Permissions() }

// TopicPermissions returns all topic permissions by vhost, user and exchange.
func (r *Registry) TopicPermissions() []auth.TopicPermission { return r.users.TopicPermissions() }

// Authenticate is that of auth.Users.
func (r *Registry) Authenticate(name, password string, remote net.Addr) (auth.User, error) {
	return r.users.Authenticate(name, password, remote)
}

// Recognize is that of auth.Users.
func (r *Registry) Recognize(name string, remote net.Addr) (auth.User, error) {
	return r.users.Recognize(name, remote)
}

// Rights returns what a user may do in a vhost, nil if they may not enter it.
func (r *Registry) Rights(user, vhost string) *auth.Rights { return r.users.Rights(user, vhost) }

// RightsVersion is another after each change of anybody's rights.
func (r *Registry) RightsVersion() uint64 { return r.users.RightsVersion() }

// MakeFirstUser makes a user with rights in a vhost, which is made too, unless there
// is a user already. One without Tags becomes an administrator, and the zero
// Permissions are for auth.All. Nobody waits for the store: what a crash
// swallows the next start makes again.
func (r *Registry) MakeFirstUser(a auth.Account, vhost string, may auth.Permissions) error {
	if a.Tags == nil {
		a.Tags = []string{"administrator"}
	}
	if may == (auth.Permissions{}) {
		may = auth.All
	}
	if len(r.users.Accounts()) > 0 {
		return nil
	}
	if _, _, err := r.enterVHost(vhost); err != nil {
		return err
	}
	r.log.Info().Str("user", a.Name).Str("vhost", vhost).Msg("making the first user")
	_, err := r.enterUsers(func(*definitions) error {
		if err := r.users.Put(a); err != nil {
			return err
		}
		return r.users.SetPermissions(a.Name, vhost, may)
	})
	return err
}

// user brings back a user, or what one may do.
func (v *recovery) user(from persistence.Definition) error {
	return v.users.Recover(from, func(id uint64) (string, error) {
		in, err := v.in(id)
		if err != nil {
			return "", err
		}
		return in.name, nil
	})
}
