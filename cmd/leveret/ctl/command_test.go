package ctl

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestAlias(t *testing.T) {
	for arg0, want := range map[string]bool{
		"rabbitmqctl": true, "/usr/sbin/rabbitmqctl": true, "./rabbitmq-diagnostics": true, "rabbitmqctl.exe": true,
		"leveret": false, "/opt/rabbitmqctl/leveret": false, "rabbitmqctl2": false, "": false,
	} {
		if Alias(arg0) != want {
			t.Errorf("%q: %v", arg0, !want)
		}
	}
}

func TestCommand(t *testing.T) {
	app := func(args ...string) (string, error) {
		var out bytes.Buffer
		a := &cli.App{
			Commands: []*cli.Command{{Name: "serve"}, Command(Env{Stdout: &out, Stderr: &out, Version: "1.2.3"})},
			Writer:   io.Discard, ErrWriter: io.Discard, ExitErrHandler: func(*cli.Context, error) {},
		}
		err := a.RunContext(t0, append([]string{"leveret", "ctl"}, args...))
		return out.String(), err
	}
	for _, c := range []struct {
		line string
		want string // somewhere in what is printed
		code int
	}{
		{"version", "1.2.3\n", 0},
		{"--format json version -n x", `{"node":"x","result":"ok","value":{"version":"1.2.3"}}`, 0},
		{"--help", "Available commands:", 0},
		{"help", "redrive", 0},
		{"list_queues --help", "head_message_timestamp", 0},
		{"help list_queues", "--offline", 0},
		{"help nosuch", "Command 'nosuch' not found.", 64},
		{"", "Available commands:", 64},
		{"completion bash", "serve", 0},
		{"completion tcsh", "no completion", 64},
		{"eval 1+1.", "eval: not supported by Leveret: there is no Erlang runtime", 64},
		{"list_queus", "Did you mean 'list_queues'?", 64},
		{"\x1b[2J", `\x1b[2J`, 64},
		{"list_queues --format xml", "use one of table, pretty_table, json, csv", 64},
		{"list_queues --formatter erlang", "not supported by Leveret", 64},
		{"list_queues --operator", "Invalid options for this command:\n--operator", 64},
		{"export_definitions - --format erlang", "definitions are JSON", 64},
		{"ping --uri ftp://x", "must begin with http", 64},
		{"ping --uri http://user:geheim@:0:x", "is not one", 64},
		{"ping --cert x", "needed together", 64},
		{"ping --cacert /nonexistent", "/nonexistent: no such file", 65},
	} {
		got, err := app(strings.Fields(c.line)...)
		var exit Exit
		errors.As(err, &exit)
		if !strings.Contains(got, c.want) || int(exit) != c.code || (err != nil) != (c.code != 0) {
			t.Errorf("%q: %d %v\n%s", c.line, exit, err, got)
		}
		if strings.Contains(got, "geheim") {
			t.Errorf("%q prints a password: %s", c.line, got)
		}
	}
}

// TestHelpOfAll looks at each verb that there is.
func TestHelpOfAll(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range verbNames() {
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		var out, errs bytes.Buffer
		if code := RunAlias(Env{Stdout: &out, Stderr: &errs}, []string{"rabbitmqctl", "help", name}); code != 0 || errs.Len() > 0 || !strings.Contains(out.String(), "rabbitmqctl [options] "+name) {
			t.Errorf("%s: %d %s%s", name, code, &out, &errs)
		}
	}
	// These are what others call by name.
	for _, name := range strings.Fields("status list_queues add_user set_policy await_startup check_port_connectivity export_definitions import_definitions redrive browse") {
		if !seen[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

func TestCredentials(t *testing.T) {
	for _, c := range []struct {
		uri  string
		env  map[string]string
		want string
	}{
		{"", nil, "guest:guest@127.0.0.1:15672"},
		{"http://a:b@h:1", map[string]string{"LEVERET_CTL_PASSWORD": "x"}, "a:b@h:1"},
		{"h", nil, "guest:guest@h:15672"},
		{"https://h/", nil, "guest:guest@h:15671"},
		{"http://a@h", map[string]string{"LEVERET_CTL_PASSWORD": "x"}, "a:x@h:15672"},
		{"http://a@h", nil, "a:@h:15672"},
		{"", map[string]string{"LEVERET_CTL_URI": "http://u:p@h:2"}, "u:p@h:2"},
		{"", map[string]string{"LEVERET_CTL_PASSWORD": "x"}, "guest:x@127.0.0.1:15672"},
		{"", map[string]string{"RABBITMQ_DEFAULT_USER": "r", "RABBITMQ_DEFAULT_PASS": "s"}, "r:s@127.0.0.1:15672"},
		{"", map[string]string{"RABBITMQ_DEFAULT_USER": "r", "RABBITMQ_DEFAULT_PASS": "s", "LEVERET_DEFAULT_USER": "l", "LEVERET_DEFAULT_PASS": "m"}, "l:m@127.0.0.1:15672"},
		{"http://r@h", map[string]string{"RABBITMQ_DEFAULT_USER": "r", "RABBITMQ_DEFAULT_PASS": "s"}, "r:s@h:15672"},
		{"http://other@h", map[string]string{"RABBITMQ_DEFAULT_USER": "r", "RABBITMQ_DEFAULT_PASS": "s"}, "other:@h:15672"},
		{"http://[::1]", nil, "guest:guest@[::1]:15672"},
		{"http://a:%2F%40@h/prefix/", nil, "a:/@@h:15672/prefix"},
	} {
		inv := &invocation{}
		if c.uri != "" {
			inv.options = []given{{option{name: "uri"}, "--uri", c.uri}}
		}
		env := Env{Lookup: func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }}
		got, err := newClient(env, inv)
		if err != nil {
			t.Errorf("%q: %v", c.uri, err)
			continue
		}
		if s := got.user + ":" + got.password + "@" + got.base.Host + got.base.Path; s != c.want {
			t.Errorf("%q %v: %s, want %s", c.uri, c.env, s, c.want)
		}
		if got.base.User != nil {
			t.Errorf("%q: the password stays in the URI", c.uri)
		}
	}
}

func TestPathOf(t *testing.T) {
	for want, names := range map[string][]string{
		"/queues/%2F/a%20b": {"queues", "/", "a b"}, "/x/%2E%2E/%2E": {"x", "..", "."}, "/a%2Fb%3Fc%23%25": {"a/b?c#%"}, "/%C3%A9": {"é"},
	} {
		if got := pathOf(names...); got != want {
			t.Errorf("%q: %s, want %s", names, got, want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {failed(67, "x"), 67}, {noVHost("x"), 65}, {misused(64, "x"), 64},
		{&refusal{status: 401}, 77}, {&refusal{status: 403}, 77}, {&refusal{status: 400}, 69}, {&refusal{status: 500}, 69},
		{&unreachable{"x", context.DeadlineExceeded}, 75}, {&unreachable{"x", io.EOF}, 69}, {io.EOF, 70},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
