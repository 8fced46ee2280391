package definitions

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
)

// rabbit is the management API of a RabbitMQ, with credentials in its URL.
type rabbit struct {
	t    *testing.T
	base *url.URL
}

func newRabbit(t *testing.T) *rabbit {
	t.Helper()
	at := os.Getenv("RABBITMQ_MGMT_URL")
	if at == "" {
		t.Skip("RABBITMQ_MGMT_URL does not name the management API of a RabbitMQ")
	}
	base, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	return &rabbit{t, base}
}

func (r *rabbit) do(method, path string, body []byte) (status int, answer []byte) {
	r.t.Helper()
	req, err := http.NewRequest(method, strings.TrimSuffix(r.base.String(), "/")+path, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	if answer, err = io.ReadAll(res.Body); err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, answer
}

// What we export RabbitMQ imports, and what it exports then we import, and it says the
// same as at first. The things in the file have names of their own there.
func TestRoundTripThroughRabbitMQ(t *testing.T) {
	there := newRabbit(t)
	rename := strings.NewReplacer(`"hd"`, `"leveret-defs"`, `"hd-empty"`, `"leveret-defs-empty"`, `"bob"`, `"leveret-bob"`,
		`"alice"`, `"leveret-alice"`, `"old"`, `"leveret-old"`, `"big"`, `"leveret-big"`, `"nopass"`, `"leveret-nopass"`)
	text := rename.Replace(string(sample(t, "rabbitmq-3.10.json")))
	ours := newBroker(t)
	apply(t, ours, only(t, parse(t, []byte(text), ParseOptions{})))
	sent, err := json.Marshal(Export(ours, About{Product: "Leveret", Version: "1", RabbitMQ: "3.10.8"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, path := range []string{"/vhosts/leveret-defs", "/vhosts/leveret-defs-empty", "/users/leveret-bob", "/users/leveret-alice",
			"/users/leveret-old", "/users/leveret-big", "/users/leveret-nopass", "/global-parameters/mqtt_default_vhosts"} {
			there.do("DELETE", "/api"+path, nil)
		}
	})
	if status, body := there.do("POST", "/api/definitions", sent); status != 204 {
		t.Fatalf("RabbitMQ answers %d %s to\n%s", status, body, sent)
	}
	status, got := there.do("GET", "/api/definitions", nil)
	if status != 200 {
		t.Fatalf("RabbitMQ answers %d %s", status, got)
	}
	again := newBroker(t)
	apply(t, again, only(t, parse(t, got, ParseOptions{})))
	if back, want := sections(t, []byte(state(t, again))), sections(t, []byte(state(t, ours))); !reflect.DeepEqual(back["bindings"], want["bindings"]) ||
		!sameBut(back, want, "vhosts") {
		t.Errorf("came back as\n%v\nwas\n%v", back, want)
	}
	// 3.10 does not export what is said about a vhost, but it has it.
	if _, body := there.do("GET", "/api/vhosts/leveret-defs", nil); !bytes.Contains(body, []byte(`"tags":["eu"]`)) {
		t.Errorf("the vhost has become %s", body)
	}
}

// sameBut compares sections, without one.
func sameBut(a, b map[string]map[string]any, without string) bool {
	delete(a, without)
	delete(b, without)
	return reflect.DeepEqual(a, b)
}

// only is a file without what is not ours, on a broker that others use.
func only(t *testing.T, f *File) *File {
	t.Helper()
	ours := func(name string) bool { return strings.HasPrefix(name, "leveret-") }
	to := *f
	to.lists = lists{globals: keep(f.globals, func(p globalParameter) bool { return p.name == "mqtt_default_vhosts" })}
	to.users = keep(f.users, func(u user) bool { return ours(u.Name) })
	to.rooms = keep(f.rooms, func(v room) bool { return ours(v.name) })
	to.permissions = keep(f.permissions, func(p permission) bool { return ours(p.User) && ours(p.VHost) })
	to.topics = keep(f.topics, func(p topicPermission) bool { return ours(p.VHost) })
	to.parameters = keep(f.parameters, func(p parameter) bool { return ours(p.in) })
	to.policies = keep(f.policies, func(p rule) bool { return ours(p.in) })
	to.exchanges = keep(f.exchanges, func(x exchangeItem) bool { return ours(x.in) })
	to.queues = keep(f.queues, func(q queueItem) bool { return ours(q.in) })
	to.bindings = keep(f.bindings, func(b bindingItem) bool { return ours(b.in) })
	for i := range to.rooms {
		tags, description := []string{"eu"}, "Orders"
		to.rooms[i].tags, to.rooms[i].description = &tags, &description
	}
	return &to
}

func keep[T any](all []T, wanted func(T) bool) (kept []T) {
	for _, i := range all {
		if wanted(i) {
			kept = append(kept, i)
		}
	}
	return kept
}
