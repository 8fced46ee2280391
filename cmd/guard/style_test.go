package guard

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rules are what each Go file is held to; generated files only to the first.
var rules = []func(*file) []string{
	unformatted, tooLong, longFunctions, undocumented, sleeps, badNames, hiddenExits,
}

func TestStyle(t *testing.T) {
	for _, f := range goFiles(t) {
		use := rules
		if f.genCode {
			use = rules[:1]
		}
		for _, rule := range use {
			for _, complaint := range rule(f) {
				t.Error(complaint)
			}
		}
	}
}

func unformatted(f *file) []string {
	formatted, err := format.Source(f.src)
	if err != nil {
		return []string{f.name + ": " + err.Error()}
	}
	if !bytes.Equal(formatted, f.src) {
		return []string{f.name + ": not formatted: run gofmt -w"}
	}
	return nil
}

func tooLong(f *file) []string {
	limit := maxFile
	if f.isTest {
		limit = maxTestFile
	}
	if f.lines > limit {
		return []string{fmt.Sprintf("%s: %d lines, and the limit is %d: one concern a file", f.name, f.lines, limit)}
	}
	return nil
}

func longFunctions(f *file) (complaints []string) {
	limit := maxFunction
	if f.isTest {
		limit = maxTestFunction
	}
	for _, fn := range functions(f) {
		if n := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1; n > limit {
			complaints = append(complaints, fmt.Sprintf("%s: function %s has %d lines, and the limit is %d", at(f, fn), fn.Name.Name, n, limit))
		}
	}
	return complaints
}

// undocumented finds exported names without a comment. A comment on a group of
// constants or variables counts for each of them.
func undocumented(f *file) (complaints []string) {
	if f.isTest {
		return nil
	}
	complain := func(n *ast.Ident) {
		complaints = append(complaints, fmt.Sprintf("%s: exported %s is not documented", at(f, n), n.Name))
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || ast.IsExported(receiver(d))) {
				complain(d.Name)
			}
		case *ast.GenDecl:
			for _, name := range undocumentedIn(d) {
				complain(name)
			}
		}
	}
	return complaints
}

func undocumentedIn(d *ast.GenDecl) (names []*ast.Ident) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
				names = append(names, s.Name)
			}
		case *ast.ValueSpec:
			if d.Doc != nil || s.Doc != nil || s.Comment != nil {
				continue
			}
			for _, n := range s.Names {
				if n.IsExported() {
					names = append(names, n)
				}
			}
		}
	}
	return names
}

// sleeps finds tests that wait for time to pass. In a file that uses
// testing/synctest a sleep is how the clock is moved.
func sleeps(f *file) (complaints []string) {
	if !f.isTest || slices.ContainsFunc(f.ast.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"testing/synctest"` }) {
		return nil
	}
	for _, call := range calls(f, "time", "Sleep") {
		complaints = append(complaints, at(f, call)+": a test sleeps: wait for a condition or move the clock")
	}
	return complaints
}

var getPrefix = regexp.MustCompile(`^[Gg]et[A-Z]`)

func badNames(f *file) (complaints []string) {
	if slices.Contains(vagueNames, strings.TrimSuffix(f.ast.Name.Name, "_test")) {
		complaints = append(complaints, fmt.Sprintf("%s: package name %s says nothing", f.name, f.ast.Name.Name))
	}
	for _, fn := range functions(f) {
		switch {
		case getPrefix.MatchString(fn.Name.Name):
			complaints = append(complaints, fmt.Sprintf("%s: %s: no Get prefix", at(f, fn), fn.Name.Name))
		case fn.Name.Name == "init" && fn.Recv == nil:
			complaints = append(complaints, at(f, fn)+": no work in init")
		}
	}
	return complaints
}

// hiddenExits finds what ends the process outside a main package.
func hiddenExits(f *file) (complaints []string) {
	if f.ast.Name.Name == "main" || f.isTest {
		return nil
	}
	for _, c := range [][2]string{{"os", "Exit"}, {"log", "Fatal"}, {"log", "Fatalf"}, {"log", "Fatalln"}} {
		for _, call := range calls(f, c[0], c[1]) {
			complaints = append(complaints, fmt.Sprintf("%s: %s.%s outside a main package", at(f, call), c[0], c[1]))
		}
	}
	return complaints
}

func functions(f *file) (all []*ast.FuncDecl) {
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			all = append(all, fn)
		}
	}
	return all
}

// receiver returns the name of the type that a method belongs to.
func receiver(fn *ast.FuncDecl) string {
	x := fn.Recv.List[0].Type
	for {
		switch t := x.(type) {
		case *ast.StarExpr:
			x = t.X
		case *ast.IndexExpr:
			x = t.X
		case *ast.IndexListExpr:
			x = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// calls finds uses of pkg.name, called or handed on.
func calls(f *file, pkg, name string) (all []ast.Node) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == name {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == pkg {
				all = append(all, s)
			}
		}
		return true
	})
	return all
}

func at(f *file, n interface{ Pos() token.Pos }) string {
	return fmt.Sprintf("%s:%d", f.name, f.fset.Position(n.Pos()).Line)
}
