package definitions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "de[f]s")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, ParseOptions{}); err == nil || !strings.Contains(err.Error(), "no file in "+dir) {
		t.Errorf("an empty directory: %v", err)
	}
	queues := write(t, dir, "20-queues.json", `{"queues":[{"name":"q","vhost":"v","durable":true}]}`)
	write(t, dir, "10-vhosts.json", `{"vhosts":[{"name":"v"}]}`)
	write(t, dir, "notes.txt", `not JSON`)
	f, err := Load(dir, ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if rep := apply(t, newBroker(t), f); rep.Queues.Created != 1 || rep.VHosts.Created != 1 {
		t.Errorf("report %s", rep)
	}
	if f, err = Load(queues, ParseOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(newBroker(t)); err == nil || err.Error() != "queue 'q' in vhost 'v': no vhost 'v'" {
		t.Errorf("one file alone: %v", err)
	}
	bad := write(t, dir, "30-bad.json", `{"queues":7}`)
	for _, path := range []string{dir, bad} {
		if _, err := Load(path, ParseOptions{}); err == nil || !strings.Contains(err.Error(), bad+": queues should be a list") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "none"), ParseOptions{}); err == nil {
		t.Error("a file that is not there was loaded")
	}
}

func TestApplyChanged(t *testing.T) {
	r := newBroker(t)
	file := func(text string) *File { return parse(t, []byte(text), ParseOptions{}) }
	step := func(f *File, want bool) {
		t.Helper()
		if _, applied, err := f.ApplyChanged(r); err != nil || applied != want {
			t.Errorf("applied %v, %v", applied, err)
		}
	}
	first := file(`{"users":[{"name":"u","tags":"a"}], "vhosts":[]}`)
	step(first, true)
	if err := r.DeleteUser("u"); err != nil {
		t.Fatal(err)
	}
	step(first, false)
	step(file(`{"vhosts":[],"users":[{"tags":"a","name":"u"}]}`), false) // the same in another order
	if _, ok := r.User("u"); ok {
		t.Error("what was deleted since came back, though the file was the same")
	}
	step(file(`{"users":[{"name":"u","tags":"b"}]}`), true)
	if _, ok := r.User("u"); !ok {
		t.Error("another file was not applied")
	}
	if strings.Contains(state(t, r), hashParameter) {
		t.Error("the hash of the file is exported")
	}
}
