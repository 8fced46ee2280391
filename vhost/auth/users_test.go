package auth

import (
	"net"
	"strings"
	"testing"
)

func TestAuthenticate(t *testing.T) {
	u := Default()
	if err := u.Put(Account{User: User{"ann", []string{"impersonator"}}, Password: "pässword"}); err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 5)}
	remote := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5)}
	for _, c := range []struct {
		name, password string
		from           net.Addr
		fails          string
	}{
		{"guest", "guest", local, ""},
		{"guest", "guest", &net.TCPAddr{IP: net.IPv6loopback}, ""},
		{"guest", "guest", &net.TCPAddr{IP: net.ParseIP("::ffff:127.0.0.1")}, ""},
		{"guest", "guest", server.LocalAddr(), ""},
		{"guest", "guest", &net.UnixAddr{Name: "/x", Net: "unix"}, ""},
		{"guest", "guest", named("127.0.0.1:1"), ""},
		{"guest", "guest", named("10.0.0.1:1"), "user 'guest' can only connect via localhost"},
		{"guest", "guest", named("localhost:1"), "user 'guest' can only connect via localhost"},
		{"guest", "guest", remote, "user 'guest' can only connect via localhost"},
		{"guest", "guest", nil, "user 'guest' can only connect via localhost"},
		{"guest", "Guest", local, "user 'guest' - invalid credentials"},
		{"guest", "", local, "user 'guest' - invalid credentials"},
		{"guest", "wrong", remote, "user 'guest' - invalid credentials"},
		{"nobody", "", remote, "user 'nobody' does not exist"},
		{"nobody", "guest", local, "user 'nobody' does not exist"},
		{"", "", local, "user '' does not exist"},
		{"ann", "pässword", remote, ""},
	} {
		got, err := u.Authenticate(c.name, c.password, c.from)
		switch {
		case c.fails == "" && (err != nil || got.Name != c.name):
			t.Errorf("%s/%s from %v: got %v, %v", c.name, c.password, c.from, got, err)
		case c.fails != "" && (err == nil || err.Error() != c.fails):
			t.Errorf("%s/%s from %v: got %v, want %s", c.name, c.password, c.from, err, c.fails)
		}
	}
}

// named is an address of a kind that the package does not know.
type named string

func (named) Network() string  { return "tls" }
func (n named) String() string { return string(n) }

func TestUserTags(t *testing.T) {
	guest, err := Default().Authenticate("guest", "guest", &net.UnixAddr{})
	if err != nil || len(guest.Tags) != 1 || guest.Tags[0] != "administrator" || guest.Impersonator() {
		t.Errorf("got %+v, %v", guest, err)
	}
	if !(User{"ann", []string{"management", "impersonator"}}).Impersonator() {
		t.Error("the tag impersonator does not make an impersonator")
	}
}

func TestPut(t *testing.T) {
	u := New()
	for _, a := range []Account{{Password: "p"}, {User: User{Name: strings.Repeat("n", 256)}, Password: "p"}} {
		if err := u.Put(a); err == nil {
			t.Errorf("%+v was accepted", a)
		}
	}
	tags := []string{"management"}
	for _, password := range []string{"old", "new"} {
		if err := u.Put(Account{User: User{"n", tags}, Password: password}); err != nil {
			t.Fatal(err)
		}
	}
	tags[0] = "administrator"
	if _, err := u.Authenticate("n", "old", nil); err == nil {
		t.Error("the old password still works")
	}
	got, err := u.Authenticate("n", "new", nil)
	if err != nil || got.Tags[0] != "management" {
		t.Errorf("got %v, %v", got, err)
	}
	a, ok := u.Account("n")
	if !ok || a.Password != "" || a.Hash.Algorithm != SHA256 {
		t.Errorf("it is %+v", a)
	}
	// By hash, and without any.
	for hash, works := range map[Hash]bool{a.Hash: true, {}: false} {
		if err := u.Put(Account{User: User{Name: "m"}, Hash: hash}); err != nil {
			t.Fatal(err)
		}
		if _, err := u.Authenticate("m", "new", nil); (err == nil) != works {
			t.Errorf("%s: %v", hash, err)
		}
		if _, err := u.Authenticate("m", "", nil); err == nil {
			t.Errorf("%s: in without a password", hash)
		}
	}
	if all := u.Accounts(); len(all) != 2 || all[0].Name != "m" || all[1].Name != "n" {
		t.Errorf("all are %v", all)
	}
}

func TestDelete(t *testing.T) {
	u := Default()
	if err := u.Delete("nobody"); err != ErrNoUser {
		t.Errorf("got %v", err)
	}
	if err := u.Delete("guest"); err != nil {
		t.Fatal(err)
	}
	_, found := u.Account("guest")
	if _, err := u.Authenticate("guest", "guest", &net.UnixAddr{}); err == nil || found || u.Rights("guest", "/") != nil {
		t.Errorf("guest is there: %v, %v, %v", err, found, u.Rights("guest", "/"))
	}
	if err := u.Put(Account{User: User{Name: "guest"}, Password: "guest"}); err != nil || u.Rights("guest", "/") != nil {
		t.Errorf("made again it has the old rights, %v", err)
	}
}

func TestLoopbackOnly(t *testing.T) {
	u, remote := Default(), &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5)}
	if err := u.Put(Account{User: User{Name: "ann"}, Password: "ann"}); err != nil {
		t.Fatal(err)
	}
	u.SetLoopbackOnly([]string{"ann"})
	_, ann := u.Authenticate("ann", "ann", remote)
	_, guest := u.Authenticate("guest", "guest", remote)
	if ann == nil || guest != nil {
		t.Errorf("ann: %v, guest: %v", ann, guest)
	}
}
