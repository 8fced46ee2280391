package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOpenExisting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	closeDir(t, open(t, path))
	d, err := OpenExisting(path)
	if err != nil {
		t.Fatal(err)
	}
	closeDir(t, d)
}

func TestOpenExistingCreatesNothing(t *testing.T) {
	empty := t.TempDir()
	absent := filepath.Join(empty, "absent")
	for path, want := range map[string]string{
		empty:  empty + " is not a Leveret data directory: it holds no leveret.json",
		absent: "data directory " + absent + " does not exist",
	} {
		if _, err := OpenExisting(path); err == nil || err.Error() != want {
			t.Errorf("OpenExisting = %v, want %s", err, want)
		}
	}
	if got := names(t, empty); got != "" {
		t.Errorf("the directory holds %q now", got)
	}
}

func TestOpenRemovesLeftoverProbes(t *testing.T) {
	path := t.TempDir()
	fill(t, path, map[string]string{"LOCK": "", "leveret.json.tmp-123": "x"})
	open(t, path)
	if got := names(t, path); got != "LOCK leveret.json" {
		t.Errorf("directory holds %q", got)
	}
}

func TestProbeNeedsMapping(t *testing.T) {
	path := t.TempDir()
	err := probeWith(path, func(*os.File) error { return os.NewSyscallError("mmap", syscall.ENODEV) })
	want := "data directory " + path + " is on a file system that cannot map files into memory, which the store needs: no such device"
	if !errors.Is(err, ErrNoMapping) || err.Error() != want {
		t.Errorf("probe = %v, want %s", err, want)
	}
	if got := names(t, path); got != "" {
		t.Errorf("the probe leaves %q", got)
	}
}

// What is mapped and does not reach the file is no mapping either.
func TestMapFileWantsAWritableFile(t *testing.T) {
	path := t.TempDir()
	fill(t, path, map[string]string{"f": strings.Repeat("x", os.Getpagesize())})
	f, err := os.Open(filepath.Join(path, "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := mapFile(f); err == nil {
		t.Error("a file that was opened for reading could be mapped for writing")
	}
}

const nobody = 65534

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can prepare this")
	}
}

// Root too: its files would shut the owner of the others out.
func TestOpenRefusesTheDataOfAnotherUser(t *testing.T) {
	needRoot(t)
	path := t.TempDir()
	fill(t, path, map[string]string{"leveret.json": goodMarker, "LOCK": ""})
	if err := os.Chown(filepath.Join(path, "leveret.json"), nobody, nobody); err != nil {
		t.Skip("the owner cannot be changed:", err)
	}
	before := snapshot(t, path)
	_, err := Open(path)
	want := "data directory " + path + " belongs to another user: " + userName(nobody) + ", while this process runs as " + userName(0)
	if !errors.Is(err, ErrOwner) || err.Error() != want {
		t.Errorf("Open = %v, want %s", err, want)
	}
	if after := snapshot(t, path); after != before {
		t.Errorf("the refused directory was changed\n from %s\n to %s", before, after)
	}
}

// The volumes of containers often belong to somebody else while they are empty.
func TestOpenTakesAnEmptyDirectoryOfAnotherUser(t *testing.T) {
	needRoot(t)
	path := t.TempDir()
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Skip("the owner cannot be changed:", err)
	}
	closeDir(t, open(t, path))
	open(t, path)
}

func TestUserNameOfNobodyKnown(t *testing.T) {
	if got := userName(4_000_000); got != "uid 4000000" {
		t.Errorf("userName = %q", got)
	}
}
