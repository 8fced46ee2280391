package guard

import (
	"strings"
	"testing"
)

// TestRulesCanComplain gives each rule something to find, and something not to.
func TestRulesCanComplain(t *testing.T) {
	long := strings.Repeat("\t_ = 0\n", maxFunction)
	for _, c := range []struct {
		rule       func(*file) []string
		name, src  string
		complaints int
	}{
		{unformatted, "amqp/a.go", "package amqp\nvar  x int\n", 1},
		{unformatted, "amqp/a.go", "package amqp\n\nvar x int\n", 0},
		{tooLong, "amqp/a.go", "package amqp\n" + strings.Repeat("\n", maxFile), 1},
		{tooLong, "amqp/a.go", "package amqp\n" + strings.Repeat("\n", maxFile-1), 0},
		{tooLong, "amqp/a_test.go", "package amqp\n" + strings.Repeat("\n", maxTestFile), 1},
		{tooLong, "amqp/a_test.go", "package amqp\n" + strings.Repeat("\n", maxTestFile-1), 0},
		{longFunctions, "amqp/a.go", "package amqp\nfunc f() {\n" + long + "}\n", 1},
		{longFunctions, "amqp/a.go", "package amqp\nfunc f() {\n" + long[:len(long)/maxFunction*(maxFunction-2)] + "}\n", 0},
		{longFunctions, "amqp/a_test.go", "package amqp\nfunc f() {\n" + long + "}\n", 0},
		{undocumented, "amqp/a.go", "package amqp\nfunc F() {}\ntype T int\nfunc (*T) M() {}\nconst C = 1\nvar V, W int\n", 6},
		{undocumented, "amqp/a.go", "package amqp\n// F is.\nfunc F() {}\n// T is.\ntype T int\n// M is.\nfunc (T) M() {}\n// All are.\nconst (\nC = 1\nD = 2\n)\nvar V int // is\n", 0},
		{undocumented, "amqp/a.go", "package amqp\ntype t[A any] int\nfunc (*t[A]) M() {}\nfunc f() {}\n", 0},
		{undocumented, "amqp/a_test.go", "package amqp\nfunc F() {}\n", 0},
		{sleeps, "amqp/a_test.go", "package amqp\nimport \"time\"\nfunc f() { time.Sleep(1); g(time.Sleep) }\n", 2},
		{sleeps, "amqp/a_test.go", "package amqp\nimport (\n\"testing/synctest\"\n\"time\"\n)\nfunc f() { synctest.Wait(); time.Sleep(1) }\n", 0},
		{sleeps, "amqp/a.go", "package amqp\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", 0},
		{badNames, "amqp/a.go", "package util\nfunc GetName() {}\nfunc init() {}\n", 3},
		{badNames, "amqp/a.go", "package amqp\nfunc Get() {}\nfunc basicGet() {}\nfunc getter() {}\n", 0},
		{hiddenExits, "amqp/a.go", "package amqp\nimport (\"log\"; \"os\")\nfunc f() { os.Exit(1); log.Fatalf(\"\") }\n", 2},
		{hiddenExits, "amqp/internal/gen/a.go", "package main\nimport \"os\"\nfunc main() { os.Exit(1) }\n", 0},
	} {
		if got := c.rule(parse(t, c.name, []byte(c.src))); len(got) != c.complaints {
			t.Errorf("%s with %q: %d complaints %q, want %d", c.name, c.src[:min(len(c.src), 60)], len(got), got, c.complaints)
		}
	}
}

func TestImportsCanComplain(t *testing.T) {
	ours := func(name string) string { return module + "/" + name }
	for _, c := range []struct {
		file, path string
		allowed    bool
	}{
		{"amqp/a.go", "net", true},
		{"amqp/a.go", ours("binding"), false},
		{"amqp/a.go", zerolog, false},
		{"amqp/a_test.go", ours("binding"), false},
		{"amqp/a_test.go", amqp091, true},
		{"binding/a.go", ours("amqp"), true},
		{"binding/a.go", ours("persistence"), false},
		{"binding/a_test.go", ours("persistence"), true},
		{"vhost/queue/a.go", ours("vhost"), false},
		{"vhost/queue/a_test.go", ours("amqp/server/servertest"), false},
		{"amqp/server/a.go", ours("binding"), false},
		{"amqp/server/a.go", ours("vhost/queue"), true},
		{"amqp/server/a.go", zerolog + "/log", true},
		{"amqp/server/a.go", amqp091, false},
		{"amqp/server/a_test.go", ours("amqp/server/servertest"), true},
		{"cmd/leveret/a.go", ours("persistence/badger"), true},
		{"cmd/leveret/a.go", ours("nowhere"), false},
		{"cmd/leveret/perf/a.go", ours("amqp/server"), false},
		{"nowhere/a.go", "net", false},
	} {
		src := "package p\n\nimport _ \"" + c.path + "\"\n"
		if got := badImports(parse(t, c.file, []byte(src)), table); (len(got) == 0) != c.allowed {
			t.Errorf("%s imports %s: %q, want allowed %v", c.file, c.path, got, c.allowed)
		}
	}
}

func TestDocsCanComplain(t *testing.T) {
	doc := "// Package a is.\npackage a\n"
	for _, c := range []struct {
		why   string
		files map[string]string
		want  int
	}{
		{"fine", map[string]string{"a/doc.go": doc, "a/b.go": "package a\n", "a/c_test.go": "package a\n"}, 0},
		{"none", map[string]string{"a/b.go": "package a\n"}, 1},
		{"wrong file", map[string]string{"a/b.go": doc}, 1},
		{"two", map[string]string{"a/doc.go": doc, "a/b.go": doc}, 2},
		{"long", map[string]string{"a/doc.go": strings.Repeat("// So\n", maxPackageDoc) + doc}, 1},
		{"program", map[string]string{"a/a.go": "// Command a is.\npackage main\n"}, 0},
		{"silent program", map[string]string{"a/a.go": "package main\n"}, 1},
		{"only tests", map[string]string{"a/a_test.go": "package a\n"}, 0},
	} {
		var files []*file
		for name, src := range c.files {
			files = append(files, parse(t, name, []byte(src)))
		}
		if got := badDocs(files); len(got) != c.want {
			t.Errorf("%s: %q, want %d complaints", c.why, got, c.want)
		}
	}
}

func TestPutOffCanComplain(t *testing.T) {
	mark := "TO" + "DO"
	for _, c := range []struct {
		name, src string
		want      int
	}{
		{"Makefile", "all:\n# " + mark + ": later\n", 1},
		{"amqp/a.go", "// " + mark + "s are words of their own\n", 0},
		{"amqp/testdata/fuzz/F/1", mark, 0},
		{"testdata/frames/x", mark + "\x00", 0},
	} {
		if got := putOff(c.name, []byte(c.src)); len(got) != c.want {
			t.Errorf("%s with %q: %q, want %d", c.name, c.src, got, c.want)
		}
	}
}
