package badger

import (
	"testing"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// TestCollectionBringsNothingBack publishes and settles with a slow queue that
// pins chunks, while the value log is collected all the time: what was deleted
// stays deleted.
func TestCollectionBringsNothingBack(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	dir := t.TempDir()
	s := open(t, dir, Options{limits: limits{reclaim: 1 << 20, valueLogFile: 2 << 20, relocateMin: 8 << 20}})
	q := benchQueue(t, s)
	var batch persistence.Batch
	var slow, fast []*persistence.Record
	keep := func(list []*persistence.Record, n int) []*persistence.Record {
		for ; len(list) > n; list = list[1:] {
			batch.Settle(list[0], 0)
		}
		return list
	}
	end := time.Now().Add(20 * time.Second)
	for n := uint64(0); time.Now().Before(end); n++ {
		for k := range uint64(100) {
			r := persistence.NewRecord(benchMessage(int(k), 1000))
			r.Add(persistence.Place{Queue: q, Seq: n*100 + k + 1})
			batch.Append(r, nil, 0)
			if k == 0 {
				slow = append(slow, r)
			} else {
				fast = append(fast, r)
			}
		}
		o := persistence.NewOutcome()
		batch.Wait(o, 0)
		s.Write(&batch)
		if err := o.Await(); err != nil {
			t.Fatal(err)
		}
		fast, slow = keep(fast, 300), keep(slow, 100)
	}
	s.Write(&batch)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Check(dir)
	if err != nil {
		t.Fatal(err)
	}
	// Orphans there may be: settles that the last groups have made needless.
	if r.LivePlaces != 400 || r.Strays != 0 || len(r.Damages) > 0 {
		t.Errorf("%d live places, want 400; %d strays, damages %v", r.LivePlaces, r.Strays, r.Damages)
	}
}
