package ctl

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// What RabbitMQ's API told of a connection that consumed, and what rabbitmqctl printed
// of it at the same time; the process ids differ, which there are none of here.
const (
	connectionJSON = `[{"auth_mechanism":"PLAIN","channel_max":2047,"channels":1,"client_properties":{"capabilities":{"authentication_failure_close":true,"exchange_exchange_bindings":true},"platform":"Linux","product":"rabbitmq-c","version":"0.11.0"},"connected_at":1795593854798,"frame_max":131072,"garbage_collection":{"minor_gcs":7},"host":"127.0.0.1","name":"127.0.0.1:57042 -> 127.0.0.1:5673","node":"oracle@localhost","peer_cert_issuer":null,"peer_cert_subject":null,"peer_cert_validity":null,"peer_host":"127.0.0.1","peer_port":57042,"port":5673,"protocol":"AMQP 0-9-1","recv_cnt":5,"recv_oct":418,"recv_oct_details":{"rate":8.0},"send_cnt":5,"send_oct":888,"send_pend":0,"ssl":false,"ssl_cipher":null,"ssl_protocol":null,"state":"running","timeout":0,"type":"network","user":"guest","user_who_performed_action":"guest","vhost":"lev_ctl"}]`
	channelJSON    = `[{"acks_uncommitted":0,"confirm":false,"connection_details":{"name":"127.0.0.1:57042 -> 127.0.0.1:5673","peer_host":"127.0.0.1","peer_port":57042},"consumer_count":1,"global_prefetch_count":0,"messages_unacknowledged":0,"messages_uncommitted":0,"messages_unconfirmed":0,"name":"127.0.0.1:57042 -> 127.0.0.1:5673 (1)","number":1,"prefetch_count":0,"transactional":false,"user":"guest","vhost":"lev_ctl"}]`
	consumerJSON   = `[{"arguments":{},"ack_required":false,"active":true,"activity_status":"up","channel_details":{"connection_name":"127.0.0.1:57042 -> 127.0.0.1:5673","name":"127.0.0.1:57042 -> 127.0.0.1:5673 (1)","number":1,"user":"guest"},"consumer_tag":"amq.ctag-0fxMUMPSN4R5Lj33SikgAw","exclusive":false,"prefetch_count":0,"queue":{"name":"orders","vhost":"lev_ctl"}}]`
)

func TestConnectionLists(t *testing.T) {
	for _, c := range []struct {
		args, path, body, want string
		columns                []string // of the API
	}{
		{"list_connections", "/connections", connectionJSON, "user\tpeer_host\tpeer_port\tstate\nguest\t127.0.0.1\t57042\trunning\n",
			[]string{"peer_host", "peer_port", "state", "user"}},
		{"list_connections name pid ssl ssl_protocol channels protocol auth_mechanism timeout frame_max client_properties recv_oct send_pend connected_at", "/connections", connectionJSON,
			"name\tpid\tssl\tssl_protocol\tchannels\tprotocol\tauth_mechanism\ttimeout\tframe_max\tclient_properties\trecv_oct\tsend_pend\tconnected_at\n" +
				"127.0.0.1:57042 -> 127.0.0.1:5673\t<127.0.0.1:57042>\tfalse\t\t1\t{0,9,1}\tPLAIN\t0\t131072\t" +
				`[{"capabilities",[{"authentication_failure_close",true},{"exchange_exchange_bindings",true}]},{"platform","Linux"},{"product","rabbitmq-c"},{"version","0.11.0"}]` +
				"\t418\t0\t1795593854798\n", nil},
		{"list_channels", "/channels", channelJSON, "pid\tuser\tconsumer_count\tmessages_unacknowledged\n<127.0.0.1:57042.1>\tguest\t1\t0\n",
			[]string{"connection_details.name", "consumer_count", "messages_unacknowledged", "number", "user"}},
		{"list_channels name connection number transactional confirm", "/channels", channelJSON,
			"name\tconnection\tnumber\ttransactional\tconfirm\n127.0.0.1:57042 -> 127.0.0.1:5673 (1)\t<127.0.0.1:57042>\t1\tfalse\tfalse\n", nil},
		{"list_consumers -p lev_ctl", "/consumers/lev_ctl", consumerJSON,
			"queue_name\tchannel_pid\tconsumer_tag\tack_required\tprefetch_count\tactive\targuments\norders\t<127.0.0.1:57042.1>\tamq.ctag-0fxMUMPSN4R5Lj33SikgAw\tfalse\t0\ttrue\t[]\n", nil},
		{"list_consumers --all queue_name", "/consumers", consumerJSON, "vhost\tqueue_name\nlev_ctl\torders\n", []string{"queue.name", "queue.vhost"}},
	} {
		l := listings()[strings.Fields(c.args)[0]]
		chosen, err := l.choose(parse(strings.Fields(c.args)).args)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(c.args, "--all") {
			vhost, _ := l.column("vhost")
			chosen = append(chosen, vhost)
		}
		query := l.query(chosen)
		uri, asked := newFake(t, map[string]answer{"GET " + c.path + query: {200, c.body}})
		if got := probe(uri, strings.Fields(c.args)...); got.stdout != c.want || got.code != 0 {
			t.Errorf("%s: got\n%s%s\nwant\n%s", c.args, got.stdout, got.stderr, c.want)
		}
		parsed, err := url.Parse(strings.TrimPrefix(asked()[0], "GET "))
		if err != nil {
			t.Fatal(err)
		}
		if columns := strings.Split(parsed.Query().Get("columns"), ","); c.columns != nil && !slices.Equal(columns, c.columns) {
			t.Errorf("%s asks for %q", c.args, columns)
		}
	}
}

