package mgmt

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
)

// step is a request of an administrator and what is answered.
type step struct {
	method, path, body string
	status             int
	// want is the answer, in whatever order its members are, or with ~ before it a part
	// of it; empty if it does not matter.
	want string
	// rabbit is RabbitMQ's status where we mean to differ, in which case its body is
	// not looked at; 0 = the same.
	rabbit int
}

// take makes the steps one after the other, on a broker of ours or, if
// RABBITMQ_MGMT_URL names the management API of a RabbitMQ 3.10, there: so it is seen
// that the tests ask for what it does. All that steps make has names that begin with
// lev-, and steps delete it again.
func take(t *testing.T, steps []step) {
	t.Helper()
	ask, isRabbit := asker(t)
	for _, s := range steps {
		status, body := ask(s.method, s.path, s.body)
		want := s.status
		if isRabbit && s.rabbit != 0 {
			if status != s.rabbit {
				t.Errorf("%s %s %s: RabbitMQ answers %d %s, not %d", s.method, s.path, s.body, status, body, s.rabbit)
			}
			continue
		}
		if status != want {
			t.Errorf("%s %s %s: %d %s, want %d", s.method, s.path, s.body, status, body, want)
			continue
		}
		if s.want != "" && !answers(body, s.want) {
			t.Errorf("%s %s %s:\n%s\nwant\n%s", s.method, s.path, s.body, body, s.want)
		}
	}
}

// asker is a broker, and whether it is a RabbitMQ.
func asker(t *testing.T) (ask func(method, path, body string) (int, string), isRabbit bool) {
	t.Helper()
	at := os.Getenv("RABBITMQ_MGMT_URL")
	if at == "" {
		b := newBed(t)
		return func(method, path, body string) (int, string) { return b.ask(method, path, "guest", body) }, false
	}
	return func(method, path, body string) (int, string) {
		req, err := http.NewRequest(method, strings.TrimSuffix(at, "/")+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(data)
	}, true
}

func answers(body, want string) bool {
	if part, ok := strings.CutPrefix(want, "~"); ok {
		return strings.Contains(body, part)
	}
	var x, y any
	if json.Unmarshal([]byte(body), &x) != nil || json.Unmarshal([]byte(want), &y) != nil {
		return body == want
	}
	return reflect.DeepEqual(x, y)
}

const nothingThere = `{"error":"Object Not Found","reason":"Not Found"}`

// badReason is the body of a 400.
func badReason(reason string) string { return `{"error":"bad_request","reason":` + reason + `}` }
