package badger

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// until waits for a condition that others bring about.
func until(t testing.TB, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("waited a minute for: %s", what)
		}
	}
}

// TestRelocation leaves one message of each chunk, and wants them together in
// few chunks, to be read and settled by the refs that they had.
func TestRelocation(t *testing.T) {
	dir := t.TempDir()
	o := Options{Sync: Never, limits: limits{relocateMin: 1 << 20, relocateStep: 64 << 10}}
	s := open(t, dir, o)
	defer func() { s.Close() }()
	q := benchQueue(t, s)
	const chunks, each = 100, 40
	var slow []*persistence.Record
	var fast persistence.Batch
	for c := range chunks {
		var batch persistence.Batch
		for n := range each {
			r := persistence.NewRecord(benchMessage(c*each+n, 2000))
			r.Add(persistence.Place{Queue: q, Seq: uint64(c*each + n), Expires: int64(n), Due: int64(c % 3)})
			batch.Append(r, nil, 0)
			if n == c%each {
				slow = append(slow, r)
			} else {
				fast.Settle(r, 0)
			}
		}
		mustCommit(t, s, &batch)
	}
	fast.Return(slow[5], 0, 3, 77)
	fast.Return(slow[8], 0, 0, 0) // over the due time it has
	if st := s.Stats(); st.Chunks != chunks {
		t.Fatalf("%d chunks before, want %d", st.Chunks, chunks)
	}
	mustCommit(t, s, &fast)
	until(t, "the messages to be moved", func() bool {
		var none persistence.Batch
		mustCommit(t, s, &none)
		return s.Stats().DeadBytes <= 1<<20
	})
	st := s.Stats()
	if st.Chunks > chunks/2 || st.LivePlaces != chunks {
		t.Errorf("%d chunks with %d live places are left of %d, want less than half, and all places", st.Chunks, st.LivePlaces, chunks)
	}
	notes := map[uint64]persistence.Note{slow[5].Places[0].Seq: {Returns: 3, Due: 77}, slow[8].Places[0].Seq: {}}
	readBack := func(what string, refs []persistence.Ref, left []*persistence.Record) {
		t.Helper()
		s.Read(refs, func(i int, r *persistence.Record, err error) {
			if err != nil {
				t.Fatalf("%s: message %d: %v", what, i, err)
			}
			want := left[i].Places[0]
			if n, ok := notes[want.Seq]; ok {
				n.Apply(&want)
			}
			if r.Places[0] != want || !bytes.Equal(r.Message.Body, left[i].Message.Body) {
				t.Fatalf("%s: message %d has place %+v, want %+v, or another body", what, i, r.Places[0], want)
			}
			if at, _ := r.Ref(0); at != refs[i] {
				t.Fatalf("%s: message %d is at %v, want %v as asked for", what, i, at, refs[i])
			}
		})
	}
	refsOf := func(all []*persistence.Record) (refs []persistence.Ref) {
		for _, r := range all {
			at, _ := r.Ref(0)
			refs = append(refs, at)
		}
		return refs
	}
	readBack("after the move", refsOf(slow), slow)

	var settle persistence.Batch
	for _, r := range slow[50:] {
		settle.Settle(r, 0)
	}
	mustCommit(t, s, &settle)
	slow = slow[:50]
	readBack("after half are settled", refsOf(slow), slow)

	s.Close()
	s = open(t, dir, o)
	found := make(map[uint64]persistence.Ref)
	if err := s.Recover(func(r persistence.Recovered) bool { found[r.Seq] = r.Ref; return true }); err != nil {
		t.Fatal(err)
	}
	if len(found) != len(slow) {
		t.Fatalf("recovered %d places, want %d", len(found), len(slow))
	}
	var refs []persistence.Ref
	for _, r := range slow {
		refs = append(refs, found[r.Places[0].Seq])
	}
	readBack("after a start", refs, slow)
	for i, r := range slow {
		settle.Settle(persistence.StoredRecord(nil, r.Places[0], refs[i]), 0)
	}
	mustCommit(t, s, &settle)
	until(t, "all chunks to be deleted", func() bool {
		st := s.Stats()
		return st.Chunks == 0 && st.LiveBytes == 0 && st.DeadBytes == 0
	})
	if len(s.table.byID) != 0 {
		t.Errorf("%d chunks are still known", len(s.table.byID))
	}
}

