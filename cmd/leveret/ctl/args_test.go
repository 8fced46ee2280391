package ctl

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		line    string
		verb    string
		args    []string
		options []string // name=value
		invalid []string // spelled=value
	}{
		{"-n rabbit@host -q ping", "ping", nil, []string{"node=rabbit@host", "quiet=true"}, nil},
		{"ping -q -n rabbit@host", "ping", nil, []string{"quiet=true", "node=rabbit@host"}, nil},
		{"--node=rabbit@host list_queues -p / name messages", "list_queues", []string{"name", "messages"}, []string{"node=rabbit@host", "vhost=/"}, nil},
		{"-p=x list_queues", "list_queues", nil, []string{"vhost=x"}, nil},
		{"list_queues -qs", "list_queues", nil, []string{"quiet=true", "silent=true"}, nil},
		{"list_queues -qp x", "list_queues", nil, []string{"quiet=true", "vhost=x"}, nil},
		{"list_queues -pfoo", "list_queues", nil, nil, []string{"-p=", "-f=", "-o=", "-o="}},
		{"list_queues -p", "list_queues", nil, nil, []string{"-p="}},
		{"list_queues -p -q", "list_queues", nil, []string{"quiet=true"}, []string{"-p="}},
		{"list_queues --vhost= name", "list_queues", []string{"name"}, []string{"vhost="}, nil},
		{"list_queues --bogus name", "list_queues", []string{"name"}, nil, []string{"--bogus="}},
		{"list_queues --quiet=yes", "list_queues", nil, nil, []string{"--quiet=yes"}},
		{"list_queues -t x", "list_queues", nil, nil, []string{"-t=x"}},
		{"list_queues -t -1", "list_queues", nil, nil, []string{"-t=-1"}},
		{"list_queues -t infinity", "list_queues", nil, []string{"timeout=infinity"}, nil},
		{"set_policy --priority -3 a b c", "set_policy", []string{"a", "b", "c"}, []string{"priority=-3"}, nil},
		{"set_policy --priority 3.5 a b c", "set_policy", []string{"a", "b", "c"}, nil, []string{"--priority=3.5"}},
		{"set_parameter a b -1", "set_parameter", []string{"a", "b", "-1"}, nil, nil},
		{"delete_queue -- -q", "delete_queue", []string{"-q"}, nil, nil},
		{"-- -q", "-q", nil, nil, nil},
		{"export_definitions - -q", "export_definitions", []string{"-"}, []string{"quiet=true"}, nil},
		{"browse q --header a=1 --header b", "browse", []string{"q"}, []string{"header=a=1", "header=b"}, nil},
		{"-?", "", nil, []string{"help=true"}, nil},
		{"", "", nil, nil, nil},
	} {
		inv := parse(strings.Fields(c.line))
		var options, invalid []string
		for _, g := range inv.options {
			options = append(options, g.name+"="+g.value)
		}
		for _, g := range inv.invalid {
			invalid = append(invalid, g.spelled+"="+g.value)
		}
		if inv.verb != c.verb || !slices.Equal(inv.args, c.args) || !slices.Equal(options, c.options) || !slices.Equal(invalid, c.invalid) {
			t.Errorf("%q: %q %q %q %q", c.line, inv.verb, inv.args, options, invalid)
		}
	}
}

func TestOptionsAreConsistent(t *testing.T) {
	names, shorts := map[string]bool{}, map[byte]bool{}
	for _, o := range append(slices.Clone(globals), specials...) {
		if names[o.name] || o.short != 0 && shorts[o.short] {
			t.Errorf("option %s, -%c is there twice", o.name, o.short)
		}
		names[o.name], shorts[o.short] = true, true
	}
	used := map[string]bool{}
	for _, g := range groups() {
		for _, v := range g.verbs {
			for _, name := range v.options {
				if !slices.ContainsFunc(specials, func(o option) bool { return o.name == name }) {
					t.Errorf("%s takes --%s, which there is not", v.name, name)
				}
				used[name] = true
				if !strings.Contains(v.usage, "--"+name) && !strings.Contains(v.usage, "filter") {
					t.Errorf("the usage of %s does not name --%s: %s", v.name, name, v.usage)
				}
			}
			if _, both := unsupported[v.name]; both {
				t.Errorf("%s is both there and unsupported", v.name)
			}
		}
	}
	for _, o := range specials {
		if !used[o.name] {
			t.Errorf("no verb takes --%s", o.name)
		}
	}
}

// FuzzParse: whatever the command line is, nothing is lost, and the order of options
// and words does not matter.
func FuzzParse(f *testing.F) {
	for _, line := range []string{"-n\x00x\x00-q\x00ping", "list_queues\x00-p\x00/\x00name", "--\x00-q", "-pfoo\x00--x=y", "-qs=true", "--header\x00a\x00--priority\x00-1", "-=\x00--=\x00-\x00---"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		kept := slices.Clone(args)
		inv := parse(args)
		if !slices.Equal(args, kept) {
			t.Fatal("the arguments were changed")
		}
		for _, g := range inv.options {
			if o, ok := optionNamed(g.name); !ok || o.kind != g.kind {
				t.Fatalf("option %+v", g)
			}
			if g.kind == flagOption && g.value != "true" {
				t.Fatalf("flag %+v", g)
			}
		}
		words := inv.args
		if len(words) > 0 && inv.verb == "" && kept[0] != "" && !strings.HasPrefix(kept[0], "-") {
			t.Fatalf("no verb, but arguments %q", words)
		}
		if slices.Contains(kept, "--") {
			return
		}
		// Options given first, words after them, come to the same.
		var first, last []string
		for _, g := range inv.options {
			if g.kind == flagOption {
				first = append(first, "--"+g.name)
			} else {
				first = append(first, "--"+g.name+"="+g.value)
			}
		}
		if len(inv.verb) > 0 || len(words) > 0 {
			last = append([]string{inv.verb}, words...)
		}
		again := parse(append(append(first, "--"), last...))
		if again.verb != inv.verb || !slices.Equal(again.args, inv.args) || len(again.invalid) > 0 {
			t.Fatalf("%q: %q %q, and sorted %q %q %v", kept, inv.verb, inv.args, again.verb, again.args, again.invalid)
		}
		for _, o := range inv.options {
			if !reflect.DeepEqual(inv.all(o.name), again.all(o.name)) {
				t.Fatalf("--%s is %q, and sorted %q", o.name, inv.all(o.name), again.all(o.name))
			}
		}
	})
}
