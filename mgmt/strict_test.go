package mgmt

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// strict is what a client reads of an answer: members, each with the kind that it must
// have: s string, d string of digits, b bool, u whole number from 0, n number, o object,
// l list, c a count or "unlimited". A path goes through objects, and through all elements of lists. After the kind:
// "?" it may be null or not there, "-" it may not be there.
var strict = []struct{ client, path, members string }{
	{"rabbitmqadmin v2", "/api/nodes", `name:s uptime:u run_queue:u processors:u os_pid:d fd_total:u fd_used:u proc_total:u proc_used:u sockets_total:u
		sockets_used:u mem_limit:u mem_used:u mem_alarm:b disk_free_limit:u disk_free:u disk_free_alarm:b rates_mode:s enabled_plugins:l enabled_plugins:s-
		being_drained:b running:b type:s`},
	{"rabbitmqadmin v2", "/api/connections", `name:s node:s user:s vhost:s protocol:s connected_at:u client_properties:o channels:u state:s? host:s?
		port:u? peer_host:s? peer_port:u? channel_max:u? client_properties.connection_name:s- client_properties.product:s-
		client_properties.version:s- client_properties.platform:s- client_properties.capabilities:o?`},
	{"rabbitmqadmin v2", "/api/connections/username/guest", `name:s node:s user:s vhost:s`},
	{"rabbitmqadmin v2", "/api/channels", `number:u name:s vhost:s user:s node:s state:s connection_details.name:s connection_details.peer_host:s
		connection_details.peer_port:u consumer_count:u confirm:b transactional:b prefetch_count:u messages_unacknowledged:u messages_unconfirmed:u`},
	{"rabbitmqadmin v2", "/api/consumers", `consumer_tag:s ack_required:b active:b activity_status:s prefetch_count:u exclusive:b arguments:o consumer_timeout:u
		queue.name:s queue.vhost:s channel_details.number:u channel_details.name:s channel_details.connection_name:s channel_details.node:s
		channel_details.peer_host:s channel_details.peer_port:u channel_details.user:s`},
	{"rabbitmqadmin v2", "/api/queues", strictQueue},
	{"rabbitmqadmin v2", "/api/queues/detailed", strictQueue + ` garbage_collection.fullsweep_after:u garbage_collection.max_heap_size:u
		garbage_collection.min_bin_vheap_size:u garbage_collection.min_heap_size:u garbage_collection.minor_gcs:u`},
	{"rabbitmqadmin v2", "/api/exchanges", `name:s vhost:s type:s durable:b auto_delete:b internal:b arguments:o`},
	{"rabbitmqadmin v2", "/api/bindings", `source:s vhost:s destination:s destination_type:s routing_key:s arguments:o properties_key:s`},
	{"rabbitmqadmin v2", "/api/overview", `cluster_name:s node:s erlang_version:s erlang_full_version:s rabbitmq_version:s product_name:s product_version:s
		cluster_tags:o? node_tags:o? crypto_lib_version:s? statistics_db_event_queue:u churn_rates.connection_created:u churn_rates.connection_closed:u
		churn_rates.queue_declared:u churn_rates.queue_created:u churn_rates.queue_deleted:u churn_rates.channel_created:u churn_rates.channel_closed:u
		queue_totals.messages:u queue_totals.messages_ready:u queue_totals.messages_unacknowledged:u queue_totals.messages_details.rate:n
		object_totals.connections:u object_totals.channels:u object_totals.queues:u object_totals.exchanges:u object_totals.consumers:u
		message_stats.publish_details.rate:n message_stats.deliver_get_details.rate:n listeners.node:s listeners.protocol:s listeners.port:u listeners.ip_address:s`},
	{"rabbitmqadmin v2", "/api/vhosts", `name:s tags:l? description:s? default_queue_type:s? metadata:o? metadata.tags:l? metadata.description:s?`},
	{"rabbitmqadmin v2", "/api/users", `name:s tags:l tags:s- password_hash:s?`},
	{"rabbitmqadmin v2", "/api/whoami", `name:s tags:l tags:s-`},
	{"rabbitmqadmin v2", "/api/permissions", `user:s vhost:s configure:s write:s read:s`},
	{"rabbitmqadmin v2", "/api/policies", `name:s vhost:s pattern:s apply-to:s priority:u definition:o`},
	{"rabbitmqadmin v2", "/api/parameters", `name:s vhost:s component:s value:o`},
	{"rabbitmqadmin v2", "/api/vhost-limits", `vhost:s value:o value.max-queues:u`},
	{"rabbitmqadmin v2", "/api/feature-flags", `name:s state:s desc:s doc_url:s stability:s provided_by:s`},
	{"rabbitmqadmin v2", "/api/deprecated-features", `name:s desc:s deprecation_phase:s doc_url:s provided_by:s state:s?`},
	{"rabbitmqadmin v2", "/api/definitions", `rabbitmq_version:s users:l vhosts:l permissions:l parameters:l policies:l queues:l exchanges:l bindings:l
		users.name:s users.tags:l vhosts.name:s queues.name:s queues.vhost:s queues.durable:b queues.auto_delete:b queues.arguments:o`},
	{"KEDA", "/api/queues/%2F/cq", `name:s messages:u messages_ready:u messages_unacknowledged:u message_stats.publish_details.rate:n
		message_stats.deliver_get_details.rate:n`},
	{"KEDA", "/api/queues/%2F?page=1&use_regex=true&pagination=false&name=%5Ec&page_size=100", `items:l page_count:u items.name:s items.messages:u
		items.messages_unacknowledged:u items.message_stats.publish_details.rate:n`},
	{"rabbitmq_exporter", "/api/queues?columns=name,vhost,messages,consumers,durable", `name:s vhost:s messages:u consumers:u durable:b`},
	{"rabbitmq_exporter", "/api/overview", `cluster_name:s rabbitmq_version:s erlang_version:s node:s`},
	{"NServiceBus", "/api/queues/%2F/qq", `delivery_limit:c arguments:o effective_policy_definition:o policy:s?`},
	{"Spring", "/api/queues/%2F/cq", `node:s`},
}

