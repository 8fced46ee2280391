package guard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestImports fails on any edge that the table does not allow.
func TestImports(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, complaint := range badImports(f, table) {
			t.Error(complaint)
		}
	}
}

// TestTableIsSound checks the table itself: rows point down, once each.
func TestTableIsSound(t *testing.T) {
	for i, r := range table {
		if i > 0 && r.layer < table[i-1].layer {
			t.Errorf("%s (layer %d) stands after layer %d", r.name, r.layer, table[i-1].layer)
		}
		if first, _ := find(table, r.name); first.layer != r.layer || slices.IndexFunc(table, func(o row) bool { return o.name == r.name }) != i {
			t.Errorf("%s has two rows", r.name)
		}
		for _, name := range r.imports {
			if name == "*" {
				continue
			}
			if to, ok := find(table, name); !ok || to.layer >= r.layer {
				t.Errorf("%s (layer %d) may not be allowed %s: no row, or not below it", r.name, r.layer, name)
			}
		}
	}
}

func badImports(f *file, table []row) (complaints []string) {
	from, ok := find(table, f.dir)
	if !ok {
		return []string{fmt.Sprintf("%s: package %s has no row in the table of cmd/guard/table_test.go: add it there, and to ARCHITECTURE.md, in the lowest layer that fits", f.name, f.dir)}
	}
	for _, spec := range f.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			complaints = append(complaints, f.name+": "+err.Error())
			continue
		}
		if why := refused(from, path, f.isTest, table); why != "" {
			complaints = append(complaints, fmt.Sprintf("%s imports %s: %s", f.name, path, why))
		}
	}
	return complaints
}

// refused says why a package may not import a path; empty if it may.
func refused(from row, path string, isTest bool, table []row) string {
	if path == module || strings.HasPrefix(path, module+"/") {
		return refusedOurs(from, strings.TrimPrefix(strings.TrimPrefix(path, module), "/"), isTest, table)
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	if isTest {
		return "" // go.mod keeps the list of what tests use
	}
	for _, m := range from.external {
		if path == m || strings.HasPrefix(path, m+"/") {
			return ""
		}
	}
	return "the table allows it no such module (cmd/guard/table_test.go)"
}

func refusedOurs(from row, name string, isTest bool, table []row) string {
	to, ok := find(table, name)
	switch {
	case !ok:
		return "it has no row in the table (cmd/guard/table_test.go)"
	case slices.Contains(from.imports, "*"), slices.Contains(from.imports, name):
		return ""
	case !isTest:
		return fmt.Sprintf("the table allows it only %v (cmd/guard/table_test.go)", from.imports)
	case to.layer <= from.layer:
		return ""
	}
	if least, ok := testSupport[name]; ok && from.layer >= least {
		return ""
	}
	return fmt.Sprintf("a test of layer %d may not reach up to layer %d", from.layer, to.layer)
}

func find(table []row, name string) (row, bool) {
	for _, r := range table {
		if r.name == name {
			return r, true
		}
	}
	return row{}, false
}
