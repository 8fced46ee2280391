package badger

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/leveretmq/leveret/persistence"
)

// image is a copy of a store, to be damaged, and what is in it.
type image struct {
	dir    string
	queue  persistence.QueueID
	bodies map[uint64][]byte // by Seq
}

// newImage makes a store with some of everything. It is as the end of the
// process would leave it, or if clean as Close does.
func newImage(t *testing.T, clean bool) image {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir, Options{Sync: Never, limits: limits{valueLogFile: 1 << 20, deletes: 4}})
	im := image{dir: dir, queue: benchQueue(t, s), bodies: make(map[uint64][]byte)}
	seq := uint64(0)
	var settle []*persistence.Record
	for group := range 60 {
		var batch persistence.Batch
		for k := range 1 + group%12 {
			size := []int{10, 300, 5000, 40_000}[(group+k)%4]
			seq++
			r := persistence.NewRecord(benchMessage(int(seq), size))
			r.Add(persistence.Place{Queue: im.queue, Seq: seq})
			batch.Append(r, nil, 0)
			if seq%3 == 0 {
				settle = append(settle, r)
			} else {
				im.bodies[seq] = r.Message.Body
			}
		}
		for i := range uint64(3) {
			batch.Change(persistence.Change{Definition: persistence.Definition{
				Kind: persistence.KindExchange, ID: uint64(group)*10 + i, Body: []byte(strings.Repeat("x", 500)),
			}})
		}
		for _, r := range settle[:len(settle)/2] {
			batch.Settle(r, 0)
		}
		settle = settle[len(settle)/2:]
		mustCommit(t, s, &batch)
	}
	var last persistence.Batch
	for _, r := range settle {
		last.Settle(r, 0)
	}
	mustCommit(t, s, &last)
	if clean {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return im
	}
	im.dir = crashCopy(t, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return im
}

// crashCopy copies the directory of an open store that nobody writes to, as the
// end of the process would leave it. It begins again if Badger changes files
// meanwhile.
func crashCopy(t *testing.T, dir string) string {
	t.Helper()
	state := func() string {
		manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST"))
		if err != nil {
			t.Fatal(err)
		}
		names, err := filepath.Glob(filepath.Join(dir, "*.*"))
		if err != nil {
			t.Fatal(err)
		}
		return string(manifest) + strings.Join(names, " ")
	}
	for {
		before, to := state(), t.TempDir()
		copyDir(t, dir, to)
		if state() == before {
			return to
		}
	}
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// outcome is what became of a damaged image.
type outcome struct {
	refused  error
	lost     int // messages that did not come back
	errors   int // that could not be read
	back     int // messages that were settled
	reported bool
}

// use opens a copy of the image after damage, reads everything and goes on with
// it. No body may be wrong.
func (im image) use(t *testing.T, damage func(dir string)) (o outcome) {
	t.Helper()
	dir := t.TempDir()
	copyDir(t, im.dir, dir)
	damage(dir)
	var log bytes.Buffer
	logger := zerolog.New(&log).Level(zerolog.WarnLevel)
	s, err := Open(dir, Options{Log: &logger, limits: limits{valueLogFile: 1 << 20}})
	if err != nil {
		o.refused = err
		return o
	}
	defer s.Close()
	left := make(map[uint64][]byte)
	for seq, body := range im.bodies {
		left[seq] = body
	}
	var refs []persistence.Ref
	var seqs []uint64
	err = s.Recover(func(r persistence.Recovered) bool {
		if r.Queue != im.queue {
			t.Fatalf("recovered a place in queue %d", r.Queue)
		}
		refs, seqs = append(refs, r.Ref), append(seqs, r.Seq)
		return true
	})
	if err != nil {
		t.Fatalf("Recover: %v", err)
	}
	var batch persistence.Batch
	s.Read(refs, func(i int, r *persistence.Record, err error) {
		if err != nil {
			if !errors.Is(err, persistence.ErrDamaged) {
				t.Fatalf("Read: %v", err)
			}
			o.errors++
			return
		}
		body, ok := left[seqs[i]]
		switch {
		case !ok:
			o.back++
			body = benchMessage(int(seqs[i]), []int{10, 300, 5000, 40_000}[0]).Body // compared below by its beginning
			if n := min(len(body), len(r.Message.Body)); !bytes.Equal(r.Message.Body[:n], body[:n]) {
				t.Fatalf("message %d has a wrong body", seqs[i])
			}
		case !bytes.Equal(r.Message.Body, body):
			t.Fatalf("message %d has a wrong body", seqs[i])
		}
		delete(left, seqs[i])
		batch.Settle(r, 0)
	})
	o.lost = len(left)
	o.reported = s.Stats().Damaged > 0 || log.Len() > 0
	// It can be used.
	r := persistence.NewRecord(benchMessage(1, 100))
	r.Add(persistence.Place{Queue: im.queue, Seq: 1 << 40})
	batch.Append(r, nil, 0)
	mustCommit(t, s, &batch)
	return o
}

// TestDamage flips bits in each file and cuts each short. The store is refused,
// or what is lost is reported; a body is never wrong.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	rounds := 30
	if testing.Short() {
		rounds = 6
	}
	for _, clean := range []bool{true, false} {
		im := newImage(t, clean)
		entries, err := os.ReadDir(im.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(im.dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			used := len(bytes.TrimRight(data, "\x00"))
			if used == 0 {
				used = min(len(data), 1000)
			}
			for k := range rounds {
				at := rng.IntN(used)
				switch k % 6 {
				case 1:
					at = min(k*4, used-1) // in the header
				case 2:
					at = max(0, used-1-k) // near the end
				}
				bad := bytes.Clone(data)
				what := fmt.Sprintf("bit flipped in byte %d", at)
				if k%3 == 0 {
					bad, what = bad[:at], fmt.Sprintf("cut after %d bytes", at)
				} else {
					bad[at] ^= 1 << rng.IntN(8)
				}
				o := im.use(t, func(dir string) {
					if err := os.WriteFile(filepath.Join(dir, e.Name()), bad, 0o600); err != nil {
						t.Fatal(err)
					}
				})
				if o.refused == nil && o.lost+o.back+o.errors > 0 && !o.reported {
					t.Errorf("clean %v, %s, %s: %+v, and nobody says so", clean, e.Name(), what, o)
				}
				if o.refused != nil && strings.Contains(o.refused.Error(), "\n") {
					t.Errorf("not one sentence: %v", o.refused)
				}
			}
		}
	}
}

// TestMissingFiles removes each file.
func TestMissingFiles(t *testing.T) {
	for _, clean := range []bool{true, false} {
		im := newImage(t, clean)
		entries, err := os.ReadDir(im.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			o := im.use(t, func(dir string) {
				if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
					t.Fatal(err)
				}
			})
			switch filepath.Ext(e.Name()) {
			case ".sst":
				if !errors.Is(o.refused, ErrBroken) {
					t.Errorf("without %s: %+v, want it refused", e.Name(), o)
				}
			case ".vlog":
				if o.refused != nil || o.lost > 0 && !o.reported {
					t.Errorf("without %s: %+v, want a report", e.Name(), o)
				}
			}
			if e.Name() == "MANIFEST" && !errors.Is(o.refused, ErrBroken) {
				t.Errorf("without %s: %+v, want it refused", e.Name(), o)
			}
		}
	}
}

