package ctl

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func statusVerbs() []verb {
	timed := "[--timeout <timeout>]"
	return []verb{
		{name: "status", usage: "[--unit <unit>] " + timed, about: "Displays status of a node", options: []string{"unit"}, patience: minute, run: status},
		{name: "cluster_status", usage: timed, about: "Displays the node as the cluster that it is", patience: minute, run: clusterStatus},
		{name: "listeners", usage: timed, about: "Lists active connection listeners (bound interface, port, protocol)", patience: minute, run: listeners},
		{name: "memory_breakdown", usage: "[--unit <unit>] " + timed, about: "Provides a memory usage breakdown", options: []string{"unit"}, patience: minute, run: memoryBreakdown},
		{name: "server_version", usage: timed, about: "Displays server version", patience: minute, run: serverVersion},
		{name: "erlang_version", usage: "[--details] " + timed, about: "Displays what the server gives for Erlang's version", options: []string{"details"}, patience: minute, run: erlangVersion},
		{name: "environment", about: "Displays the configuration in force", patience: minute, run: environment},
		{name: "list_node_auth_attempt_stats", usage: timed, about: "Lists authentication attempts", patience: minute, run: loginAttempts},
		{name: "reset_node_auth_attempt_metrics", about: "Lets the counts of authentication attempts begin anew", patience: minute, run: resetLoginAttempts},
		{name: "report", about: "Generates a server status report for support purposes", run: report},
		{name: "enable_feature_flag", usage: "<all | feature_flag>", about: "Enables a feature flag", least: 1, most: 1, run: enableFeatureFlag},
	}
}

// overviewOf is what is needed of the API's overview.
type overviewOf struct {
	Node       string                 `json:"node"`
	Cluster    string                 `json:"cluster_name"`
	Product    string                 `json:"product_name"`
	ProductVer string                 `json:"product_version"`
	Version    string                 `json:"rabbitmq_version"`
	Erlang     string                 `json:"erlang_version"`
	ErlangFull string                 `json:"erlang_full_version"`
	Listeners  []listener             `json:"listeners"`
	Totals     map[string]json.Number `json:"object_totals"`
}

func (c *call) overview() (o overviewOf, err error) {
	err = c.get("/overview", &o)
	return o, err
}

// listener is a socket of the broker.
type listener struct {
	Node     string `json:"node"`
	Protocol string `json:"protocol"`
	Address  string `json:"ip_address"`
	Port     int    `json:"port"`
}

func (l listener) iface() string {
	if strings.Contains(l.Address, ":") {
		return "[" + l.Address + "]"
	}
	return l.Address
}

// purposes are what the tools call what is spoken at a listener.
var purposes = map[string]string{
	"amqp":             "AMQP 0-9-1",
	"amqp/ssl":         "AMQP 0-9-1 over TLS",
	"http":             "HTTP API",
	"https":            "HTTP API over TLS (HTTPS)",
	"http/prometheus":  "Prometheus exporter API over HTTP",
	"https/prometheus": "Prometheus exporter API over TLS (HTTPS)",
	"clustering":       "inter-node and CLI tool communication",
}

func (l listener) String() string {
	return fmt.Sprintf("Interface: %s, port: %d, protocol: %s, purpose: %s", l.iface(), l.Port, l.Protocol, cmpText(purposes[l.Protocol], l.Protocol))
}

func (l listener) json() ordered {
	return ordered{{"interface", l.iface()}, {"node", l.Node}, {"port", l.Port}, {"protocol", l.Protocol}, {"purpose", cmpText(purposes[l.Protocol], l.Protocol)}}
}

func listenersJSON(list []listener) []ordered {
	all := make([]ordered, len(list))
	for i, l := range list {
		all[i] = l.json()
	}
	return all
}

