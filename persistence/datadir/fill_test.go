package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// make1 fills a directory with one file below another directory.
func make1(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "store"), dirMode); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "store", "file"), []byte("content"), fileMode)
}

func TestFill(t *testing.T) {
	for _, c := range []struct {
		name  string
		setUp func(t *testing.T, path string)
	}{
		{"absent", func(t *testing.T, path string) {}},
		{"empty", func(t *testing.T, path string) { mustMake(t, path) }},
		{"a volume", func(t *testing.T, path string) { mustMake(t, filepath.Join(path, "lost+found")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a", "data")
			c.setUp(t, path)
			if err := Fill(path, make1); err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(filepath.Join(path, "store", "file")); err != nil || string(data) != "content" {
				t.Errorf("the content is %q, %v", data, err)
			}
			if _, err := os.Stat(filepath.Join(path, fillName)); err == nil {
				t.Errorf("%s is left", fillName)
			}
			d, err := OpenExisting(path)
			if err != nil {
				t.Fatal(err)
			}
			if d.NodeID() == "" {
				t.Error("it has no node id")
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if err := Fill(path, make1); err == nil || !strings.Contains(err.Error(), "holds the data of a broker already") {
				t.Errorf("filled a second time: %v", err)
			}
		})
	}
}

func mustMake(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, dirMode); err != nil {
		t.Fatal(err)
	}
}

func TestFillRefuses(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "notes.txt"), nil, fileMode); err != nil {
		t.Fatal(err)
	}
	if err := Fill(path, make1); !errors.Is(err, ErrForeign) {
		t.Errorf("%v, want ErrForeign", err)
	}
	path = t.TempDir()
	mustMake(t, filepath.Join(path, fillName))
	if err := Fill(path, make1); err == nil || !strings.Contains(err.Error(), "left of a restore that was stopped") {
		t.Errorf("%v, want it to say that a restore was stopped", err)
	}
	if _, err := Open(path); !errors.Is(err, ErrForeign) {
		t.Errorf("what is half restored is opened: %v", err)
	}
	if err := Fill("", make1); err == nil {
		t.Error("filled an empty path")
	}
}

// TestFillFails: nothing is left, nor of the directory if it was not there before.
func TestFillFails(t *testing.T) {
	broken := errors.New("broken")
	for _, there := range []bool{false, true} {
		parent := t.TempDir()
		path := filepath.Join(parent, "data")
		if there {
			mustMake(t, path)
		}
		err := Fill(path, func(dir string) error { return errors.Join(make1(dir), broken) })
		if !errors.Is(err, broken) {
			t.Errorf("%v, want the error of fill", err)
		}
		if !there {
			path = parent
		}
		if left, err := os.ReadDir(path); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}
