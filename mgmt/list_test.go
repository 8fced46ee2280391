package mgmt

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Pages, sorting and columns of a list of queues. Each line is what RabbitMQ 3.10.8
// answers for queues of these names, but for what is said.
func TestConventions_Lists(t *testing.T) {
	b := newBed(t)
	for _, name := range []string{"q1", "a", "B", "b", "c", "d", "%E2%82%AC"} {
		b.want(201, "PUT", "/api/queues/%2F/"+name, "guest", `{"durable":true}`)
	}
	b.want(204, "DELETE", "/api/queues/%2F/B", "guest", "")
	b.want(201, "PUT", "/api/queues/%2F/B", "guest", `{"auto_delete":true}`)
	for range 7 {
		b.want(200, "POST", "/api/exchanges/%2F/amq.default/publish", "guest",
			`{"properties":{},"routing_key":"q1","payload":"hello","payload_encoding":"string"}`)
	}
	const (
		invalid = `400 {"error":"bad_request","reason":"Pagination parameters are invalid"}`
		page    = `{"filtered_count":%d,"item_count":%d,"items":[%s],"page":%d,"page_count":%d,"page_size":%d,"total_count":7}`
		all     = "B a b c d q1 €"
		back    = "€ q1 d c b a B"
	)
	paged := func(filtered int, items string, number, count, size int) string {
		names := strings.Fields(items)
		for i, n := range names {
			names[i] = `{"name":"` + n + `"}`
		}
		return "200 " + fmt.Sprintf(page, filtered, len(names), strings.Join(names, ","), number, count, size)
	}
	wrong := func(number, size string) string {
		return `400 {"error":"invalid_pagination_parameters","reason":"Invalid pagination parameters: page number ` + number + `, page size ` + size + `"}`
	}
	for query, want := range map[string]string{
		"":                                    all,
		"pagination=true":                     all,
		"page_size=2":                         all,
		"name=q":                              all,
		"page=1&page_size=2":                  paged(7, "B a", 1, 4, 2),
		"page=4&page_size=2":                  paged(7, "€", 4, 4, 2),
		"page=1&page_size=2&pagination=false": paged(7, "B a", 1, 4, 2),
		"page=01":                             paged(7, all, 1, 1, 100),
		"page=1&name=B":                       paged(2, "B b", 1, 1, 100),
		"page=1&name=":                        paged(7, all, 1, 1, 100),
		"page=1&name=%5Eb&use_regex=true":     paged(2, "B b", 1, 1, 100),
		"page=1&name=.*&use_regex=false":      paged(0, "", 1, 0, 100),
		"page=1&use_regex=true":               paged(7, all, 1, 1, 100),
		"page=1&name=zz":                      paged(0, "", 1, 0, 100),
		"page=1&name=(&use_regex=true":        invalid,
		"page=":                               invalid,
		"page=x":                              invalid,
		"page=1.0":                            invalid,
		"page=%201":                           invalid,
		"page=%2B1":                           invalid,
		"page=1&page_size=":                   invalid,
		"page=1&page_size=abc":                invalid,
		"page=0":                              wrong("0", "undefined"),
		"page=-1":                             wrong("-1", "undefined"),
		"sort=name" + strings.Repeat(",name", 100): `400 {"error":"bad_request","reason":"sort: a list can be sorted by 100 columns at most"}`,
		"page=1&page_size=0":                       wrong("1", "0"),
		"page=1&page_size=501":                     wrong("1", "501"),
		"page=99&page_size=2":                      `400 {"error":"page_out_of_range","reason":"Page out of range, page: 99 page size: 2, len: 7"}`,
		"page=2&name=zz":                           `400 {"error":"page_out_of_range","reason":"Page out of range, page: 2 page size: 100, len: 0"}`,
		"sort=name":                                all,
		"sort=name&sort_reverse=true":              back,
		"sort=nope":                                all,
		"sort=nope&sort_reverse=true":              back,
		"sort=auto_delete":                         "a b c d q1 € B",
		"sort=auto_delete&sort_reverse=true":       "B € q1 d c b a",
		"sort=message_stats.publish":               "B a b c d € q1",
		"sort=message_stats":                       "B a b c d € q1",
		"sort=messages&sort_reverse=true":          "q1 € d c b a B",
		"sort=arguments":                           all,
		"sort=auto_delete,messages":                "a b c d € q1 B", // 3.10 has no more than one
		"sort=message_stats.publish&sort_reverse=true&page=1&page_size=3": paged(7, "q1 € d", 1, 3, 3),
	} {
		status, body := b.ask("GET", "/api/queues/%2F?columns=name&"+query, "guest", "")
		got := fmt.Sprintf("%d %s", status, body)
		if !strings.Contains(want, "{") {
			var names []string
			for _, m := range regexp.MustCompile(`{"name":"([^"]*)"}`).FindAllStringSubmatch(body, -1) {
				names = append(names, m[1])
			}
			got = strings.Join(names, " ")
		}
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", query, got, want)
		}
	}
}

