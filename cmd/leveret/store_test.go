package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/badger"
	"github.com/leveretmq/leveret/persistence/datadir"
)

// dataOf makes a data directory with a queue of some messages of 1 KiB, of which
// an exchange has two as well, and some keys.
func dataOf(t *testing.T, messages int) (path string, queue persistence.QueueID) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "data")
	dir, err := datadir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := badger.Open(filepath.Join(path, storeName), badger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b persistence.Batch
	queue = persistence.QueueID(s.NewID())
	b.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindQueue, ID: uint64(queue), Body: []byte{1}}})
	exchange := persistence.QueueID(s.NewID())
	b.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindExchange, ID: uint64(exchange), Body: []byte{1}}})
	for range 7 {
		b.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindDuplicate, ID: s.NewID(), Body: []byte{1}}})
	}
	for seq := range messages {
		m := amqp.NewMessage("", []byte("q"), nil, 1024)
		m.AppendBody(make([]byte, 1024))
		m.Persistent = true
		r := persistence.NewRecord(m)
		r.Add(persistence.Place{Queue: queue, Seq: uint64(seq + 1)})
		if seq < 2 {
			r.Add(persistence.Place{Queue: exchange, Seq: uint64(seq + 1), Due: int64(seq + 1)})
		}
		b.Append(r, nil, 0)
	}
	done := persistence.NewOutcome()
	b.Wait(done, 0)
	s.Write(&b)
	if err := errors.Join(done.Await(), s.Close(), dir.Close()); err != nil {
		t.Fatal(err)
	}
	return path, queue
}

func TestStoreCheck(t *testing.T) {
	path, queue := dataOf(t, 300)
	code, stdout, stderr := outputs("store", "check", "--data-dir", path)
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	for _, want := range []string{
		"Data directory " + path + " of node ", "durable queues +1\n", "durable exchanges +1\n",
		"deduplication keys +7\n", "messages in queues +300\n", "messages held by exchanges +2\n",
		fmt.Sprintf("\nqueue id +messages +bodies\n%d +300 +300.0 KiB\n", queue),
		fmt.Sprintf("\nexchange id +messages +bodies\n%d +2 +2.0 KiB\n", queue+1), "\nNo damage was found.\n",
	} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("the report lacks %q:\n%s", want, stdout)
		}
	}
	// The directory is free again.
	if code, stdout, _ := outputs("--data-dir", path, "store", "stats"); code != 0 || !strings.Contains(stdout, "messages in queues") {
		t.Errorf("store stats: exit code %d, and\n%s", code, stdout)
	}
}

func TestStoreCheckFindsDamage(t *testing.T) {
	path, _ := dataOf(t, 300)
	logs, err := filepath.Glob(filepath.Join(path, storeName, "*.vlog"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("value logs %v, %v", logs, err)
	}
	f, err := os.OpenFile(logs[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("damage"), 100_000); err != nil {
		t.Fatal(err)
	}
	f.Close()
	code, stdout, stderr := outputs("store", "check", "--data-dir", path)
	if code != 1 || !strings.Contains(stdout, "Damage:\n - ") || strings.Contains(stdout, "No damage") {
		t.Errorf("exit code %d, and\n%s", code, stdout)
	}
	if !strings.HasPrefix(stderr, "leveret: the store in "+path+" is damaged in ") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("stderr %q", stderr)
	}
}

func TestStoreCommandsRefuse(t *testing.T) {
	ours, _ := dataOf(t, 1)
	used, _ := dataOf(t, 1)
	dir, err := datadir.Open(used)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	absent := filepath.Join(foreign, "absent")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"store"}, `store needs a command, check, stats or restore: see leveret store --help`},
		{[]string{"store", "mend"}, `store has no command "mend": see leveret store --help`},
		{[]string{"store", "check", ours}, `store check takes no argument, and got "` + ours + `"`},
		{[]string{"store", "check", "--data-dir="}, `--data-dir is empty`},
		{[]string{"store", "stats", "--in-memory"}, `there is no flag --in-memory: see leveret --help`},
		{[]string{"store", "check", "--data-dir", absent}, `data directory ` + absent + ` does not exist`},
		{[]string{"store", "check", "--data-dir", foreign}, foreign + ` is not a Leveret data directory: it holds "notes.txt" but no leveret.json`},
		{[]string{"store", "stats", "--data-dir", used}, fmt.Sprintf("data directory %s is in use by another process (%spid %d)", used, processName(), os.Getpid())},
	} {
		code, stdout, stderr := outputs(c.args...)
		if code != 1 || stdout != "" || stderr != "leveret: "+c.want+"\n" {
			t.Errorf("%q: exit code %d, stdout %q, stderr\n got %swant leveret: %s", c.args, code, stdout, stderr, c.want)
		}
	}
	if _, err := os.Stat(absent); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("store check made the directory: %v", err)
	}
}

// processName is what the lock of this process says besides its number, where
// the system tells it.
func processName() string {
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name)) + ", "
}
