package ctl

import (
	"fmt"
	"strings"
)

func helpVerbs() []verb {
	return []verb{
		{name: "help", usage: "[<command>]", about: "Displays usage information for a command", most: 1},
		{name: "version", about: "Displays the version of this program", run: func(c *call) error {
			version := cmpText(c.env.Version, "unknown")
			if c.format == formatJSON {
				return c.json(ordered{{"node", c.node()}, {"result", "ok"}, {"value", ordered{{"version", version}}}})
			}
			c.println(version)
			return nil
		}},
		{name: "completion", usage: "bash | zsh | fish", about: "Prints a script that makes a shell complete leveret's commands", least: 1, most: 1, run: completion},
	}
}

// help answers help and --help.
func help(env Env, t tool, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(env.Stdout, overview(t))
		return exitOK
	}
	v, ok := verbNamed(args[0])
	if !ok {
		return unknown(env, t, args[0])
	}
	fmt.Fprintf(env.Stdout, "\nUsage\n\n%s\n\n%s.\n", usageLine(t, v), strings.TrimRight(v.about, "."))
	if columns := columnsOf(v.name); len(columns) > 0 {
		fmt.Fprintf(env.Stdout, "\nColumns\n\n%s\n", strings.Join(columns, ", "))
	}
	if len(v.options) > 0 {
		fmt.Fprint(env.Stdout, "\nOptions\n\n")
		for _, name := range v.options {
			o, _ := optionNamed(name)
			fmt.Fprint(env.Stdout, optionLine(o))
		}
	}
	fmt.Fprint(env.Stdout, globalHelp())
	return exitOK
}

func optionLine(o option) string {
	name := "--" + o.name
	if o.short != 0 {
		name += ", -" + string(rune(o.short))
	}
	if o.kind != flagOption {
		name += " <value>"
	}
	return fmt.Sprintf("  %-30s  %s\n", name, o.about)
}

func globalHelp() string {
	var b strings.Builder
	b.WriteString("\nGeneral options\n\n")
	for _, o := range globals {
		b.WriteString(optionLine(o))
	}
	b.WriteString(`
Environment

  LEVERET_CTL_URI                 URI of the management API if --uri is not given
  LEVERET_CTL_PASSWORD            password if the URI has none
  LEVERET_DEFAULT_USER, _PASS     user and password if neither names them; else RABBITMQ_DEFAULT_USER,
                                  _PASS; else guest

Exit codes: 0 done, 64 wrong usage, 65 wrong argument, 67 no such user, 69 failed or not reachable,
70 fault, 73 file cannot be made, 75 timed out, 77 not allowed
`)
	return b.String()
}

// overview lists the verbs.
func overview(t tool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nUsage\n\n%s [--uri <uri>] [--timeout <timeout>] [--quiet] <command> [<command options>]\n\nAvailable commands:\n", t)
	width := 0
	for _, name := range verbNames() {
		width = max(width, len(name))
	}
	for _, g := range groups() {
		fmt.Fprintf(&b, "\n%s:\n\n", g.heading)
		for _, v := range g.verbs {
			fmt.Fprintf(&b, "   %-*s  %s\n", width, v.name, v.about)
		}
	}
	fmt.Fprintf(&b, "\nUse '%s help <command>' to learn more about a specific command\n", t)
	return b.String()
}
