package ctl

import (
	"net/http"
	"strings"
)

func planVerbs() []verb {
	return []verb{
		{name: "routes", usage: "<exchange> <routing key> [--vhost <vhost>] [--header <name=value>]", about: "Says which queues a message would reach, and how",
			options: []string{"header"}, least: 2, most: 2, patience: minute, run: routes},
		{name: "policy_dry_run", usage: "<name> <pattern> <definition> [--priority <priority>] [--apply-to <apply-to>] [--operator] | <name> --delete [--operator]",
			about: "Says what a policy would change before it is set", options: []string{"priority", "apply-to", "operator", "delete"}, least: 1, most: 3, patience: minute, run: policyDryRun},
	}
}

func routes(c *call) error {
	exchange := cmpText(c.args[0], "amq.default")
	body := object{"routing_key": c.args[1]}
	if headers := c.headers(false); len(headers) > 0 {
		body["headers"] = headers
	}
	var answer struct {
		Queues []struct {
			Name string   `json:"name"`
			Via  []object `json:"via"`
		} `json:"queues"`
		HeldBy []object `json:"held_by"`
	}
	var whole object
	err := c.api.ask(c.ctx, http.MethodPost, "/leveret/exchanges"+pathOf(c.vhost(), exchange, "reach"), body, &whole)
	if err != nil {
		return c.absent(err, "there is no exchange '%s' in vhost '%s'", exchange, c.vhost())
	}
	if c.format == formatJSON {
		return c.json(whole)
	}
	again, err := compact(whole)
	if err != nil {
		return err
	}
	if err := decodeJSON(string(again), &answer); err != nil {
		return err
	}
	for _, h := range answer.HeldBy {
		c.say("Exchange %s would hold it until %s.", text(h["exchange"]), text(h["due"]))
	}
	if len(answer.Queues) == 0 {
		c.say("No queue would get it.")
		return nil
	}
	var rows [][]any
	for _, q := range answer.Queues {
		var steps []string
		for _, v := range q.Via {
			steps = append(steps, step(v))
		}
		rows = append(rows, []any{q.Name, strings.Join(steps, " > ")})
	}
	return c.table([]string{"queue", "via"}, rows)
}

// step is one binding on the way to a queue.
func step(via object) string {
	s := cmpText(text(via["exchange"]), "(default)") + " [" + text(via["binding_key"]) + "]"
	if via["alternate"] == true {
		s += " (alternate)"
	}
	return s
}

func policyDryRun(c *call) error {
	var body object
	switch {
	case c.has("delete") && len(c.args) == 1:
		body = object{"delete": true}
	case !c.has("delete") && len(c.args) == 3:
		var err error
		if body, err = c.policyBody(c.args[1], c.args[2]); err != nil {
			return err
		}
	default:
		return misused(exitUsage, "policy_dry_run takes a name, a pattern and a definition; or a name and --delete")
	}
	kind := "policies"
	if c.has("operator") {
		kind = "operator-policies"
	}
	var answer struct {
		Changes   []object `json:"changes"`
		Unchanged any      `json:"unchanged"`
		Matched   any      `json:"matched"`
	}
	err := c.api.ask(c.ctx, http.MethodPost, "/leveret"+pathOf(kind, c.vhost(), c.args[0], "dry-run"), body, &answer)
	if err != nil {
		return c.absent(err, "vhost '%s' or the policy in it does not exist", c.vhost())
	}
	if c.format == formatJSON {
		return c.json(ordered{{"changes", append([]object{}, answer.Changes...)}, {"unchanged", answer.Unchanged}, {"matched", answer.Matched}})
	}
	c.say("%d would change, %s match and stay as they are.", len(answer.Changes), text(answer.Unchanged))
	var rows [][]any
	for _, change := range answer.Changes {
		rows = append(rows, []any{change["kind"], change["name"], beforeAfter(change["policy"]), beforeAfter(change["operator_policy"]), beforeAfter(change["definition"])})
	}
	if rows == nil {
		return nil
	}
	return c.table([]string{"kind", "name", "policy", "operator_policy", "definition"}, rows)
}

// beforeAfter shows what something is and what it would be.
func beforeAfter(v any) any {
	m, _ := v.(object)
	before, after := text(shown(m["before"])), text(shown(m["after"]))
	if before == after {
		return before
	}
	return cmpText(before, "none") + " -> " + cmpText(after, "none")
}
