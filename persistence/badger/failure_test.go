package badger

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/leveretmq/leveret/persistence"
)

var errDisk = errors.New("the disk is on fire")

// appendOne appends a message and returns what becomes of it.
func appendOne(s *Store, q persistence.QueueID, seq uint64) *persistence.Outcome {
	r := persistence.NewRecord(benchMessage(int(seq), 5000))
	r.Add(persistence.Place{Queue: q, Seq: seq})
	done := persistence.NewOutcome()
	var batch persistence.Batch
	batch.Append(r, done, 0)
	s.Write(&batch)
	return done
}

// wantFailed wants that the store has failed for good, says why, and gives the
// data back after all.
func wantFailed(t *testing.T, s *Store, q persistence.QueueID, cause string) {
	t.Helper()
	<-s.Failed()
	if err := s.Err(); !errors.Is(err, persistence.ErrFailed) || !strings.Contains(err.Error(), cause) {
		t.Errorf("Err is %v, want a failure for %q", err, cause)
	}
	if err := appendOne(s, q, 99).Await(); !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("after the failure an append is told %v", err)
	}
	if err := s.Close(); !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("Close says %v", err)
	}
}

func TestFailingSteps(t *testing.T) {
	for _, c := range []struct {
		step string
		mode Sync
	}{{"commit", Always}, {"commit", Interval}, {"commit", Never}, {"front", Always}, {"transact", Interval}} {
		s := open(t, t.TempDir(), Options{Sync: c.mode})
		q := benchQueue(t, s)
		if err := appendOne(s, q, 1).Await(); err != nil {
			t.Fatal(err)
		}
		fail(s, c.step, errDisk)
		var waits []*persistence.Outcome
		for n := range uint64(10) {
			waits = append(waits, appendOne(s, q, 2+n))
		}
		for _, w := range waits {
			if err := w.Await(); !errors.Is(err, persistence.ErrFailed) || !errors.Is(err, errDisk) {
				t.Errorf("%s in mode %d fails: a waiter is told %v", c.step, c.mode, err)
			}
		}
		s.Await()
		wantFailed(t, s, q, errDisk.Error())
	}
}

// TestLoggedSyncFailures: of its value log Badger only logs that a sync failed.
func TestLoggedSyncFailures(t *testing.T) {
	// While a group is written, Badger logs before the commit ends.
	s := open(t, t.TempDir(), Options{Sync: Interval})
	q := benchQueue(t, s)
	f := func(step string) error {
		if step == "transact" {
			s.logger.Errorf("Error while curlf sync: %v\n", "input/output error")
		}
		return nil
	}
	s.fault.Store(&f)
	if err := appendOne(s, q, 1).Await(); !errors.Is(err, persistence.ErrFailed) || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("the group in which a sync failed is told %v", err)
	}
	wantFailed(t, s, q, "input/output error")

	// At any other time, such as while files are collected, the next to ask is
	// told, and nobody has to ask for the store to fail.
	s = open(t, t.TempDir(), Options{})
	q = benchQueue(t, s)
	s.logger.Errorf("Error while curlf sync: %v\n", "input/output error")
	wantFailed(t, s, q, "input/output error")
}

// TestSyncFailureIsWordedSo holds the text against Badger's source, in the
// version that is used.
func TestSyncFailureIsWordedSo(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/dgraph-io/badger/v4").Output()
	if err != nil {
		t.Skip("no source to look at: ", err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "value.go"))
	if err != nil {
		t.Skip("no source to look at: ", err)
	}
	if n := bytes.Count(source, []byte(`vlog.opt.Errorf("`+syncFailed)); n != 1 {
		t.Errorf("%q is logged in %d places of value.go, want one", syncFailed, n)
	}
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out).Level(zerolog.DebugLevel)
	l := &logger{log: &log}
	l.Infof("detail %d", 1)
	l.Debugf("detail")
	if out.Len() > 0 {
		t.Errorf("details are logged: %s", out.String())
	}
	l.Warningf("warning %d\n", 2)
	l.Errorf("error")
	l.Errorf("Ignoring table %s", "1.sst")
	l.Errorf("Unable to read: Key: %v", "k")
	for _, want := range []string{`"warn","message":"badger: warning 2"`, `"error","message":"badger: error"`, `"debug","message":"badger: Unable to read: Key: k"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("log is %s, want %s in it", out.String(), want)
		}
	}
	if l.failure() != nil || l.ignored.Load() != 1 {
		t.Errorf("failure %v, %d tables ignored", l.failure(), l.ignored.Load())
	}
}
