package mgmt

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// acting are requests about queues, exchanges, bindings and messages, whose bodies are
// fuzzed.
var acting = []struct{ method, path string }{
	{"PUT", "/api/queues/private/new"}, {"PUT", "/api/exchanges/private/new"},
	{"POST", "/api/bindings/private/e/amq.headers/q/old"}, {"POST", "/api/bindings/private/e/amq.topic/e/amq.fanout"},
	{"POST", "/api/exchanges/private/amq.default/publish"}, {"POST", "/api/queues/private/old/get"}, {"POST", "/api/queues/private/old/actions"},
}

// Whatever a body is, it is taken, or refused with a reason and nothing is changed.
func FuzzObjectBodies(f *testing.F) {
	for i, body := range []string{
		`{"durable":"true","auto_delete":false,"arguments":{"x-max-length":5,"x-queue-type":"quorum"}}`, `{"type":"topic","internal":true,"arguments":{"alternate-exchange":"x"}}`,
		`{"routing_key":"k","arguments":{"x-match":"all","a":[1,{"b":1.5}]}}`, `{"routing_key":"~"}`,
		`{"properties":{"headers":{"CC":["old"]},"expiration":"5","priority":3},"routing_key":"old","payload":"aGk=","payload_encoding":"base64"}`,
		`{"count":2,"ackmode":"reject_requeue_true","encoding":"auto","truncate":3}`, `{"action":"sync"}`,
		`null`, `[]`, `{"arguments":{"x-message-ttl":null}}`, `{"arguments":{"x-expires":1e400}}`, `{"durable":{}}`, `{"count":"1","requeue":[],"encoding":1}`,
	} {
		f.Add(uint8(i), body)
	}
	b := newBed(f)
	b.want(201, "PUT", "/api/queues/private/old", "guest", `{"arguments":{"x-max-length":20}}`)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		c := acting[int(which)%len(acting)]
		before := exported(t, b)
		w := b.serve(c.method, c.path, body)
		switch {
		case w.Code >= 500 || w.Code == 401:
			t.Fatalf("%s %s %q: %d %s", c.method, c.path, body, w.Code, w.Body)
		case w.Code < 400:
			if strings.HasSuffix(c.path, "/new") {
				b.serve("DELETE", c.path, "")
			} else if _, props, ok := strings.Cut(w.Header().Get("Location"), "/"); ok {
				if gone := b.serve("DELETE", c.path+"/"+props, ""); gone.Code != 204 {
					t.Fatalf("%s %q: the binding is not at %s: %d %s", c.path, body, props, gone.Code, gone.Body)
				}
			}
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

// serve answers a request of guest's without a network between.
func (b *bed) serve(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	r.SetBasicAuth("guest", "guest")
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	return w
}
