package mgmt

import (
	"math"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
)

var nodeEndpoints = []endpoint{
	{http.MethodGet, "/api/nodes", monitor, (*API).listNodes},
	{http.MethodGet, "/api/nodes/{node}", monitor, (*API).showNode},
	{http.MethodGet, "/api/nodes/{node}/memory", monitor, (*API).showMemory},
	{http.MethodGet, "/api/nodes/{node}/memory/relative", monitor, (*API).showMemoryShares},
}

// nodeItem is the one node that there is.
type nodeItem struct {
	api    *API
	load   *load
	totals server.Totals
	alarms server.Alarm
	seen   observed
}

// mostProcesses is RabbitMQ's limit of processes; of goroutines there is none.
const mostProcesses = 1 << 20

// nodeShape is the node. What there is no such thing of here has the value of a node
// where there is nothing of it.
var nodeShape = slices.Concat(shape[*nodeItem]{
	{"partitions", func(*nodeItem) any { return []string{} }},
	{"os_pid", func(n *nodeItem) any { return n.api.process.pid }},
	{"fd_total", func(n *nodeItem) any { return n.load.filesLimit }},
	{"sockets_total", func(n *nodeItem) any { return n.load.socketsLimit }},
	{"mem_limit", func(n *nodeItem) any { return n.load.MemoryLimit }},
	{"mem_alarm", func(n *nodeItem) any { return n.alarms&server.AlarmMemory != 0 }},
	{"disk_free_limit", func(n *nodeItem) any { return n.load.DiskFreeLimit }},
	{"disk_free_alarm", func(n *nodeItem) any { return n.alarms&server.AlarmDisk != 0 }},
	{"proc_total", func(*nodeItem) any { return mostProcesses }},
	{"rates_mode", func(*nodeItem) any { return "basic" }},
	{"uptime", func(n *nodeItem) any { return time.Since(n.api.opts.Started).Milliseconds() }},
	{"run_queue", func(n *nodeItem) any { return n.load.runnable }},
	{"processors", func(n *nodeItem) any { return n.api.process.processors }},
	{"exchange_types", func(*nodeItem) any { return exchangeTypes }},
	{"auth_mechanisms", (*nodeItem).mechanisms},
	{"applications", (*nodeItem).applications},
	{"contexts", func(n *nodeItem) any { return n.api.contexts() }},
	{"log_files", func(*nodeItem) any { return []string{"<stderr>"} }},
	{"db_dir", func(n *nodeItem) any { return n.api.opts.DataDir }},
	{"config_files", func(*nodeItem) any { return []string{} }},
	{"net_ticktime", func(*nodeItem) any { return 60 }},
	{"enabled_plugins", func(*nodeItem) any { return []string{"rabbitmq_management", "rabbitmq_prometheus"} }},
	{"mem_calculation_strategy", func(*nodeItem) any { return "rss" }},
	{"ra_open_file_metrics", func(*nodeItem) any { return object{{"ra_log_wal", 0}, {"ra_log_segment_writer", 0}} }},
	{"name", func(n *nodeItem) any { return n.api.opts.NodeName }},
	{"type", func(*nodeItem) any { return "disc" }},
	{"running", func(*nodeItem) any { return true }},
	{"being_drained", func(*nodeItem) any { return false }},
	{"rabbitmq_version", func(*nodeItem) any { return server.ProtocolVersion }},
	{"erlang_version", func(*nodeItem) any { return noErlang }},
}, sampledFields(), shape[*nodeItem]{
	{"io_read_avg_time", func(*nodeItem) any { return 0.0 }},
	{"io_read_avg_time_details", noChange},
	{"io_write_avg_time", func(*nodeItem) any { return 0.0 }},
	{"io_write_avg_time_details", noChange},
	{"io_sync_avg_time", (*nodeItem).syncTime},
	{"io_sync_avg_time_details", noChange},
}, nothingFields("io_seek_count", "io_seek_avg_time", "io_reopen_count", "io_file_handle_open_attempt_count",
	"io_file_handle_open_attempt_avg_time", "mnesia_ram_tx_count", "mnesia_disk_tx_count",
	"queue_index_write_count", "queue_index_read_count", "queue_index_journal_write_count"), shape[*nodeItem]{
	{"cluster_links", func(*nodeItem) any { return []object{} }},
	{"metrics_gc_queue_length", func(*nodeItem) any { return noGarbageQueues }},
})

// noGarbageQueues are the lengths of queues that there are none of.
var noGarbageQueues = object{
	{"connection_closed", 0}, {"channel_closed", 0}, {"consumer_deleted", 0}, {"exchange_deleted", 0},
	{"queue_deleted", 0}, {"vhost_deleted", 0}, {"node_node_deleted", 0}, {"channel_consumer_deleted", 0},
}

// sampledFields are the numbers of nodeColumns, with details.
func sampledFields() (of shape[*nodeItem]) {
	for i, name := range nodeColumns {
		of = append(of,
			field[*nodeItem]{name, func(n *nodeItem) any { return nodeNumbers(n.load, &n.totals)[i] }},
			field[*nodeItem]{name + "_details", func(n *nodeItem) any { return n.seen.details(name) }})
	}
	return of
}

