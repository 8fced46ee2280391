package auth

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/policy"
)

// Guest is the name, and the password, of the user that a new broker has.
const Guest = "guest"

// ErrElsewhere is in the error for a user who has shown who they are, but may come from
// this machine only.
var ErrElsewhere = errors.New("can only connect via localhost")

// ErrNoUser is the error for a user who does not exist.
var ErrNoUser = errors.New("no such user")

// User is who a connection is.
type User struct {
	Name string
	// Tags are RabbitMQ's: administrator, monitoring, policymaker, management,
	// impersonator and others. Nobody changes them.
	Tags []string
}

// Impersonator reports whether the user may send messages in the name of
// others (tag impersonator).
func (u User) Impersonator() bool { return slices.Contains(u.Tags, "impersonator") }

// Account is what there is to know about a user.
type Account struct {
	User
	// Password is what to hash where an account is put. It is never kept, and
	// empty where accounts are listed.
	Password string
	// Hash is that of the password. Where an account is put it counts if Password
	// is empty; the zero Hash is for a user who cannot log in by password.
	Hash Hash
}

// Users is the users of a broker and their rights, in memory; who keeps them
// elsewhere too takes the changes. Its methods may be called from any goroutine.
// Use New, Default or NewStored.
type Users struct {
	// immutable
	newID   func() uint64       // nil: nothing is kept elsewhere
	vhostID func(string) uint64 // as of NewStored

	version atomic.Uint64 // changed, under mu, with every change

	mu sync.RWMutex
	// guarded by mu
	accounts map[string]*account
	loopback map[string]struct{} // who may come from this machine only
	changes  []persistence.Change
	byID     map[uint64]*account // while definitions come back
}

type account struct {
	Account
	id     uint64
	grants map[string]*grant // by vhost
}

// New returns an empty set of users, of whom a guest may come from this machine
// only.
func New() *Users {
	return &Users{accounts: map[string]*account{}, loopback: map[string]struct{}{Guest: {}}, byID: map[uint64]*account{}}
}

// NewStored returns an empty set of users whose changes are to be stored, with
// ids of newID's: they are taken with TakeChanges. vhostID returns the id by which
// the definitions name a vhost.
func NewStored(newID func() uint64, vhostID func(string) uint64) *Users {
	u := New()
	u.newID, u.vhostID = newID, vhostID
	return u
}

// Default returns users with RabbitMQ's first one: guest, password guest, an
// administrator with all rights in the vhost "/", who may come from this machine
// only.
func Default() *Users {
	u := New()
	err := u.Put(Account{User: User{Guest, []string{"administrator"}}, Password: Guest})
	if err == nil {
		err = u.SetPermissions(Guest, "/", All)
	}
	if err != nil {
		panic(err) // what it puts is right
	}
	return u
}

// SetLoopbackOnly says which users may come from this machine only, instead of
// guest.
func (u *Users) SetLoopbackOnly(names []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.loopback)
	for _, name := range names {
		u.loopback[name] = struct{}{}
	}
}

// maxName is the longest name of a user, in bytes: what user-id can hold.
const maxName = 255

// Put enters a user, or changes tags and password of the one of that name, who
// keeps all rights. The error is a *policy.Refused.
func (u *Users) Put(a Account) error {
	switch {
	case a.Name == "":
		return policy.Refusef("user without a name")
	case len(a.Name) > maxName:
		return policy.Refusef("the name of a user has %d bytes, and the limit is %d", len(a.Name), maxName)
	}
	if a.Password != "" {
		a.Hash, a.Password = NewHash(a.Password), ""
	}
	a.Tags = slices.Clone(a.Tags)
	u.mu.Lock()
	defer u.mu.Unlock()
	put := &account{Account: a, grants: map[string]*grant{}}
	if old := u.accounts[a.Name]; old != nil {
		put.id, put.grants = old.id, old.grants
	}
	if err := u.defineUserLocked(put); err != nil {
		return err
	}
	u.accounts[a.Name] = put
	u.version.Add(1)
	return nil
}

// Delete deletes a user with all rights. The error is ErrNoUser.
func (u *Users) Delete(name string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	a := u.accounts[name]
	if a == nil {
		return ErrNoUser
	}
	for _, g := range a.grants {
		u.dropGrantLocked(g)
	}
	u.dropLocked(persistence.KindUser, a.id)
	delete(u.accounts, name)
	u.version.Add(1)
	return nil
}

// Account returns what there is to know about a user, but for the password.
func (u *Users) Account(name string) (_ Account, ok bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if a := u.accounts[name]; a != nil {
		return a.Account, true
	}
	return Account{}, false
}

// Accounts returns all users by name.
func (u *Users) Accounts() []Account {
	u.mu.RLock()
	defer u.mu.RUnlock()
	out := make([]Account, 0, len(u.accounts))
	for a := range maps.Values(u.accounts) {
		out = append(out, a.Account)
	}
	slices.SortFunc(out, func(a, b Account) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Authenticate returns the user if the password is theirs and they may come
// from the address. The error is for the log, not for the client; a refusal
// takes as long for an unknown user as for a wrong password.
func (u *Users) Authenticate(name, password string, remote net.Addr) (User, error) {
	u.mu.RLock()
	a := u.accounts[name]
	_, localOnly := u.loopback[name]
	u.mu.RUnlock()
	var hash Hash
	if a != nil {
		hash = a.Hash
	}
	matches := hash.matches(password)
	switch {
	case a == nil:
		return User{}, fmt.Errorf("user '%s' does not exist", name)
	case !matches || password == "":
		return User{}, fmt.Errorf("user '%s' - invalid credentials", name)
	case localOnly && !IsLoopback(remote):
		return User{}, notFromElsewhere(name)
	}
	return a.User, nil
}

// Recognize returns the user of a name if they may come from the address: whoever
// asks knows by other means than a password that it is they. The error is for the
// log, not for the client.
func (u *Users) Recognize(name string, remote net.Addr) (User, error) {
	u.mu.RLock()
	a := u.accounts[name]
	_, localOnly := u.loopback[name]
	u.mu.RUnlock()
	switch {
	case a == nil:
		return User{}, fmt.Errorf("user '%s' does not exist", name)
	case localOnly && !IsLoopback(remote):
		return User{}, notFromElsewhere(name)
	}
	return a.User, nil
}

func notFromElsewhere(name string) error { return fmt.Errorf("user '%s' %w", name, ErrElsewhere) }
