package guard

import (
	"go/ast"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// logDocument lists the names of fields in log lines, each in the first column of a
// table.
const logDocument = "../../cmd/leveret/LOGS.md"

// fieldMethods are those of zerolog that take the name of a field first.
var fieldMethods = map[string]bool{
	"Str": true, "Strs": true, "Int": true, "Int64": true, "Uint16": true, "Uint32": true, "Uint64": true, "Bool": true,
	"Dur": true, "Time": true, "Stringer": true, "Bytes": true, "Interface": true, "Float64": true, "Any": true,
}

// TestLogFields: each name of a field that some line of the log has is documented, and
// nothing else is, so that who looks for lines can rely on it.
func TestLogFields(t *testing.T) {
	text, err := os.ReadFile(logDocument)
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = true
	}
	used := map[string]bool{"level": true, "message": true, "time": true, "error": true}
	for _, f := range goFiles(t) {
		if f.isTest || strings.HasPrefix(f.dir, "cmd/leveret/perf") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 2 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			name, isText := call.Args[0].(*ast.BasicLit)
			if !ok || !isText || !fieldMethods[method.Sel.Name] {
				return true
			}
			field, err := strconv.Unquote(name.Value)
			if err != nil {
				return true
			}
			used[field] = true
			if !documented[field] {
				t.Errorf("%s: the field %q of the log is not in %s", f.name, field, logDocument)
			}
			return true
		})
	}
	for field := range documented {
		if !used[field] {
			t.Errorf("%s has the field %q, which no line has", logDocument, field)
		}
	}
}
