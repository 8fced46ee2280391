package auth

import (
	"cmp"
	"maps"
	"slices"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/policy"
)

// grant is what a user may do in a vhost.
type grant struct {
	permissions *Permissions // nil: not even enter
	id          uint64       // of their definition
	topics      map[string]topic
	// rights is what all of it comes to, nil without permissions.
	rights *Rights
}

// topic are the topic permissions for an exchange.
type topic struct {
	TopicPermissions
	id uint64
}

// Permission is what a user may do in a vhost, for listings.
type Permission struct {
	User, VHost string
	Permissions
}

// TopicPermission is Permission for the routing keys of an exchange.
type TopicPermission struct {
	User, VHost, Exchange string
	TopicPermissions
}

// Rights returns what a user may do in a vhost; nil if they may not enter it, or
// do not exist.
func (u *Users) Rights(user, vhost string) *Rights {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if a := u.accounts[user]; a != nil && a.grants[vhost] != nil {
		return a.grants[vhost].rights
	}
	return nil
}

// RightsVersion is another after each change of anybody's rights.
func (u *Users) RightsVersion() uint64 { return u.version.Load() }

// SetPermissions says what a user may do in a vhost. The error is ErrNoUser, or a
// *policy.Refused for an expression that cannot be used.
func (u *Users) SetPermissions(user, vhost string, p Permissions) error {
	return u.change(user, vhost, func(a *account, g *grant) error {
		g.permissions = &p
		return u.definePermissionsLocked(a, vhost, g)
	})
}

// DeletePermissions takes the right to enter a vhost from a user; topic permissions
// stay. There need not be any. The error is ErrNoUser.
func (u *Users) DeletePermissions(user, vhost string) error {
	return u.change(user, vhost, func(_ *account, g *grant) error {
		u.dropLocked(persistence.KindPermission, g.id)
		g.permissions, g.id = nil, 0
		return nil
	})
}

// SetTopicPermissions says which routing keys of an exchange a user may use. Errors
// are as with SetPermissions.
func (u *Users) SetTopicPermissions(user, vhost, exchange string, p TopicPermissions) error {
	return u.change(user, vhost, func(a *account, g *grant) error {
		t := topic{p, g.topics[exchange].id}
		if err := u.defineTopicLocked(a, vhost, exchange, &t); err != nil {
			return err
		}
		g.topics[exchange] = t
		return nil
	})
}

// DeleteTopicPermissions takes the topic permissions for an exchange from a user, or
// with an empty name those for all exchanges of the vhost. There need not be any. The
// error is ErrNoUser.
func (u *Users) DeleteTopicPermissions(user, vhost, exchange string) error {
	return u.change(user, vhost, func(_ *account, g *grant) error {
		for name, t := range g.topics {
			if exchange == "" || name == exchange {
				u.dropLocked(persistence.KindPermission, t.id)
				delete(g.topics, name)
			}
		}
		return nil
	})
}

// change puts a changed copy of a grant in its place, or nothing if change fails.
func (u *Users) change(user, vhost string, change func(*account, *grant) error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.accounts[user]
	if a == nil {
		return ErrNoUser
	}
	g := &grant{}
	if old := a.grants[vhost]; old != nil {
		*g = *old
	}
	g.topics = maps.Clone(g.topics)
	if g.topics == nil {
		g.topics = map[string]topic{}
	}
	before := len(u.changes)
	err := change(a, g)
	if err == nil {
		err = g.compile(user, vhost)
	}
	if err != nil {
		u.changes = u.changes[:before]
		return err
	}
	a.grants[vhost] = g
	if g.permissions == nil && len(g.topics) == 0 {
		delete(a.grants, vhost)
	}
	u.version.Add(1)
	return nil
}

// compile finds out what a grant comes to.
func (g *grant) compile(user, vhost string) error {
	g.rights = nil
	topics := make(map[string]*[3]policy.Pattern, len(g.topics))
	for name, t := range g.topics {
		var err error
		if topics[name], err = compileTopic(t.TopicPermissions, user, vhost); err != nil {
			return err
		}
	}
	if g.permissions == nil {
		return nil
	}
	r, err := NewRights(*g.permissions)
	if err != nil {
		return err
	}
	if len(topics) > 0 {
		r.topics = topics
	}
	g.rights = r
	return nil
}

// DeleteVHost takes all rights in a vhost from everybody.
func (u *Users) DeleteVHost(vhost string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, a := range u.accounts {
		if g := a.grants[vhost]; g != nil {
			u.dropGrantLocked(g)
			delete(a.grants, vhost)
		}
	}
	u.version.Add(1)
}

// Permissions returns all permissions by vhost and user.
func (u *Users) Permissions() []Permission {
	u.mu.RLock()
	defer u.mu.RUnlock()
	var out []Permission
	for _, a := range u.accounts {
		for vhost, g := range a.grants {
			if g.permissions != nil {
				out = append(out, Permission{a.Name, vhost, *g.permissions})
			}
		}
	}
	slices.SortFunc(out, func(a, b Permission) int {
		return cmp.Or(cmp.Compare(a.VHost, b.VHost), cmp.Compare(a.User, b.User))
	})
	return out
}

// TopicPermissions returns all topic permissions by vhost, user and exchange.
func (u *Users) TopicPermissions() []TopicPermission {
	u.mu.RLock()
	defer u.mu.RUnlock()
	var out []TopicPermission
	for _, a := range u.accounts {
		for vhost, g := range a.grants {
			for exchange, t := range g.topics {
				out = append(out, TopicPermission{a.Name, vhost, exchange, t.TopicPermissions})
			}
		}
	}
	slices.SortFunc(out, func(a, b TopicPermission) int {
		return cmp.Or(cmp.Compare(a.VHost, b.VHost), cmp.Compare(a.User, b.User), cmp.Compare(a.Exchange, b.Exchange))
	})
	return out
}
