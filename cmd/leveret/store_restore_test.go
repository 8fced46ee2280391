package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/persistence/badger"
)

// backupOf writes a backup of a data directory.
func backupOf(t *testing.T, data string) (file string, content []byte) {
	t.Helper()
	s, err := badger.Open(filepath.Join(data, storeName), badger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.Backup(&out); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "leveret.backup")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, out.Bytes()
}

func TestStoreRestore(t *testing.T) {
	data, _ := dataOf(t, 300)
	file, content := backupOf(t, data)
	for _, args := range [][]string{
		{"store", "restore", file, "--data-dir", "PATH"},
		{"store", "restore", file, "--data-dir=PATH"},
		{"store", "restore", "--data-dir", "PATH", file},
	} {
		path := filepath.Join(t.TempDir(), "new")
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "PATH", path)
		}
		code, stdout, stderr := outputs(args...)
		if code != 0 || stderr != "" || !strings.Contains(stdout, "No damage was found.") {
			t.Fatalf("%q: exit code %d, stderr %q, stdout %s", args, code, stderr, stdout)
		}
		if code, stdout, stderr = outputs("store", "check", "--data-dir", path); code != 0 ||
			!strings.Contains(strings.Join(strings.Fields(stdout), " "), "messages in queues 300") {
			t.Errorf("check: exit code %d, stderr %q, stdout %s", code, stderr, stdout)
		}
		// A second time there is data.
		if code, _, stderr = outputs(args...); code != 1 || !strings.Contains(stderr, "holds the data of a broker already") {
			t.Errorf("again: exit code %d, stderr %q", code, stderr)
		}
	}
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, content[:len(content)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "new")
	code, _, stderr := outputs("store", "restore", short, "--data-dir", path)
	if code != 1 || !strings.Contains(stderr, "is not a whole backup: it ends too early; nothing was restored") {
		t.Errorf("cut short: exit code %d, stderr %q", code, stderr)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the directory is there after a restore that failed")
	}
}

func TestStoreRestoreUsage(t *testing.T) {
	for args, want := range map[string]string{
		"":                  "store restore takes one file, and got 0",
		"a b":               "store restore takes one file, and got 2",
		"a --other x":       "there is no flag --other",
		"a --data-dir":      "flag --data-dir needs a value",
		"a --data-dir=":     "--data-dir is empty",
		"/no/such/file/xyz": "the backup cannot be read: ",
	} {
		code, _, stderr := outputs(append([]string{"store", "restore"}, strings.Fields(args)...)...)
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("store restore %s: exit code %d, stderr %q; want %q", args, code, stderr, want)
		}
	}
}
