package ctl

import (
	"net/http"
	"strings"
	"time"
)

func connectionVerbs() []verb {
	return []verb{
		{name: "close_connection", usage: "<connection pid | name> <explanation>", about: "Instructs the broker to close a connection", least: 2, most: 2, run: closeConnection},
		{name: "close_all_connections", usage: "[--vhost <vhost> | --global] [--limit <limit>] [--per-connection-delay <delay>] <explanation>",
			about:   "Instructs the broker to close all connections for the specified vhost or entire node",
			options: []string{"global", "limit", "per-connection-delay"}, least: 1, most: 1, run: closeAllConnections},
		{name: "close_all_user_connections", usage: "<username> <explanation>", about: "Instructs the broker to close all connections of the specified user",
			least: 2, most: 2, run: closeAllUserConnections},
	}
}

// connection is what is needed of one.
type connection struct {
	Name  string `json:"name"`
	VHost string `json:"vhost"`
	User  string `json:"user"`
}

func (c *call) connections(keep func(connection) bool) (kept []connection, err error) {
	var all []connection
	if err := c.get("/connections?columns=name,vhost,user", &all); err != nil {
		return nil, err
	}
	for _, one := range all {
		if keep(one) {
			kept = append(kept, one)
		}
	}
	return kept, nil
}

// shut closes a connection; one that has gone by itself is no error, but not counted.
func (c *call) shut(name, reason string) (closed bool, err error) {
	header := http.Header{"X-Reason": {headerText(reason)}}
	res, err := c.api.send(c.ctx, http.MethodDelete, pathOf("connections", name), nil, header)
	if err != nil {
		if refusedWith(err, http.StatusNotFound) {
			return false, nil
		}
		return false, err
	}
	return true, res.Body.Close()
}

// headerText makes a reason fit for a header, where a line cannot end.
func headerText(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
}

func closeConnection(c *call) error {
	wanted, reason := c.args[0], c.args[1]
	c.say("Closing connection %s, reason: %s...", wanted, reason)
	found, err := c.connections(func(one connection) bool { return one.Name == wanted || pidOf(one.Name) == wanted })
	if err != nil {
		return err
	}
	switch len(found) {
	case 0:
		return failed(exitUnavailable, "there is no connection %s: see the columns name and pid of list_connections", wanted)
	case 1:
	default:
		return failed(exitUnavailable, "there are %d connections %s: name one by its full name", len(found), wanted)
	}
	closed, err := c.shut(found[0].Name, reason)
	if err != nil {
		return err
	}
	if !closed {
		return failed(exitUnavailable, "connection %s has gone by itself", wanted)
	}
	return c.done()
}

func closeAllConnections(c *call) error {
	reason, limit := c.args[0], c.number("limit", 0)
	if limit < 0 || c.number("per-connection-delay", 0) < 0 {
		return misused(exitUsage, "--limit and --per-connection-delay must not be negative")
	}
	where := "in vhost " + c.vhost()
	if c.has("global") {
		where = "to node " + c.node() + " (across all vhosts)"
	}
	if limit > 0 {
		c.say("Closing %d connections %s, reason: %s...", limit, where, reason)
	} else {
		c.say("Closing all connections %s, reason: %s...", where, reason)
	}
	found, err := c.connections(func(one connection) bool { return c.has("global") || one.VHost == c.vhost() })
	if err != nil {
		return err
	}
	if limit > 0 && len(found) > limit {
		found = found[:limit]
	}
	n, err := c.shutAll(found, reason)
	if err != nil {
		return err
	}
	return c.message("Closed %d connections", n)
}

func closeAllUserConnections(c *call) error {
	c.say("Closing connections of user %s, reason: %s...", c.args[0], c.args[1])
	found, err := c.connections(func(one connection) bool { return one.User == c.args[0] })
	if err != nil {
		return err
	}
	if _, err := c.shutAll(found, c.args[1]); err != nil {
		return err
	}
	return c.done()
}

func (c *call) shutAll(list []connection, reason string) (closed int, err error) {
	delay := time.Duration(c.number("per-connection-delay", 0)) * time.Millisecond
	for i, one := range list {
		if i > 0 && delay > 0 && !c.pause(delay) {
			return closed, c.ctx.Err()
		}
		ok, err := c.shut(one.Name, reason)
		if err != nil {
			return closed, err
		}
		if ok {
			closed++
		}
	}
	return closed, nil
}
