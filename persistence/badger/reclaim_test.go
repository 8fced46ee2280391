package badger

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

// TestDrainedStoreGivesSpaceBack fills a store and settles all, with large and
// small groups, in each mode.
func TestDrainedStoreGivesSpaceBack(t *testing.T) {
	for _, mode := range modes {
		for _, perGroup := range []int{5, 500} {
			if testing.Short() && (mode.sync != Never || perGroup != 5) {
				continue
			}
			s := open(t, t.TempDir(), Options{Sync: mode.sync, Interval: MinInterval, limits: limits{
				reclaim: 4 << 20, valueLogFile: 1 << 20, groupRecords: perGroup,
			}})
			drain(t, s)
			until(t, "the value log to shrink", func() bool {
				sizes, err := measureDir(s.dir)
				return err == nil && sizes.Values.Bytes < 10<<20
			})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// drain fills a store with 40 MB in batches of 5, and settles all.
func drain(t *testing.T, s *Store) {
	t.Helper()
	q := benchQueue(t, s)
	var all []*persistence.Record
	var batch persistence.Batch
	for n := range 10_000 {
		r := persistence.NewRecord(benchMessage(n, 4000))
		r.Add(persistence.Place{Queue: q, Seq: uint64(n)})
		all = append(all, r)
		if batch.Append(r, nil, 0); len(batch.Appends) == 5 {
			s.Write(&batch)
			s.Await()
		}
	}
	mustCommit(t, s, &batch)
	if sizes, err := measureDir(s.dir); err != nil || sizes.Values.Bytes < 38<<20 {
		t.Fatalf("the value log takes %d bytes, %v; want 40 MB", sizes.Values.Bytes, err)
	}
	for _, r := range all {
		if batch.Settle(r, 0); len(batch.Settles) == 500 {
			mustCommit(t, s, &batch)
		}
	}
}

// TestWasteIsFoundAtStart takes Badger's notes of what is dead away.
func TestWasteIsFoundAtStart(t *testing.T) {
	dir := t.TempDir()
	o := Options{Sync: Never, limits: limits{reclaim: 1 << 40, valueLogFile: 1 << 20, wasted: 8 << 20}}
	s := open(t, dir, o)
	s.reclaimer.close() // so that nothing is given back
	s.reclaimer = newReclaimer(s)
	go s.reclaimer.run()
	drain(t, s)
	stays := persistence.NewRecord(benchMessage(1, 5000))
	stays.Add(persistence.Place{Queue: benchQueue(t, s), Seq: 1})
	var batch persistence.Batch
	batch.Append(stays, nil, 0)
	mustCommit(t, s, &batch)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, discardFile)); err != nil {
		t.Fatal(err)
	}
	if sizes, err := measureDir(dir); err != nil || sizes.Values.Bytes < 38<<20 {
		t.Fatalf("the value log takes %d bytes, %v; want 40 MB", sizes.Values.Bytes, err)
	}
	s = open(t, dir, o)
	defer s.Close()
	until(t, "the value log to shrink", func() bool {
		sizes, err := measureDir(dir)
		return err == nil && sizes.Values.Bytes < 4<<20
	})
	at, _ := stays.Ref(0)
	s.Read([]persistence.Ref{at}, func(_ int, r *persistence.Record, err error) {
		if err != nil || string(r.Message.Body) != string(stays.Message.Body) {
			t.Errorf("what is live cannot be read any more: %v", err)
		}
	})
}
