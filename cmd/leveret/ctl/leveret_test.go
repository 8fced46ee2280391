package ctl

import (
	"bytes"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/mgmt"
)

// newBroker is a Leveret in memory; it returns the URI of its API.
func newBroker(t *testing.T) string {
	t.Helper()
	s, err := server.Open(server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	api := mgmt.New(s, mgmt.Options{NodeName: "leveret@test", Listeners: []mgmt.Listener{
		{Protocol: "amqp", Address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5673}},
		{Protocol: "http", Address: &net.TCPAddr{IP: net.IPv6unspecified, Port: 15673}},
	}})
	srv := httptest.NewServer(api)
	t.Cleanup(func() {
		srv.Close()
		api.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv.URL
}

// ran is what a command of leveret ctl came to.
type ran struct {
	code           int
	stdout, stderr string
}

// run carries out a command of leveret ctl against an API.
func run(uri string, args ...string) ran {
	var stdout, stderr bytes.Buffer
	code := execute(t0, Env{Stdout: &stdout, Stderr: &stderr, Lookup: only("LEVERET_CTL_URI", uri)}, own, args)
	return ran{code, stdout.String(), stderr.String()}
}

// prepare makes what the transcript finds.
func prepare(t *testing.T, uri string) {
	t.Helper()
	for _, line := range [][]string{
		{"add_vhost", "lev_ctl", "--description", "Room of ctl", "--tags", "qa,dev"},
		{"set_permissions", "-p", "lev_ctl", "guest", ".*", ".*", ".*"},
		{"add_user", "lev_ctl_u", "secret"}, {"set_user_tags", "lev_ctl_u", "monitoring", "policymaker"}, {"add_user", "lev_ctl_plain", "secret"},
		{"set_permissions", "-p", "lev_ctl", "lev_ctl_u", "^a", "", ".*"},
		{"set_topic_permissions", "-p", "lev_ctl", "lev_ctl_u", "events", "^w", "^r"},
		{"set_vhost_limits", "-p", "lev_ctl", `{"max-queues":100,"max-connections":50}`},
		{"set_user_limits", "lev_ctl_u", `{"max-channels":5}`},
	} {
		if got := run(uri, line...); got.code != 0 {
			t.Fatalf("%q: %+v", line, got)
		}
	}
	c, err := newClient(Env{}, &invocation{options: []given{{option{name: "uri"}, "--uri", uri}}})
	if err != nil {
		t.Fatal(err)
	}
	put := func(method, path string, body object) {
		t.Helper()
		if err := c.ask(t0, method, path, body, nil); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	put("PUT", "/queues/lev_ctl/orders", object{"durable": true, "arguments": object{"x-max-length": 1000, "x-queue-type": "classic", "x-message-ttl": 60000000}})
	put("PUT", "/queues/lev_ctl/q2", object{"durable": false, "auto_delete": true})
	put("PUT", "/queues/lev_ctl/tab%09in%20name%20%C3%A9", object{"durable": true})
	put("PUT", "/exchanges/lev_ctl/events", object{"type": "topic", "durable": true, "arguments": object{"alternate-exchange": "amq.fanout"}})
	put("POST", "/bindings/lev_ctl/e/events/q/orders", object{"routing_key": "order.#"})
	put("POST", "/bindings/lev_ctl/e/amq.headers/q/orders", object{"routing_key": "", "arguments": object{"x-match": "all", "n": 1, "s": "t"}})
	put("POST", "/bindings/lev_ctl/e/events/e/amq.fanout", object{"routing_key": "all"})
	for range 3 {
		put("POST", "/exchanges/lev_ctl/amq.default/publish", object{"routing_key": "orders", "payload": "hello", "payload_encoding": "string", "properties": object{"delivery_mode": 2}})
	}
	for _, line := range [][]string{
		{"set_policy", "-p", "lev_ctl", "ttl", "^o", `{"message-ttl":50000000,"max-length":10}`, "--priority", "3", "--apply-to", "queues"},
		{"set_operator_policy", "-p", "lev_ctl", "op", "^o", `{"expires":900000000}`, "--priority", "1", "--apply-to", "queues"},
	} {
		if got := run(uri, line...); got.code != 0 {
			t.Fatalf("%q: %+v", line, got)
		}
	}
}

// otherwise are the commands of the transcript whose answer is another one from
// Leveret, because it is another broker.
var otherwise = []string{
	"server_version", "erlang_version", "cluster_status", "listeners", "list_feature_flags", "list_global_parameters",
	"check_protocol_listener mqtt", "check_port_listener 9999",
	"list_vhosts name", "list_vhosts --formatter", // the default vhost's description, the node's name
	"list_parameters -p lev_ctl", // the order in a definition
	// The words of another engine for regular expressions, and of a later RabbitMQ.
	"set_permissions -p lev_ctl lev_ctl_n (", "set_policy -p lev_ctl2 p3 (", "set_policy -p lev_ctl2 p3 x",
}

// TestTranscriptWithLeveret gives the commands of the transcript to Leveret.
func TestTranscriptWithLeveret(t *testing.T) {
	uri := newBroker(t)
	prepare(t, uri)
	for _, e := range readTranscript(t) {
		command := strings.Join(e.args[3:], " ")
		got := outcomeOf(e.args, uri)
		if slices.ContainsFunc(otherwise, func(prefix string) bool { return strings.HasPrefix(strings.TrimPrefix(command, "-q "), prefix) }) {
			if got.code != e.theirs.code {
				t.Errorf("%s: %s", command, got)
			}
			continue
		}
		// Ours differ from theirs on purpose; where they do so because of RabbitMQ's
		// API, theirs is right.
		if !got.same(e.theirs) && !got.same(e.ours) {
			t.Errorf("%s: got\n%s\nwant\n%s", command, got, e.theirs)
		}
	}
}
