package badger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// backedUp is a backup of a store with some messages.
func backedUp(t testing.TB) []byte {
	t.Helper()
	s := open(t, t.TempDir(), slowFront)
	q := benchQueue(t, s)
	for seq := range uint64(20) {
		put(t, s, q, seq+1, 100)
	}
	var out bytes.Buffer
	if err := s.Backup(&out); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestRestoreRefuses cuts a backup short and damages it, here and there, and nothing is left.
func TestRestoreRefuses(t *testing.T) {
	whole := backedUp(t)
	refuse := func(what string, backup []byte) {
		dir := filepath.Join(t.TempDir(), "store")
		if _, err := Restore(dir, bytes.NewReader(backup)); !errors.Is(err, ErrBackup) && !errors.Is(err, ErrNewer) {
			t.Errorf("%s: %v, want ErrBackup", what, err)
		}
		if exists(dir) {
			t.Errorf("%s: something is left", what)
		}
	}
	step := 17
	if testing.Short() {
		step = 211
	}
	for n := 0; n < len(whole); n += step {
		refuse(fmt.Sprintf("cut to %d of %d bytes", n, len(whole)), whole[:n])
	}
	for i := 0; i < len(whole); i += step {
		damaged := slices.Clone(whole)
		damaged[i] ^= 0x40
		refuse(fmt.Sprintf("byte %d is damaged", i), damaged)
	}
	refuse("a byte too many", append(slices.Clone(whole), 0))
	refuse("something else", []byte("not a backup at all, but long enough to be one"))
}

// TestRestoreNotInto: a directory with something in it is left alone.
func TestRestoreNotInto(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(dir, bytes.NewReader(backedUp(t))); err == nil || !exists(path) {
		t.Errorf("restored, or the file is gone: %v", err)
	}
}

// TestRestoreOfANewerVersion says that it is one.
func TestRestoreOfANewerVersion(t *testing.T) {
	var out bytes.Buffer
	b := newBackupWriter(&out)
	if err := errors.Join(b.record(key1(keyFormat), []byte{formatVersion + 1}), b.end()); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(filepath.Join(t.TempDir(), "s"), &out); !errors.Is(err, ErrNewer) {
		t.Errorf("%v, want ErrNewer", err)
	}
}

// TestBackupBesideCollection: while messages come and go, chunks are moved and the value
// log is collected, a slow backup has all that was there when it began.
func TestBackupBesideCollection(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	s := open(t, t.TempDir(), Options{limits: limits{reclaim: 1 << 20, valueLogFile: 2 << 20, relocateMin: 4 << 20}})
	q := benchQueue(t, s)
	var kept []*persistence.Record
	for seq := range uint64(4000) {
		r := persistence.NewRecord(benchMessage(int(seq+1), 1000))
		r.Add(persistence.Place{Queue: q, Seq: seq + 1})
		kept = append(kept, r)
	}
	for part := range slices.Chunk(kept, 500) {
		var batch persistence.Batch
		for _, r := range part {
			batch.Append(r, nil, 0)
		}
		mustCommit(t, s, &batch)
	}
	w := &besideWriter{t: t, s: s, q: q, kept: kept}
	if err := s.Backup(w); err != nil {
		t.Fatal(err)
	}
	if w.settled < len(kept)/2 {
		t.Fatalf("only %d messages were settled while the backup was written", w.settled)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := Restore(dir, &w.out); err != nil {
		t.Fatal(err)
	}
	if r, err := Check(dir); err != nil || r.Damages != nil {
		t.Errorf("Check says %v, %v", r.Damages, err)
	}
	s = open(t, dir, Options{})
	defer s.Close()
	got := recovered(t, s, func(uint64) int { return 1000 })
	if len(got) != len(kept) || got[0] != 1 || got[len(got)-1] != uint64(len(kept)) {
		t.Errorf("%d messages were restored, want %d", len(got), len(kept))
	}
}

// besideWriter settles what there was, and has the rest collected, with each write of a
// backup.
type besideWriter struct {
	t       *testing.T
	s       *Store
	q       persistence.QueueID
	kept    []*persistence.Record
	settled int
	seq     uint64
	out     bytes.Buffer
}

func (w *besideWriter) Write(p []byte) (int, error) {
	n := min(500, len(w.kept)-w.settled)
	var batch persistence.Batch
	for _, r := range w.kept[w.settled : w.settled+n] {
		batch.Settle(r, 0)
	}
	w.settled += n
	for range 100 {
		w.seq++
		r := persistence.NewRecord(benchMessage(int(w.seq), 1000))
		r.Add(persistence.Place{Queue: w.q, Seq: 1<<30 + w.seq})
		batch.Append(r, nil, 0)
	}
	mustCommit(w.t, w.s, &batch)
	w.s.reclaimer.start()
	for until := time.Now().Add(2 * time.Second); len(w.s.reclaimer.kick) > 0 && time.Now().Before(until); {
		w.s.Await()
	}
	return w.out.Write(p)
}

// Whatever is restored, it is refused or what was backed up.
func FuzzRestore(f *testing.F) {
	whole := backedUp(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(backupMagic + "\x00\x00"))
	f.Fuzz(func(t *testing.T, backup []byte) {
		in := bytes.NewReader(backup)
		r := &backupReader{in: newBackupBuffer(in), sum: sha256.New()}
		if r.begin() != nil {
			return
		}
		for {
			op, err := r.next()
			if err != nil || op.key == nil {
				return
			}
			if len(op.key) > backupKey || len(op.value) > len(backup) {
				t.Fatalf("a key of %d and a value of %d bytes", len(op.key), len(op.value))
			}
		}
	})
}