const strictQueue = `name:s vhost:s type:s durable:b auto_delete:b exclusive:b arguments:o messages:u messages_ready:u messages_unacknowledged:u node:s- state:s-
	memory:u- consumers:u- consumer_utilisation:n- message_bytes:u- message_bytes_persistent:u- message_bytes_ram:u- message_bytes_ready:u-
	message_bytes_unacknowledged:u- messages_persistent:u- messages_ram:u- messages_details.rate:n leader:s? members:l? online:l? policy:s?
	exclusive_consumer_tag:s?`

// Clients that read an answer into types of theirs, and fail if one does not fit, can read
// ours, on a broker that has one of everything.
func TestStrictClients(t *testing.T) {
	b, _ := busy(t)
	b.want(201, "PUT", "/api/policies/%2F/p", "guest", `{"pattern":"^cq","definition":{"max-length":10000},"apply-to":"quorum_queues","priority":3}`)
	b.want(201, "PUT", "/api/exchanges/%2F/x", "guest", `{"type":"headers"}`)
	b.want(201, "POST", "/api/bindings/%2F/e/x/q/cq", "guest", `{"routing_key":"k","arguments":{"a":1}}`)
	b.want(204, "PUT", "/api/vhost-limits/%2F/max-queues", "guest", `{"value":50}`)
	for _, s := range strict {
		var got any
		d := json.NewDecoder(strings.NewReader(b.want(200, "GET", s.path, "guest", "")))
		d.UseNumber()
		if err := d.Decode(&got); err != nil {
			t.Fatalf("%s: %v", s.path, err)
		}
		if list, ok := got.([]any); ok && len(list) == 0 {
			t.Errorf("%s: %s is empty", s.client, s.path)
		}
		for _, m := range strings.Fields(s.members) {
			path, kind, _ := strings.Cut(m, ":")
			if bad := misfit(got, strings.Split(path, "."), kind); bad != "" {
				t.Errorf("%s: %s: %s is %s, want %s", s.client, s.path, path, bad, kind)
			}
		}
	}
}

var (
	digits   = regexp.MustCompile(`^[0-9]+$`)
	isOfKind = map[byte]func(any) bool{
		's': func(v any) bool { _, ok := v.(string); return ok },
		'd': func(v any) bool { s, _ := v.(string); return digits.MatchString(s) },
		'b': func(v any) bool { _, ok := v.(bool); return ok },
		'u': func(v any) bool { n, _ := v.(json.Number); return digits.MatchString(n.String()) },
		'n': func(v any) bool { _, ok := v.(json.Number); return ok },
		'o': func(v any) bool { _, ok := v.(map[string]any); return ok },
		'l': func(v any) bool { _, ok := v.([]any); return ok },
		'c': func(v any) bool { n, _ := v.(json.Number); return v == "unlimited" || digits.MatchString(n.String()) },
	}
)

// misfit is what is found at a path instead of a value of the kind; empty if all fit.
func misfit(v any, path []string, kind string) string {
	if list, ok := v.([]any); ok && (len(path) > 0 || kind[0] != 'l') {
		for _, item := range list {
			if bad := misfit(item, path, kind); bad != "" {
				return bad
			}
		}
		return ""
	}
	if len(path) == 0 {
		if isOfKind[kind[0]](v) || v == nil && strings.HasSuffix(kind, "?") {
			return ""
		}
		text, _ := json.Marshal(v)
		return string(text)
	}
	members, ok := v.(map[string]any)
	if !ok && v == nil && strings.HasSuffix(kind, "?") {
		return ""
	}
	next, ok := members[path[0]]
	if !ok && kind[len(kind)-1] != '?' && kind[len(kind)-1] != '-' {
		return "not there"
	}
	if !ok {
		return ""
	}
	return misfit(next, path[1:], kind)
}

