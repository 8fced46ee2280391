package mgmt

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/rs/zerolog"
)

// troubled is a broker of which InService does something else.
type troubled struct {
	*server.Server
	inService func() error
}

func (b troubled) InService() error { return b.inService() }

func newTroubled(t *testing.T, o Options, inService func() error) *API {
	t.Helper()
	s, err := server.Open(server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := New(troubled{s, inService}, o)
	t.Cleanup(func() {
		a.Close()
		s.Close()
	})
	return a
}

const (
	notFoundBody = `{"error":"Object Not Found","reason":"Not Found"}`
	notAllowed   = `{"error":"method_not_allowed","reason":"Method Not Allowed"}`
)

// Paths and methods, as RabbitMQ has them; OPTIONS says what there is.
func TestConventions_PathsAndMethods(t *testing.T) {
	b := newBed(t)
	const path = "/api/health/checks/is-in-service"
	for _, c := range []struct {
		name, method, path string
		status             int
		body, allow        string
	}{
		{"in service", "GET", path, 200, `{"status":"ok"}`, ""},
		{"head", "HEAD", path, 200, "", ""},
		{"trailing slash", "GET", path + "/", 200, `{"status":"ok"}`, ""},
		{"query", "GET", path + "?columns=status", 200, `{"status":"ok"}`, ""},
		{"escaped letter", "GET", "/api/health/checks/is-in-servic%65", 200, `{"status":"ok"}`, ""},
		{"wrong method", "POST", path, 405, notAllowed, "GET, HEAD, OPTIONS"},
		{"unknown method", "BREW", path, 405, notAllowed, "GET, HEAD, OPTIONS"},
		{"options", "OPTIONS", path, 200, "", "GET, HEAD, OPTIONS"},
		{"options without a log-in", "OPTIONS", "/api/cluster-name", 200, "", "GET, HEAD, OPTIONS, PUT"},
		{"below it", "GET", path + "/x", 404, notFoundBody, ""},
		{"two trailing slashes", "GET", path + "//", 404, notFoundBody, ""},
		{"doubled slash", "GET", "/api//health/checks/is-in-service", 404, notFoundBody, ""},
		{"slash inside a segment", "GET", "/api/health%2Fchecks/is-in-service", 404, notFoundBody, ""},
		{"dots", "GET", "/api/x/../health/checks/is-in-service", 404, notFoundBody, ""},
		{"no such endpoint", "GET", "/api/nope", 404, notFoundBody, ""},
		{"post elsewhere", "POST", "/api/nope", 404, notFoundBody, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body := b.do(c.method, c.path, "", "")
			if res.StatusCode != c.status || body != c.body {
				t.Errorf("%d %s, want %d %s", res.StatusCode, body, c.status, c.body)
			}
			if got := res.Header.Get("Allow"); got != c.allow {
				t.Errorf("Allow %q, want %q", got, c.allow)
			}
			if got := res.Header.Get("Content-Type"); c.method != "OPTIONS" && got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("another site may ask: %q", got)
			}
		})
	}
}

func TestPages(t *testing.T) {
	b := newBed(t)
	for path, want := range map[string]string{"/": "/api", "/index.html": "/api", "/api/index.html": "/api/queues/{vhost}/{queue}"} {
		res, body := b.do("GET", path, "", "")
		if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s %.100q", path, res.StatusCode, res.Header.Get("Content-Type"), body)
		}
	}
	for _, path := range []string{"/api", "/api/"} {
		if res, _ := b.do("GET", path, "", ""); res.StatusCode != 301 || res.Header.Get("Location") != "/api/index.html" {
			t.Errorf("%s: %d to %s", path, res.StatusCode, res.Header.Get("Location"))
		}
	}
	if body := b.want(404, "GET", "/cli/rabbitmqadmin", "", ""); !strings.Contains(body, "leveret ctl") {
		t.Errorf("rabbitmqadmin: %s", body)
	}
}

func TestPanicBecomes500AndALogLine(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out)
	h := newTroubled(t, Options{Log: &log}, func() error { panic("broken broker") })
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/health/checks/is-in-service", nil))

	if w.Code != 500 || w.Body.String() != `{"error":"internal_server_error","reason":"Internal Server Error"}` {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
	var line struct{ Level, Panic, Stack, Path string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("log %q: %v", out.String(), err)
	}
	if line.Level != "error" || line.Panic != "broken broker" || !strings.Contains(line.Stack, "isInService") || line.Path == "" {
		t.Errorf("log line %+v", line)
	}
}

func TestAbortHandlerIsPassedOn(t *testing.T) {
	h := newTroubled(t, Options{}, func() error { panic(http.ErrAbortHandler) })
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v, want http.ErrAbortHandler", v)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/health/checks/is-in-service", nil))
	t.Error("the panic was swallowed")
}
