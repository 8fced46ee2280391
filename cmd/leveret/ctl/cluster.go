package ctl

import (
	"encoding/json"
	"fmt"
	"strings"
)

// nodeOf is what is needed of the API's node.
type nodeOf struct {
	Name          string      `json:"name"`
	PID           string      `json:"os_pid"`
	Uptime        json.Number `json:"uptime"` // ms
	MemUsed       json.Number `json:"mem_used"`
	MemLimit      json.Number `json:"mem_limit"`
	DiskFree      json.Number `json:"disk_free"`
	DiskFreeLimit json.Number `json:"disk_free_limit"`
	FDUsed        json.Number `json:"fd_used"`
	FDTotal       json.Number `json:"fd_total"`
	SocketsUsed   json.Number `json:"sockets_used"`
	SocketsTotal  json.Number `json:"sockets_total"`
	ProcUsed      json.Number `json:"proc_used"`
	ProcTotal     json.Number `json:"proc_total"`
	DataDir       string      `json:"db_dir"`
	ConfigFiles   []string    `json:"config_files"`
	LogFiles      []string    `json:"log_files"`
	Plugins       []string    `json:"enabled_plugins"`
}

// section is a part of an answer for people.
type section struct {
	title string
	lines []string
}

func (c *call) sections(list []section) {
	for i, s := range list {
		if i > 0 {
			c.println("")
		}
		c.println(s.title + "\n")
		if len(s.lines) == 0 {
			c.println("(none)")
		}
		for _, line := range s.lines {
			c.println(line)
		}
	}
}

func bullets(list []string) (lines []string) {
	for _, e := range list {
		lines = append(lines, " * "+e)
	}
	return lines
}

func status(c *call) error {
	if err := c.checkUnit(); err != nil {
		return err
	}
	c.announce("Status of node %s ...", c.node())
	o, err := c.overview()
	if err != nil {
		return err
	}
	var n nodeOf
	if err := c.get(pathOf("nodes", o.Node), &n); err != nil {
		return err
	}
	raised, err := c.alarms()
	if err != nil {
		return err
	}
	var vhosts []struct{}
	if err := c.get("/vhosts?columns=name", &vhosts); err != nil {
		return err
	}
	if c.format == formatJSON {
		return c.json(statusJSON(o, n, raised, len(vhosts)))
	}
	var alarms, sockets []string
	for _, a := range raised {
		alarms = append(alarms, a.String())
	}
	for _, l := range o.Listeners {
		sockets = append(sockets, l.String())
	}
	c.sections([]section{
		{"Runtime", runtimeLines(o, n)},
		{"Plugins", bullets(n.Plugins)},
		{"Data directory", []string{"Node data directory: " + n.DataDir}},
		{"Config files", bullets(n.ConfigFiles)},
		{"Log file(s)", bullets(n.LogFiles)},
		{"Alarms", alarms},
		{"Memory", []string{"Total memory used: " + c.inUnit(n.MemUsed), "Memory high watermark setting: computed to: " + c.inUnit(n.MemLimit)}},
		{"File Descriptors", []string{fmt.Sprintf("Total: %s, limit: %s", n.FDUsed, n.FDTotal), fmt.Sprintf("Sockets: %s, limit: %s", n.SocketsUsed, n.SocketsTotal)}},
		{"Free Disk Space", []string{"Low free disk space watermark: " + c.inUnit(n.DiskFreeLimit), "Free disk space: " + c.inUnit(n.DiskFree)}},
		{"Totals", []string{"Connection count: " + o.Totals["connections"].String(), "Queue count: " + o.Totals["queues"].String(),
			fmt.Sprintf("Virtual host count: %d", len(vhosts))}},
		{"Listeners", sockets},
	})
	return nil
}

func runtimeLines(o overviewOf, n nodeOf) []string {
	lines := []string{"OS PID: " + n.PID, fmt.Sprintf("Uptime (seconds): %d", seconds(n.Uptime)), "RabbitMQ version: " + o.Version}
	if o.Product != "" && o.Product != "RabbitMQ" {
		lines = append(lines, "Product: "+o.Product+" "+o.ProductVer)
	}
	return append(lines, "Node name: "+o.Node, "Erlang configuration: "+o.ErlangFull,
		fmt.Sprintf("Erlang processes: %s used, %s limit", n.ProcUsed, n.ProcTotal))
}

