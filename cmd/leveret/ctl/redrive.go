package ctl

import (
	"encoding/json"
	"net/http"
)

func redriveVerbs() []verb {
	usage := "<queue> [--by queue|exchange] [--death first|last] [--rate <n>] [--limit <n>] [--to-queue <queue> | --to-exchange <exchange> [--to-key <key>]] [--no-wait] [--dry-run] " + filterUsage
	return []verb{
		{name: "redrive", usage: usage, about: "Sends dead letters back to where they died; --to-… is for those that have no such place any more",
			options: append([]string{"by", "death", "rate", "limit", "to-queue", "to-exchange", "to-key", "no-wait", "dry-run"}, filterOptions...),
			least:   1, most: 1, run: redrive},
		{name: "list_redrives", about: "Lists redrives that run or have run", patience: minute, run: listRedrives},
		{name: "cancel_redrive", usage: "<id>", about: "Ends a redrive, or forgets one that has ended", least: 1, most: 1, run: cancelRedrive},
	}
}

// job is a redrive as the API tells of it.
type job struct {
	ID       string `json:"id"`
	VHost    string `json:"vhost"`
	Queue    string `json:"queue"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Total    int64  `json:"total"`
	Scanned  int64  `json:"scanned"`
	Redriven int64  `json:"redriven"`
	Started  string `json:"started"`
	Targets  []struct {
		Queue    string      `json:"queue"`
		Exchange string      `json:"exchange"`
		Key      string      `json:"routing_key"`
		Messages json.Number `json:"messages"`
	} `json:"targets"`
	whole object
}

// UnmarshalJSON keeps the whole of a job beside what is looked at.
func (j *job) UnmarshalJSON(b []byte) error {
	type plain job
	if err := json.Unmarshal(b, (*plain)(j)); err != nil {
		return err
	}
	return decodeJSON(string(b), &j.whole)
}

func redrive(c *call) error {
	body, err := c.redriveBody()
	if err != nil {
		return err
	}
	var j job
	err = c.api.ask(c.ctx, http.MethodPost, "/leveret/queues"+pathOf(c.vhost(), c.args[0], "redrive"), body, &j)
	if err != nil {
		return c.absent(err, "Queue not found")
	}
	if c.has("no-wait") {
		return c.showJob(j)
	}
	if j, err = c.watch(j); err != nil {
		return err
	}
	if err := c.showJob(j); err != nil {
		return err
	}
	if j.State != "done" {
		return failed(exitUnavailable, "redrive %s is %s: %s", j.ID, j.State, cmpText(j.Reason, "it was ended by somebody"))
	}
	return nil
}

func (c *call) redriveBody() (object, error) {
	body, err := c.filtered()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"by", "death"} {
		if c.has(name) {
			body[name] = c.text(name)
		}
	}
	for _, name := range []string{"rate", "limit"} {
		if !c.has(name) {
			continue
		}
		if c.number(name, 0) < 0 {
			return nil, misused(exitUsage, "--%s must not be negative", name)
		}
		body[name] = c.number(name, 0)
	}
	if c.has("to-queue") || c.has("to-exchange") || c.has("to-key") {
		if body["fallback"], err = c.target("to-queue", "to-exchange", "to-key"); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// watch waits for the end of a job.
func (c *call) watch(j job) (job, error) {
	bar := c.bar("redriving "+j.Queue, max(j.Total, 1), false)
	defer bar.end()
	for j.State == "running" {
		bar.set(j.Scanned, j.Total)
		if !c.pause(pace) {
			return j, failed(exitTimeout, "redrive %s goes on: see list_redrives", j.ID)
		}
		next := job{}
		if err := c.get("/leveret/redrives"+pathOf(j.ID), &next); err != nil {
			return j, err
		}
		j = next
	}
	return j, nil
}

func (c *call) showJob(j job) error {
	if c.format == formatJSON {
		return c.json(j.whole)
	}
	verb := "Redriven"
	if c.has("dry-run") {
		verb = "Would redrive"
	}
	c.println(verb + " " + text(j.whole["redriven"]) + " of " + text(j.whole["scanned"]) + " messages" + losses(j.whole) +
		" (redrive " + j.ID + ", " + j.State + ")")
	var rows [][]any
	for _, t := range j.Targets {
		rows = append(rows, []any{t.Queue, t.Exchange, t.Key, t.Messages})
	}
	if rows == nil {
		return nil
	}
	return c.table([]string{"queue", "exchange", "routing_key", "messages"}, rows)
}

func listRedrives(c *call) error {
	c.announce("Listing redrives ...")
	var jobs []job
	if err := c.get("/leveret/redrives", &jobs); err != nil {
		return c.absent(err, "there are no redrives")
	}
	names := []string{"id", "vhost", "queue", "state", "dry_run", "started", "total", "scanned", "redriven", "unroutable", "refused", "no_origin", "user"}
	var rows [][]any
	for _, j := range jobs {
		var row []any
		for _, name := range names {
			row = append(row, j.whole[name])
		}
		rows = append(rows, row)
	}
	return c.table(names, rows)
}

func cancelRedrive(c *call) error {
	c.say("Cancelling redrive %s ...", c.args[0])
	err := c.delete("/leveret/redrives" + pathOf(c.args[0]))
	if err != nil {
		return c.absent(err, "there is no redrive %s", c.args[0])
	}
	return c.done()
}
