package guard

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/leveretmq/leveret"

// file is one Go file of the tree, whatever its build constraints say.
type file struct {
	name    string // relative to the top, with slashes
	dir     string // of the name: the package relative to the module
	src     []byte
	ast     *ast.File
	fset    *token.FileSet
	isTest  bool
	lines   int
	genCode bool // *_gen.go: exempt from the rules of style
}

// parse makes a file of its source.
func parse(t *testing.T, name string, src []byte) *file {
	t.Helper()
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return &file{
		name:    name,
		dir:     filepath.ToSlash(filepath.Dir(name)),
		src:     src,
		ast:     tree,
		fset:    fset,
		isTest:  strings.HasSuffix(name, "_test.go"),
		lines:   strings.Count(string(src), "\n"),
		genCode: strings.HasSuffix(name, "_gen.go"),
	}
}

// top returns the top of the tree: where go.mod is.
func top(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = parent
	}
}

// walk calls visit with each file of the tree that is ours and kept.
func walk(t *testing.T, visit func(name string, src []byte)) {
	t.Helper()
	root := top(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case d.IsDir() && (hidden(name) || ignored(t, root, name)):
			return filepath.SkipDir
		case d.IsDir() || !d.Type().IsRegular() || ignored(t, root, name):
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		visit(name, src)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goFiles returns the Go files that the go command would look at.
func goFiles(t *testing.T) []*file {
	t.Helper()
	var all []*file
	walk(t, func(name string, src []byte) {
		if strings.HasSuffix(name, ".go") && !strings.Contains("/"+name, "/testdata/") {
			all = append(all, parse(t, name, src))
		}
	})
	if len(all) < 10 {
		t.Fatalf("found only %d Go files: the guard looks in the wrong place", len(all))
	}
	return all
}

// hidden reports whether a name at the top is a tool's rather than ours.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") && name != "." && name != ".ci"
}

// ignored reports whether .gitignore leaves a name out. It knows plain names
// and patterns, which is all that our .gitignore has.
func ignored(t *testing.T, root, name string) bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range strings.Fields(string(data)) {
		anchored := strings.HasPrefix(pattern, "/")
		pattern = strings.Trim(pattern, "/")
		subject := name
		if !anchored {
			subject = filepath.Base(name)
		}
		if ok, err := filepath.Match(pattern, subject); err != nil || ok {
			return err == nil
		}
	}
	return false
}
