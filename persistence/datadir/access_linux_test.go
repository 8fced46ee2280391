package datadir

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// mountTemp mounts a small file system in memory; it skips where that is not
// allowed.
func mountTemp(t *testing.T, options string) string {
	t.Helper()
	needRoot(t)
	path := t.TempDir()
	if err := syscall.Mount("leveret-test", path, "tmpfs", 0, options); err != nil {
		t.Skip("nothing can be mounted here:", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, 0); err != nil {
			t.Error("unmount:", err)
		}
	})
	return path
}

func TestOpenRefusesAReadOnlyFileSystem(t *testing.T) {
	root := mountTemp(t, "size=1m")
	ours, empty, absent := filepath.Join(root, "ours"), filepath.Join(root, "empty"), filepath.Join(root, "absent")
	closeDir(t, open(t, ours))
	mkdir(t, empty)
	if err := syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip("it cannot be made read-only:", err)
	}
	for path, want := range map[string]string{
		ours:   "data directory " + ours + " is on a read-only file system",
		empty:  "data directory " + empty + " is on a read-only file system",
		absent: "data directory " + absent + " cannot be created: read-only file system",
	} {
		if _, err := Open(path); err == nil || err.Error() != want {
			t.Errorf("Open = %v, want %s", err, want)
		}
	}
}

// A full disk is no reason not to open what is ours: the guard of the disk may
// have something to give up. A new directory cannot be made on one.
func TestOpenOnAFullDisk(t *testing.T) {
	root := mountTemp(t, "size=64k")
	ours, empty := filepath.Join(root, "ours"), filepath.Join(root, "empty")
	closeDir(t, open(t, ours))
	mkdir(t, empty)
	f, err := os.Create(filepath.Join(root, "big"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(bytes.Repeat([]byte("x"), 4096))
	}
	f.Close()
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	open(t, ours)
	_, err = Open(empty)
	if want := "data directory " + empty + " cannot be written: no space left on device"; err == nil || err.Error() != want {
		t.Errorf("Open = %v, want %s", err, want)
	}
}
