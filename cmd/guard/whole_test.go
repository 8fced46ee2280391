package guard

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPackageDocs(t *testing.T) {
	for _, complaint := range badDocs(goFiles(t)) {
		t.Error(complaint)
	}
}

// badDocs holds each package to a doc.go of few lines; a program may say what
// it is in any one file.
func badDocs(files []*file) (complaints []string) {
	documented := map[string]int{} // files with a package comment, by package
	isMain := map[string]bool{}
	for _, f := range files {
		if f.isTest {
			continue
		}
		documented[f.dir] += 0
		isMain[f.dir] = f.ast.Name.Name == "main"
		if f.ast.Doc == nil {
			continue
		}
		documented[f.dir]++
		if path.Base(f.name) != "doc.go" && !isMain[f.dir] {
			complaints = append(complaints, f.name+": the package comment belongs into doc.go")
		}
		first, last := f.fset.Position(f.ast.Doc.Pos()).Line, f.fset.Position(f.ast.Doc.End()).Line
		if n := last - first + 1; n > maxPackageDoc {
			complaints = append(complaints, fmt.Sprintf("%s: the package comment has %d lines, and the limit is %d: one idea", f.name, n, maxPackageDoc))
		}
	}
	for dir, n := range documented {
		switch {
		case n == 0 && isMain[dir]:
			complaints = append(complaints, dir+": no file says what the program is for")
		case n == 0:
			complaints = append(complaints, dir+": there is no doc.go with a package comment")
		case n > 1:
			complaints = append(complaints, dir+": more than one package comment")
		}
	}
	return complaints
}

func TestTopLevel(t *testing.T) {
	root := top(t)
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(topLevel, e.Name()) && !hidden(e.Name()) && !ignored(t, root, e.Name()) {
			t.Errorf("%s does not belong at the top of the tree (cmd/guard/table_test.go has the list)", e.Name())
		}
	}
}

// unfinished are the marks of work put off; spelled apart, so that this file
// is not one of its own findings.
var unfinished = regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}, "|") + `)\b`)

func TestNothingIsPutOff(t *testing.T) {
	walk(t, func(name string, src []byte) {
		for _, complaint := range putOff(name, src) {
			t.Error(complaint)
		}
	})
}

// putOff looks at text of any kind but corpora, which machines write.
func putOff(name string, src []byte) (complaints []string) {
	if strings.Contains(name, "testdata/fuzz/") || name == "go.sum" || bytes.IndexByte(src, 0) >= 0 {
		return nil
	}
	for i, text := range strings.Split(string(src), "\n") {
		if mark := unfinished.FindString(text); mark != "" {
			complaints = append(complaints, fmt.Sprintf("%s:%d: %s", name, i+1, mark))
		}
	}
	return complaints
}
