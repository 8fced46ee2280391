package mgmt

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/vhost/auth"
)

// bed is a broker in memory with the API before it, a user for each tag, and a vhost
// "private" for guest alone.
type bed struct {
	t      testing.TB
	server *server.Server
	api    *API
	url    string
}

// tags are the users of a bed but for guest, who is administrator: their names are
// their passwords and their tags. All but none have all rights in "/".
var tags = []string{"none", "management", "policymaker", "monitoring", "administrator"}

// newBed opens a broker with its API behind a socket.
func newBed(t testing.TB) *bed {
	t.Helper()
	b := newQuietBed(t)
	srv := httptest.NewServer(b.api)
	t.Cleanup(srv.Close)
	b.url = srv.URL
	return b
}

// newQuietBed is newBed without a socket, for a bubble with virtual time.
func newQuietBed(t testing.TB) *bed {
	t.Helper()
	s, err := server.Open(server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	api := New(s, Options{NodeName: "leveret@test", Started: time.Now(), Listeners: bedListeners()})
	b := &bed{t: t, server: s, api: api}
	t.Cleanup(func() {
		api.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b.addUsers()
	return b
}

func bedListeners() []Listener {
	return []Listener{
		{Protocol: "amqp", Address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5672}},
		{Protocol: "http", Address: &net.TCPAddr{IP: net.IPv6unspecified, Port: 15672}},
		{Protocol: "http/prometheus", Address: &net.TCPAddr{IP: net.IPv6unspecified, Port: 15692}},
	}
}

func (b *bed) addUsers() {
	b.t.Helper()
	vhosts := b.server.VHosts()
	if _, err := vhosts.AddVHost("private"); err != nil {
		b.t.Fatal(err)
	}
	if err := vhosts.SetPermissions("guest", "private", auth.All); err != nil {
		b.t.Fatal(err)
	}
	for _, tag := range tags {
		u := auth.Account{User: auth.User{Name: tag, Tags: []string{tag}}, Password: tag}
		if tag == "none" {
			u.Tags = nil
		}
		if err := vhosts.PutUser(u); err != nil {
			b.t.Fatal(err)
		}
		if err := vhosts.SetPermissions(tag, "/", auth.All); err != nil {
			b.t.Fatal(err)
		}
	}
}

// do sends a request: without credentials if user is empty, without a body if body is.
// A password that is not the user's name follows it after a colon.
func (b *bed) do(method, path, user, body string) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		name, password, ok := strings.Cut(user, ":")
		if !ok {
			password = name
		}
		req.SetBasicAuth(name, password)
	}
	return b.send(req)
}

func (b *bed) send(req *http.Request) (*http.Response, string) {
	b.t.Helper()
	if b.url == "" {
		w := httptest.NewRecorder()
		req.RemoteAddr = "127.0.0.1:1"
		b.api.ServeHTTP(w, req)
		return w.Result(), w.Body.String()
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, string(text)
}

// ask is do for status and body.
func (b *bed) ask(method, path, user, body string) (int, string) {
	b.t.Helper()
	res, text := b.do(method, path, user, body)
	return res.StatusCode, text
}

// want is ask for a request that must have a status.
func (b *bed) want(status int, method, path, user, body string) string {
	b.t.Helper()
	got, text := b.ask(method, path, user, body)
	if got != status {
		b.t.Fatalf("%s %s as %q: %d %s, want %d", method, path, user, got, text, status)
	}
	return text
}

// get decodes what guest gets.
func (b *bed) get(path string, into any) {
	b.t.Helper()
	text := b.want(200, "GET", path, "guest", "")
	if err := json.Unmarshal([]byte(text), into); err != nil {
		b.t.Fatalf("GET %s: %s: %v", path, text, err)
	}
}
