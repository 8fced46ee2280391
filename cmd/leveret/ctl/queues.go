package ctl

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

func queueVerbs() []verb {
	return []verb{
		{name: "purge_queue", usage: "<queue> [--vhost <vhost>] [--timeout <timeout>]", about: "Purges a queue (removes all messages in it)", least: 1, most: 1, run: purgeQueue},
		{name: "delete_queue", usage: "<queue_name> [--vhost <vhost>] [--if-empty|-e] [--if-unused|-u] [--timeout <timeout>]", about: "Deletes a queue",
			options: []string{"if-empty", "if-unused"}, least: 1, most: 1, run: deleteQueue},
	}
}

func purgeQueue(c *call) error {
	c.say("Purging queue '%s' in vhost '%s' ...", c.args[0], c.vhost())
	err := c.delete(pathOf("queues", c.vhost(), c.args[0], "contents"))
	if refusedWith(err, http.StatusNotFound) {
		return failed(exitUnavailable, "not_found")
	}
	if err != nil {
		return err
	}
	return c.done()
}

func deleteQueue(c *call) error {
	var conditions []string
	query := url.Values{}
	if c.has("if-empty") {
		conditions = append(conditions, "if queue is empty ")
		query.Set("if-empty", "true")
	}
	if c.has("if-unused") {
		conditions = append(conditions, "if queue is unused ")
		query.Set("if-unused", "true")
	}
	c.say("Deleting queue '%s' on vhost '%s' %s...", c.args[0], c.vhost(), strings.Join(conditions, "and "))
	path := pathOf("queues", c.vhost(), c.args[0])
	var queue struct {
		Ready json.Number `json:"messages_ready"`
	}
	err := c.get(path, &queue)
	if err == nil {
		if len(query) > 0 {
			path += "?" + query.Encode()
		}
		err = c.delete(path)
	}
	switch {
	case refusedWith(err, http.StatusNotFound):
		return failed(exitUsage, "Queue not found")
	case refusedWith(err, http.StatusBadRequest) && strings.HasSuffix(err.Error(), "not empty"):
		return failed(exitUsage, "Queue is not empty")
	case refusedWith(err, http.StatusBadRequest) && strings.HasSuffix(err.Error(), "in use"):
		return failed(exitUsage, "Queue is in use")
	case err != nil:
		return err
	}
	return c.message("Queue was successfully deleted with %s ready messages", cmpText(queue.Ready.String(), "0"))
}
