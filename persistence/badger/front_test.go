package badger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leveretmq/leveret/persistence"
)

// slowFront leaves everything in the front log.
var slowFront = Options{limits: limits{frontWindow: time.Hour, settleDelay: 1}}

// frontStore is a store with all but its queue in the front log.
func frontStore(t testing.TB) (s *Store, dir string, q persistence.QueueID) {
	t.Helper()
	dir = t.TempDir()
	s = open(t, dir, slowFront)
	q = benchQueue(t, s)
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, persistence.ErrClosed) {
			t.Error(err)
		}
	})
	return s, dir, q
}

// put appends a message and waits until it is safe.
func put(t testing.TB, s *Store, q persistence.QueueID, seq uint64, size int) *persistence.Record {
	t.Helper()
	r := persistence.NewRecord(benchMessage(int(seq), size))
	r.Add(persistence.Place{Queue: q, Seq: seq})
	var batch persistence.Batch
	done := persistence.NewOutcome()
	batch.Append(r, done, 0)
	s.Write(&batch)
	if err := done.Await(); err != nil {
		t.Fatal(err)
	}
	return r
}

// recovered returns the places that a store gives back, and looks that each has
// its message.
func recovered(t testing.TB, s *Store, size func(seq uint64) int) (seqs []uint64) {
	t.Helper()
	var refs []persistence.Ref
	err := s.Recover(func(r persistence.Recovered) bool {
		refs, seqs = append(refs, r.Ref), append(seqs, r.Seq)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Read(refs, func(i int, r *persistence.Record, err error) {
		if err != nil || !bytes.Equal(r.Message.Body, benchMessage(int(seqs[i]), size(seqs[i])).Body) {
			t.Errorf("message %d: %v, or another body", seqs[i], err)
		}
	})
	slices.Sort(seqs)
	return seqs
}

func hundred(uint64) int { return 100 }

// TestFrontLog: what was only in the front log when the power was cut comes back,
// though the database has nothing of it, and so says Check.
func TestFrontLog(t *testing.T) {
	s, dir, q := frontStore(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	copyDir(t, dir, empty)
	s = open(t, dir, slowFront)
	var all []*persistence.Record
	for seq := range uint64(20) {
		all = append(all, put(t, s, q, seq+1, 100))
	}
	var batch persistence.Batch
	batch.Settle(all[3], 0)
	mustCommit(t, s, &batch)
	log, err := os.ReadFile(filepath.Join(dir, frontFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(empty, frontFile), log, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checked := t.TempDir()
	copyDir(t, empty, checked)
	if r, err := Check(checked); err != nil || r.Damages != nil || r.LivePlaces != 19 || !r.Replayed {
		t.Errorf("Check says %+v, %v; want 19 places and no damage", r, err)
	}
	for _, dir := range []string{empty, checked, dir} {
		s = open(t, dir, slowFront)
		got := recovered(t, s, hundred)
		if n := s.Stats().Damaged; len(got) != 19 || slices.Contains(got, 4) || n != 0 {
			t.Errorf("recovered %v, %d damaged; want 1 to 20 but for 4", got, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFrontLogIsRead: what is only in the front log can be read, and what is settled
// before it goes to the database never gets there.
func TestFrontLogIsRead(t *testing.T) {
	s, _, q := frontStore(t)
	kept := put(t, s, q, 1, 100)
	gone := put(t, s, q, 2, 100)
	at, _ := kept.Ref(0)
	read := func() {
		s.Read([]persistence.Ref{at}, func(_ int, r *persistence.Record, err error) {
			if err != nil || !bytes.Equal(r.Message.Body, kept.Message.Body) {
				t.Errorf("read %v, %v", r, err)
			}
		})
	}
	read()
	var batch persistence.Batch
	batch.Settle(gone, 0)
	mustCommit(t, s, &batch)
	if n := len(dump(t, s)); n != 2 {
		t.Errorf("%d keys are in the database before the log goes there, want the format and the ids", n)
	}
	// A large group goes to the database, and all before it first.
	put(t, s, q, 3, 2*frontMost)
	index, chunks := 0, 0
	for _, line := range dump(t, s) {
		switch line[:2] {
		case fmt.Sprintf("%x", keyIndex):
			index++
		case fmt.Sprintf("%x", keyChunk):
			chunks++
		}
	}
	if index != 2 || chunks != 2 {
		t.Errorf("%d indexes and %d chunks are in the database, want 2 of each", index, chunks)
	}
	read()
}

// TestFrontLogGoesRound writes more than the log holds.
func TestFrontLogGoesRound(t *testing.T) {
	s, dir, q := frontStore(t)
	const size, n = 40_000, frontSize/40_000 + 60
	for seq := range uint64(n) {
		r := put(t, s, q, seq+1, size)
		if seq%2 == 0 {
			var batch persistence.Batch
			batch.Settle(r, 0)
			mustCommit(t, s, &batch)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, frontFile)); err != nil || info.Size() != frontSize {
		t.Errorf("the log is %v, %v; want %d bytes", info, err, frontSize)
	}
	s = open(t, crashCopy(t, dir), slowFront)
	defer s.Close()
	if got := recovered(t, s, func(uint64) int { return size }); len(got) != n/2 || s.Stats().Damaged != 0 {
		t.Errorf("%d messages came back, %d damaged; want %d", len(got), s.Stats().Damaged, n/2)
	}
}

// TestFrontLogDamaged: a record at the end that is torn is what was being written; one
// that is missing among others is damage, and both are said.
func TestFrontLogDamaged(t *testing.T) {
	s, dir, q := frontStore(t)
	for seq := range uint64(5) {
		put(t, s, q, seq+1, 100)
	}
	killed := crashCopy(t, dir)
	for _, c := range []struct {
		what    string
		change  func(log []byte) []byte
		want    []uint64
		damaged bool
		torn    bool
	}{
		{"whole", func(log []byte) []byte { return log }, []uint64{1, 2, 3, 4, 5}, false, false},
		{"last torn", func(log []byte) []byte { log[5*frontBlock+60] ^= 1; return log }, []uint64{1, 2, 3, 4}, false, true},
		{"last cut", func(log []byte) []byte { return log[:5*frontBlock+60] }, []uint64{1, 2, 3, 4}, true, true},
		{"length of the last", func(log []byte) []byte { log[5*frontBlock+7] = 0xff; return log }, []uint64{1, 2, 3, 4}, false, true},
		{"cut off", func(log []byte) []byte { return log[:5*frontBlock] }, []uint64{1, 2, 3, 4}, true, false},
		{"emptied", func(log []byte) []byte { return nil }, nil, false, false},
		{"one between", func(log []byte) []byte { log[3*frontBlock+60] ^= 1; return log }, []uint64{1, 2, 4, 5}, true, false},
		{"its number", func(log []byte) []byte { log[3*frontBlock+9] ^= 1; return log }, []uint64{1, 2, 4, 5}, true, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			copyDir(t, killed, dir)
			path := filepath.Join(dir, frontFile)
			log, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, c.change(log), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			checked := t.TempDir()
			copyDir(t, dir, checked)
			if r, err := Check(checked); err != nil || (r.Damaged > 0) != c.damaged || (r.Torn > 0) != c.torn {
				t.Errorf("Check says %+v, %v", r, err)
			}
			var said bytes.Buffer
			log2 := zerolog.New(zerolog.SyncWriter(&said))
			o := slowFront
			o.Log = &log2
			s := open(t, dir, o)
			if got := recovered(t, s, hundred); !slices.Equal(got, c.want) || (s.Stats().Damaged > 0) != c.damaged {
				t.Errorf("recovered %v, %d damaged; want %v", got, s.Stats().Damaged, c.want)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if torn := bytes.Contains(said.Bytes(), []byte("cannot be read; after a power cut")); torn != c.torn {
				t.Errorf("the log says that the last is torn: %v, want %v", torn, c.torn)
			}
		})
	}
}

// FuzzParseFront: whatever is in the file, what is taken from it has its checksum, is
// newer, and in order.
func FuzzParseFront(f *testing.F) {
	const secret = 99
	one := appendFrontRecord(nil, secret, 7, []operation{{[]byte("k1"), []byte("value")}, {key: []byte("x")}})
	f.Add(one, uint64(0))
	f.Add(appendFrontRecord(one, secret, 8, nil), uint64(7))
	f.Add([]byte("LVL1"), uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, after uint64) {
		s := parseFront(data, secret, after)
		last := after
		for _, r := range s.records {
			if r.number < last || r.number == after {
				t.Fatalf("record %d comes after %d, and what is up to %d is old", r.number, last, after)
			}
			last = r.number
			for _, op := range r.list {
				if len(op.key) == 0 {
					t.Fatal("an operation without a key")
				}
			}
		}
	})
}

// TestFrontLogIsNotDeceived: a message that looks like a record, wherever it comes to
// lie, is not taken for one by a start, after a kill or an end.
func TestFrontLogIsNotDeceived(t *testing.T) {
	key := definitionKey(persistence.KindQueue, 4711)
	forged := appendFrontRecord(nil, 0, 1<<40, []operation{{key, seal(key, append(unsealed(nil), 1))}})
	forged = forged[:frontLength(forged)]
	body := bytes.Repeat([]byte{' '}, 3*frontBlock)
	s, dir, q := frontStore(t)
	// Everywhere a block can begin in it, for a while.
	for shift := range 64 {
		m := benchMessage(1, 100)
		m.Body = append(append([]byte(nil), body[:frontBlock-100+shift]...), append(forged, body...)...)
		r := persistence.NewRecord(m)
		r.Add(persistence.Place{Queue: q, Seq: uint64(shift + 1)})
		var batch persistence.Batch
		batch.Append(r, nil, 0)
		mustCommit(t, s, &batch)
	}
	killed := crashCopy(t, dir)
	log, err := os.ReadFile(filepath.Join(killed, frontFile))
	if err != nil {
		t.Fatal(err)
	}
	deceives := false
	for at := 0; at+frontHead <= len(log); at += frontBlock {
		deceives = deceives || bytes.HasPrefix(log[at:], forged[:8])
	}
	if !deceives {
		t.Fatal("no message came to lie where a record could begin")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{killed, dir} {
		s := open(t, dir, slowFront)
		definitions, err := s.Definitions()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range definitions {
			if d.ID == 4711 {
				t.Error("a message has made a queue")
			}
		}
		if n := s.Stats().Damaged; n != 0 {
			t.Errorf("%d messages are damaged", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFrontLogWithoutCounts: when nobody knows what of the log is old, none of it is
// carried out, then or later.
func TestFrontLogWithoutCounts(t *testing.T) {
	s, dir, q := frontStore(t)
	put(t, s, q, 1, 100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{Sync: Interval})
	if err := s.transact([]operation{{key1(keyCounts), []byte{0}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, frontFile))
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, slowFront)
	if s.Stats().Damaged == 0 {
		t.Error("nothing is said of it")
	}
	before := s.front.secret
	if len(parseFront(log, before, 0).records) != 0 {
		t.Error("the old log would still count")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
