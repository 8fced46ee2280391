package definitions

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/leveretmq/leveret/vhost/policy"
)

// Whatever is in a file, it is refused with a reason and nothing is changed, or it is
// applied, and then goes out and comes in again as the same.
func FuzzImport(f *testing.F) {
	for _, name := range []string{"rabbitmq-3.10.json", "rabbitmq-3.10-vhost.json", "rabbitmq-4.json"} {
		f.Add(sample(f, name))
	}
	f.Add([]byte(`{"users":[{"name":"u","tags":"a, b","password":"p"}],"queues":[{"name":"q\r\n","vhost":"/","durable":true,"arguments":{"x-expires":1}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data, ParseOptions{SkipUnsupported: true})
		if err != nil {
			wantRefused(t, err)
			return
		}
		r := newBroker(t)
		before := state(t, r)
		if _, err = file.Apply(r); err != nil {
			wantRefused(t, err)
			if after := state(t, r); after != before {
				t.Fatalf("refused with %v, but something was applied: %s", err, after)
			}
			return
		}
		out := state(t, r)
		if !json.Valid([]byte(out)) {
			t.Fatalf("exported %s", out)
		}
		again, err := Parse([]byte(out), ParseOptions{})
		if err != nil {
			t.Fatalf("what was exported is refused: %v\n%s", err, out)
		}
		if err := again.Check(newBroker(t)); err != nil {
			t.Fatalf("what was exported is refused: %v\n%s", err, out)
		}
	})
}

func wantRefused(t *testing.T, err error) {
	t.Helper()
	var refused *policy.Refused
	if !errors.As(err, &refused) || refused.Error() == "" {
		t.Fatalf("error %v has no reason for the client", err)
	}
}

func FuzzParseTable(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, `{"a":[1,2.5,null,{"b":"c"}]}`, `{"a":1e400}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := ParseTable(data)
		if err != nil {
			return
		}
		out, err := json.Marshal(TableObject(table))
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseTable(out)
		if err != nil {
			t.Fatalf("%s comes out as %s, which is refused: %v", data, out, err)
		}
		if twice, _ := json.Marshal(TableObject(again)); string(twice) != string(out) {
			t.Fatalf("%s, then %s", out, twice)
		}
	})
}
