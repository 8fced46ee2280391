package ctl

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// verb is something that can be done.
type verb struct {
	name  string
	usage string // what follows the name
	about string
	// options are the names of those in specials that it takes.
	options []string
	// least and most are how many arguments it takes; most -1: any number.
	least, most int
	// secret is the place, from 1, of an argument that is a password; 0: none is.
	secret int
	// fileFormat: --format is about the verb's file, not about what it prints.
	fileFormat bool
	// patience is the timeout if none is given; 0: no timeout.
	patience time.Duration
	run      func(*call) error
}

func (v verb) takes(name string) bool {
	return slices.ContainsFunc(globals, func(o option) bool { return o.name == name }) || slices.Contains(v.options, name)
}

// group is verbs under a heading of the help.
type group struct {
	heading string
	verbs   []verb
}

const minute = time.Minute

// groups are all verbs, under rabbitmqctl's headings.
func groups() []group {
	return []group{
		{"Help", helpVerbs()},
		{"Nodes", nodeVerbs()},
		{"Monitoring, observability and health checks", slices.Concat(statusVerbs(), listVerbs(), checkVerbs())},
		{"Users", userVerbs()},
		{"Access Control", permissionVerbs()},
		{"Virtual hosts", vhostVerbs()},
		{"Limits", limitVerbs()},
		{"Policies", policyVerbs()},
		{"Parameters", parameterVerbs()},
		{"Definitions", definitionVerbs()},
		{"Operations", slices.Concat(connectionVerbs(), queueVerbs())},
		{"Leveret's own", slices.Concat(messageVerbs(), redriveVerbs(), scheduledVerbs(), planVerbs(), backupVerbs())},
	}
}

func verbNamed(name string) (verb, bool) {
	for _, g := range groups() {
		if i := slices.IndexFunc(g.verbs, func(v verb) bool { return v.name == name }); i >= 0 {
			return g.verbs[i], true
		}
	}
	return verb{}, false
}

func verbNames() (names []string) {
	for _, g := range groups() {
		for _, v := range g.verbs {
			names = append(names, v.name)
		}
	}
	slices.Sort(names)
	return names
}

// unknown answers a verb that there is not. A verb of RabbitMQ's that has no meaning
// here is not a spelling mistake, and is told so.
func unknown(env Env, t tool, name string) int {
	if why, ok := unsupported[name]; ok {
		fmt.Fprintf(env.Stderr, "Error:\n%s: not supported by Leveret: %s\n", name, why)
		return exitUsage
	}
	fmt.Fprintf(env.Stderr, "\nCommand '%s' not found. \n", printable(name, ""))
	if near := nearest(name); near != "" {
		fmt.Fprintf(env.Stderr, "Did you mean '%s'? \n\n", near)
	} else {
		fmt.Fprintf(env.Stderr, "See '%s help' for all commands.\n\n", t)
	}
	return exitUsage
}

// nearest is the verb that is least different from a name, empty if all differ in
// more than a third of their letters.
func nearest(name string) (best string) {
	least := len(name)/3 + 1
	for _, v := range verbNames() {
		if d := distance(name, v, least); d < least {
			best, least = v, d
		}
	}
	return best
}

// distance is how many letters must be changed, added or taken away to make b of a;
// limit if it is at least that many.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return min(row[len(b)], limit)
}

// usageLine is how a verb is called.
func usageLine(t tool, v verb) string {
	return strings.TrimRight(fmt.Sprintf("%s [options] %s %s", t, v.name, v.usage), " ")
}