func TestConventions_Columns(t *testing.T) {
	b := newBed(t)
	b.want(201, "PUT", "/api/queues/%2F/q1", "guest", `{"durable":true}`)
	b.want(200, "POST", "/api/exchanges/%2F/amq.default/publish", "guest",
		`{"properties":{},"routing_key":"q1","payload":"hello","payload_encoding":"string"}`)
	for columns, want := range map[string]string{
		"name":                               `{"name":"q1"}`,
		"name,name":                          `{"name":"q1"}`,
		"name,":                              `{"name":"q1"}`,
		".name":                              `{"name":"q1"}`,
		"name.foo":                           `{"name":"q1"}`,
		"vhost,name":                         `{"name":"q1","vhost":"/"}`,
		"arguments.x":                        `{"arguments":{}}`,
		"message_stats.publish":              `{"message_stats":{"publish":1}}`,
		"message_stats.publish_details.rate": `{"message_stats":{"publish_details":{"rate":0.0}}}`,
		"nope":                               `{}`, // RabbitMQ: [], which no client of an object can read
	} {
		for path, want := range map[string]string{"/api/queues/%2F/q1": want, "/api/queues/%2F": "[" + want + "]"} {
			if body := b.want(200, "GET", path+"?columns="+columns, "guest", ""); body != want {
				t.Errorf("%s?columns=%s: %s, want %s", path, columns, body, want)
			}
		}
	}
	for path, want := range map[string]string{
		"/api/overview?columns=object_totals.queues,node": `{"object_totals":{"queues":1},"node":"leveret@test"}`,
		"/api/overview?columns=listeners.port":            `{"listeners":[{"port":5672},{"port":15672},{"port":15692}]}`,
		"/api/nodes?columns=name,type":                    `[{"name":"leveret@test","type":"disc"}]`,
		"/api/whoami?columns=name":                        `{"name":"guest"}`,
	} {
		if body := b.want(200, "GET", path, "guest", ""); body != want {
			t.Errorf("%s: %s, want %s", path, body, want)
		}
	}
}

// The header X-Vhost narrows lists to a vhost.
func TestConventions_XVhost(t *testing.T) {
	b := newBed(t)
	b.want(201, "PUT", "/api/queues/%2F/one", "guest", `{}`)
	b.want(201, "PUT", "/api/queues/private/two", "guest", `{}`)
	for header, want := range map[string]string{
		"": `[{"name":"one"},{"name":"two"}]`, "/": `[{"name":"one"}]`, "private": `[{"name":"two"}]`, "nope": `[]`,
	} {
		req := httptest.NewRequest("GET", "/api/queues?columns=name", nil)
		req.RemoteAddr = "127.0.0.1:1"
		req.SetBasicAuth("guest", "guest")
		req.Header.Set("X-Vhost", header)
		w := httptest.NewRecorder()
		b.api.ServeHTTP(w, req)
		if w.Body.String() != want {
			t.Errorf("X-Vhost %q: %s, want %s", header, w.Body, want)
		}
	}
}

