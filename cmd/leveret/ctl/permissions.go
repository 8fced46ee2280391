package ctl

import (
	"net/http"
)

func permissionVerbs() []verb {
	scoped := "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]"
	ofUser := "[--no-table-headers] <username> [--timeout <timeout>]"
	return []verb{
		{name: "set_permissions", usage: "[--vhost <vhost>] <username> <conf> <write> <read>", about: "Sets user permissions for a vhost", least: 4, most: 4, run: setPermissions},
		{name: "clear_permissions", usage: "[--vhost <vhost>] <username>", about: "Revokes user permissions for a vhost", least: 1, most: 1, run: clearPermissions},
		{name: "list_permissions", usage: scoped, about: "Lists user permissions in a virtual host", run: rights("permissions", false)},
		{name: "list_user_permissions", usage: ofUser, about: "Lists permissions of a user across all virtual hosts", least: 1, most: 1, run: rights("permissions", true)},
		{name: "set_topic_permissions", usage: "[--vhost <vhost>] <username> <exchange> <write> <read>", about: "Sets user topic permissions for an exchange",
			least: 4, most: 4, run: setTopicPermissions},
		{name: "clear_topic_permissions", usage: "[--vhost <vhost>] <username> [<exchange>]", about: "Clears user topic permissions for a vhost or exchange",
			least: 1, most: 2, run: clearTopicPermissions},
		{name: "list_topic_permissions", usage: scoped, about: "Lists topic permissions in a virtual host", run: rights("topic-permissions", false)},
		{name: "list_user_topic_permissions", usage: ofUser, about: "Lists user topic permissions", least: 1, most: 1, run: rights("topic-permissions", true)},
	}
}

// missingEither finds out whether it was the user or the vhost that an answer did not
// find; nil: both are there.
func (c *call) missingEither(user string) error {
	err := c.get(pathOf("users", user), nil)
	if refusedWith(err, http.StatusNotFound) {
		return failed(exitNoUser, "User %s does not exist", user)
	}
	if err != nil {
		return err
	}
	err = c.get(pathOf("vhosts", c.vhost()), nil)
	if refusedWith(err, http.StatusNotFound) {
		return failed(exitUnavailable, "Virtual host %s does not exist", c.vhost())
	}
	return err
}

// settled ends a change of rights: an error that comes of a user or vhost that is not
// there is told as that; an answer of 404 is none if both are there, because what was
// to be cleared is not there then.
func (c *call) settled(err error, clearing bool) error {
	notFound, bad := refusedWith(err, http.StatusNotFound), refusedWith(err, http.StatusBadRequest)
	if notFound || bad {
		if missing := c.missingEither(c.args[0]); missing != nil {
			return missing
		}
	}
	if err != nil && !(notFound && clearing) {
		return err
	}
	return c.done()
}

func setPermissions(c *call) error {
	c.say("Setting permissions for user \"%s\" in vhost \"%s\" ...", c.args[0], c.vhost())
	return c.settled(c.put(pathOf("permissions", c.vhost(), c.args[0]),
		object{"configure": c.args[1], "write": c.args[2], "read": c.args[3]}), false)
}

func clearPermissions(c *call) error {
	c.say("Clearing permissions for user \"%s\" in vhost \"%s\" ...", c.args[0], c.vhost())
	return c.settled(c.delete(pathOf("permissions", c.vhost(), c.args[0])), true)
}

func setTopicPermissions(c *call) error {
	c.say("Setting topic permissions on \"%s\" for user \"%s\" in vhost \"%s\" ...", c.args[1], c.args[0], c.vhost())
	return c.settled(c.put(pathOf("topic-permissions", c.vhost(), c.args[0]),
		object{"exchange": c.args[1], "write": c.args[2], "read": c.args[3]}), false)
}

func clearTopicPermissions(c *call) error {
	path := pathOf("topic-permissions", c.vhost(), c.args[0])
	if len(c.args) > 1 {
		c.say("Clearing topic permissions on \"%s\" for user \"%s\" in vhost \"%s\" ...", c.args[1], c.args[0], c.vhost())
		path += pathOf(c.args[1])
	} else {
		c.say("Clearing topic permissions for user \"%s\" in vhost \"%s\" ...", c.args[0], c.vhost())
	}
	return c.settled(c.delete(path), true)
}

// rights lists permissions or topic-permissions of a vhost or of a user.
func rights(kind string, ofUser bool) func(*call) error {
	what, names := "permissions", []string{"configure", "write", "read"}
	if kind != "permissions" {
		what, names = "topic permissions", []string{"exchange", "write", "read"}
	}
	return func(c *call) error {
		subject, path := "user", pathOf("vhosts", c.vhost(), kind)
		if ofUser {
			subject, path = "vhost", pathOf("users", c.args[0], kind)
			c.announce("Listing %s for user \"%s\" ...", what, c.args[0])
		} else {
			c.announce("Listing %s for vhost \"%s\" ...", what, c.vhost())
		}
		var found []object
		err := c.get(path, &found)
		switch {
		case refusedWith(err, http.StatusNotFound) && ofUser:
			return missingUser(err, c.args[0], exitUnavailable)
		case refusedWith(err, http.StatusNotFound):
			return noVHost(c.vhost())
		case err != nil:
			return err
		}
		names := append([]string{subject}, names...)
		var rows [][]any
		for _, o := range found {
			var row []any
			for _, name := range names {
				row = append(row, o[name])
			}
			rows = append(rows, row)
		}
		return c.table(names, rows)
	}
}
