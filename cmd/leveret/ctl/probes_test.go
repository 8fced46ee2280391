package ctl

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// probe is a probe under RabbitMQ's name.
func probe(uri string, args ...string) ran {
	var stdout, stderr bytes.Buffer
	code := RunAlias(Env{Stdout: &stdout, Stderr: &stderr, Lookup: only("LEVERET_CTL_URI", uri)}, append([]string{"rabbitmq-diagnostics", "-q"}, args...))
	return ran{code, stdout.String(), stderr.String()}
}

func TestProbesThatFail(t *testing.T) {
	const node = "n"
	for _, c := range []struct {
		args   string
		path   string
		answer answer
		code   int
		stderr string
	}{
		{"check_alarms", "GET /health/checks/alarms", answer{503, `{"status":"failed","reason":"x","alarms":[{"node":"n","resource":"memory"},{"node":"n","resource":"disk"}]}`}, 69,
			"Error:\nMemory alarm on node n\nFree disk space alarm on node n\n"},
		{"check_local_alarms", "GET /health/checks/alarms", answer{503, `{"status":"failed","reason":"memory"}`}, 69, "Error:\nMemory alarm on node n\n"},
		{"check_virtual_hosts", "GET /health/checks/virtual-hosts", answer{503, `{"status":"failed","virtual-hosts":["/","a"]}`}, 69,
			"Error:\nSome virtual hosts on node n are down:\n/\na\n"},
		{"check_certificate_expiration --within 3 --unit days", "GET /health/checks/certificate-expiration/3/days",
			answer{503, `{"status":"failed","reason":"Certificates expiring","expired":[{"port":5671}]}`}, 69, "Error:\nCertificates expiring: [{\"port\":5671}]\n"},
		{"check_port_listener 1", "GET /health/checks/port-listener/1", answer{503, `{"status":"failed","missing":1,"ports":[5673,25673,5672]}`}, 69,
			"No listener for port 1 is active on node n. Found listeners that use the following ports: 5672, 5673, 25673\n"},
		{"check_running", "GET /health/checks/is-in-service", answer{503, `{"status":"failed","reason":"it is going down"}`}, 69, "Error:\nthe broker on node n is not running: it is going down\n"},
		{"ping", "GET /whoami", answer{404, "not here"}, 69, ""},
		{"ping", "GET /whoami", answer{302, ""}, 69, ""},
		{"ping", "GET /whoami", answer{401, ""}, 0, ""},
		{"node_health_check", "GET /healthchecks/node", answer{200, `{"status":"failed","reason":"bad"}`}, 69, "Error:\nNode n failed a health check: bad\n"},
		{"check_alarms", "GET /health/checks/alarms", answer{401, `{"error":"not_authorized","reason":"Login failed"}`}, 77, "Error:\nuser 'guest' cannot log in: Login failed\n"},
		{"check_port_connectivity", "GET /overview", answer{401, `{"error":"not_authorised","reason":"Not management user"}`}, 77, "Error:\nuser 'guest' is refused: Not management user\n"},
		{"check_port_connectivity", "GET /overview", answer{200, `{}`}, 69, ""},
		{"status", "GET /overview", answer{200, `<html>`}, 69, ""},
		{"status", "GET /overview", answer{500, ``}, 69, "Error:\nthe management API answered with 500 Internal Server Error\n"},
		{"environment", "GET /config/effective", answer{404, ``}, 69, "Error:\nenvironment: not supported by this broker\n"},
	} {
		uri, _ := newFake(t, map[string]answer{c.path: c.answer})
		got := probe(uri, append([]string{"-n", node}, strings.Fields(c.args)...)...)
		if got.code != c.code || c.stderr != "" && got.stderr != c.stderr || got.code != 0 && got.stderr == "" {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
}

// TestProbesWithoutLogin: a probe of life must not depend on a password, nor count as
// a failed login.
func TestProbesWithoutLogin(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); ok {
			t.Errorf("%s with credentials", r.URL)
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer srv.Close()
	for _, verb := range []string{"ping", "await_startup", "is_running", "is_booting", "check_running", "wait", "check_if_node_is_quorum_critical"} {
		if got := probe(srv.URL, verb); got.code != 0 {
			t.Errorf("%s: %+v", verb, got)
		}
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	uri := "http://user:geheim@" + l.Addr().String()
	l.Close()
	for _, verb := range []string{"ping", "check_running", "list_queues", "status", "check_port_connectivity"} {
		got := probe(uri, verb)
		if got.code != 69 || !strings.Contains(got.stderr, "unable to reach the management API at http://127.0.0.1") || strings.Contains(got.stderr, "geheim") {
			t.Errorf("%s: %+v", verb, got)
		}
	}
	if got := probe(uri, "wait", "--pid", strconv.Itoa(1<<30)); got.code != 69 || !strings.Contains(got.stderr, "is not running") {
		t.Errorf("wait for a process that is not there: %+v", got)
	}
}

// stuck is a client whose API takes requests and does not answer.
type stuck struct{}

func (stuck) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, name := range []string{"ping", "await_startup", "list_users", "wait"} {
			v, _ := verbNamed(name)
			c := &call{invocation: parse([]string{name, "-t", "7"}), env: Env{Stdout: new(bytes.Buffer)}, tool: rabbitmqctl, format: formatTabs}
			base, _ := parseURI(defaultURI)
			c.api = &client{base: base, http: &http.Client{Transport: stuck{}}}
			ctx, cancel := context.WithTimeout(t0, c.timeout(v.patience))
			c.ctx = ctx
			began := time.Now()
			err := v.run(c)
			if took := time.Since(began); codeOf(err) != 75 || took != 7*time.Second {
				t.Errorf("%s: %v after %s", name, err, took)
			}
			cancel()
		}
	})
}