// TestUndamaged makes sure that the tests of damage can find none.
func TestUndamaged(t *testing.T) {
	for _, clean := range []bool{true, false} {
		o := newImage(t, clean).use(t, func(string) {})
		if o != (outcome{}) {
			t.Errorf("clean %v: an undamaged store has %+v", clean, o)
		}
	}
}

// TestEmptyLogs puts logs of no length beside the others, as the end of the
// process can leave them.
func TestEmptyLogs(t *testing.T) {
	for _, clean := range []bool{true, false} {
		o := newImage(t, clean).use(t, func(dir string) {
			for _, name := range []string{"00009.mem", "000099.vlog"} {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
		if o != (outcome{}) {
			t.Errorf("clean %v: with empty logs %+v", clean, o)
		}
	}
}

// TestTailsOfLogs tells what was being written from what is lost.
func TestTailsOfLogs(t *testing.T) {
	im := newImage(t, false)
	logs, err := memLogs(im.dir)
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs to damage: %v", err)
	}
	path := memPath(im.dir, logs[len(logs)-1])
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(data, "\x00"))
	last := bytes.LastIndex(data, txnEnd)
	if bytes.Count(data, txnEnd) < 4 {
		t.Fatal("too few transactions in the log")
	}
	for _, c := range []struct {
		what string
		at   int // where a byte is damaged
		want logTail
	}{
		{"nothing", -1, logTail{}},
		{"the end of the last transaction", last + 2, logTail{bytes: end - last + 5}},
		{"the first entry", logHeader + 10, logTail{bytes: end - logHeader, lost: true}},
	} {
		bad := bytes.Clone(data)
		if c.at >= 0 {
			bad[c.at] ^= 1
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readTail(path)
		if err != nil || got.lost != c.want.lost || (got.bytes > 0) != (c.want.bytes > 0) || got.bytes > c.want.bytes+8 {
			t.Errorf("%s is damaged: the tail is %+v, %v, want about %+v", c.what, got, err, c.want)
		}
	}
}
