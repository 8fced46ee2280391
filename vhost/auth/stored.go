package auth

import (
	"errors"
	"fmt"
	"slices"

	"github.com/leveretmq/leveret/persistence"
)

func (u *Users) defineLocked(kind persistence.Kind, id uint64, body []byte) {
	u.changes = append(u.changes, persistence.Change{Definition: persistence.Definition{Kind: kind, ID: id, Body: body}})
}

// dropLocked adds the end of a definition to the changes; of none if id is 0.
func (u *Users) dropLocked(kind persistence.Kind, id uint64) {
	if id != 0 {
		u.changes = append(u.changes, persistence.Change{Definition: persistence.Definition{Kind: kind, ID: id}, Delete: true})
	}
}

func (u *Users) dropGrantLocked(g *grant) {
	u.dropLocked(persistence.KindPermission, g.id)
	for _, t := range g.topics {
		u.dropLocked(persistence.KindPermission, t.id)
	}
}

// defineUserLocked adds a user to the changes, and gives them an id.
func (u *Users) defineUserLocked(a *account) error {
	if u.newID == nil {
		return nil
	}
	d := userDefinition{a.Name, string(a.Hash.Algorithm), a.Hash.salted, a.Tags}
	return u.storeLocked(persistence.KindUser, &a.id, d.encode)
}

func (u *Users) definePermissionsLocked(a *account, vhost string, g *grant) error {
	if u.newID == nil {
		return nil
	}
	d := permissionDefinition{user: a.id, vhost: u.vhostID(vhost),
		configure: g.permissions.Configure, write: g.permissions.Write, read: g.permissions.Read}
	return u.storeLocked(persistence.KindPermission, &g.id, d.encode)
}

func (u *Users) defineTopicLocked(a *account, vhost, exchange string, t *topic) error {
	if u.newID == nil {
		return nil
	}
	d := permissionDefinition{user: a.id, vhost: u.vhostID(vhost), ofTopic: true, exchange: exchange, write: t.Write, read: t.Read}
	return u.storeLocked(persistence.KindPermission, &t.id, d.encode)
}

func (u *Users) storeLocked(kind persistence.Kind, id *uint64, encode func() ([]byte, error)) error {
	body, err := encode()
	if err != nil {
		return err
	}
	if *id == 0 {
		*id = u.newID()
	}
	u.defineLocked(kind, *id, body)
	return nil
}

// TakeChanges returns what has changed since it was called last, for the store, in
// order.
func (u *Users) TakeChanges() []persistence.Change {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.changes
	u.changes = nil
	return taken
}

// Recover brings back a user, or what one may do in the vhost of a name, of which
// vhostName finds the name. All users come before all permissions.
func (u *Users) Recover(from persistence.Definition, vhostName func(uint64) (string, error)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if from.Kind == persistence.KindUser {
		return u.recoverUserLocked(from)
	}
	var d permissionDefinition
	if err := d.decode(from.Body); err != nil {
		return err
	}
	vhost, err := vhostName(d.vhost)
	if err != nil {
		return err
	}
	a := u.byID[d.user]
	if a == nil {
		return fmt.Errorf("it is for user %d, who is not defined", d.user)
	}
	g := a.grants[vhost]
	if g == nil {
		g = &grant{topics: map[string]topic{}}
		a.grants[vhost] = g
	}
	_, double := g.topics[d.exchange]
	if d.ofTopic && double || !d.ofTopic && g.permissions != nil {
		return fmt.Errorf("there is one for user '%s' in vhost '%s' already", a.Name, vhost)
	}
	if d.ofTopic {
		g.topics[d.exchange] = topic{TopicPermissions{d.write, d.read}, from.ID}
	} else {
		g.permissions, g.id = &Permissions{d.configure, d.write, d.read}, from.ID
	}
	return g.compile(a.Name, vhost)
}

func (u *Users) recoverUserLocked(from persistence.Definition) error {
	var d userDefinition
	if err := d.decode(from.Body); err != nil {
		return err
	}
	hash, err := d.hash()
	switch {
	case err != nil:
		return err
	case d.name == "":
		return errors.New("the user has no name")
	case u.accounts[d.name] != nil:
		return fmt.Errorf("there is a user '%s' already", d.name)
	}
	a := &account{Account{User: User{d.name, slices.Clip(d.tags)}, Hash: hash}, from.ID, map[string]*grant{}}
	u.accounts[d.name], u.byID[from.ID] = a, a
	return nil
}

// Recovered says that all is back.
func (u *Users) Recovered() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.byID = nil
}
