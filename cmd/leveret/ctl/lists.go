package ctl

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// listing is a list of the API's objects as a table.
type listing struct {
	banner  string // %s is the vhost if it is scoped
	path    string // below /api
	scoped  bool   // there is one for each vhost
	columns []column
	names   []string // of the columns if none are asked for
	keep    func(*call, object) bool
}

// listings are the lists in which columns are chosen.
func listings() map[string]listing {
	return map[string]listing{
		"list_queues": {banner: "Listing queues for vhost %s ...", path: "/queues", scoped: true, columns: queueColumns(),
			names: []string{"name", "messages"}, keep: availability},
		"list_exchanges": {banner: "Listing exchanges for vhost %s ...", path: "/exchanges", scoped: true, names: []string{"name", "type"},
			columns: append(columns("name", "type", "durable", "auto_delete", "internal", "policy", "vhost"), column{name: "arguments", value: table})},
		"list_bindings": {banner: "Listing bindings for vhost %s...", path: "/bindings", scoped: true,
			names: []string{"source_name", "source_kind", "destination_name", "destination_kind", "routing_key", "arguments"},
			columns: append(columns("routing_key", "vhost"), column{name: "source_name", path: "source"}, column{name: "destination_name", path: "destination"},
				column{name: "source_kind", path: "source", value: func(any, object) any { return "exchange" }},
				column{name: "destination_kind", path: "destination_type"}, column{name: "arguments", value: table})},
		"list_connections": {banner: "Listing connections ...", path: "/connections", columns: connectionColumns(), names: []string{"user", "peer_host", "peer_port", "state"}},
		"list_channels":    {banner: "Listing channels ...", path: "/channels", columns: channelColumns(), names: []string{"pid", "user", "consumer_count", "messages_unacknowledged"}},
		"list_consumers": {banner: "Listing consumers in vhost %s ...", path: "/consumers", scoped: true, columns: consumerColumns(),
			names: []string{"queue_name", "channel_pid", "consumer_tag", "ack_required", "prefetch_count", "active", "arguments"}},
		"list_vhosts": {banner: "Listing vhosts ...", path: "/vhosts", names: []string{"name"},
			columns: append(columns("name", "tracing", "description", "default_queue_type"), column{name: "tags", value: tags},
				column{name: "cluster_state", value: func(at any, _ object) any {
					states, _ := at.(object)
					var list words
					for node, state := range states {
						list = append(list, "{"+node+", "+text(state)+"}")
					}
					slices.Sort(list)
					return list
				}})},
		"list_feature_flags": {banner: "Listing feature flags ...", path: "/feature-flags", names: []string{"name", "state"},
			columns: columns("name", "state", "stability", "provided_by", "desc", "doc_url")},
	}
}

// columnsOf are the columns that a verb can list; none if it lists no columns.
func columnsOf(verb string) (names []string) {
	for _, c := range listings()[verb].columns {
		names = append(names, c.name)
	}
	slices.Sort(names)
	return names
}

func listVerbs() []verb {
	list := func(c *call) error { return c.list(listings()[c.verb]) }
	scoped := "[--vhost <vhost> | --all] [--no-table-headers] [<column> ...] [--timeout <timeout>]"
	plain := "[--no-table-headers] [<column> ...] [--timeout <timeout>]"
	return []verb{
		{name: "list_queues", usage: "[--vhost <vhost> | --all] [--online] [--offline] [--local] [--no-table-headers] [<column>, ...] [--timeout <timeout>]",
			about: "Lists queues and their properties", options: []string{"all", "online", "offline", "local"}, most: -1, patience: minute, run: list},
		{name: "list_exchanges", usage: scoped, about: "Lists exchanges", options: []string{"all"}, most: -1, patience: minute, run: list},
		{name: "list_bindings", usage: scoped, about: "Lists all bindings on a vhost", options: []string{"all"}, most: -1, patience: minute, run: list},
		{name: "list_connections", usage: plain, about: "Lists AMQP 0.9.1 connections for the node", most: -1, patience: minute, run: list},
		{name: "list_channels", usage: plain, about: "Lists all channels in the node", most: -1, patience: minute, run: list},
		{name: "list_consumers", usage: scoped, about: "Lists all consumers for a vhost", options: []string{"all"}, most: -1, patience: minute, run: list},
		{name: "list_feature_flags", usage: plain, about: "Lists feature flags", most: -1, patience: minute, run: list},
	}
}

// availability is what --online, --offline and --local of list_queues choose.
func availability(c *call, queue object) bool {
	up := queue["state"] != "down" && queue["state"] != "stopped"
	return c.has("online") == c.has("offline") || c.has("online") == up
}

// list prints a listing with the columns that the arguments name.
func (c *call) list(l listing) error {
	chosen, err := l.choose(c.args)
	if err != nil {
		return err
	}
	if l.scoped && c.has("all") && !slices.ContainsFunc(chosen, func(col column) bool { return col.name == "vhost" }) {
		vhost, _ := l.column("vhost")
		chosen = append([]column{vhost}, chosen...)
	}
	if limit := c.timeout(minute); c.verb == "list_queues" && limit > 0 {
		c.announce("Timeout: %.1f seconds ...", limit.Seconds())
	}
	path := l.path
	if l.scoped && !c.has("all") {
		c.announce(l.banner, c.vhost())
		path += pathOf(c.vhost())
	} else {
		c.announce("%s", strings.Replace(l.banner, " vhost %s", " all vhosts", 1))
	}
	var objects []object
	if err := c.get(path+l.query(chosen), &objects); err != nil {
		if l.scoped && refusedWith(err, http.StatusNotFound) {
			return noVHost(c.vhost())
		}
		return err
	}
	names, rows := make([]string, len(chosen)), [][]any{}
	for i, col := range chosen {
		names[i] = col.name
	}
	for _, o := range objects {
		if l.keep != nil && !l.keep(c, o) {
			continue
		}
		row := make([]any, len(chosen))
		for i, col := range chosen {
			row[i] = col.at(o)
		}
		rows = append(rows, row)
	}
	return c.table(names, rows)
}

// choose finds the columns that arguments name, several in one if there are commas.
func (l listing) choose(args []string) (chosen []column, err error) {
	var names, bad []string
	for _, arg := range args {
		for name := range strings.FieldsFuncSeq(arg, func(r rune) bool { return r == ',' || r == ' ' }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = l.names
	}
	for _, name := range names {
		if col, ok := l.column(name); ok {
			chosen = append(chosen, col)
		} else {
			bad = append(bad, name)
		}
	}
	if len(bad) > 0 {
		return nil, misused(exitUsage, "Info key(s) %s are not supported", printable(strings.Join(bad, ","), ""))
	}
	return chosen, nil
}

// query asks for what the columns need and no more.
func (l listing) query(chosen []column) string {
	var paths []string
	for _, col := range chosen {
		paths = append(paths, cmpText(col.path, col.name))
		paths = append(paths, col.also...)
	}
	if l.keep != nil {
		paths = append(paths, "state")
	}
	slices.Sort(paths)
	return "?columns=" + url.QueryEscape(strings.Join(slices.Compact(paths), ","))
}