func listeners(c *call) error {
	c.announce("Asking node %s to report its protocol listeners ...", c.node())
	o, err := c.overview()
	if err != nil {
		return err
	}
	if c.format == formatJSON {
		return c.json(ordered{{"listeners", listenersJSON(o.Listeners)}, {"node", c.node()}, {"result", "ok"}})
	}
	for _, l := range o.Listeners {
		c.println(l.String())
	}
	return nil
}

func serverVersion(c *call) error {
	c.announce("Asking node %s for its RabbitMQ version...", c.node())
	return c.ofOverview(func(o overviewOf) string { return o.Version })
}

func erlangVersion(c *call) error {
	c.announce("Asking node %s for its Erlang/OTP version...", c.node())
	return c.ofOverview(func(o overviewOf) string {
		if c.has("details") {
			return o.ErlangFull
		}
		return o.Erlang
	})
}

func (c *call) ofOverview(get func(overviewOf) string) error {
	o, err := c.overview()
	if err != nil {
		return err
	}
	value := get(o)
	if c.format == formatJSON {
		return c.json(ordered{{"node", c.node()}, {"result", "ok"}, {"value", value}})
	}
	c.println(value)
	return nil
}

// units are bytes in a unit of memory, as the tools count them.
var units = map[string]float64{"bytes": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}

// inUnit is an amount of bytes in the unit that was asked for.
func (c *call) inUnit(bytes json.Number) string {
	unit := strings.ToLower(cmpText(c.text("unit"), "gb"))
	n, _ := bytes.Float64()
	if unit == "bytes" {
		return fmt.Sprintf("%.0f bytes", n)
	}
	s := strings.TrimRight(fmt.Sprintf("%.4f", n/units[unit]), "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return s + " " + unit
}

func (c *call) checkUnit() error {
	if unit := strings.ToLower(cmpText(c.text("unit"), "gb")); units[unit] == 0 {
		return misused(exitUsage, "unit '%s' not supported. Please use one of: bytes, kb, mb, gb, tb", printable(c.text("unit"), ""))
	}
	return nil
}

func memoryBreakdown(c *call) error {
	if err := c.checkUnit(); err != nil {
		return err
	}
	c.announce("Reporting memory breakdown on node %s...", c.node())
	o, err := c.overview()
	if err != nil {
		return err
	}
	var answer struct {
		Memory map[string]any `json:"memory"`
	}
	err = c.get(pathOf("nodes", o.Node, "memory"), &answer)
	if refusedWith(err, http.StatusNotFound) {
		return failed(exitUnavailable, "memory_breakdown: not supported by this broker: see status")
	}
	if err != nil {
		return err
	}
	parts, total := map[string]json.Number{}, 0.0
	for name, v := range answer.Memory {
		if n, ok := v.(json.Number); ok {
			parts[name] = n
			bytes, _ := n.Float64()
			total += bytes
		}
	}
	names := slices.SortedFunc(maps.Keys(parts), func(a, b string) int {
		x, _ := parts[a].Float64()
		y, _ := parts[b].Float64()
		return cmp.Or(cmp.Compare(y, x), cmp.Compare(a, b))
	})
	var all ordered
	for _, name := range names {
		bytes, _ := parts[name].Float64()
		percent := json.Number(fmt.Sprintf("%.2f", 100*bytes/max(total, 1)))
		all = append(all, member{name, ordered{{"bytes", parts[name]}, {"percentage", percent}}})
		if c.format != formatJSON {
			c.println(fmt.Sprintf("%s: %s (%s%%)", name, c.inUnit(parts[name]), percent))
		}
	}
	if c.format == formatJSON {
		return c.json(all)
	}
	return nil
}

// environment shows the configuration in force, which the broker tells without
// secrets.
func environment(c *call) error {
	c.announce("Application environment of node %s ...", c.node())
	var effective any
	err := c.get("/config/effective", &effective)
	if refusedWith(err, http.StatusNotFound) {
		return failed(exitUnavailable, "environment: not supported by this broker")
	}
	if err != nil {
		return err
	}
	if list, ok := effective.([]any); ok && c.format != formatJSON {
		return c.settings(list)
	}
	if m, ok := effective.(object); ok && c.format != formatJSON {
		return c.table([]string{"name", "value"}, members(m))
	}
	return c.json(effective)
}

// settings prints a list of objects with the members of the first as columns: name and
// value, and then the others.
func (c *call) settings(list []any) error {
	var names []string
	var rows [][]any
	for _, e := range list {
		o, _ := e.(object)
		if names == nil {
			names = slices.SortedFunc(maps.Keys(o), func(a, b string) int {
				return cmp.Or(cmp.Compare(settingRank(a), settingRank(b)), cmp.Compare(a, b))
			})
		}
		row := make([]any, len(names))
		for i, name := range names {
			row[i] = shown(o[name])
		}
		rows = append(rows, row)
	}
	return c.table(names, rows)
}

func settingRank(name string) int {
	if i := slices.Index([]string{"name", "value"}, name); i >= 0 {
		return i
	}
	return 2
}

// members are the members of an object as rows.
func members(o object) (rows [][]any) {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		rows = append(rows, []any{name, shown(o[name])})
	}
	return rows
}

