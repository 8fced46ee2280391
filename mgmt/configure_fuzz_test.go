package mgmt

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/mgmt/definitions"
)

// configuring are requests whose bodies are fuzzed.
var configuring = []struct{ method, path string }{
	{"PUT", "/api/vhosts/v"}, {"PUT", "/api/users/u"}, {"POST", "/api/users/bulk-delete"},
	{"PUT", "/api/permissions/private/management"}, {"PUT", "/api/topic-permissions/private/management"},
	{"PUT", "/api/policies/private/p"}, {"PUT", "/api/operator-policies/private/p"},
	{"PUT", "/api/parameters/vhost-limits/private/limits"}, {"PUT", "/api/parameters/operator_policy/private/o"},
	{"PUT", "/api/global-parameters/g"}, {"PUT", "/api/vhost-limits/private/max-queues"},
	{"PUT", "/api/user-limits/management/max-channels"}, {"POST", "/api/definitions"}, {"POST", "/api/definitions/private"},
}

// Whatever a body is, it is taken, or refused with a reason and nothing is changed.
func FuzzConfigure(f *testing.F) {
	for i, body := range []string{
		`{"description":"d","tags":["a"],"tracing":false,"default_queue_type":"quorum","protected_from_deletion":false}`,
		`{"tags":"a,b","password_hash":"","permissions":{"private":{"configure":"","write":"","read":""}}}`,
		`{"users":["u"]}`, `{"configure":"","write":"","read":"("}`, `{"exchange":"x","write":"","read":".*"}`,
		`{"pattern":"^a","definition":{"max-length":5},"priority":1,"apply-to":"queues"}`, `{"pattern":"","definition":{"expires":1.5}}`,
		`{"value":{"max-queues":1e3}}`, `{"value":{"pattern":"a","definition":{"expires":5}}}`, `{"value":[null]}`, `{"value":-1}`, `{"value":"5"}`,
		`{"vhosts":[{"name":"w"}],"queues":[{"name":"q","vhost":"w","durable":true}]}`, `{"bindings":[{"source":"amq.fanout"}]}`,
	} {
		f.Add(uint8(i), body)
	}
	b := newBed(f)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		c := configuring[int(which)%len(configuring)]
		before := exported(t, b)
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:1"
		r.SetBasicAuth("administrator", "administrator")
		w := httptest.NewRecorder()
		b.api.ServeHTTP(w, r)
		switch {
		case w.Code >= 500 || w.Code == http.StatusUnauthorized:
			t.Fatalf("%s %s %q: %d %s", c.method, c.path, body, w.Code, w.Body)
		case w.Code < 400:
			return
		}
		var no struct{ Error, Reason any }
		if err := json.Unmarshal(w.Body.Bytes(), &no); err != nil || no.Error == nil || no.Reason == nil {
			t.Fatalf("%s %s %q: %d %s, which is not RabbitMQ's shape", c.method, c.path, body, w.Code, w.Body)
		}
		if after := exported(t, b); after != before {
			t.Fatalf("%s %s %q is refused with %s, but it changed something:\n%s\nbefore:\n%s", c.method, c.path, body, w.Body, after, before)
		}
	})
}

func exported(t *testing.T, b *bed) string {
	t.Helper()
	data, err := json.Marshal(definitions.Export(b.server.VHosts(), definitions.About{}))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A body that is too large is one error, a form that is cut off another.
func TestFormsThatCannotBeRead(t *testing.T) {
	form := "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n" + strings.Repeat("x", 100) + "\r\n--b--\r\n"
	for _, limit := range []int64{10, 80} {
		hr := httptest.NewRequest("POST", "/", strings.NewReader(form))
		hr.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		hr.Body = http.MaxBytesReader(httptest.NewRecorder(), hr.Body, limit)
		_, _, err := (&request{Request: hr}).definitions()
		if no := refusalOf(err); no.status != http.StatusRequestEntityTooLarge {
			t.Errorf("a form over %d bytes: %v", limit, err)
		}
	}
	for _, cut := range []int{10, 80} {
		_, _, err := readForm([]byte(form[:cut]), "b")
		if no := refusalOf(err); no.status != 400 {
			t.Errorf("a form that is cut off after %d bytes: %v", cut, err)
		}
	}
	if file, _, err := readForm([]byte(form), "b"); err != nil || len(file) != 100 {
		t.Errorf("a whole form: %d bytes, %v", len(file), err)
	}
}
