package ctl

import (
	"encoding/json"
	"net/http"
)

func policyVerbs() []verb {
	set := "[--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>"
	list := "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]"
	options := []string{"priority", "apply-to"}
	user := policies{path: "policies", set: "policy", clear: "policy", list: "policies"}
	operator := policies{path: "operator-policies", set: "operator policy override", clear: "operator policy", list: "operator policy overrides"}
	return []verb{
		{name: "set_policy", usage: set, about: "Sets or updates a policy", options: options, least: 3, most: 3, run: user.setOne},
		{name: "clear_policy", usage: "[--vhost <vhost>] <name>", about: "Clears (removes) a policy", least: 1, most: 1, run: user.clearOne},
		{name: "list_policies", usage: list, about: "Lists all policies in a virtual host", run: user.listAll},
		{name: "set_operator_policy", usage: set, about: "Sets an operator policy that overrides a subset of arguments in user policies", options: options, least: 3, most: 3, run: operator.setOne},
		{name: "clear_operator_policy", usage: "[--vhost <vhost>] <name>", about: "Clears an operator policy", least: 1, most: 1, run: operator.clearOne},
		{name: "list_operator_policies", usage: list, about: "Lists operator policy overrides for a virtual host", run: operator.listAll},
	}
}

// policies are one of the two kinds, and what the tools call it.
type policies struct{ path, set, clear, list string }

// policyBody is a policy as the API takes it, from three arguments and the options.
func (c *call) policyBody(pattern, definition string) (object, error) {
	var settings any
	if err := decodeJSON(definition, &settings); err != nil {
		return nil, err
	}
	return object{
		"pattern": pattern, "definition": settings,
		"priority": c.number("priority", 0), "apply-to": cmpText(c.text("apply-to"), "all"),
	}, nil
}

func (p policies) setOne(c *call) error {
	name, pattern, definition := c.args[0], c.args[1], c.args[2]
	c.say("Setting %s \"%s\" for pattern \"%s\" to \"%s\" with priority \"%d\" for vhost \"%s\" ...",
		p.set, name, pattern, definition, c.number("priority", 0), c.vhost())
	body, err := c.policyBody(pattern, definition)
	if err != nil {
		return err
	}
	return c.putInVHost(pathOf(p.path, c.vhost(), name), body)
}

func (p policies) clearOne(c *call) error {
	c.say("Clearing %s \"%s\" on vhost \"%s\" ...", p.clear, c.args[0], c.vhost())
	return c.deleteParameter(pathOf(p.path, c.vhost(), c.args[0]))
}

func (p policies) listAll(c *call) error {
	c.announce("Listing %s for vhost \"%s\" ...", p.list, c.vhost())
	var found []struct {
		VHost      string      `json:"vhost"`
		Name       string      `json:"name"`
		Pattern    string      `json:"pattern"`
		ApplyTo    string      `json:"apply-to"`
		Definition any         `json:"definition"`
		Priority   json.Number `json:"priority"`
	}
	if err := c.get(pathOf(p.path, c.vhost()), &found); err != nil {
		if refusedWith(err, http.StatusNotFound) {
			return noVHost(c.vhost())
		}
		return err
	}
	var rows [][]any
	for _, f := range found {
		rows = append(rows, []any{f.VHost, f.Name, f.Pattern, f.ApplyTo, document{f.Definition}, f.Priority})
	}
	return c.table([]string{"vhost", "name", "pattern", "apply-to", "definition", "priority"}, rows)
}

// putInVHost sends what is to be in a vhost, and ends the verb.
func (c *call) putInVHost(path string, body any) error {
	err := c.put(path, body)
	if refusedWith(err, http.StatusNotFound) {
		return noVHost(c.vhost())
	}
	if err != nil {
		return err
	}
	return c.done()
}

// deleteParameter takes away a parameter of any kind, and ends the verb.
func (c *call) deleteParameter(path string) error {
	err := c.delete(path)
	if refusedWith(err, http.StatusNotFound) {
		return failed(exitUnavailable, "Parameter does not exist")
	}
	if err != nil {
		return err
	}
	return c.done()
}