// shown is a value of the API for a cell: what is not plain is shown as JSON.
func shown(v any) any {
	switch v.(type) {
	case object, []any:
		return document{v}
	}
	return v
}

func loginAttempts(c *call) error {
	c.announce("Listing authentication\n attempts for node \"%s\" ...", c.node())
	o, err := c.overview()
	if err != nil {
		return err
	}
	var counts []object
	if err := c.get(pathOf("auth", "attempts", o.Node), &counts); err != nil {
		return err
	}
	names := []string{"protocol", "auth_attempts", "auth_attempts_failed", "auth_attempts_succeeded"}
	var rows [][]any
	for _, count := range counts {
		rows = append(rows, []any{count[names[0]], count[names[1]], count[names[2]], count[names[3]]})
	}
	return c.table(names, rows)
}

func resetLoginAttempts(c *call) error {
	c.say("Reset auth attempt metrics on node %s ...", c.node())
	o, err := c.overview()
	if err != nil {
		return err
	}
	if err := c.delete(pathOf("auth", "attempts", o.Node)); err != nil {
		return err
	}
	return c.done()
}

func enableFeatureFlag(c *call) error {
	if c.args[0] != "all" {
		c.say("Enabling feature flag \"%s\" ...", c.args[0])
		if err := c.put(pathOf("feature-flags", c.args[0], "enable"), object{}); err != nil {
			return err
		}
		return c.done()
	}
	c.say("Enabling all feature flags ...")
	var flags []struct{ Name, State string }
	if err := c.get("/feature-flags", &flags); err != nil {
		return err
	}
	for _, f := range flags {
		if f.State == "enabled" {
			continue
		}
		if err := c.put(pathOf("feature-flags", f.Name, "enable"), object{}); err != nil {
			return err
		}
	}
	return c.done()
}

// report is what a person wants to see who is to help.
func report(c *call) error {
	c.say("Reporting server status of node %s ...", c.node())
	for _, name := range []string{"status", "cluster_status", "environment", "list_vhosts", "list_connections", "list_channels",
		"list_queues", "list_exchanges", "list_bindings", "list_policies", "list_parameters", "list_global_parameters"} {
		v, _ := verbNamed(name)
		part := *c
		part.invocation.verb, part.args = name, nil
		if slices.Contains([]string{"list_queues", "list_exchanges", "list_bindings"}, name) {
			all, _ := optionNamed("all")
			part.options = append(slices.Clone(c.options), given{all, "--all", "true"})
		}
		c.println("\n=== " + name)
		// What one user may not see is no reason to leave out the rest.
		if err := v.run(&part); err != nil {
			c.println("Error: " + err.Error())
		}
	}
	return nil
}
