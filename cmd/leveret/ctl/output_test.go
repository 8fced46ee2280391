package ctl

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const queuesJSON = `[{"name":"orders of all the customers","vhost":"/","messages":12345,"arguments":{"x-max-length":1000,"x":{"y":[1,"a",true,1.5,null]}},"state":"running"},
 {"name":"q\u001b[2J\n","messages":0,"arguments":[],"state":"running","policy":null}]`

const queuesPath = "GET /queues/%2F?columns=arguments%2Cmessages%2Cname%2Cpolicy%2Cstate"

func TestFormats(t *testing.T) {
	uri, _ := newFake(t, map[string]answer{queuesPath: {200, queuesJSON}})
	for _, c := range []struct {
		tool  string
		width int
		args  string
		want  string
	}{
		{"leveret", 0, "", "name                         messages  arguments                                                         policy\n" +
			"orders of all the customers  12345     [{\"x\",[{\"y\",[1,\"a\",true,1.5,undefined]}]},{\"x-max-length\",1000}]\n" +
			"q\\x1b[2J\\n                   0         []\n"},
		{"leveret", 60, "", "name                 messages  arguments              policy\n" +
			"orders of all the c… 12345     [{\"x\",[{\"y\",[1,\"a\",…\n"},
		{"leveret", 0, "--format json", "[\n" +
			`{"name":"orders of all the customers","messages":12345,"arguments":{"x":{"y":[1,"a",true,1.5,null]},"x-max-length":1000},"policy":null}` + "\n" +
			`,{"name":"q\u001b[2J\n","messages":0,"arguments":{},"policy":null}` + "\n]\n"},
		{"rabbitmqctl", 40, "--formatter json", "[\n" +
			`{"name":"orders of all the customers","messages":12345,"arguments":[["x","table",[["y","array",[["long",1],["longstr","a"],["bool",true],["double",1.5],["void","undefined"]]]]],["x-max-length","long",1000]],"policy":""}` + "\n" +
			`,{"name":"q\u001b[2J\n","messages":0,"arguments":[],"policy":""}` + "\n]\n"},
		{"rabbitmqctl", 40, "-q", "name\tmessages\targuments\tpolicy\n" +
			"orders of all the customers\t12345\t[{\"x\",[{\"y\",[1,\"a\",true,1.5,undefined]}]},{\"x-max-length\",1000}]\t\n" +
			"q\\x1b[2J\\n\t0\t[]\t\n"},
		{"rabbitmqctl", 40, "--formatter csv", `"name","messages","arguments","policy"` + "\n" +
			`"orders of all the customers","12345","[{""x"",[{""y"",[1,""a"",true,1.5,undefined]}]},{""x-max-length"",1000}]",""` + "\n" +
			`"q\x1b[2J\n","0","[]",""` + "\n"},
		{"leveret", 0, "-s", "orders of all the customers  12345  [{\"x\",[{\"y\",[1,\"a\",true,1.5,undefined]}]},{\"x-max-length\",1000}]\n" +
			"q\\x1b[2J\\n                   0      []\n"},
	} {
		var out, errs bytes.Buffer
		env := Env{Stdout: &out, Stderr: &errs, Lookup: only("LEVERET_CTL_URI", uri), Width: func() int { return c.width }}
		args := append(strings.Fields(c.args), "list_queues", "name", "messages", "arguments", "policy")
		if code := execute(t0, env, aliased(c.tool), args); code != 0 {
			t.Fatalf("%d: %s", code, &errs)
		}
		got := out.String()
		if c.width > 0 && c.tool == "leveret" {
			for line := range strings.Lines(got) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > c.width {
					t.Errorf("a line of %d columns: %s", n, line)
				}
			}
			if !strings.Contains(got, "…") {
				t.Errorf("nothing is shortened:\n%s", got)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%s %s: got\n%s\nwant\n%s", c.tool, c.args, got, c.want)
		}
		if strings.Contains(c.args, "json") && !json.Valid([]byte(got)) {
			t.Errorf("%s is no JSON: %s", c.args, got)
		}
	}
}

