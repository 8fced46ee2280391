package ctl

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// filterOptions choose messages.
var filterOptions = []string{"exchange", "routing-key", "match-key", "header", "older", "state"}

const filterUsage = "[--exchange <exchange>] [--routing-key <key>] [--match-key <regex>] [--header <name[=value]>] [--older <age>] [--state <state>]"

func messageVerbs() []verb {
	choice := append([]string{"id", "all", "limit", "dry-run"}, filterOptions...)
	target := append([]string{"to-queue", "to-exchange", "to-key"}, choice...)
	chosen := "[--id <id>] [--all] [--limit <n>] [--dry-run] " + filterUsage
	to := "<queue> --to-queue <queue> | --to-exchange <exchange> [--to-key <key>] " + chosen
	return []verb{
		{name: "browse", usage: "<queue> [--limit <n>] [--payload <bytes>] " + filterUsage, about: "Shows messages of a queue without taking them, those of consumers too",
			options: append([]string{"limit", "payload"}, filterOptions...), least: 1, most: 1, patience: minute, run: browse},
		{name: "move", usage: to, about: "Moves messages out of a queue", options: target, least: 1, most: 1, run: transfer("move", "moved")},
		{name: "copy", usage: to, about: "Copies messages of a queue", options: target, least: 1, most: 1, run: transfer("copy", "copied")},
		{name: "delete_messages", usage: "<queue> " + chosen, about: "Deletes messages of a queue", options: choice, least: 1, most: 1, run: transfer("delete", "deleted")},
	}
}

// filter is the filter of the options as a body has it; nil if there is none.
func (c *call) filter() (object, error) {
	f := object{}
	for option, name := range map[string]string{"exchange": "exchange", "routing-key": "routing_key", "match-key": "routing_key_pattern", "state": "state"} {
		if c.has(option) {
			f[name] = c.text(option)
		}
	}
	if headers := c.headers(true); len(headers) > 0 {
		f["headers"] = headers
	}
	age, err := c.older()
	if err != nil {
		return nil, err
	}
	if age > 0 {
		f["age_min_ms"] = age.Milliseconds()
	}
	if len(f) == 0 {
		return nil, nil
	}
	return f, nil
}

func (c *call) older() (time.Duration, error) {
	given := c.text("older")
	if given == "" {
		return 0, nil
	}
	age, err := time.ParseDuration(given)
	if err != nil || age <= 0 {
		return 0, misused(exitUsage, "--older must be an age such as 90s or 2h, and is %q", given)
	}
	return age, nil
}

// headers are the headers of the options. A value that is a number, true or false is
// that, and text in quotes is text. A name without a value stands for any value.
func (c *call) headers(any bool) object {
	headers := object{}
	for _, given := range c.all("header") {
		name, value, has := strings.Cut(given, "=")
		if has || !any {
			headers[name] = plain(value)
		} else {
			headers[name] = nil
		}
	}
	return headers
}

func plain(s string) any {
	var v any
	if decodeJSON(s, &v) == nil {
		switch v.(type) {
		case json.Number, bool, string:
			return v
		}
	}
	return s
}

// most is the most messages of one page.
const most = 500

func browse(c *call) error {
	limit := c.number("limit", 50)
	if limit < 1 || c.number("payload", 0) < 0 {
		return misused(exitUsage, "--limit must be 1 or more, and --payload not negative")
	}
	query, err := c.browseQuery()
	if err != nil {
		return err
	}
	var messages []object
	for len(messages) < limit {
		query.Set("limit", strconv.Itoa(min(limit-len(messages), most)))
		var page struct {
			Messages []object `json:"messages"`
			Next     string   `json:"next_cursor"`
		}
		err := c.get("/leveret/queues"+pathOf(c.vhost(), c.args[0], "messages")+"?"+query.Encode(), &page)
		if err != nil {
			return c.absent(err, "Queue not found")
		}
		messages = append(messages, page.Messages...)
		if page.Next == "" {
			break
		}
		query.Set("cursor", page.Next)
	}
	return c.showMessages(messages)
}

func (c *call) browseQuery() (url.Values, error) {
	query := url.Values{"truncate": {strconv.Itoa(c.number("payload", 200))}}
	for option, name := range map[string]string{"exchange": "exchange", "routing-key": "routing_key", "match-key": "routing_key_pattern", "state": "state"} {
		if c.has(option) {
			query.Set(name, c.text(option))
		}
	}
	for _, given := range c.all("header") {
		// A query spells name and value with a colon between them.
		query.Add("header", strings.Replace(given, "=", ":", 1))
	}
	age, err := c.older()
	if age > 0 {
		query.Set("age_min_ms", strconv.FormatInt(age.Milliseconds(), 10))
	}
	return query, err
}

func (c *call) showMessages(messages []object) error {
	if c.format == formatJSON {
		return c.json(append([]object{}, messages...))
	}
	names := []string{"id", "state", "age", "exchange", "routing_key", "bytes", "redelivered", "owner", "payload"}
	var rows [][]any
	for _, m := range messages {
		rows = append(rows, []any{m["id"], m["state"], ageOf(m), m["exchange"], m["routing_key"], m["payload_bytes"], m["redelivered"], ownerOf(m), payloadOf(m)})
	}
	return c.table(names, rows)
}

