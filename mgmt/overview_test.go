package mgmt

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/exchange"
)

// kinds are the members of an object, each with the kind of its value.
func kinds(t *testing.T, body string) map[string]string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	of := map[string]string{}
	for name, v := range members {
		of[name] = fmt.Sprint(reflect.TypeOf(v))
	}
	return of
}

// The members that RabbitMQ 3.10.8 has in its overview, and those that it has in 4.x.
func TestOverview(t *testing.T) {
	b := newBed(t)
	b.want(201, "PUT", "/api/queues/%2F/q", "guest", `{}`)
	b.want(201, "PUT", "/api/queues/private/p", "guest", `{}`)
	b.want(200, "POST", "/api/exchanges/%2F/amq.default/publish", "guest", publishToQ)
	const text, flag, number, list, obj = "string", "bool", "float64", "[]interface {}", "map[string]interface {}"
	common := map[string]string{
		"management_version": text, "rates_mode": text, "sample_retention_policies": obj, "exchange_types": list, "product_version": text,
		"product_name": text, "rabbitmq_version": text, "cluster_name": text, "erlang_version": text, "erlang_full_version": text,
		"release_series_support_status": text, "disable_stats": flag, "enable_queue_totals": flag, "message_stats": obj, "churn_rates": obj,
		"queue_totals": obj, "object_totals": obj, "statistics_db_event_queue": number,
		"cluster_tags": obj, "node_tags": obj, "crypto_lib_version": text, "default_queue_type": text,
		"is_op_policy_updating_enabled": flag, "require_definition_json_extension": flag,
	}
	monitors := maps.Clone(common)
	maps.Copy(monitors, map[string]string{"node": text, "listeners": list, "contexts": list})
	for user, want := range map[string]map[string]string{"management": common, "policymaker": common, "monitoring": monitors, "administrator": monitors} {
		if got := kinds(t, b.want(200, "GET", "/api/overview", user, "")); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%v, want\n%v", user, got, want)
		}
	}
	for user, want := range map[string]string{
		"guest":      `{"object_totals":{"channels":0,"connections":0,"consumers":0,"exchanges":15,"queues":2}}`,
		"monitoring": `{"object_totals":{"channels":0,"connections":0,"consumers":0,"exchanges":15,"queues":2}}`,
		"management": `{"object_totals":{"channels":0,"connections":0,"consumers":0,"exchanges":8,"queues":1}}`,
	} {
		if got := b.want(200, "GET", "/api/overview?columns=object_totals", user, ""); got != want {
			t.Errorf("%s: %s, want %s", user, got, want)
		}
	}
	var o struct {
		ExchangeTypes []struct{ Name string } `json:"exchange_types"`
		Listeners     []struct {
			Protocol  string
			Port      int
			IPAddress string `json:"ip_address"`
		}
		Contexts    []struct{ Description, Port string }
		ChurnRates  map[string]any `json:"churn_rates"`
		QueueTotals map[string]any `json:"queue_totals"`
	}
	b.get("/api/overview", &o)
	if len(o.ExchangeTypes) != len(exchange.Types()) {
		t.Errorf("exchange types %v", o.ExchangeTypes)
	}
	if len(o.Listeners) != 3 || o.Listeners[0].IPAddress != "127.0.0.1" || o.Listeners[0].Port != 5672 || o.Listeners[1].IPAddress != "::" {
		t.Errorf("listeners %+v", o.Listeners)
	}
	if len(o.Contexts) != 2 || o.Contexts[0].Port != "15672" {
		t.Errorf("contexts %+v", o.Contexts)
	}
	if len(o.ChurnRates) != 14 || o.ChurnRates["queue_created"] != 2.0 || len(o.QueueTotals) != 6 || o.QueueTotals["messages"] != 1.0 {
		t.Errorf("churn %v, queues %v", o.ChurnRates, o.QueueTotals)
	}
}

// Who sees only some vhosts sees the numbers of these.
func TestOverview_OfVisibleVHosts(t *testing.T) {
	b := newBed(t)
	for _, v := range []string{"%2F", "private", "private"} {
		b.want(200, "POST", "/api/exchanges/"+v+"/amq.fanout/publish", "guest", `{"properties":{},"routing_key":"","payload":"","payload_encoding":"string"}`)
	}
	for user, want := range map[string]string{"guest": "3", "management": "1"} {
		if got := b.want(200, "GET", "/api/overview?columns=message_stats.publish", user, ""); got != `{"message_stats":{"publish":`+want+`}}` {
			t.Errorf("%s: %s, want %s", user, got, want)
		}
	}
}