// TestSlowQueueKeepsDiskFlat publishes and settles while one in fifty messages
// stays for long, in each mode.
func TestSlowQueueKeepsDiskFlat(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			if testing.Short() && mode.sync != Always {
				t.Skip("one mode is enough in short mode")
			}
			s := open(t, t.TempDir(), Options{Sync: mode.sync, Interval: MinInterval, limits: limits{
				relocateMin: 2 << 20, relocateStep: 256 << 10, reclaim: 2 << 20, valueLogFile: 1 << 20,
			}})
			defer s.Close()
			q := benchQueue(t, s)
			var slow, fast []*persistence.Record
			const rounds = 400
			for round := range rounds {
				var batch persistence.Batch
				for n := range 50 {
					r := persistence.NewRecord(benchMessage(n, 4000))
					r.Add(persistence.Place{Queue: q, Seq: uint64(round*50 + n)})
					batch.Append(r, nil, 0)
					if n == 7 {
						slow = append(slow, r)
					} else {
						fast = append(fast, r)
					}
				}
				for len(fast) > 100 {
					batch.Settle(fast[0], 0)
					fast = fast[1:]
				}
				if len(slow) > rounds/2 { // which is 0.8 MB
					batch.Settle(slow[0], 0)
					slow = slow[1:]
				}
				mustCommit(t, s, &batch)
			}
			if st := s.Stats(); st.DeadBytes > 6<<20 {
				t.Errorf("%d bytes are dead in live chunks", st.DeadBytes)
			}
			// 80 MB were written, perhaps faster than they are reclaimed.
			until(t, "the value log to shrink", func() bool {
				sizes, err := measureDir(s.dir)
				return err == nil && sizes.Values.Bytes < 20<<20
			})
		})
	}
}

// TestReadersBesideRelocation reads messages all the time while they are moved
// again and again, within the store and within the value log.
func TestReadersBesideRelocation(t *testing.T) {
	s := open(t, t.TempDir(), Options{Sync: Never, limits: limits{
		relocateMin: 64 << 10, relocateStep: 16 << 10, reclaim: 1 << 20, valueLogFile: 1 << 20,
	}})
	defer s.Close()
	q := benchQueue(t, s)
	const slow = 60
	stays := make([]*persistence.Record, slow)
	rounds := 300
	if testing.Short() {
		rounds = 100
	}
	var refs []persistence.Ref
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for round := range rounds {
		var batch, settle persistence.Batch
		for n := range 20 {
			r := persistence.NewRecord(benchMessage(round*20+n, 5000))
			r.Add(persistence.Place{Queue: q, Seq: uint64(round*20 + n)})
			batch.Append(r, nil, 0)
			if n == 0 && round < slow {
				stays[round] = r
			} else {
				settle.Settle(r, 0)
			}
		}
		mustCommit(t, s, &batch)
		mustCommit(t, s, &settle)
		if round != slow-1 {
			continue
		}
		for _, r := range stays {
			at, _ := r.Ref(0)
			refs = append(refs, at)
		}
		for k := range 3 {
			readers.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					from := (n*7 + k) % (slow - 10)
					s.Read(refs[from:from+10], func(i int, r *persistence.Record, err error) {
						if err != nil {
							t.Errorf("read: %v", err)
						} else if !bytes.Equal(r.Message.Body, stays[from+i].Message.Body) {
							t.Errorf("message %d has another body", from+i)
						}
					})
					if t.Failed() {
						return
					}
				}
			})
		}
	}
	close(stop)
	readers.Wait()
	moved := 0
	for _, at := range refs {
		if c, place := s.table.resolveLocked(at); c != nil && ref(c.id, place) != at {
			moved++
		}
	}
	if moved < slow/2 {
		t.Errorf("only %d of %d messages were moved", moved, slow)
	}
}

// TestReadWaitsForAMove reads a message after it was moved on disk, and before
// the store has noted where it is now.
func TestReadWaitsForAMove(t *testing.T) {
	s := open(t, t.TempDir(), Options{Sync: Never, limits: limits{relocateMin: 1 << 10}})
	defer s.Close()
	q := benchQueue(t, s)
	var batch, settle persistence.Batch
	var stays *persistence.Record
	for n := range 20 {
		r := persistence.NewRecord(benchMessage(n, 5000))
		r.Add(persistence.Place{Queue: q, Seq: uint64(n)})
		if batch.Append(r, nil, 0); n == 11 {
			stays = r
		} else {
			settle.Settle(r, 0)
		}
	}
	mustCommit(t, s, &batch)
	at, _ := stays.Ref(0)

	committed, resume := make(chan struct{}), make(chan struct{})
	f := func(step string) error {
		if step == "committed" {
			committed <- struct{}{}
			<-resume
		}
		return nil
	}
	s.fault.Store(&f)
	done := persistence.NewOutcome()
	settle.Wait(done, 0)
	s.Write(&settle)
	<-committed
	s.fault.Store(nil)
	read := make(chan error, 1)
	go func() {
		s.Read([]persistence.Ref{at}, func(_ int, r *persistence.Record, err error) {
			if err == nil && !bytes.Equal(r.Message.Body, stays.Message.Body) {
				err = errors.New("another body")
			}
			read <- err
		})
	}()
	select {
	case err := <-read:
		t.Errorf("read before the move is known: %v", err)
		read <- nil
	case <-time.After(50 * time.Millisecond):
	}
	close(resume)
	if err := <-read; err != nil {
		t.Error(err)
	}
	if err := done.Await(); err != nil {
		t.Error(err)
	}
	if c, place := s.table.resolveLocked(at); c == nil || ref(c.id, place) == at {
		t.Error("the message was not moved")
	}
}