func TestShrink(t *testing.T) {
	for _, c := range []struct {
		widths []int
		screen int
		want   []int
	}{
		{[]int{10, 20, 30}, 100, []int{10, 20, 30}},
		{[]int{10, 20, 30}, 54, []int{10, 20, 20}},
		{[]int{10, 20, 30}, 34, []int{10, 10, 10}},
		{[]int{10, 20, 30}, 5, []int{6, 6, 6}},
		{[]int{3, 40}, 25, []int{3, 20}},
	} {
		got := slices.Clone(c.widths)
		shrink(got, c.screen)
		if !slices.Equal(got, c.want) {
			t.Errorf("%v on %d: %v", c.widths, c.screen, got)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain é 語": "plain é 語", "a\tb": `a\tb`, "a\nb": `a\nb`, "\x1b]0;x\a": `\x1b]0;x\a`, "\xff\xfe": `\xff\xfe`,
		"\ufffd": "\ufffd", "\u202e": `\u202e`, "\u0085": `\u0085`, "": "",
	} {
		if got := printable(in, ""); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := printable("a\tb\n", "\t"); got != "a\tb\\n" {
		t.Errorf("%q", got)
	}
}

// TestMasked: what is repeated of a wrong command line has no passwords in it.
func TestMasked(t *testing.T) {
	for _, args := range [][]string{
		{"add_user", "u", "geheim", "more"}, {"add_user", "u", "geheim", "--bogus"}, {"change_password", "u", "geheim", "-q", "--bogus"},
		{"authenticate_user", "--bogus", "u", "geheim"}, {"hash_password", "geheim", "more"}, {"ping", "x", "--uri", "http://u:geheim@h"},
		{"ping", "x", "--uri=http://u:geheim@h"}, {"ping", "x", "--erlang-cookie=geheim"}, {"--uri", "http://u:geheim@:x:y", "ping"},
	} {
		var errs bytes.Buffer
		code := RunAlias(Env{Stdout: &errs, Stderr: &errs}, append([]string{"rabbitmqctl"}, args...))
		if code != 64 || strings.Contains(errs.String(), "geheim") {
			t.Errorf("%q: %d\n%s", args, code, &errs)
		}
	}
}

func TestCompletion(t *testing.T) {
	scripts := map[string]string{}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		for _, name := range []string{"leveret", "rabbitmq-diagnostics"} {
			var out bytes.Buffer
			env := Env{Stdout: &out, Stderr: &out, Commands: []string{"serve", "ctl"}}
			if code := execute(t0, env, aliased(name), []string{"completion", shell}); code != 0 {
				t.Fatalf("%d: %s", code, &out)
			}
			file := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			scripts[shell+name] = file
			if path, err := exec.LookPath(shell); err == nil {
				if said, err := exec.Command(path, "-n", file).CombinedOutput(); err != nil {
					t.Errorf("%s does not read its script: %v %s", shell, err, said)
				}
			}
		}
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	for _, c := range []struct{ line, want string }{
		{"leveret s", "serve"}, {"leveret ctl list_que", "list_queues"}, {"leveret ctl --uri http://x list_queues mess", "message_bytes message_bytes_persistent"},
		{"leveret ctl list_queues --off", "--offline"}, {"leveret ctl completion f", "fish"}, {"leveret ctl help add_v", "add_vhost"}, {"leveret serve list", ""},
		{"rabbitmq-diagnostics check_port_c", "check_port_connectivity"}, {"rabbitmq-diagnostics -n x check_runn", "check_running"},
	} {
		words := strings.Fields(c.line)
		script := `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); ` + shellWords{program: words[0]}.identifier() + `; echo "${COMPREPLY[*]}"`
		said, err := exec.Command(bash, append([]string{"-c", script, "bash", scripts["bash"+words[0]]}, words...)...).CombinedOutput()
		if got := strings.TrimSpace(string(said)); err != nil || !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q %v, want %s", c.line, got, err, c.want)
		}
	}
}
