package badger

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second Open: %v, want ErrInUse", err)
	}
	if err := s.transact([]operation{{key1(keyFormat), []byte{formatVersion + 1}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, Options{})
	if !errors.Is(err, ErrNewer) || err.Error() != "the store "+dir+": written by a newer version of Leveret: it has format 4, and this one knows up to 3" {
		t.Errorf("Open of a newer format: %v", err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrNewer) {
		t.Errorf("Open once more: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(file, "store"), Options{}); err == nil {
		t.Error("a store is made in a file")
	}
	for _, o := range []Options{{Sync: 7}, {Sync: Interval, Interval: time.Nanosecond}, {Sync: Interval, Interval: time.Hour}} {
		if _, err := Open(t.TempDir(), o); err == nil {
			t.Errorf("options %+v are taken", o)
		}
	}
}

// TestOpenOfAnotherProgram has a Badger that is not ours.
func TestOpenOfAnotherProgram(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if err := s.transact([]operation{{key: key1(keyFormat)}, {[]byte("theirs"), []byte("data")}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrBroken) {
		t.Errorf("Open: %v, want ErrBroken", err)
	}
}

func TestIDsAreNeverGivenOutAgain(t *testing.T) {
	dir := t.TempDir()
	var last uint64
	for range 3 {
		s := open(t, dir, Options{Sync: Never})
		for range idBlock {
			id := s.NewID()
			if id <= last {
				t.Fatalf("id %d comes after %d", id, last)
			}
			last = id
		}
		// More than one block: the limit on disk has to be moved first.
		var batch persistence.Batch
		mustCommit(t, s, &batch)
		s.mu.Lock()
		limit := s.idLimit
		s.mu.Unlock()
		if limit < last {
			t.Fatalf("ids are given out up to %d, and set aside up to %d", last, limit)
		}
		copied := crashCopy(t, dir)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		dir = copied
	}
}

// TestJournalIsEndedAtStart leaves a journal in each state that a crash can.
func TestJournalIsEndedAtStart(t *testing.T) {
	key := definitionKey(persistence.KindUser, 7)
	list := []operation{{key, seal(key, append(unsealed(nil), 1, 2, 3))}}
	pieces := journalPieces(list)
	head := keyN(keyJournal, 0)
	for _, c := range []struct {
		name  string
		write []operation
		done  bool
	}{
		{"pieces only", pieces, false},
		{"whole", append(slices.Clone(pieces), operation{head, sealedNumbers(head, 1)}), true},
		{"done, not deleted", append(slices.Clone(pieces), operation{head, sealedNumbers(head, 1)}, list[0]), true},
	} {
		dir := t.TempDir()
		s := open(t, dir, Options{})
		if err := s.transact(c.write); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s = open(t, dir, Options{})
		defs, err := s.Definitions()
		if err != nil || len(defs) == 1 != c.done {
			t.Errorf("%s: definitions %v, %v; want it done %v", c.name, defs, err, c.done)
		}
		if err := eachValue(s.db, keyJournal, func(key, _ []byte) error {
			t.Errorf("%s: %x of the journal is left", c.name, key)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}

// TestIntervalsMakeGroups: in the mode Interval there is at most one group an
// interval.
func TestIntervalsMakeGroups(t *testing.T) {
	s := open(t, t.TempDir(), Options{Sync: Interval, Interval: MaxInterval / 20})
	defer s.Close()
	q := benchQueue(t, s)
	before, start := s.Stats(), time.Now()
	var waits []*persistence.Outcome
	for n := range uint64(100) {
		waits = append(waits, appendOne(s, q, n))
	}
	for _, w := range waits {
		if err := w.Await(); err != nil {
			t.Fatal(err)
		}
	}
	groups, most := s.Stats().Groups-before.Groups, uint64(time.Since(start)/(MaxInterval/20))+1
	if groups > most || s.Stats().Records-before.Records != 100 {
		t.Errorf("%d groups in %v, want up to %d", groups, time.Since(start), most)
	}
}