func TestCloseConnections(t *testing.T) {
	const list = `[{"name":"10.0.0.1:5 -> h:5672","vhost":"/","user":"a"},{"name":"10.0.0.2:5 -> h:5672","vhost":"v","user":"a"},
	 {"name":"10.0.0.3:5 -> h:5672","vhost":"/","user":"b"},{"name":"10.0.0.3:5 -> h:5673","vhost":"/","user":"b"}]`
	del := func(host, to string) string { return "DELETE /connections/10.0.0." + host + ":5%20-%3E%20h:" + to }
	answers := map[string]answer{
		"GET /connections?columns=name,vhost,user": {200, list},
		del("1", "5672"): {204, ""}, del("2", "5672"): {204, ""}, del("3", "5672"): {404, ""}, del("3", "5673"): {204, ""},
	}
	for _, c := range []struct {
		args   []string
		code   int
		said   string
		closed []string
	}{
		{[]string{"close_connection", "10.0.0.1:5 -> h:5672", "bye\r\nX-Evil: 1"}, 0, "", []string{del("1", "5672") + " X-Reason: bye X-Evil: 1"}},
		{[]string{"close_connection", "<10.0.0.2:5>", "bye"}, 0, "", []string{del("2", "5672") + " X-Reason: bye"}},
		{[]string{"close_connection", "<10.0.0.3:5>", "bye"}, 69, "there are 2 connections <10.0.0.3:5>", nil},
		{[]string{"close_connection", "<10.0.0.4:5>", "bye"}, 69, "there is no connection <10.0.0.4:5>", nil},
		{[]string{"close_connection", "10.0.0.3:5 -> h:5672", "bye"}, 69, "has gone by itself", []string{del("3", "5672") + " X-Reason: bye"}},
		{[]string{"close_all_connections", "bye"}, 0, "Closed 2 connections",
			[]string{del("1", "5672") + " X-Reason: bye", del("3", "5672") + " X-Reason: bye", del("3", "5673") + " X-Reason: bye"}},
		{[]string{"close_all_connections", "-p", "v", "bye"}, 0, "Closed 1 connections", []string{del("2", "5672") + " X-Reason: bye"}},
		{[]string{"close_all_connections", "--global", "--limit", "2", "--per-connection-delay", "1", "bye"}, 0, "Closed 2 connections",
			[]string{del("1", "5672") + " X-Reason: bye", del("2", "5672") + " X-Reason: bye"}},
		{[]string{"close_all_connections", "--limit", "-2", "bye"}, 64, "must not be negative", nil},
		{[]string{"close_all_user_connections", "a", "bye"}, 0, "", []string{del("1", "5672") + " X-Reason: bye", del("2", "5672") + " X-Reason: bye"}},
	} {
		uri, asked := newFake(t, answers)
		got := probe(uri, c.args...)
		var closed []string
		for _, request := range asked() {
			if strings.HasPrefix(request, "DELETE") {
				closed = append(closed, request)
			}
		}
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.said) || !slices.Equal(closed, c.closed) {
			t.Errorf("%q: %+v %q", c.args, got, closed)
		}
	}
}

func TestPasswordFromStdin(t *testing.T) {
	uri, asked := newFake(t, map[string]answer{"GET /users/u": {404, ""}, `PUT /users/u {"password":"ge heim","tags":""}`: {201, ""}})
	var out, errs bytes.Buffer
	env := Env{Stdin: strings.NewReader("ge heim\nmore\n"), Stdout: &out, Stderr: &errs, Lookup: only("LEVERET_CTL_URI", uri)}
	if code := execute(t0, env, own, []string{"add_user", "u"}); code != 0 || len(asked()) != 2 || strings.Contains(out.String()+errs.String(), "heim") {
		t.Errorf("%d %s%s %q", code, &out, &errs, asked())
	}
}

func TestHashPassword(t *testing.T) {
	first, second := run("", "hash_password", "secret"), run("", "hash_password", "secret")
	if first.code != 0 || first.stdout == second.stdout {
		t.Errorf("%+v %+v", first, second)
	}
	hash := strings.TrimSpace(first.stdout)
	uri := newBroker(t)
	if got := run(uri, "add_user", "hashed", hash, "--pre-hashed-password"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if got := run(uri, "authenticate_user", "hashed", "secret"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := run(uri, "authenticate_user", "hashed", "other"); got.code != 65 {
		t.Errorf("%+v", got)
	}
	if got := run(uri, "add_user", "other", "c2hvcnQ=", "--pre-hashed-password"); got.code != 65 {
		t.Errorf("%+v", got)
	}
}

// TestNothingIsLost: a change of one thing about a user or vhost leaves the others.
func TestNothingIsLost(t *testing.T) {
	uri := newBroker(t)
	for _, line := range []string{
		"add_user u secret", "set_user_tags u monitoring management", "change_password u other", "set_user_tags u policymaker",
		"add_vhost v --description text --tags a,b --default-queue-type classic", "set_vhost_tags v c d", "trace_off -p v",
	} {
		if got := run(uri, strings.Fields(line)...); got.code != 0 {
			t.Fatalf("%s: %+v", line, got)
		}
	}
	if got := run(uri, "authenticate_user", "u", "other"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := run(uri, "list_users", "--format", "json"); !strings.Contains(got.stdout, `{"user":"u","tags":["policymaker"]}`) {
		t.Errorf("%+v", got)
	}
	if got := run(uri, "list_vhosts", "-s", "--formatter", "table", "name", "description", "tags", "default_queue_type"); !strings.Contains(got.stdout, "v\ttext\t[c, d]\tclassic\n") {
		t.Errorf("%+v", got)
	}
}