func TestConventions_LargeBody(t *testing.T) {
	b := newBed(t)
	b.api.opts.MaxBody = 100
	large := `{"name":"` + strings.Repeat("x", 100) + `"}`
	for method, path := range map[string]string{"PUT": "/api/cluster-name", "POST": "/api/login"} {
		body := b.want(413, method, path, "guest", large)
		if body != `{"error":"payload_too_large","reason":"the request body is larger than 100 bytes"}` {
			t.Errorf("%s %s: %s", method, path, body)
		}
	}
	b.want(204, "PUT", "/api/cluster-name", "guest", `{"name":"x"}`)
}

// Whatever a query says, there is an answer, and it is JSON.
func FuzzListQuery(f *testing.F) {
	b := newBed(f)
	b.want(201, "PUT", "/api/queues/%2F/q", "guest", `{}`)
	for _, q := range []string{
		"page=1&page_size=2&name=a&use_regex=true&columns=a.b,c&sort=name&sort_reverse=true", "columns=...,.&sort=.", "page=9223372036854775807",
		"lengths_age=9223372036854775807&lengths_incr=1", "msg_rates_age=60&msg_rates_incr=5", "sort=,,&columns=,", "disable_stats=true&columns=messages",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/api/queues", "/api/queues/%2F/q", "/api/overview", "/api/nodes", "/api/exchanges"} {
			req := httptest.NewRequest("GET", path, nil)
			req.URL.RawQuery = query
			req.RemoteAddr = "127.0.0.1:1"
			req.SetBasicAuth("guest", "guest")
			w := httptest.NewRecorder()
			b.api.ServeHTTP(w, req)
			if w.Code != 200 && w.Code != 400 || !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s?%s: %d %s", path, query, w.Code, w.Body)
			}
		}
	})
}

// Whatever the body of a request is, nothing panics and nothing is our fault.
func FuzzBody(f *testing.F) {
	b := newBed(f)
	for _, s := range []string{`{}`, `[]`, `null`, `{"name":1}`, `{"name":"x","password":"y"}`, `{"durable":"true","arguments":{"x-max-length":1e400}}`, "{\"a\":\"\xff\"}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, e := range [][2]string{
			{"PUT", "/api/cluster-name"}, {"POST", "/api/auth/hash_password"}, {"PUT", "/api/queues/%2F/f"},
			{"PUT", "/api/exchanges/%2F/f"}, {"POST", "/api/bindings/%2F/e/amq.direct/q/f"}, {"POST", "/api/exchanges/%2F/amq.direct/publish"},
			{"POST", "/api/queues/%2F/f/get"},
		} {
			req := httptest.NewRequest(e[0], e[1], strings.NewReader(body))
			req.RemoteAddr = "127.0.0.1:1"
			req.SetBasicAuth("guest", "guest")
			w := httptest.NewRecorder()
			b.api.ServeHTTP(w, req)
			if w.Code >= 500 {
				t.Fatalf("%s %s %q: %d %s", e[0], e[1], body, w.Code, w.Body)
			}
		}
	})
}

// Whatever a path is, there is an answer.
func FuzzPath(f *testing.F) {
	b := newBed(f)
	for _, e := range b.api.endpoints {
		f.Add(strings.NewReplacer("{", "", "}", "").Replace(e.pattern))
	}
	f.Add("/api/queues/%2F/%00")
	f.Add("/api/queues/%2F/../..")
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Host != "" {
			return
		}
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			req := httptest.NewRequest(method, "/", nil)
			req.URL = u
			req.RemoteAddr = "127.0.0.1:1"
			req.SetBasicAuth("guest", "guest")
			w := httptest.NewRecorder()
			b.api.ServeHTTP(w, req)
			if w.Code >= 500 && w.Code != 503 && w.Code != 501 { // out of service, or no backup in memory
				t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
	})
}
