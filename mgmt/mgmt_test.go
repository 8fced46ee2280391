package mgmt

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// brokerFunc is a Broker whose InService is the function.
type brokerFunc func() error

func (f brokerFunc) InService() error { return f() }

func TestIsInService(t *testing.T) {
	state := error(nil)
	srv := httptest.NewServer(New(brokerFunc(func() error { return state }), Options{}))
	defer srv.Close()
	const path = "/api/health/checks/is-in-service"

	for _, c := range []struct {
		name, method, path string
		state              error
		status             int
		body, allow        string
	}{
		{"in service", "GET", path, nil, 200, `{"status":"ok"}`, ""},
		{"head", "HEAD", path, nil, 200, "", ""},
		{"trailing slash", "GET", path + "/", nil, 200, `{"status":"ok"}`, ""},
		{"query", "GET", path + "?columns=status", nil, 200, `{"status":"ok"}`, ""},
		{"escaped letter", "GET", "/api/health/checks/is-in-servic%65", nil, 200, `{"status":"ok"}`, ""},
		{"out of service", "GET", path, errors.New("closing"), 503, `{"status":"failed","reason":"closing"}`, ""},
		{"head out of service", "HEAD", path, errors.New("closing"), 503, "", ""},
		{"wrong method", "POST", path, nil, 405, `{"error":"method_not_allowed","reason":"Method Not Allowed"}`, "GET, HEAD, OPTIONS"},
		{"unknown method", "BREW", path, nil, 405, `{"error":"method_not_allowed","reason":"Method Not Allowed"}`, "GET, HEAD, OPTIONS"},
		{"options", "OPTIONS", path, nil, 200, "", "GET, HEAD, OPTIONS"},
		{"below it", "GET", path + "/x", nil, 404, notFoundBody, ""},
		{"two trailing slashes", "GET", path + "//", nil, 404, notFoundBody, ""},
		{"doubled slash", "GET", "/api//health/checks/is-in-service", nil, 404, notFoundBody, ""},
		{"slash inside a segment", "GET", "/api/health%2Fchecks/is-in-service", nil, 404, notFoundBody, ""},
		{"dots", "GET", "/api/x/../health/checks/is-in-service", nil, 404, notFoundBody, ""},
		{"no such endpoint", "GET", "/api/nope", nil, 404, notFoundBody, ""},
		{"root", "GET", "/", nil, 404, notFoundBody, ""},
		{"post elsewhere", "POST", "/api/nope", nil, 404, notFoundBody, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			state = c.state
			res, body := ask(t, srv.URL, c.method, c.path)
			if res.StatusCode != c.status {
				t.Errorf("status %d, want %d", res.StatusCode, c.status)
			}
			if body != c.body {
				t.Errorf("body %s, want %s", body, c.body)
			}
			if got := res.Header.Get("Allow"); got != c.allow {
				t.Errorf("Allow %q, want %q", got, c.allow)
			}
			if got := res.Header.Get("Content-Type"); c.method != "OPTIONS" && got != "application/json" {
				t.Errorf("Content-Type %q", got)
			}
			if body != "" && !json.Valid([]byte(body)) {
				t.Errorf("body %q is not JSON", body)
			}
		})
	}
}

const notFoundBody = `{"error":"Object Not Found","reason":"Not Found"}`

func TestPanicBecomes500AndALogLine(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out)
	h := New(brokerFunc(func() error { panic("broken broker") }), Options{Log: &log})
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
	h := New(brokerFunc(func() error { panic(http.ErrAbortHandler) }), Options{})
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v, want http.ErrAbortHandler", v)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/health/checks/is-in-service", nil))
	t.Error("the panic was swallowed")
}

func ask(t *testing.T, base, method, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}
