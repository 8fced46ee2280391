package mgmt

import (
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"strings"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/mgmt/rates"
	"github.com/leveretmq/leveret/vhost"
)

var overviewEndpoints = []endpoint{
	{http.MethodGet, "/api/overview", anyUser, (*API).overview},
}

// overviewItem is the broker as one user sees it.
type overviewItem struct {
	api     *API
	request *request
	vhosts  []*vhost.VHost
	// seen are the broker's numbers, totals and of its messages: those of all that
	// there was for who sees everything, else of what is in their vhosts.
	seen     observed
	totals   server.Totals
	messages server.MessageCounts
	lengths  []int64
	load     *load
}

// overviewShape is the answer. What only monitors see is absent for others; under
// disable_stats=true nothing is counted but objects.
var overviewShape = shape[*overviewItem]{
	{"management_version", func(*overviewItem) any { return server.ProtocolVersion }},
	{"rates_mode", func(*overviewItem) any { return "basic" }},
	{"sample_retention_policies", func(*overviewItem) any { return retention }},
	{"exchange_types", func(*overviewItem) any { return exchangeTypes }},
	{"product_version", func(o *overviewItem) any { return o.api.opts.Version }},
	{"product_name", func(o *overviewItem) any { return o.api.opts.Product }},
	{"rabbitmq_version", func(*overviewItem) any { return server.ProtocolVersion }},
	{"cluster_name", func(o *overviewItem) any { return o.api.clusterName() }},
	{"cluster_tags", func(*overviewItem) any { return object{} }},
	{"node_tags", func(*overviewItem) any { return object{} }},
	{"erlang_version", func(*overviewItem) any { return noErlang }},
	{"erlang_full_version", func(*overviewItem) any { return noErlangInFull }},
	{"crypto_lib_version", func(*overviewItem) any { return "crypto/tls " + runtime.Version() }},
	{"release_series_support_status", func(*overviewItem) any { return "supported" }},
	{"disable_stats", func(o *overviewItem) any { return o.request.statsDisabled() }},
	{"default_queue_type", func(*overviewItem) any { return "classic" }},
	{"is_op_policy_updating_enabled", func(*overviewItem) any { return true }},
	{"enable_queue_totals", func(o *overviewItem) any { return o.request.wantsTotals() }},
	{"require_definition_json_extension", func(*overviewItem) any { return false }},
	{"message_stats", (*overviewItem).messageStats},
	{"churn_rates", (*overviewItem).churnRates},
	{"queue_totals", (*overviewItem).queueTotals},
	{"object_totals", (*overviewItem).objectTotals},
	{"statistics_db_event_queue", (*overviewItem).eventQueue},
	{"node", forMonitors(func(o *overviewItem) any { return o.api.opts.NodeName })},
	{"listeners", forMonitors((*overviewItem).listeners)},
	{"contexts", forMonitors(func(o *overviewItem) any { return o.api.contexts() })},
}

// noErlang stands for the version of what this broker does not run on: some clients
// want one, and one that they take for old enough to live with.
const (
	noErlang       = "26.2.5"
	noErlangInFull = "Erlang/OTP 26 [none: this broker is written in Go]"
)

// retention are the seconds for which samples are kept: always, and of objects whose
// numbers change.
var retention = object{
	{"global", rates.Retention}, {"basic", rates.Retention[:2]}, {"detailed", rates.Retention[:1]},
}

// exchangeTypes are those that there are, in RabbitMQ's shape.
var exchangeTypes = typesOfExchanges()

func typesOfExchanges() (list []object) {
	descriptions := map[string]string{
		exchange.TypeConsistentHash: "Consistent Hashing Exchange", exchange.TypeModulusHash: "Modulus Hashing Exchange",
		exchange.TypeRandom: "Random Exchange", exchange.TypeRecentHistory: "Recent History Exchange",
		exchange.TypeDelayed: "Delayed Message Exchange",
	}
	for _, name := range exchange.Types() {
		description, ok := descriptions[name]
		if !ok {
			description = "AMQP " + name + " exchange, as per the AMQP specification"
		}
		list = append(list, object{{"name", name}, {"description", description}, {"enabled", true}})
	}
	return list
}

// forMonitors leaves a member out for who is none.
func forMonitors(value func(*overviewItem) any) func(*overviewItem) any {
	return func(o *overviewItem) any {
		if !o.request.isMonitor() {
			return absent
		}
		return value(o)
	}
}