// nothingFields are numbers of what there is not.
func nothingFields(names ...string) (of shape[*nodeItem]) {
	for _, name := range names {
		of = append(of, field[*nodeItem]{name, func(*nodeItem) any { return 0 }}, field[*nodeItem]{name + "_details", noChange})
	}
	return of
}

// noChange are the details of a number that stays as it is.
func noChange(n *nodeItem) any { return n.seen.details("") }

func (n *nodeItem) syncTime() any {
	if n.load.Syncs == 0 {
		return 0.0
	}
	return float64(n.load.SyncTime) / float64(time.Millisecond) / float64(n.load.Syncs)
}

func (n *nodeItem) mechanisms() any {
	descriptions := map[string]string{
		server.MechanismPlain:     "SASL PLAIN authentication mechanism",
		server.MechanismAMQPlain:  "QPid AMQPLAIN mechanism",
		server.MechanismExternal:  "SASL EXTERNAL authentication mechanism",
		server.MechanismAnonymous: "SASL ANONYMOUS authentication mechanism",
	}
	list := []object{}
	for _, name := range []string{server.MechanismAMQPlain, server.MechanismPlain, server.MechanismExternal, server.MechanismAnonymous} {
		list = append(list, object{
			{"name", name}, {"description", descriptions[name]}, {"enabled", slices.Contains(n.api.opts.Mechanisms, name)},
		})
	}
	return list
}

func (n *nodeItem) applications() any {
	o := n.api.opts
	return []object{
		{{"name", "rabbit"}, {"description", o.Product}, {"version", o.Version}},
		{{"name", "rabbitmq_management"}, {"description", o.Product + " management API"}, {"version", o.Version}},
		{{"name", "go"}, {"description", "Go"}, {"version", runtime.Version()}},
	}
}

func (a *API) node(r *request) *nodeItem {
	return &nodeItem{a, a.load(), a.broker.Totals(), a.broker.Alarms(), a.observeNode(r)}
}

func (a *API) listNodes(w http.ResponseWriter, r *request) error {
	return respondWhole(w, r, []*nodeItem{a.node(r)}, nodeShape)
}

func (a *API) showNode(w http.ResponseWriter, r *request) error {
	if err := a.checkNode(r); err != nil {
		return err
	}
	of := nodeShape
	if r.URL.Query().Get("memory") == "true" {
		of = append(slices.Clone(of), field[*nodeItem]{"memory", func(n *nodeItem) any { return a.memory(n.load) }})
	}
	return respondOne(w, r, a.node(r), of)
}

// memoryParts are where the memory of a node goes, in RabbitMQ's order. Here the
// messages of queues are known, and what connections buffer; the rest is other_proc.
var memoryParts = []string{
	"connection_readers", "connection_writers", "connection_channels", "connection_other", "queue_procs", "queue_slave_procs",
	"quorum_queue_procs", "quorum_queue_dlx_procs", "stream_queue_procs", "stream_queue_replica_reader_procs",
	"stream_queue_coordinator_procs", "plugins", "other_proc", "metrics", "mgmt_db", "mnesia", "quorum_ets", "other_ets",
	"binary", "msg_index", "code", "atom", "other_system", "allocated_unused", "reserved_unallocated",
}

// memoryUse is the parts of which something is known, and the total.
func (a *API) memoryUse(l *load) (parts map[string]int64, total int64) {
	var messages, connections int64
	for _, v := range a.vhosts.VHosts() {
		for _, q := range v.Queues() {
			s := q.Stats()
			messages += s.ReadyBytes + s.UnackedBytes
		}
	}
	for _, c := range a.broker.ConnectionInfos() {
		connections += int64(c.SendPending)
	}
	// What is in the store only takes no memory.
	messages = min(messages, l.Memory-min(connections, l.Memory))
	return map[string]int64{
		"binary": messages, "connection_writers": connections, "other_proc": max(l.Memory-messages-connections, 0),
	}, l.Memory
}

func (a *API) memory(l *load) object {
	parts, total := a.memoryUse(l)
	var of object
	for _, name := range memoryParts {
		of = append(of, member{name, parts[name]})
	}
	return append(of, member{"strategy", "rss"}, member{"total", object{{"erlang", total}, {"rss", total}, {"allocated", total}}})
}

func (a *API) showMemory(w http.ResponseWriter, r *request) error {
	if err := a.checkNode(r); err != nil {
		return err
	}
	return respond(w, http.StatusOK, object{{"memory", a.memory(a.load())}})
}

// showMemoryShares is showMemory in percent, rounded up as by RabbitMQ.
func (a *API) showMemoryShares(w http.ResponseWriter, r *request) error {
	if err := a.checkNode(r); err != nil {
		return err
	}
	parts, total := a.memoryUse(a.load())
	of := object{{"total", 100}}
	for _, name := range memoryParts {
		of = append(of, member{name, int(math.Ceil(100 * float64(parts[name]) / float64(max(total, 1))))})
	}
	return respond(w, http.StatusOK, object{{"memory", of}})
}
