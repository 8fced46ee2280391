package ctl

import (
	"encoding/json"
	"net/http"
)

func parameterVerbs() []verb {
	return []verb{
		{name: "set_parameter", usage: "[--vhost <vhost>] <component_name> <name> <value>", about: "Sets a runtime parameter", least: 3, most: 3, run: setParameter},
		{name: "clear_parameter", usage: "[--vhost <vhost>] <component_name> <name>", about: "Clears a runtime parameter", least: 2, most: 2, run: clearParameter},
		{name: "list_parameters", usage: "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]", about: "Lists runtime parameters for a virtual host", run: listParameters},
		{name: "set_global_parameter", usage: "<name> <value>", about: "Sets a global runtime parameter", least: 2, most: 2, run: setGlobalParameter},
		{name: "clear_global_parameter", usage: "<name>", about: "Clears a global runtime parameter", least: 1, most: 1, run: clearGlobalParameter},
		{name: "list_global_parameters", usage: "[--no-table-headers] [--timeout <timeout>]", about: "Lists global runtime parameters", run: listGlobalParameters},
		{name: "set_cluster_name", usage: "<name>", about: "Sets the cluster name", least: 1, most: 1, run: setClusterName},
	}
}

func setParameter(c *call) error {
	component, name, value := c.args[0], c.args[1], c.args[2]
	c.say("Setting runtime parameter \"%s\" for component \"%s\" to \"%s\" in vhost \"%s\" ...", name, component, value, c.vhost())
	var v any
	if err := decodeJSON(value, &v); err != nil {
		return err
	}
	return c.putInVHost(pathOf("parameters", component, c.vhost(), name), object{"value": v})
}

func clearParameter(c *call) error {
	c.say("Clearing runtime parameter \"%s\" for component \"%s\" on vhost \"%s\" ...", c.args[1], c.args[0], c.vhost())
	return c.deleteParameter(pathOf("parameters", c.args[0], c.vhost(), c.args[1]))
}

// parameter is one as the API lists it; the order of what is in it is kept.
type parameter struct {
	VHost     string          `json:"vhost"`
	Component string          `json:"component"`
	Name      string          `json:"name"`
	Value     json.RawMessage `json:"value"`
}

func listParameters(c *call) error {
	c.announce("Listing runtime parameters for vhost \"%s\" ...", c.vhost())
	var found []parameter
	if err := c.get("/parameters", &found); err != nil {
		return err
	}
	var rows [][]any
	for _, p := range found {
		if p.VHost == c.vhost() {
			rows = append(rows, []any{p.Component, p.Name, document{p.Value}})
		}
	}
	if rows == nil {
		err := c.get(pathOf("vhosts", c.vhost()), nil)
		if refusedWith(err, http.StatusNotFound) {
			return noVHost(c.vhost())
		}
		// Who may list parameters need not be allowed to look at vhosts.
	}
	return c.table([]string{"component", "name", "value"}, rows)
}

func setGlobalParameter(c *call) error {
	name, value := c.args[0], c.args[1]
	c.say("Setting global runtime parameter \"%s\" to \"%s\" ...", name, value)
	var v any
	if err := decodeJSON(value, &v); err != nil {
		return err
	}
	if err := c.put(pathOf("global-parameters", name), object{"name": name, "value": v}); err != nil {
		return err
	}
	return c.done()
}

func clearGlobalParameter(c *call) error {
	c.say("Clearing global runtime parameter \"%s\" ...", c.args[0])
	return c.deleteParameter(pathOf("global-parameters", c.args[0]))
}

func listGlobalParameters(c *call) error {
	c.announce("Listing global runtime parameters ...")
	var found []parameter
	if err := c.get("/global-parameters", &found); err != nil {
		return err
	}
	var rows [][]any
	for _, p := range found {
		rows = append(rows, []any{p.Name, document{p.Value}})
	}
	return c.table([]string{"name", "value"}, rows)
}

func setClusterName(c *call) error {
	c.say("Setting cluster name to %s ...", c.args[0])
	if err := c.put("/cluster-name", object{"name": c.args[0]}); err != nil {
		return err
	}
	return c.done()
}
