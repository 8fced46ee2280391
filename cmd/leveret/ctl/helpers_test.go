package ctl

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

var t0 = context.Background()

// only is an environment with one variable.
func only(name, value string) func(string) (string, bool) {
	return func(asked string) (string, bool) {
		if asked == name {
			return value, true
		}
		return "", false
	}
}

// answer is what a fake API answers to a request, "METHOD /path?query BODY" without
// /api, or without BODY.
type answer struct {
	status int
	body   string
}

// newFake is an API that answers what is in a map and nothing else. It returns its URI
// and a function for what it was asked.
func newFake(t *testing.T, answers map[string]answer) (string, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request := r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), "/api")
		whole := strings.TrimSpace(request + " " + string(body))
		if reason := r.Header.Get("X-Reason"); reason != "" {
			whole += " X-Reason: " + reason
		}
		if _, ok := answers[request]; !ok && request == "GET /leveret/openapi.json" {
			return // it is a Leveret
		}
		mu.Lock()
		asked = append(asked, whole)
		mu.Unlock()
		a, ok := answers[whole]
		if !ok {
			a, ok = answers[request]
		}
		if !ok {
			t.Errorf("unexpected: %s", whole)
			a.status = http.StatusTeapot
		}
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return asked
	}
}
