package ctl

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func limitVerbs() []verb {
	return []verb{
		{name: "set_vhost_limits", usage: "[--vhost <vhost>] <definition>", about: "Sets virtual host limits", least: 1, most: 1, run: setVHostLimits},
		{name: "clear_vhost_limits", usage: "[--vhost <vhost>]", about: "Clears virtual host limits", run: clearVHostLimits},
		{name: "list_vhost_limits", usage: "[--vhost <vhost>] [--global] [--no-table-headers]", about: "Displays configured virtual host limits",
			options: []string{"global"}, run: listVHostLimits},
		{name: "set_user_limits", usage: "<username> <definition>", about: "Sets user limits", least: 2, most: 2, run: setUserLimits},
		{name: "clear_user_limits", usage: "<username> <limit_type> | all", about: "Clears user connection/channel limits", least: 2, most: 2, run: clearUserLimits},
		{name: "list_user_limits", usage: "[--user <username>] [--global]", about: "Displays configured user limits",
			options: []string{"user", "global"}, run: listUserLimits},
	}
}

// limitNames are the limits that a user can have.
var limitNames = []string{"max-channels", "max-connections"}

// decodeJSON reads an argument that is JSON.
func decodeJSON(s string, into any) error {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	err := dec.Decode(into)
	if err == nil && dec.More() {
		err = errors.New("there is more after the value")
	}
	if err != nil {
		return failed(exitUnavailable, "JSON decoding error. Reason: %s", err)
	}
	return nil
}

func setVHostLimits(c *call) error {
	c.say("Setting vhost limits to \"%s\" for vhost \"%s\" ...", c.args[0], c.vhost())
	var limits object
	if err := decodeJSON(c.args[0], &limits); err != nil {
		return err
	}
	return c.putInVHost(pathOf("parameters", "vhost-limits", c.vhost(), "limits"), object{"value": limits})
}

func clearVHostLimits(c *call) error {
	c.say("Clearing vhost \"%s\" limits ...", c.vhost())
	return c.deleteParameter(pathOf("parameters", "vhost-limits", c.vhost(), "limits"))
}

// limits are those of a vhost or a user as the API lists them.
type limits struct {
	VHost string `json:"vhost"`
	User  string `json:"user"`
	Value object `json:"value"`
}

func (c *call) listLimits(column, path string, name func(limits) string) error {
	var found []limits
	if err := c.get(path, &found); err != nil {
		return err
	}
	var rows [][]any
	for _, l := range found {
		if len(l.Value) > 0 {
			rows = append(rows, []any{name(l), document{l.Value}})
		}
	}
	return c.table([]string{column, "limits"}, rows)
}

// oneLimits are the limits of one vhost or user, {} if it has none.
func (c *call) oneLimits(path string) (document, error) {
	var found []limits
	if err := c.get(path, &found); err != nil {
		return document{}, err
	}
	for _, l := range found {
		if l.Value != nil {
			return document{l.Value}, nil
		}
	}
	return document{object{}}, nil
}

func listVHostLimits(c *call) error {
	if c.has("global") {
		c.announce("Listing limits for all vhosts ...")
		return c.listLimits("vhost", "/vhost-limits", func(l limits) string { return l.VHost })
	}
	c.announce("Listing limits for vhost \"%s\" ...", c.vhost())
	one, err := c.oneLimits(pathOf("vhost-limits", c.vhost()))
	if refusedWith(err, http.StatusNotFound) {
		return noVHost(c.vhost())
	}
	if err != nil {
		return err
	}
	if c.format == formatJSON {
		return c.json(ordered{{"node", c.node()}, {"result", "ok"}, {"value", jsonValue(one, c.tool.script())}})
	}
	c.println(text(one))
	return nil
}

func listUserLimits(c *call) error {
	if c.has("global") {
		c.announce("Listing limits for all users ...")
		return c.listLimits("user", "/user-limits", func(l limits) string { return l.User })
	}
	name := cmpText(c.text("user"), "guest")
	c.announce("Listing limits for user \"%s\" ...", name)
	one, err := c.oneLimits(pathOf("user-limits", name))
	if err != nil {
		return missingUser(err, name, exitUnavailable)
	}
	if c.format == formatJSON && !c.tool.script() {
		return c.json(one.value)
	}
	return c.message("%s", text(one))
}

// setUserLimits looks at the whole of the definition before it sets the first limit,
// because the API takes one at a time.
func setUserLimits(c *call) error {
	c.say("Setting user limits to \"%s\" for user \"%s\" ...", c.args[1], c.args[0])
	var limits object
	if err := decodeJSON(c.args[1], &limits); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(limits))
	for _, name := range names {
		if !slices.Contains(limitNames, name) {
			return failed(exitUnavailable, "Unrecognised terms [{<<%q>>,%s}] in user-limits", name, erlang(limits[name]))
		}
		n, ok := limits[name].(json.Number)
		if _, err := n.Int64(); !ok || err != nil {
			return failed(exitUnavailable, "<<%q>> should be a number, actually was %s", name, erlang(limits[name]))
		}
	}
	if _, err := c.user(c.args[0], exitUnavailable); err != nil {
		return err
	}
	for _, name := range names {
		if err := c.put(pathOf("user-limits", c.args[0], name), object{"value": limits[name]}); err != nil {
			return err
		}
	}
	return c.done()
}

func clearUserLimits(c *call) error {
	name, limit := c.args[0], c.args[1]
	names := []string{limit}
	if limit == "all" {
		c.say("Clearing all limits for user \"%s\" ...", name)
		names = limitNames
	} else {
		c.say("Clearing \"%s\" limit for user \"%s\" ...", limit, name)
		if !slices.Contains(limitNames, limit) {
			return failed(exitData, "there is no limit %q of users: use one of %s, all", limit, strings.Join(limitNames, ", "))
		}
	}
	if _, err := c.user(name, exitUnavailable); err != nil {
		return err
	}
	for _, limit := range names {
		if err := c.delete(pathOf("user-limits", name, limit)); err != nil && !refusedWith(err, http.StatusNotFound) {
			return err
		}
	}
	return c.done()
}