// ageOf is how long a message is there; for one that waits for its time, when that
// comes.
func ageOf(m object) any {
	if due, ok := m["due"].(string); ok {
		return "due " + due
	}
	ms, ok := m["age_ms"].(json.Number)
	n, err := ms.Int64()
	if !ok || err != nil {
		return nil
	}
	return (time.Duration(n) * time.Millisecond).Truncate(time.Second).String()
}

func ownerOf(m object) any {
	owner, ok := m["owner"].(object)
	if !ok {
		return nil
	}
	if owner["get"] == true {
		return "basic.get"
	}
	return fmt.Sprintf("%s (%s) %s", text(owner["connection"]), text(owner["channel"]), text(owner["consumer_tag"]))
}

func payloadOf(m object) any {
	payload, _ := m["payload"].(string)
	if m["payload_encoding"] == "base64" {
		payload = "base64:" + payload
	}
	if m["payload_truncated"] == true {
		payload += ellipsis
	}
	return payload
}

// target is where messages go.
func (c *call) target(queue, exchange, key string) (object, error) {
	to := object{}
	if c.has(queue) {
		to["queue"] = c.text(queue)
	}
	if c.has(exchange) {
		to["exchange"] = c.text(exchange)
		if c.has(key) {
			to["routing_key"] = c.text(key)
		}
	} else if c.has(key) {
		return nil, misused(exitUsage, "--%s goes with --%s", key, exchange)
	}
	if c.has(queue) == c.has(exchange) {
		return nil, misused(exitUsage, "one of --%s and --%s must be given", queue, exchange)
	}
	return to, nil
}

// transfer is what moves, copies or deletes messages.
func transfer(action, done string) func(*call) error {
	return func(c *call) error {
		body, err := c.chosen()
		if err != nil {
			return err
		}
		if action != "delete" {
			if body["to"], err = c.target("to-queue", "to-exchange", "to-key"); err != nil {
				return err
			}
		}
		var result object
		err = c.api.ask(c.ctx, http.MethodPost, "/leveret/queues"+pathOf(c.vhost(), c.args[0], "messages", action), body, &result)
		if err != nil {
			return c.absent(err, "Queue not found, or what messages are to go to")
		}
		if c.format == formatJSON {
			return c.json(result)
		}
		would := ""
		if c.has("dry-run") {
			would = " (nothing was done: --dry-run)"
		}
		return c.message("%s of %s matching messages %s%s%s", cmpText(text(result[done]), "0"), text(result["matched"]), done, losses(result), would)
	}
}

// losses are the messages that were left where they were, and why.
func losses(result object) string {
	var parts []string
	for _, name := range []string{"unroutable", "refused", "duplicates", "forbidden", "gone", "no_origin"} {
		if n := text(result[name]); n != "" && n != "0" {
			parts = append(parts, n+" "+strings.ReplaceAll(name, "_", " "))
		}
	}
	if parts == nil {
		return ""
	}
	return ", left: " + strings.Join(parts, ", ")
}

// filtered is the beginning of a body: for which messages, and whether it is meant.
func (c *call) filtered() (object, error) {
	body := object{"dry_run": c.has("dry-run")}
	f, err := c.filter()
	if err != nil {
		return nil, err
	}
	if f != nil {
		body["filter"] = f
	}
	return body, nil
}

// chosen is a body with the messages that options choose. All of them must be meant
// expressly.
func (c *call) chosen() (object, error) {
	body, err := c.filtered()
	if err != nil {
		return nil, err
	}
	var ids []json.Number
	for _, id := range c.all("id") {
		if _, err := strconv.ParseUint(id, 10, 64); err != nil {
			return nil, misused(exitUsage, "--id must be the number that browse shows, and is %q", id)
		}
		ids = append(ids, json.Number(id))
	}
	if ids != nil {
		body["ids"] = ids
	}
	if c.has("all") {
		body["all"] = true
	}
	if body["filter"] == nil && ids == nil && !c.has("all") {
		return nil, misused(exitUsage, "say which messages: by a filter, by --id, or --all")
	}
	if c.has("limit") {
		if c.number("limit", 0) < 1 {
			return nil, misused(exitUsage, "--limit must be 1 or more")
		}
		body["limit"] = c.number("limit", 0)
	}
	return body, nil
}

// absent puts an answer of 404 of an endpoint of Leveret's own into words: other brokers
// have no such endpoint.
func (c *call) absent(err error, text string, args ...any) error {
	if !refusedWith(err, http.StatusNotFound) {
		return err
	}
	if refusedWith(c.get("/leveret/openapi.json", nil), http.StatusNotFound) {
		return failed(exitUnavailable, "%s: not supported by this broker: it needs a Leveret that has /api/leveret", c.verb)
	}
	return failed(exitUnavailable, text, args...)
}
