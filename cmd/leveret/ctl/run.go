package ctl

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// call is a verb being carried out.
type call struct {
	invocation
	ctx    context.Context
	env    Env
	tool   tool
	api    *client
	format format
}

// execute carries out a command line and returns the exit code.
func execute(ctx context.Context, env Env, t tool, args []string) int {
	inv := parse(args)
	v, ok := verbNamed(inv.verb)
	switch {
	case inv.verb == "" && inv.has("help") || inv.verb == "help":
		return help(env, t, inv.args)
	case inv.verb == "":
		fmt.Fprint(env.Stderr, overview(t))
		return exitUsage
	case !ok:
		return unknown(env, t, inv.verb)
	case inv.has("help"):
		return help(env, t, []string{inv.verb})
	}
	c := &call{invocation: inv, ctx: ctx, env: env, tool: t}
	err := c.check(v)
	if err == nil {
		err = c.run(v)
	}
	if err != nil {
		c.tell(v, args, err)
	}
	return codeOf(err)
}

// check looks at the command line before anything is done.
func (c *call) check(v verb) error {
	var bad strings.Builder
	for _, g := range c.invalid {
		fmt.Fprintf(&bad, "\n%s : %s", g.spelled, g.value)
	}
	for _, g := range c.options {
		if !v.takes(g.name) {
			fmt.Fprintf(&bad, "\n%s : ", g.spelled)
		}
	}
	switch n := len(c.args); {
	case bad.Len() > 0:
		return misused(exitUsage, "Invalid options for this command:%s", &bad)
	case n < v.least:
		return misused(exitUsage, "not enough arguments.")
	case v.most >= 0 && n > v.most:
		return misused(exitUsage, "too many arguments.")
	}
	var err error
	c.format, err = chosenFormat(c.tool, &c.invocation, v)
	return err
}

func (c *call) run(v verb) error {
	var err error
	if c.api, err = newClient(c.env, &c.invocation); err != nil {
		return err
	}
	if limit := c.timeout(v.patience); limit > 0 {
		var cancel context.CancelFunc
		c.ctx, cancel = context.WithTimeout(c.ctx, limit)
		defer cancel()
	}
	return v.run(c)
}

// timeout is how long the verb may take, 0 for as long as it likes.
func (c *call) timeout(def time.Duration) time.Duration {
	given := c.text("timeout")
	if given == "" {
		return def
	}
	n, err := strconv.Atoi(given)
	if err != nil { // infinity
		return 0
	}
	return time.Duration(n) * time.Second
}

// tell says on Stderr why a verb failed.
func (c *call) tell(v verb, args []string, err error) {
	var usage *usageFailure
	if errors.As(err, &usage) {
		fmt.Fprintf(c.env.Stderr, "Error (argument validation): %s\n", usage.text)
		if c.tool.script() {
			fmt.Fprintf(c.env.Stderr, "Arguments given:\n\t%s\n", strings.Join(c.masked(v, args), " "))
		}
		fmt.Fprintf(c.env.Stderr, "\nUsage\n\n%s\n", usageLine(c.tool, v))
		return
	}
	var fail *failure
	switch text := printable(err.Error(), "\n\t"); {
	case errors.As(err, &fail) && fail.bare && c.tool.script():
		fmt.Fprintln(c.env.Stderr, text)
	case c.tool.script():
		fmt.Fprintf(c.env.Stderr, "Error:\n%s\n", text)
	default:
		fmt.Fprintf(c.env.Stderr, "Error: %s\n", strings.TrimRight(text, "\n"))
	}
}

// masked are the arguments as they may be repeated: without passwords.
func (c *call) masked(v verb, args []string) []string {
	secrets := []string{c.text("uri"), c.text("erlang-cookie")}
	if v.secret > 0 && len(c.args) > v.secret-1 {
		secrets = append(secrets, c.args[v.secret-1:]...)
	}
	masked := make([]string, len(args))
	for i, a := range args {
		masked[i] = printable(a, "")
		for _, s := range secrets {
			if s != "" && (a == s || strings.HasSuffix(a, "="+s)) {
				masked[i] = strings.TrimSuffix(a, s) + "***"
			}
		}
	}
	return masked
}

// vhost is the vhost that the verb is about.
func (c *call) vhost() string { return cmpText(c.text("vhost"), "/") }

// node is how the broker is called in what is printed.
func (c *call) node() string { return cmpText(c.text("node"), c.api.base.Host) }

// put sends a PUT, and so on; they all want no answer.
func (c *call) put(path string, body any) error { return c.api.ask(c.ctx, "PUT", path, body, nil) }

func (c *call) delete(path string) error { return c.api.ask(c.ctx, "DELETE", path, nil, nil) }

func (c *call) get(path string, into any) error { return c.api.get(c.ctx, path, into) }

// pause waits; false: the context ended before.
func (c *call) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}
