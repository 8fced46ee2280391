package auth

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
)

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
	Password string
	// LoopbackOnly lets the user in from this machine only.
	LoopbackOnly bool
}

// Users is the users of a broker, kept in memory. Its methods may be called
// from any goroutine. Use New or Default.
type Users struct {
	nobody passwordHash // is compared with when there is no such user

	mu sync.RWMutex
	// guarded by mu
	accounts map[string]*account
}

type account struct {
	user         User
	hash         passwordHash
	loopbackOnly bool
}

// New returns an empty set of users.
func New() *Users {
	return &Users{nobody: hashPassword(""), accounts: map[string]*account{}}
}

// Default returns users with RabbitMQ's first one: guest, password guest, an
// administrator who may come from this machine only.
func Default() *Users {
	u := New()
	guest := Account{User: User{"guest", []string{"administrator"}}, Password: "guest", LoopbackOnly: true}
	if err := u.Add(guest); err != nil {
		panic(err) // it has a name and a password
	}
	return u
}

// Add enters a user, or changes the one of that name. A name and a password
// are required: RabbitMQ lets nobody in without a password either.
func (u *Users) Add(a Account) error {
	switch {
	case a.Name == "":
		return errors.New("user without a name")
	case a.Password == "":
		return fmt.Errorf("user '%s' without a password", a.Name)
	}
	added := &account{
		user:         User{a.Name, slices.Clone(a.Tags)},
		hash:         hashPassword(a.Password),
		loopbackOnly: a.LoopbackOnly,
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.accounts[a.Name] = added
	return nil
}

// Authenticate returns the user if the password is theirs and they may come
// from the address. The error is for the log, not for the client; a refusal
// takes as long for an unknown user as for a wrong password.
func (u *Users) Authenticate(name, password string, remote net.Addr) (User, error) {
	u.mu.RLock()
	a := u.accounts[name]
	u.mu.RUnlock()
	hash := &u.nobody
	if a != nil {
		hash = &a.hash
	}
	matches := hash.matches(password)
	switch {
	case a == nil:
		return User{}, fmt.Errorf("user '%s' does not exist", name)
	case !matches || password == "":
		return User{}, fmt.Errorf("user '%s' - invalid credentials", name)
	case a.loopbackOnly && !isLoopback(remote):
		return User{}, fmt.Errorf("user '%s' can only connect via localhost", name)
	}
	return a.user, nil
}

// isLoopback reports whether the address is on this machine: a loopback IP, a
// Unix socket or a pipe inside the process.
func isLoopback(a net.Addr) bool {
	switch a := a.(type) {
	case nil:
		return false
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	if a.Network() == "pipe" {
		return true
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		host = a.String()
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