func TestAwaitStartup(t *testing.T) {
	var n atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	if got := probe(srv.URL, "await_startup"); got.code != 0 || n.Load() != 3 {
		t.Errorf("%+v after %d", got, n.Load())
	}
	n.Store(0)
	file := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := probe(srv.URL, "wait", file); got.code != 0 || n.Load() != 3 {
		t.Errorf("%+v after %d", got, n.Load())
	}
	if got := probe(srv.URL, "wait", file, "--pid", "1"); got.code != 64 {
		t.Errorf("%+v", got)
	}
}

func TestPortConnectivity(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	port := func(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
	overview := func(ports ...int) answer {
		var list []string
		for _, p := range ports {
			list = append(list, fmt.Sprintf(`{"node":"x","protocol":"amqp","ip_address":"0.0.0.0","port":%d}`, p))
		}
		return answer{200, `{"listeners":[` + strings.Join(list, ",") + `]}`}
	}
	uri, _ := newFake(t, map[string]answer{"GET /overview": overview(port(l), port(l))})
	if got, want := probe(uri, "-n", "x", "check_port_connectivity"), fmt.Sprintf("Successfully connected to ports %d on node x.\n", port(l)); got.stdout != want || got.code != 0 {
		t.Errorf("%+v", got)
	}
	uri, _ = newFake(t, map[string]answer{"GET /overview": overview(port(l), port(gone))})
	if got := probe(uri, "check_port_connectivity"); got.code != 69 || !strings.Contains(got.stderr, fmt.Sprintf("Interface: 0.0.0.0, port: %d, protocol: amqp", port(gone))) {
		t.Errorf("%+v", got)
	}
}

func TestHostOf(t *testing.T) {
	for _, c := range []struct{ uri, address, given, want string }{
		{"http://h:1", "0.0.0.0", "", "h"}, {"http://h:1", "::", "", "h"}, {"http://h:1", "", "", "h"},
		{"http://h:1", "10.0.0.1", "", "10.0.0.1"}, {"http://h:1", "127.0.0.1", "", "h"},
		{"http://localhost:1", "127.0.0.2", "", "127.0.0.2"}, {"http://127.0.0.1:1", "::1", "", "::1"},
		{"http://h:1", "10.0.0.1", "x", "x"},
	} {
		base, err := parseURI(c.uri)
		if err != nil {
			t.Fatal(err)
		}
		call := &call{api: &client{base: base}}
		if c.given != "" {
			call.options = []given{{option{name: "address"}, "--address", c.given}}
		}
		if got := call.hostOf(listener{Address: c.address}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