// rabbitNode are the members that a node of RabbitMQ 3.10.8 has.
const rabbitNode = `partitions os_pid fd_total sockets_total mem_limit mem_alarm disk_free_limit disk_free_alarm proc_total rates_mode
	uptime run_queue processors exchange_types auth_mechanisms applications contexts log_files db_dir config_files net_ticktime enabled_plugins
	mem_calculation_strategy ra_open_file_metrics name type running mem_used fd_used sockets_used proc_used disk_free gc_num gc_bytes_reclaimed
	context_switches io_read_count io_read_bytes io_read_avg_time io_write_count io_write_bytes io_write_avg_time io_sync_count io_sync_avg_time
	io_seek_count io_seek_avg_time io_reopen_count mnesia_ram_tx_count mnesia_disk_tx_count msg_store_read_count msg_store_write_count
	queue_index_write_count queue_index_read_count connection_created connection_closed channel_created channel_closed queue_declared
	queue_created queue_deleted cluster_links metrics_gc_queue_length being_drained`

func TestNodes(t *testing.T) {
	b := newBed(t)
	body := b.want(200, "GET", "/api/nodes/leveret@test", "guest", "")
	got := kinds(t, body)
	for name := range strings.FieldsSeq(rabbitNode) {
		if _, ok := got[name]; !ok {
			t.Errorf("no member %s", name)
		}
	}
	var n map[string]any
	if err := json.Unmarshal([]byte(body), &n); err != nil {
		t.Fatal(err)
	}
	for name, v := range n {
		if d, ok := strings.CutSuffix(name, "_details"); ok {
			if rate, ok := v.(map[string]any)["rate"].(float64); !ok || n[d] == nil || rate != rate {
				t.Errorf("%s is %v", name, v)
			}
		}
	}
	if n["os_pid"] != strconv.Itoa(os.Getpid()) || n["name"] != "leveret@test" || n["type"] != "disc" || n["running"] != true {
		t.Errorf("node %v %v %v %v", n["os_pid"], n["name"], n["type"], n["running"])
	}
	real := []string{"mem_used", "proc_used", "processors", "fd_total", "fd_used", "sockets_total", "context_switches", "disk_free", "io_read_count"}
	for _, name := range real {
		if v, ok := n[name].(float64); !ok || v <= 0 {
			t.Errorf("%s is %v", name, n[name])
		}
	}
	if list := b.want(200, "GET", "/api/nodes?columns=name", "guest", ""); list != `[{"name":"leveret@test"}]` {
		t.Errorf("list: %s", list)
	}
	for _, path := range []string{"/api/nodes/x", "/api/nodes/x/memory", "/api/nodes/x/memory/relative"} {
		if body := b.want(404, "GET", path, "guest", ""); body != notFoundBody {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// What the broker is told about its resources goes before what the process finds.
func TestNodes_Resources(t *testing.T) {
	b := newBed(t)
	b.api.opts.Resources = func() Resources {
		return Resources{MemoryLimit: 1000, DiskFree: 5000, DiskFreeLimit: 50, MessagesWritten: 7, MessagesRead: 3, Syncs: 4, SyncTime: 2e6}
	}
	const columns = "mem_limit,disk_free,disk_free_limit,io_sync_count,io_sync_avg_time,msg_store_write_count,msg_store_read_count"
	want := `{"mem_limit":1000,"disk_free_limit":50,"disk_free":5000,"io_sync_count":4,"msg_store_read_count":3,"msg_store_write_count":7,"io_sync_avg_time":0.5}`
	if got := b.want(200, "GET", "/api/nodes/leveret@test?columns="+columns, "guest", ""); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNodeMemory(t *testing.T) {
	b := newBed(t)
	var m struct{ Memory map[string]any }
	b.get("/api/nodes/leveret@test/memory", &m)
	sum := 0.0
	for _, name := range memoryParts {
		sum += m.Memory[name].(float64)
	}
	total := m.Memory["total"].(map[string]any)
	if sum != total["rss"] || sum <= 0 || m.Memory["strategy"] != "rss" || len(m.Memory) != len(memoryParts)+2 {
		t.Errorf("memory %v", m.Memory)
	}
	var r struct{ Memory map[string]int }
	b.get("/api/nodes/leveret@test/memory/relative", &r)
	if r.Memory["total"] != 100 || r.Memory["other_proc"] < 50 || len(r.Memory) != len(memoryParts)+1 {
		t.Errorf("in percent %v", r.Memory)
	}
	if got := kinds(t, b.want(200, "GET", "/api/nodes/leveret@test?memory=true", "guest", "")); got["memory"] == "" {
		t.Error("no memory in the node")
	}
}

func TestCluster(t *testing.T) {
	b := newBed(t)
	b.want(204, "PUT", "/api/cluster-name", "guest", `{"name":"rabbit","x":1}`)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/api/cluster-name/", "", 200, `{"name":"rabbit"}`},
		{"GET", "/api/overview?columns=cluster_name", "", 200, `{"cluster_name":"rabbit"}`},
		{"GET", "/api/global-parameters/cluster_name", "", 200, `{"name":"cluster_name","value":"rabbit"}`},
		{"PUT", "/api/cluster-name", "", 400, `{"error":"bad_request","reason":"[{key_missing,name}]"}`},
		{"PUT", "/api/cluster-name", "[]", 400, `{"error":"bad_request","reason":"not_json"}`},
		{"PUT", "/api/cluster-name", "{", 400, `{"error":"bad_request","reason":"not_json"}`},
		{"PUT", "/api/cluster-name", `{"name":5}`, 400, `{"error":"bad_request","reason":["not_string","name"]}`}, // RabbitMQ: 500
		{"GET", "/api/extensions", "", 200, "[]"},
		{"GET", "/api/version", "", 200, `"` + b.api.opts.Version + `"`},
		{"GET", "/api/config/effective", "", 200, "{}"},
		{"DELETE", "/api/reset", "", 204, ""},
		{"DELETE", "/api/reset/leveret@test", "", 204, ""},
		{"DELETE", "/api/reset/x", "", 404, notFoundBody},
		{"POST", "/api/rebalance/queues", "", 204, ""},
		{"PUT", "/api/feature-flags/quorum_queue/enable", "garbage", 204, ""},
		{"PUT", "/api/feature-flags/nope/enable", "{}", 400, `{"error":"bad_request","reason":"unsupported"}`},
		{"GET", "/api/deprecated-features?columns=name,state", "", 200, `[{"name":"global_qos","state":"permitted"},{"name":"transient_nonexcl_queues","state":"permitted"}]`},
		{"GET", "/api/deprecated-features/used", "", 200, "[]"},
	} {
		if status, body := b.ask(c.method, c.path, "guest", c.body); status != c.status || body != c.want {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.body, status, body, c.status, c.want)
		}
	}
	var flags []struct{ Name, State, Stability string }
	b.get("/api/feature-flags", &flags)
	enabled := map[string]bool{}
	for _, f := range flags {
		enabled[f.Name] = f.State == "enabled" && f.Stability == "stable"
	}
	for _, name := range []string{"quorum_queue", "stream_queue", "virtual_host_metadata", "user_limits", "message_containers"} {
		if !enabled[name] {
			t.Errorf("the feature %s is not enabled", name)
		}
	}
	if !slices.IsSortedFunc(flags, func(a, b struct{ Name, State, Stability string }) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("features are not in order")
	}
}

// A message goes through a queue that stays, with the rights of who asks.
func TestAliveness(t *testing.T) {
	b := newBed(t)
	for range 2 {
		if body := b.want(200, "GET", "/api/aliveness-test/%2F", "management", ""); body != `{"status":"ok"}` {
			t.Error(body)
		}
	}
	if body := b.want(200, "GET", "/api/queues/%2F/aliveness-test?columns=durable,messages,message_stats.publish", "guest", ""); body !=
		`{"durable":false,"message_stats":{"publish":2},"messages":0}` {
		t.Error(body)
	}
	b.want(204, "PUT", "/api/permissions/%2F/management", "guest", `{"configure":".*","write":"","read":".*"}`)
	for path, want := range map[string]string{
		"%2F":     `401 {"error":"not_authorised","reason":"Access refused."}`,
		"private": `401 {"error":"not_authorised","reason":"User not authorised to access virtual host"}`,
		"nope":    "404 " + notFoundBody,
	} {
		if status, body := b.ask("GET", "/api/aliveness-test/"+path, "management", ""); fmt.Sprint(status, " ", body) != want {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
}

// What a client of another's making makes of it.
func TestRabbitHoleCluster(t *testing.T) {
	c := hole(t)
	o, err := c.Overview()
	if err != nil || o.Node != "leveret@test" || len(o.Listeners) != 3 || len(o.ExchangeTypes) < 4 {
		t.Errorf("overview: %+v %v", o, err)
	}
	nodes, err := c.ListNodes()
	if err != nil || len(nodes) != 1 || !nodes[0].IsRunning || nodes[0].MemUsed == 0 {
		t.Errorf("nodes: %+v %v", nodes, err)
	}
	if node, err := c.GetNode("leveret@test"); err != nil || node.Name != "leveret@test" || len(node.AuthMechanisms) != 4 {
		t.Errorf("node: %+v %v", node, err)
	}
	if w, err := c.Whoami(); err != nil || w.Name != "guest" || !reflect.DeepEqual([]string(w.Tags), []string{"administrator"}) {
		t.Errorf("whoami: %+v %v", w, err)
	}
	if ports, err := c.ProtocolPorts(); err != nil || ports["amqp"] != 5672 {
		t.Errorf("ports: %v %v", ports, err)
	}
	if flags, err := c.ListFeatureFlags(); err != nil || len(flags) == 0 {
		t.Errorf("features: %v %v", flags, err)
	}
	if list, err := c.ListDeprecatedFeatures(); err != nil || len(list) != 2 {
		t.Errorf("deprecated: %v %v", list, err)
	}
	if check, err := c.HealthCheckPortListener(1); err != nil || check.Ok() || check.Missing != 1 {
		t.Errorf("port 1: %+v %v", check, err)
	}
	if check, err := c.HealthCheckProtocolListener("amqp"); err != nil || !check.Ok() {
		t.Errorf("amqp: %+v %v", check, err)
	}
}
