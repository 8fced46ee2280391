package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const goodMarker = `{"format":1,"created_at":"2026-01-02T03:04:05Z","node_id":"000102030405060708090a0b0c0d0e0f"}`

func TestOpenCreates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "data")
	before := time.Now()
	d := open(t, path)

	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("mode of the directory is %o, want 700", got)
	}
	if d.Path() != path {
		t.Errorf("Path() = %q, want %q", d.Path(), path)
	}
	if len(d.NodeID()) != 32 {
		t.Errorf("NodeID() = %q, want 32 digits", d.NodeID())
	}
	if c := d.CreatedAt(); c.Before(before.Add(-time.Second)) || c.After(time.Now()) || c.Location() != time.UTC {
		t.Errorf("CreatedAt() = %v, want now in UTC", c)
	}
	if got := names(t, path); got != "LOCK leveret.json" {
		t.Errorf("directory holds %q", got)
	}
}

func TestOpenKeepsItsIdentity(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	id, created := d.NodeID(), d.CreatedAt()
	closeDir(t, d)

	again := open(t, path)
	if again.NodeID() != id || !again.CreatedAt().Equal(created) {
		t.Errorf("reopened as %s of %v, was %s of %v", again.NodeID(), again.CreatedAt(), id, created)
	}
	closeDir(t, again)

	other := open(t, t.TempDir())
	if other.NodeID() == id {
		t.Error("two directories have one node id")
	}
}

func TestOpenRelativePath(t *testing.T) {
	base := t.TempDir()
	t.Chdir(base)
	d := open(t, "data")
	if !filepath.IsAbs(d.Path()) || filepath.Base(d.Path()) != "data" {
		t.Errorf("Path() = %q, want an absolute path", d.Path())
	}
}

func TestOpenFollowsALinkToADirectory(t *testing.T) {
	base := t.TempDir()
	link := filepath.Join(base, "link")
	mkdir(t, filepath.Join(base, "real"))
	if err := os.Symlink("real", link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	open(t, link)
	if got := names(t, filepath.Join(base, "real")); got != "LOCK leveret.json" {
		t.Errorf("directory holds %q", got)
	}
}

// A crash between any two steps of the creation leaves one of these.
func TestOpenFinishesAnInterruptedCreation(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"empty":             {},
		"lock":              {"LOCK": ""},
		"lock with old pid": {"LOCK": "4711\n"},
		"half marker":       {"LOCK": "4711\n", "leveret.json.tmp": `{"for`},
		"whole temp":        {"LOCK": "", "leveret.json.tmp": goodMarker},
		"temp without lock": {"leveret.json.tmp": ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			fill(t, path, files)
			d := open(t, path)
			if d.NodeID() == "000102030405060708090a0b0c0d0e0f" {
				t.Error("took the identity of a marker that was never in place")
			}
			if got := names(t, path); got != "LOCK leveret.json" {
				t.Errorf("directory holds %q", got)
			}
		})
	}
}

func TestOpenAcceptsTheRootOfAVolume(t *testing.T) {
	path := t.TempDir()
	mkdir(t, filepath.Join(path, "lost+found"))
	open(t, path)
}

func TestOpenRemovesALeftoverBesideTheMarker(t *testing.T) {
	path := t.TempDir()
	fill(t, path, map[string]string{"leveret.json": goodMarker, "leveret.json.tmp": "x", "store": "y"})
	d := open(t, path)
	if d.NodeID() != "000102030405060708090a0b0c0d0e0f" {
		t.Errorf("NodeID() = %q", d.NodeID())
	}
	if got := names(t, path); got != "LOCK leveret.json store" {
		t.Errorf("directory holds %q", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  error
		text  string
	}{
		"other files":     {map[string]string{"notes.txt": "mine"}, ErrForeign, `%s is not a Leveret data directory: it holds "notes.txt" but no leveret.json`},
		"files and LOCK":  {map[string]string{"LOCK": "", "x": ""}, ErrForeign, `%s is not a Leveret data directory: it holds "x" but no leveret.json`},
		"newer":           {map[string]string{"leveret.json": `{"format":2,"node_id":7}`}, ErrNewer, `data directory %s: it was written by a newer version of Leveret (format 2; this version knows up to 1)`},
		"empty marker":    {map[string]string{"leveret.json": ""}, ErrDamaged, `data directory %s: the marker leveret.json is damaged (it is not a JSON object with a format number)`},
		"cut marker":      {map[string]string{"leveret.json": goodMarker[:40]}, ErrDamaged, `data directory %s: the marker leveret.json is damaged (it is not a JSON object with a format number)`},
		"no format":       {map[string]string{"leveret.json": `{}`}, ErrDamaged, `data directory %s: the marker leveret.json is damaged (it is not a JSON object with a format number)`},
		"format 0":        {map[string]string{"leveret.json": `{"format":0}`}, ErrDamaged, `data directory %s: the marker leveret.json is damaged (format 0 never existed)`},
		"no date":         {map[string]string{"leveret.json": `{"format":1,"node_id":"00"}`}, ErrDamaged, `data directory %s: the marker leveret.json is damaged (created_at is missing)`},
		"wrong kind":      {map[string]string{"leveret.json": `{"format":1,"node_id":5}`}, ErrDamaged, `data directory %s: the marker leveret.json is damaged (a field has a value of the wrong kind)`},
		"bad node id":     {map[string]string{"leveret.json": strings.Replace(goodMarker, "0f", "xx", 1)}, ErrDamaged, `data directory %s: the marker leveret.json is damaged (node_id is not 32 hexadecimal digits)`},
		"too long marker": {map[string]string{"leveret.json": goodMarker + strings.Repeat(" ", maxMarkerSize)}, ErrDamaged, `data directory %s: the marker leveret.json is damaged (it is too long)`},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			fill(t, path, c.files)
			before := snapshot(t, path)
			d, err := Open(path)
			if err == nil {
				closeDir(t, d)
				t.Fatal("opened")
			}
			if !errors.Is(err, c.want) {
				t.Errorf("error %v is not %v", err, c.want)
			}
			if want := fmt.Sprintf(c.text, path); err.Error() != want {
				t.Errorf("error text\n got %s\nwant %s", err, want)
			}
			if after := snapshot(t, path); after != before {
				t.Errorf("the refused directory was changed\n from %s\n to %s", before, after)
			}
		})
	}
}

func TestOpenRefusesWhatIsNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	fill(t, filepath.Dir(file), map[string]string{"file": "mine"})
	for path, want := range map[string]string{
		"":                         "the path of the data directory is empty",
		file:                       "data directory " + file + " is not a directory",
		filepath.Join(file, "sub"): "data directory " + filepath.Join(file, "sub") + " cannot be opened: not a directory",
	} {
		if _, err := Open(path); err == nil || err.Error() != want {
			t.Errorf("Open(%q) = %v, want %q", path, err, want)
		}
	}
	if got, _ := os.ReadFile(file); string(got) != "mine" {
		t.Errorf("the file was changed to %q", got)
	}
}

func TestOpenRefusesADirectoryInUse(t *testing.T) {
	path := t.TempDir()
	first := open(t, path)
	before := snapshot(t, path)

	_, err := Open(path)
	want := fmt.Sprintf("data directory %s is in use by another process (%spid %d)", path, processName(), os.Getpid())
	if !errors.Is(err, ErrInUse) || err.Error() != want {
		t.Fatalf("second Open: %v, want %s", err, want)
	}
	if after := snapshot(t, path); after != before {
		t.Errorf("the directory in use was changed\n from %s\n to %s", before, after)
	}

	closeDir(t, first)
	if pid, _ := os.ReadFile(filepath.Join(path, "LOCK")); len(pid) != 0 {
		t.Errorf("LOCK still says %q after Close", pid)
	}
	open(t, path)
}

// processName is what a LOCK of this process says besides the number, where the
// system tells it.
func processName() string {
	if name, err := os.ReadFile("/proc/self/comm"); err == nil {
		return strings.TrimSpace(string(name)) + ", "
	}
	return ""
}

func TestOpenInUseWithoutAPid(t *testing.T) {
	path := t.TempDir()
	open(t, path)
	for _, content := range []string{"", "no number", "-5\n"} {
		fill(t, path, map[string]string{"LOCK": content})
		_, err := Open(path)
		if want := "data directory " + path + " is in use by another process"; err == nil || err.Error() != want {
			t.Errorf("with %q in LOCK: %v, want %s", content, err, want)
		}
	}
}

func TestOpenRefusesALockThatIsALink(t *testing.T) {
	path, outside := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	fill(t, filepath.Dir(outside), map[string]string{"precious": "mine"})
	if err := os.Symlink(outside, filepath.Join(path, "LOCK")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if d, err := Open(path); err == nil {
		closeDir(t, d)
		t.Error("opened")
	}
	if got, _ := os.ReadFile(outside); string(got) != "mine" {
		t.Errorf("the file behind the link was changed to %q", got)
	}
}

func TestOpenRefusesAnUnwritableDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	marked := map[string]string{"leveret.json": goodMarker, "LOCK": ""}
	for name, files := range map[string]map[string]string{"empty": {}, "ours": marked} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			fill(t, path, files)
			chmod(t, path, 0o500)
			defer chmod(t, path, 0o700)
			before := snapshot(t, path)
			_, err := Open(path)
			if want := "data directory " + path + " cannot be written: permission denied"; err == nil || err.Error() != want {
				t.Errorf("Open: %v, want %s", err, want)
			}
			if after := snapshot(t, path); after != before {
				t.Errorf("the refused directory was changed\n from %s\n to %s", before, after)
			}
		})
	}
}

func TestCloseTwice(t *testing.T) {
	d := open(t, t.TempDir())
	closeDir(t, d)
	closeDir(t, d)
}

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDir(t, d) })
	return d
}

func closeDir(t *testing.T, d *Dir) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func fill(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// snapshot describes everything in a directory: names, modes, times, contents.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, name := range strings.Fields(names(t, dir)) {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %v %v %q; ", name, info.Mode(), info.ModTime().UnixNano(), content)
	}
	return b.String()
}
