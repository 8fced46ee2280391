package badger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

func TestCheckOfSoundStores(t *testing.T) {
	for _, clean := range []bool{true, false} {
		im := newImage(t, clean)
		for round, check := range []func(string) (Report, error){Inspect, Check, Check} {
			r, err := check(im.dir)
			if err != nil {
				t.Fatal(err)
			}
			if r.Damages != nil || r.Damaged != 0 || r.Strays != 0 || r.Orphans != 0 {
				t.Errorf("clean %v: %+v", clean, r)
			}
			if r.Replayed != (!clean && round == 0) {
				t.Errorf("clean %v, round %d: replayed is %v", clean, round, r.Replayed)
			}
			if len(r.Queues) != 1 || r.Queues[0].ID != im.queue || r.Queues[0].Places != int64(len(im.bodies)) || r.LivePlaces != int64(len(im.bodies)) {
				t.Errorf("clean %v: %d places in queues %+v, want %d", clean, r.LivePlaces, r.Queues, len(im.bodies))
			}
			if len(r.Definitions) != 181 || r.Format != formatVersion || r.LiveBytes == 0 || r.DeadBytes == 0 || r.Sizes.Values.Bytes == 0 || r.Sizes.Tables.Count == 0 {
				t.Errorf("clean %v: %d definitions, %+v", clean, len(r.Definitions), r)
			}
		}
		if o := im.use(t, func(string) {}); o != (outcome{}) {
			t.Errorf("clean %v: after the check there is %+v", clean, o)
		}
	}
}

func TestCheckFindsDamage(t *testing.T) {
	im := newImage(t, true)
	entries, err := os.ReadDir(im.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "DISCARD" || e.Name() == "KEYREGISTRY" {
			continue // statistics, and nothing, as nothing is encrypted
		}
		dir := t.TempDir()
		copyDir(t, im.dir, dir)
		path := filepath.Join(dir, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 4
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := Check(dir); err != nil || len(r.Damages) == 0 || r.Damaged < len(r.Damages) {
			t.Errorf("%s is damaged: Check says %v, %v", e.Name(), r.Damages, err)
		}
	}
}

// TestCheckCountsWhatAStartDrops has it look at transient records, places of
// queues that are not defined, and values that a transaction has left.
func TestCheckCountsWhatAStartDrops(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{Sync: Never})
	q := benchQueue(t, s)
	var batch persistence.Batch
	for n := range 6 {
		r := persistence.NewRecord(benchMessage(n, 100))
		r.Transient = n < 2
		r.Add(persistence.Place{Queue: q, Seq: uint64(n)})
		r.Add(persistence.Place{Queue: q + 100, Seq: uint64(n)})
		batch.Append(r, nil, 0)
	}
	mustCommit(t, s, &batch)
	if err := s.transact([]operation{{partKey(999, 0), []byte{valueVersion, 1}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Check(dir)
	if err != nil || r.Damages != nil || r.Transient != 2 || r.Strays != 4 || r.Orphans != 1 || r.LivePlaces != 4 || r.Records != 6 {
		t.Errorf("Check says %+v, %v", r, err)
	}
	s = open(t, dir, Options{})
	defer s.Close()
	n := 0
	if err := s.Recover(func(persistence.Recovered) bool { n++; return true }); err != nil || n != 4 {
		t.Errorf("recovered %d places, %v; want 4", n, err)
	}
	var last persistence.Batch
	mustCommit(t, s, &last)
	if err := eachValue(s.db, keyChunk, func(key, _ []byte) error {
		if id, _, _ := partOf(key); id == 999 {
			t.Error("what the transaction has left is still there")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestCheckRefuses(t *testing.T) {
	if _, err := Check(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Check of nothing: %v", err)
	}
	empty := t.TempDir()
	if _, err := Check(empty); err == nil || !strings.Contains(err.Error(), "no store") {
		t.Errorf("Check of an empty directory: %v", err)
	}
	if entries, _ := os.ReadDir(empty); len(entries) > 0 {
		t.Errorf("Check has left %v", entries)
	}
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if _, err := Check(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("Check of a store that is open: %v", err)
	}
	if err := s.transact([]operation{{key1(keyFormat), []byte{9}}}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Check(dir); !errors.Is(err, ErrNewer) {
		t.Errorf("Check of a newer format: %v", err)
	}
}

// TestCheckCountsOwners has places of queues and of exchanges, and keys.
func TestCheckCountsOwners(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{Sync: Never})
	q := benchQueue(t, s)
	x := persistence.QueueID(s.NewID())
	var batch persistence.Batch
	for _, d := range []persistence.Definition{
		{Kind: persistence.KindExchange, ID: uint64(x), Body: []byte{1}},
		{Kind: persistence.KindDuplicate, ID: s.NewID(), Body: []byte{1}},
		{Kind: persistence.KindDuplicate, ID: s.NewID(), Body: []byte{1}},
	} {
		batch.Change(persistence.Change{Definition: d})
	}
	key := persistence.QueueID(s.NewID() - 1)
	for n := range 6 {
		r := persistence.NewRecord(benchMessage(n, 80))
		for _, id := range []persistence.QueueID{q, x, key}[:1+n%3] {
			r.Add(persistence.Place{Queue: id, Seq: uint64(n), Due: int64(n)})
		}
		batch.Append(r, nil, 0)
	}
	mustCommit(t, s, &batch)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Check(dir)
	if err != nil || r.Damages != nil || r.LivePlaces != 10 || r.Strays != 2 || len(r.Definitions) != 4 {
		t.Errorf("Check says %+v, %v", r, err)
	}
	if len(r.Queues) != 1 || r.Queues[0] != (OwnerReport{ID: q, Places: 6, Bytes: 480}) {
		t.Errorf("the queues are %+v", r.Queues)
	}
	if len(r.Exchanges) != 1 || r.Exchanges[0] != (OwnerReport{ID: x, Places: 4, Bytes: 320}) {
		t.Errorf("the exchanges are %+v", r.Exchanges)
	}
}
