package ctl

import (
	"net/url"
	"strconv"
)

func scheduledVerbs() []verb {
	return []verb{
		{name: "scheduled", usage: "list <exchange> [--limit <n>] [--payload <bytes>] | cancel <exchange> <id> ...",
			about: "Lists what a delaying exchange holds for later, or cancels some of it", options: []string{"limit", "payload"}, least: 2, most: -1, run: scheduled},
	}
}

func scheduled(c *call) error {
	switch what := c.args[0]; {
	case what == "list" && len(c.args) == 2:
		return c.listScheduled(c.args[1])
	case what == "cancel" && len(c.args) > 2:
		return c.cancelScheduled(c.args[1], c.args[2:])
	}
	return misused(exitUsage, "scheduled takes list and an exchange, or cancel, an exchange and ids")
}

func (c *call) listScheduled(exchange string) error {
	limit := c.number("limit", 50)
	if limit < 1 || c.number("payload", 0) < 0 {
		return misused(exitUsage, "--limit must be 1 or more, and --payload not negative")
	}
	var messages []object
	for len(messages) < limit {
		query := url.Values{"offset": {strconv.Itoa(len(messages))}, "limit": {strconv.Itoa(min(limit-len(messages), most))},
			"truncate": {strconv.Itoa(c.number("payload", 200))}}
		var page struct {
			Messages []object `json:"messages"`
		}
		err := c.get("/leveret/exchanges"+pathOf(c.vhost(), exchange, "scheduled")+"?"+query.Encode(), &page)
		if err != nil {
			return c.absent(err, "there is no exchange '%s' in vhost '%s' that delays messages", exchange, c.vhost())
		}
		if len(page.Messages) == 0 {
			break
		}
		messages = append(messages, page.Messages...)
	}
	if c.format == formatJSON {
		return c.json(append([]object{}, messages...))
	}
	var rows [][]any
	for _, m := range messages {
		rows = append(rows, []any{m["id"], m["due"], m["routing_key"], m["payload_bytes"], payloadOf(m)})
	}
	return c.table([]string{"id", "due", "routing_key", "bytes", "payload"}, rows)
}

func (c *call) cancelScheduled(exchange string, ids []string) error {
	for _, id := range ids {
		if _, err := strconv.ParseUint(id, 10, 64); err != nil {
			return misused(exitUsage, "%q is not the id of a message", id)
		}
	}
	for _, id := range ids {
		c.say("Cancelling message %s of exchange '%s' in vhost '%s' ...", id, exchange, c.vhost())
		err := c.delete("/leveret/exchanges" + pathOf(c.vhost(), exchange, "scheduled", id))
		if err != nil {
			return c.absent(err, "message %s is not there any more", id)
		}
	}
	return c.done()
}
