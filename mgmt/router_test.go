package mgmt

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

func testRouter() *router {
	r := new(router)
	say := func(what string) handler {
		return func(w http.ResponseWriter, _ *http.Request, names map[string]string) {
			fmt.Fprint(w, what, " ", names)
		}
	}
	r.handle("/api/vhosts", "GET", say("list"))
	r.handle("/api/vhosts/{vhost}", "GET", say("vhost"))
	r.handle("/api/vhosts/{vhost}", "PUT", say("put"))
	r.handle("/api/queues/{vhost}/{queue}", "GET", say("queue"))
	r.handle("/api/queues/{vhost}/{queue}/contents", "DELETE", say("purge"))
	return r
}

func TestRouter(t *testing.T) {
	r := testRouter()
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/api/vhosts", "200 list map[]"},
		{"GET", "/api/vhosts/", "200 list map[]"},
		{"GET", "/api/vhosts/%2F", "200 vhost map[vhost:/]"},
		{"GET", "/api/vhosts/%2f/", "200 vhost map[vhost:/]"},
		{"PUT", "/api/vhosts/%2F", "200 put map[vhost:/]"},
		{"GET", "/api/vhosts/%252F", "200 vhost map[vhost:%2F]"},
		{"GET", "/api/vhosts//", "404 "},
		{"GET", "/api/queues/%2F/a%20b", "200 queue map[queue:a b vhost:/]"},
		{"GET", "/api/queues/%2F/a+b", "200 queue map[queue:a+b vhost:/]"},
		{"GET", "/api/queues/%2F/%C3%A9", "200 queue map[queue:é vhost:/]"},
		{"GET", "/api/queues/%2F/a%2Fb", "200 queue map[queue:a/b vhost:/]"},
		{"GET", "/api/queues/%2F/..", "200 queue map[queue:.. vhost:/]"},
		{"GET", "/api/queues//q", "404 "},
		{"GET", "/api/queues/v/q/contents", "405 DELETE, OPTIONS"},
		{"HEAD", "/api/queues/v/q/contents", "405 DELETE, OPTIONS"},
		{"DELETE", "/api/vhosts/v", "405 GET, HEAD, OPTIONS, PUT"},
		{"DELETE", "/api/queues/v/q/contents", "200 purge map[queue:q vhost:v]"},
		{"GET", "/api", "404 "},
		{"GET", "//api/vhosts", "404 "},
	} {
		u, err := url.ParseRequestURI(c.path)
		if err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, &http.Request{Method: c.method, URL: u})
		got := fmt.Sprintf("%d %s", w.Code, w.Header().Get("Allow"))
		if w.Code == 200 {
			got = fmt.Sprintf("%d %s", w.Code, w.Body)
		}
		if got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
	}
}

func TestRouterWithoutAPath(t *testing.T) {
	w := httptest.NewRecorder()
	testRouter().ServeHTTP(w, &http.Request{Method: "OPTIONS", URL: &url.URL{Path: "*"}})
	if w.Code != 404 {
		t.Errorf("OPTIONS * answers %d, want 404", w.Code)
	}
}

// Whatever is encoded into a segment comes out of it, and no segment leaks
// into its neighbours.
func FuzzRouterSegments(f *testing.F) {
	for _, s := range [][2]string{{"/", "q"}, {"%2F", "a/b"}, {"é", " "}, {"..", "+"}, {"\x00", "\xff"}} {
		f.Add(s[0], s[1])
	}
	r := testRouter()
	f.Fuzz(func(t *testing.T, vhost, queue string) {
		u, err := url.ParseRequestURI("/api/queues/" + url.PathEscape(vhost) + "/" + url.PathEscape(queue))
		if err != nil {
			t.Fatal(err)
		}
		rt, names := r.match(u)
		if vhost == "" || queue == "" {
			return
		}
		if rt == nil || names["vhost"] != vhost || names["queue"] != queue {
			t.Fatalf("%s gives %q", u.EscapedPath(), names)
		}
	})
}
