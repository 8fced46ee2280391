package badger

import (
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/leveretmq/leveret/persistence"
)

// What is deleted is deleted once more while its value is there, and a chunk
// that came back is; what lives stays.
func TestDeleteAgain(t *testing.T) {
	s := open(t, t.TempDir(), Options{Sync: Interval, limits: limits{settleDelay: 1}})
	q := benchQueue(t, s)
	place := func(seq uint64) *persistence.Record {
		r := persistence.NewRecord(benchMessage(1, 5000))
		r.Add(persistence.Place{Queue: q, Seq: seq})
		var batch persistence.Batch
		o := persistence.NewOutcome()
		batch.Append(r, o, 0)
		s.Write(&batch)
		if err := o.Await(); err != nil {
			t.Fatal(err)
		}
		return r
	}
	gone, kept := place(1), place(2)
	at, _ := gone.Ref(0)
	var batch persistence.Batch
	batch.Settle(gone, 0)
	s.Write(&batch)
	until(t, "the chunk to be deleted", func() bool { return s.Stats().Chunks == 1 })

	again := func(what string, want int) {
		t.Helper()
		if n, err := s.deleteAgain(); err != nil || n != want {
			t.Errorf("%s: %d keys were deleted again, want %d; %v", what, n, want, err)
		}
	}
	again("value of the deleted one", 1)
	// As Badger does it: it is there again, with nothing that deletes it.
	key := keyN(keyChunk, at.Chunk)
	if err := s.db.Update(func(txn *badger.Txn) error { return txn.Set(key, make([]byte, 5000)) }); err != nil {
		t.Fatal(err)
	}
	again("with a value that came back", 1)
	// One that is not known yet is being written.
	next := keyN(keyIndex, s.table.highest.Load()+1)
	if err := s.db.Update(func(txn *badger.Txn) error { return txn.Set(next, []byte("new")) }); err != nil {
		t.Fatal(err)
	}
	again("with an index that is new", 1)
	ref, _ := kept.Ref(0)
	s.Read([]persistence.Ref{ref}, func(_ int, _ *persistence.Record, err error) {
		if err != nil {
			t.Errorf("the one that lives: %v", err)
		}
	})
	if err := s.db.View(func(txn *badger.Txn) error { _, err := txn.Get(next); return err }); err != nil {
		t.Errorf("the new index: %v", err)
	}
	if err := s.db.View(func(txn *badger.Txn) error { _, err := txn.Get(key); return err }); err != badger.ErrKeyNotFound {
		t.Errorf("the value that came back: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
