package ctl

import (
	"net/http"
	"strings"
)

func vhostVerbs() []verb {
	return []verb{
		{name: "list_vhosts", usage: "[--no-table-headers] [<column> ...] [--timeout <timeout>]", about: "Lists virtual hosts", most: -1, patience: minute,
			run: func(c *call) error { return c.list(listings()["list_vhosts"]) }},
		{name: "add_vhost", usage: "<vhost> [--description <description> --tags \"<tag1>,<tag2>,<...>\" --default-queue-type <quorum|classic|stream>]",
			about: "Creates a virtual host", options: []string{"description", "tags", "default-queue-type"}, least: 1, most: 1, run: addVHost},
		{name: "delete_vhost", usage: "<vhost>", about: "Deletes a virtual host", least: 1, most: 1, run: deleteVHost},
		{name: "set_vhost_tags", usage: "<vhost> <tag> [...]", about: "Sets virtual host tags", least: 1, most: -1, run: setVHostTags},
		{name: "trace_on", usage: "[--vhost <vhost>]", about: "Publishes a copy of each message to amq.rabbitmq.trace", run: trace(true)},
		{name: "trace_off", usage: "[--vhost <vhost>]", about: "Ends what trace_on began", run: trace(false)},
	}
}

func addVHost(c *call) error {
	name := c.args[0]
	c.say("Adding vhost \"%s\" ...", name)
	switch err := c.get(pathOf("vhosts", name), nil); {
	case err == nil:
		// As rabbitmqctl has it: what is there stays as it is.
		return c.done()
	case !refusedWith(err, http.StatusNotFound):
		return err
	}
	body := object{}
	for option, member := range map[string]string{"description": "description", "tags": "tags", "default-queue-type": "default_queue_type"} {
		if c.has(option) {
			body[member] = c.text(option)
		}
	}
	if err := c.put(pathOf("vhosts", name), body); err != nil {
		return err
	}
	return c.done()
}

func deleteVHost(c *call) error {
	c.say("Deleting vhost \"%s\" ...", c.args[0])
	err := c.delete(pathOf("vhosts", c.args[0]))
	if refusedWith(err, http.StatusNotFound) {
		return noVHost(c.args[0])
	}
	if err != nil {
		return err
	}
	return c.done()
}

// changeVHost puts a vhost again with a change: it must be there, because a PUT would
// make it, and what the body does not name would be emptied.
func (c *call) changeVHost(name string, change object, missing error) error {
	var v struct {
		Description string `json:"description"`
		Tags        any    `json:"tags"`
		QueueType   string `json:"default_queue_type"`
		Tracing     bool   `json:"tracing"`
	}
	err := c.get(pathOf("vhosts", name), &v)
	if refusedWith(err, http.StatusNotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	body := object{"description": v.Description, "tags": strings.Join(tags(v.Tags, nil).(words), ","), "tracing": v.Tracing}
	if v.QueueType != "" && v.QueueType != "undefined" {
		body["default_queue_type"] = v.QueueType
	}
	for name, value := range change {
		body[name] = value
	}
	return c.put(pathOf("vhosts", name), body)
}

func setVHostTags(c *call) error {
	name, list := c.args[0], c.args[1:]
	c.say("Setting tags for virtual host \"%s\" to [%s] ...", name, strings.Join(list, ", "))
	missing := failed(exitData, "Virtual host \"%s\" does not exist", name)
	if err := c.changeVHost(name, object{"tags": strings.Join(list, ",")}, missing); err != nil {
		return err
	}
	return c.done()
}

func trace(on bool) func(*call) error {
	doing, done := "Starting", "enabled"
	if !on {
		doing, done = "Stopping", "disabled"
	}
	return func(c *call) error {
		c.say("%s tracing for vhost \"%s\" ...", doing, c.vhost())
		if err := c.changeVHost(c.vhost(), object{"tracing": on}, noVHost(c.vhost())); err != nil {
			return err
		}
		return c.message("Trace %s for vhost %s", done, c.vhost())
	}
}
