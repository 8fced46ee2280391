package definitions

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
)

// samples are files that RabbitMQ wrote.
const samples = "../../testdata/definitions"

func newBroker(t testing.TB) *vhost.Registry {
	t.Helper()
	r, err := vhost.New(vhost.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, data []byte, o ParseOptions) *File {
	t.Helper()
	f, err := Parse(data, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func apply(t testing.TB, r *vhost.Registry, f *File) Report {
	t.Helper()
	rep, err := f.Apply(r)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// state is all that can be exported, to see whether something has changed.
func state(t testing.TB, r *vhost.Registry) string {
	t.Helper()
	data, err := json.Marshal(Export(r, About{}))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestImportFromRabbitMQ310(t *testing.T) {
	r := newBroker(t)
	f := parse(t, sample(t, "rabbitmq-3.10.json"), ParseOptions{})
	rep := apply(t, r, f)
	want := Report{
		Users: Count{Created: 6}, VHosts: Count{Created: 2, Unchanged: 1}, Permissions: Count{Created: 6},
		TopicPermissions: Count{Created: 2}, Parameters: Count{Created: 2}, GlobalParameters: Count{Created: 3},
		Policies: Count{Created: 3}, Exchanges: Count{Created: 6}, Queues: Count{Created: 5}, Bindings: Count{Created: 9},
		Skipped: []string{},
	}
	if !reflect.DeepEqual(rep, want) {
		t.Errorf("report %+v\nwant %+v", rep, want)
	}
	if _, err := r.Authenticate("bob", "b0b", nil); err != nil {
		t.Errorf("bob's password: %v", err)
	}
	if r.Rights("bob", "hd").MayTopic(auth.Write, "orders.topic", "alice.new") {
		t.Error("bob may publish with any key, his topic permissions are lost")
	}
	if got := r.UserLimits("bob"); got.Channels != 200 || got.Connections != 100 {
		t.Errorf("bob's limits are %+v", got)
	}
	v, err := r.VHost("hd")
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Limits(); got.Queues != 50 || got.Connections != vhost.Unlimited {
		t.Errorf("limits of hd are %+v", got)
	}
	q, err := v.Queue("orders.new", 0)
	if err != nil {
		t.Fatal(err)
	}
	if p := q.Policy(); p.Policy != "ttl" || p.OperatorPolicy != "cap" {
		t.Errorf("orders.new is under %+v", p)
	}

	before := state(t, r)
	rep = apply(t, r, f)
	if rep.Users.Created+rep.Users.Changed+rep.Bindings.Created+rep.Policies.Changed+rep.Parameters.Changed+
		rep.GlobalParameters.Changed+rep.VHosts.Changed+rep.Permissions.Changed+rep.TopicPermissions.Changed != 0 {
		t.Errorf("the second import did something: %s", rep)
	}
	if after := state(t, r); after != before {
		t.Errorf("the second import changed something:\n%s\nbefore:\n%s", after, before)
	}
}

// What goes out comes in again, and RabbitMQ's file says the same as ours.
func TestRoundTrip(t *testing.T) {
	r := newBroker(t)
	apply(t, r, parse(t, sample(t, "rabbitmq-3.10.json"), ParseOptions{}))
	first := state(t, r)
	other := newBroker(t)
	apply(t, other, parse(t, []byte(first), ParseOptions{}))
	if second := state(t, other); second != first {
		t.Errorf("went out:\n%s\ncame back:\n%s", first, second)
	}

	ours, theirs := sections(t, []byte(first)), sections(t, sample(t, "rabbitmq-3.10.json"))
	for _, section := range []string{"users", "permissions", "topic_permissions", "parameters", "global_parameters",
		"policies", "queues", "exchanges", "bindings"} {
		if !reflect.DeepEqual(ours[section], theirs[section]) {
			t.Errorf("%s:\nours   %v\ntheirs %v", section, ours[section], theirs[section])
		}
	}
}

// sections are the entries of a file by what they are about, without what RabbitMQ
// 3.10 does not write or is about the broker itself.
func sections(t *testing.T, data []byte) map[string]map[string]any {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for name, v := range file {
		entries, ok := v.([]any)
		if !ok {
			continue
		}
		out[name] = map[string]any{}
		for _, e := range entries {
			entry := e.(map[string]any)
			if strings.HasPrefix(entryName(entry), internal) {
				continue
			}
			if name == "queues" {
				delete(entry, "type")
			}
			key, _ := json.Marshal([]any{entry["vhost"], entry["name"], entry["user"], entry["exchange"], entry["source"],
				entry["destination"], entry["routing_key"], entry["component"]})
			if name == "bindings" {
				key, _ = json.Marshal(entry)
			}
			out[name][string(key)] = entry
		}
	}
	return out
}

func entryName(entry map[string]any) string {
	name, _ := entry["name"].(string)
	return name
}

func TestImportOfOneVHost(t *testing.T) {
	r := newBroker(t)
	if _, err := r.AddVHost("copy"); err != nil {
		t.Fatal(err)
	}
	f := parse(t, sample(t, "rabbitmq-3.10-vhost.json"), ParseOptions{}).For("copy")
	rep := apply(t, r, f)
	if rep.Queues.Created != 4 || rep.Exchanges.Created != 6 || rep.Bindings.Created != 8 || rep.Policies.Created != 2 || rep.Parameters.Created != 2 {
		t.Errorf("report %s", rep)
	}
	v, err := r.VHost("copy")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(ExportVHost(v, About{Product: "Leveret"}))
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if file["users"] != nil || file["vhosts"] != nil || strings.Contains(string(data), `"vhost":`) {
		t.Errorf("the file of a vhost has users or names vhosts: %s", data)
	}
	if _, err := r.AddVHost("third"); err != nil {
		t.Fatal(err)
	}
	if rep := apply(t, r, parse(t, data, ParseOptions{}).For("third")); rep.Bindings.Created != 8 {
		t.Errorf("from our own file: %s", rep)
	}
	// A whole file goes into one vhost too, without its users.
	rep = apply(t, r, parse(t, sample(t, "rabbitmq-3.10.json"), ParseOptions{}).For("third"))
	if rep.Users.Created != 0 || rep.Queues.Created != 1 || rep.Queues.Unchanged != 4 {
		t.Errorf("from a whole file: %s", rep)
	}
}

// A file in the form of 4.x, made by hand: metadata, limits in the vhosts, a type beside the
// arguments, dangling ends that its own import passes over.
func TestImportFromRabbitMQ4(t *testing.T) {
	r := newBroker(t)
	data := sample(t, "rabbitmq-4.json")
	_, err := Parse(data, ParseOptions{})
	var refused *policy.Refused
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "queue 'events' in vhost 'shop': type stream; ") &&
		!strings.HasSuffix(err.Error(), "queue 'events' in vhost 'shop': type stream") {
		t.Errorf("error %v does not name the stream", err)
	}
	for _, want := range []string{"component shovel", "component federation-upstream", "setting federation-upstream-set"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
	rep := apply(t, r, parse(t, data, ParseOptions{SkipUnsupported: true}))
	v, err := r.VHost("shop")
	if err != nil {
		t.Fatal(err)
	}
	if m := v.Metadata(); m.Description != "The shop" || !reflect.DeepEqual(m.Tags, []string{"production"}) || m.DefaultQueueType != "quorum" || !m.Protected {
		t.Errorf("metadata %+v", m)
	}
	if v.Limits().Queues != 100 {
		t.Errorf("limits %+v", v.Limits())
	}
	q, err := v.Queue("plain", 0)
	if err != nil {
		t.Fatal(err)
	}
	if kind, _ := q.Options().Arguments.Get("x-queue-type"); kind != "classic" {
		t.Errorf("the classic queue became %v, by the default of its vhost", kind)
	}
	if len(rep.Skipped) != 6 {
		t.Errorf("skipped %q", rep.Skipped)
	}
}
