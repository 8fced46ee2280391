//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// nobody is the user and group that own nothing, by convention.
const nobody = 65534

func TestUnwritableDirectory(t *testing.T) {
	// Beside the binary, because a test's own directory is closed to others.
	dir, err := os.MkdirTemp(filepath.Dir(binary), "unwritable-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	denied := "data directory " + dir + " cannot be written: permission denied"
	if os.Geteuid() == 0 {
		denied = "data directory " + dir + " belongs to another user: root (uid 0), while this process runs as nobody (uid 65534)"
	}
	for data, want := range map[string]string{
		dir:                       denied,
		filepath.Join(dir, "sub"): "data directory " + filepath.Join(dir, "sub") + " cannot be created: permission denied",
	} {
		cmd := command(t, "--data-dir", data, "--amqp-listen=127.0.0.1:0", "--http-listen=none", "--metrics-listen=none")
		if os.Geteuid() == 0 { // root may write everywhere
			cmd.Dir = "/"
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		code, stdout, stderr := runs(t, cmd)
		if code != 1 || stdout != "" || stderr != "leveret: "+want+"\n" {
			t.Errorf("exit code %d, stdout %q, stderr\n got %swant leveret: %s", code, stdout, stderr, want)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("the directory holds %d entries now", len(entries))
	}
}