func (a *API) overview(w http.ResponseWriter, r *request) error {
	o := &overviewItem{api: a, request: r, vhosts: a.visibleVHosts(r), totals: a.broker.Totals(), load: a.load()}
	o.lengths = make([]int64, len(lengthNames))
	for _, v := range o.vhosts {
		counts, lengths := vhostNumbers(v)
		addCounts(&o.messages, &counts)
		for i, n := range lengths {
			o.lengths[i] += n
		}
	}
	if o.seen = a.observeBroker(r); r.isMonitor() && r.Header.Get("X-Vhost") == "" {
		o.messages = o.totals.Messages
	} else {
		o.seen = a.observeVHosts(r, o.vhosts)
	}
	return respondOne(w, r, o, overviewShape)
}

// observeVHosts is what vhosts do together, without what they were like.
func (a *API) observeVHosts(r *request, vhosts []*vhost.VHost) observed {
	sum := observed{columns: vhostColumns, spans: r.spans, rates: make([]float64, len(vhostColumns))}
	for _, v := range vhosts {
		for i, rate := range a.observeVHost(r, v).rates {
			sum.rates[i] += rate
		}
	}
	return sum
}

func (o *overviewItem) messageStats() any {
	stats, ok := messageStats(o.messages, o.seen, vhostMessageNames...).(object)
	if !ok {
		return absent
	}
	stats = o.seen.withDetails(stats, "disk_reads", o.load.MessagesRead)
	return o.seen.withDetails(stats, "disk_writes", o.load.MessagesWritten)
}

func (o *overviewItem) churnRates() any {
	if o.request.statsDisabled() {
		return absent
	}
	return churnObject(o.api.observeBroker(o.request), &o.totals)
}

// churnObject is what comes and goes, with rates.
func churnObject(seen observed, t *server.Totals) (of object) {
	for i, n := range churn(t) {
		of = seen.withDetails(of, churnNames[i], n)
	}
	return of
}

func (o *overviewItem) queueTotals() any {
	if o.request.statsDisabled() && !o.request.wantsTotals() {
		return absent
	}
	var of object
	for i, n := range o.lengths {
		of = o.seen.withDetails(of, lengthNames[i], n)
	}
	return of
}

func (o *overviewItem) objectTotals() any {
	queues, exchanges, consumers := 0, 0, 0
	for _, v := range o.vhosts {
		exchanges += len(v.Exchanges())
		for _, q := range v.Queues() {
			queues++
			consumers += q.Stats().Consumers
		}
	}
	connections, channels := o.totals.Connections, o.totals.Channels
	if !o.request.isMonitor() {
		connections, channels = o.ownConnections()
	}
	return object{
		{"channels", channels}, {"connections", connections}, {"consumers", consumers},
		{"exchanges", exchanges}, {"queues", queues},
	}
}

// ownConnections counts those of the user.
func (o *overviewItem) ownConnections() (connections, channels int) {
	for _, c := range o.api.broker.ConnectionInfos() {
		if c.User == o.request.user.Name {
			connections++
			channels += c.Channels
		}
	}
	return connections, channels
}

func (o *overviewItem) eventQueue() any {
	if o.request.statsDisabled() {
		return absent
	}
	return 0
}

func (o *overviewItem) listeners() any {
	if o.request.statsDisabled() {
		return absent
	}
	list := []object{}
	for _, l := range o.api.opts.Listeners {
		address, port := hostPort(l.Address)
		if at, err := netip.ParseAddr(address); err == nil {
			address = at.Unmap().WithZone("").String()
		}
		list = append(list, object{
			{"node", o.api.opts.NodeName}, {"protocol", l.Protocol}, {"ip_address", address}, {"port", port},
			{"socket_opts", object{{"backlog", 128}, {"nodelay", true}}}, {"tls", l.TLS},
		})
	}
	return list
}

// contexts are the listeners by which the API, and the metrics, are reached.
func (a *API) contexts() []object {
	list := []object{}
	for _, l := range a.opts.Listeners {
		if !strings.HasPrefix(l.Protocol, "http") {
			continue
		}
		description := "RabbitMQ Management"
		if l.Protocol == "http/prometheus" {
			description = "RabbitMQ Prometheus"
		}
		address, port := hostPort(l.Address)
		list = append(list, object{
			{"ssl_opts", []string{}}, {"node", a.opts.NodeName}, {"description", description}, {"path", "/"},
			{"ip", address}, {"port", fmt.Sprint(port)},
		})
	}
	return list
}