func seconds(ms json.Number) int64 {
	n, _ := ms.Int64()
	return n / 1000
}

func statusJSON(o overviewOf, n nodeOf, raised []alarm, vhosts int) ordered {
	list := func(l []string) []string { return append([]string{}, l...) }
	return ordered{
		{"active_plugins", list(n.Plugins)},
		{"alarms", append([]alarm{}, raised...)},
		{"config_files", list(n.ConfigFiles)},
		{"data_directory", n.DataDir},
		{"disk_free", n.DiskFree},
		{"disk_free_limit", n.DiskFreeLimit},
		{"erlang_version", o.ErlangFull},
		{"file_descriptors", ordered{{"sockets_limit", n.SocketsTotal}, {"sockets_used", n.SocketsUsed}, {"total_limit", n.FDTotal}, {"total_used", n.FDUsed}}},
		{"is_under_maintenance", false},
		{"listeners", listenersJSON(o.Listeners)},
		{"log_files", list(n.LogFiles)},
		{"memory", ordered{{"total", ordered{{"rss", n.MemUsed}}}}},
		{"pid", json.Number(cmpText(n.PID, "0"))},
		{"processes", ordered{{"limit", n.ProcTotal}, {"used", n.ProcUsed}}},
		{"product_name", o.Product},
		{"product_version", o.ProductVer},
		{"rabbitmq_version", o.Version},
		{"totals", ordered{{"virtual_host_count", vhosts}, {"connection_count", o.Totals["connections"]}, {"queue_count", o.Totals["queues"]}}},
		{"uptime", seconds(n.Uptime)},
		{"vm_memory_high_watermark_limit", n.MemLimit},
	}
}

func clusterStatus(c *call) error {
	c.announce("Cluster status of node %s ...", c.node())
	o, err := c.overview()
	if err != nil {
		return err
	}
	raised, err := c.alarms()
	if err != nil {
		return err
	}
	var flags []object
	if err := c.get("/feature-flags", &flags); err != nil {
		return err
	}
	node := cmpText(o.Node, c.node())
	product := cmpText(o.Product, "RabbitMQ")
	if c.format == formatJSON {
		return c.json(ordered{
			{"alarms", append([]alarm{}, raised...)}, {"cluster_name", o.Cluster}, {"disk_nodes", []string{node}},
			{"feature_flags", append([]object{}, flags...)}, {"listeners", ordered{{node, listenersJSON(o.Listeners)}}},
			{"maintenance_status", ordered{{node, "not under maintenance"}}}, {"partitions", object{}}, {"ram_nodes", []string{}},
			{"running_nodes", []string{node}},
			{"versions", ordered{{node, ordered{{"erlang_version", o.Erlang}, {"rabbitmq_name", product}, {"rabbitmq_version", o.Version}}}}},
		})
	}
	var alarms, sockets, states []string
	for _, a := range raised {
		alarms = append(alarms, a.String())
	}
	for _, l := range o.Listeners {
		line := strings.Replace(l.String(), "Interface", "interface", 1)
		sockets = append(sockets, "Node: "+node+", "+line)
	}
	for _, f := range flags {
		states = append(states, fmt.Sprintf("Flag: %s, state: %s", text(f["name"]), text(f["state"])))
	}
	c.sections([]section{
		{"Basics", []string{"Cluster name: " + o.Cluster}},
		{"Disk Nodes", []string{node}},
		{"Running Nodes", []string{node}},
		{"Versions", []string{fmt.Sprintf("%s: %s %s on Erlang %s", node, product, o.Version, o.Erlang)}},
		{"Maintenance status", []string{"Node: " + node + ", status: not under maintenance"}},
		{"Alarms", alarms},
		{"Network Partitions", nil},
		{"Listeners", sockets},
		{"Feature flags", states},
	})
	return nil
}
