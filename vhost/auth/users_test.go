package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"testing"
)

func TestAuthenticate(t *testing.T) {
	u := Default()
	if err := u.Add(Account{User: User{"ann", []string{"impersonator"}}, Password: "pässword"}); err != nil {
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

func TestAdd(t *testing.T) {
	u := New()
	for _, a := range []Account{{Password: "p"}, {User: User{Name: "n"}}} {
		if err := u.Add(a); err == nil {
			t.Errorf("%+v was accepted", a)
		}
	}
	for _, password := range []string{"old", "new"} {
		if err := u.Add(Account{User: User{Name: "n"}, Password: password}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := u.Authenticate("n", "old", nil); err == nil {
		t.Error("the old password still works")
	}
	if _, err := u.Authenticate("n", "new", nil); err != nil {
		t.Error(err)
	}
}

func TestPasswordHash(t *testing.T) {
	h := hashPassword("secret")
	sum := sha256.Sum256(append(append([]byte{}, h[:4]...), "secret"...))
	if [32]byte(h[4:]) != sum {
		t.Error("the hash is not SHA-256 of salt and password")
	}
	if again := hashPassword("secret"); again == h {
		t.Error("two hashes have the same salt")
	}
	// The example of RabbitMQ's documentation of password hashes.
	const want = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
	doc := saltedHash([4]byte{0x90, 0x8d, 0xc6, 0x0a}, "test12")
	if got := base64.StdEncoding.EncodeToString(doc[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