// The checks themselves find what does not fit.
func TestStrictClients_Misfits(t *testing.T) {
	for _, c := range []struct{ json, path, kind, want string }{
		{`{"a":1}`, "a", "u", ""}, {`{"a":1.5}`, "a", "u", "1.5"}, {`{"a":-1}`, "a", "u", "-1"}, {`{"a":1e3}`, "a", "u", "1e3"},
		{`{"a":null}`, "a", "u", "null"}, {`{"a":null}`, "a", "u?", ""}, {`{"a":null}`, "a", "u-", "null"},
		{`{}`, "a", "u", "not there"}, {`{}`, "a", "u?", ""}, {`{}`, "a", "u-", ""}, {`{"a":"12"}`, "a", "d", ""}, {`{"a":"x"}`, "a", "d", `"x"`},
		{`[{"a":{"b":"x"}},{"a":{"b":2}}]`, "a.b", "s", "2"}, {`{"a":[]}`, "a", "o", ""}, {`{"a":[]}`, "a", "l", ""}, {`{"a":["x",1]}`, "a", "s", "1"},
	} {
		var v any
		d := json.NewDecoder(strings.NewReader(c.json))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if got := misfit(v, strings.Split(c.path, "."), c.kind); got != c.want {
			t.Errorf("%s at %s as %s: %q, want %q", c.json, c.path, c.kind, got, c.want)
		}
	}
}

// Terraform goes by status codes: it makes, changes and deletes each kind of thing, and
// looks for it in lists.
func TestStrictClients_Terraform(t *testing.T) {
	b := newBed(t)
	for _, path := range []string{"/api/vhosts/tf", "/api/users/tf"} {
		b.want(404, "GET", path, "guest", "")
	}
	for _, r := range []struct{ path, body, list string }{
		{"/api/vhosts/tf", `{"description":"d"}`, "/api/vhosts"},
		{"/api/users/tf", `{"password":"p","tags":"management"}`, "/api/users"},
		{"/api/permissions/tf/tf", `{"configure":".*","write":".*","read":".*"}`, "/api/permissions"},
		{"/api/topic-permissions/tf/tf", `{"exchange":"amq.topic","write":".*","read":".*"}`, "/api/topic-permissions"},
		{"/api/exchanges/tf/x", `{"type":"topic","durable":true,"auto_delete":false,"arguments":{}}`, "/api/exchanges/tf"},
		{"/api/queues/tf/q", `{"durable":true,"auto_delete":false,"arguments":{"x-max-length":5}}`, "/api/queues/tf"},
		{"/api/policies/tf/p", `{"pattern":"^q","definition":{"max-length":5},"priority":0,"apply-to":"quorum_queues"}`, "/api/policies/tf"},
		{"/api/operator-policies/tf/o", `{"pattern":"^q","definition":{"max-length":5},"priority":0,"apply-to":"queues"}`, "/api/operator-policies"},
	} {
		b.want(201, "PUT", r.path, "guest", r.body)
		b.want(204, "PUT", r.path, "guest", r.body)
		one := b.want(200, "GET", r.path, "guest", "")
		name := r.path[strings.LastIndexByte(r.path, '/')+1:]
		if list := b.want(200, "GET", r.list, "guest", ""); !strings.Contains(list, `"`+name+`"`) {
			t.Errorf("%s is not in %s: %s", r.path, r.list, list)
		}
		if !strings.Contains(one, `"`+name+`"`) {
			t.Errorf("%s: %s", r.path, one)
		}
	}
	res, _ := b.do("POST", "/api/bindings/tf/e/x/q/q", "guest", `{"routing_key":"k","arguments":{}}`)
	if at := res.Header.Get("Location"); res.StatusCode != 201 || !strings.HasSuffix(at, "q/k") {
		t.Errorf("a binding: %d at %q", res.StatusCode, at)
	}
	paths := []string{"/api/bindings/tf/e/x/q/q/k", "/api/policies/tf/p", "/api/operator-policies/tf/o", "/api/queues/tf/q", "/api/exchanges/tf/x",
		"/api/topic-permissions/tf/tf", "/api/permissions/tf/tf", "/api/users/tf", "/api/vhosts/tf"}
	for _, path := range paths {
		b.want(204, "DELETE", path, "guest", "")
		b.want(404, "DELETE", path, "guest", "")
		b.want(404, "GET", path, "guest", "")
	}
}

// NServiceBus looks for a version and a feature before it starts.
func TestStrictClients_NServiceBus(t *testing.T) {
	b := newBed(t)
	var flags []struct{ Name, State string }
	b.get("/api/feature-flags", &flags)
	if i := slices.IndexFunc(flags, func(f struct{ Name, State string }) bool { return f.Name == "stream_queue" }); i < 0 || flags[i].State != "enabled" {
		t.Errorf("stream_queue is not among %v, or not enabled", flags)
	}
	var overview struct {
		Version string `json:"rabbitmq_version"`
	}
	b.get("/api/overview", &overview)
	if !regexp.MustCompile(`^(3\.1[0-9]|[4-9])\.[0-9]+(\.[0-9]+)?$`).MatchString(overview.Version) {
		t.Errorf("version %q, want 3.10 at least", overview.Version)
	}
}
