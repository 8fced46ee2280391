package memory_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
)

// told is a Waiter that keeps its calls as text.
type told []string

func (w *told) Done(numbers []uint64, err error) { *w = append(*w, fmt.Sprint(numbers, " ", err)) }

func (w *told) want(t *testing.T, calls ...string) {
	t.Helper()
	if !slices.Equal(*w, calls) {
		t.Errorf("the waiter was told %q, want %q", *w, calls)
	}
}

// newQueue defines a queue.
func newQueue(s *memory.Store) persistence.QueueID {
	id := s.NewID()
	write(s, func(b *persistence.Batch) {
		b.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindQueue, ID: id, Body: []byte{1}}})
	})
	return persistence.QueueID(id)
}

func newRecord(q persistence.QueueID, seq uint64, size int) *persistence.Record {
	m := amqp.NewMessage("", []byte("key"), nil, size)
	m.AppendBody(make([]byte, size))
	r := persistence.NewRecord(m)
	r.Add(persistence.Place{Queue: q, Seq: seq})
	return r
}

func write(s *memory.Store, fill func(*persistence.Batch)) {
	var b persistence.Batch
	fill(&b)
	s.Write(&b)
}

func seqs(t *testing.T, s *memory.Store) (all []uint64) {
	t.Helper()
	err := s.Recover(func(r persistence.Recovered) bool {
		all = append(all, r.Seq)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantSeqs(t *testing.T, s *memory.Store, want ...uint64) {
	t.Helper()
	if got := seqs(t, s); !slices.Equal(got, want) {
		t.Errorf("recovered %v, want %v", got, want)
	}
}

func TestWriteIsCompleteAtOnce(t *testing.T) {
	s := memory.New()
	q := newQueue(s)
	var w, other told
	r := newRecord(q, 1, 10)
	write(s, func(b *persistence.Batch) {
		b.Append(r, &w, 1)
		b.Append(newRecord(q, 2, 10), nil, 0)
		b.Append(newRecord(q, 3, 10), &w, 2)
		b.Append(newRecord(q, 4, 10), &other, 3)
		b.Append(newRecord(q, 5, 10), &w, 4)
		b.Wait(&w, 5)
		b.Wait(&other, 6)
	})
	// What one waits for in a row is one call.
	w.want(t, "[1 2] <nil>", "[4 5] <nil>")
	other.want(t, "[3] <nil>", "[6] <nil>")
	if _, ok := r.Ref(0); !ok {
		t.Error("the record was not written")
	}
}

func TestHoldKeepsBackAndElides(t *testing.T) {
	s := memory.New()
	q := newQueue(s)
	release := s.Hold()
	var w told
	gone, stays := newRecord(q, 1, 100), newRecord(q, 2, 100)
	var b persistence.Batch
	b.Append(gone, &w, 1)
	b.Append(stays, &w, 2)
	s.Write(&b)
	if !b.Empty() {
		t.Error("Write left something in the batch")
	}
	if st := s.Stats(); st.PendingBytes < 200 || st.LivePlaces != 0 {
		t.Errorf("with two records held the stats are %+v", st)
	}
	b.Settle(gone, 0)
	b.Return(stays, 0, 3, 40)
	s.Write(&b)
	w.want(t)
	if _, ok := stays.Ref(0); ok || stays.State.Phase != persistence.Waiting {
		t.Error("a record that is held has a ref, or is not waiting")
	}
	release()
	w.want(t, "[1 2] <nil>")
	if st := s.Stats(); st.PendingBytes != 0 || st.LivePlaces != 1 || st.Elided != 1 || st.Records != 1 {
		t.Errorf("after the release the stats are %+v", st)
	}
	write(s, func(b *persistence.Batch) { b.Wait(&w, 3) })
	w.want(t, "[1 2] <nil>", "[3] <nil>")
	again := s.Reopen()
	if err := again.Recover(func(r persistence.Recovered) bool {
		if r.Seq != 2 || r.Returns != 3 || r.Due != 40 {
			t.Errorf("recovered %+v", r)
		}
		return true
	}); err != nil {
		t.Error(err)
	}
}

func TestCloseWritesWhatIsHeld(t *testing.T) {
	s := memory.New()
	q := newQueue(s)
	s.Hold()
	var w told
	write(s, func(b *persistence.Batch) { b.Append(newRecord(q, 1, 10), &w, 1) })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	w.want(t, "[1] <nil>")
	wantSeqs(t, s.Reopen(), 1)
}

func TestFailLosesWhatIsHeld(t *testing.T) {
	s := memory.New()
	q := newQueue(s)
	write(s, func(b *persistence.Batch) { b.Append(newRecord(q, 1, 10), nil, 0) })
	release := s.Hold()
	var w told
	lost := newRecord(q, 2, 10)
	write(s, func(b *persistence.Batch) { b.Append(lost, &w, 1) })
	s.Fail(errors.New("gone"))
	s.Fail(errors.New("once more"))
	w.want(t, "[1] the store has failed: gone")
	<-s.Failed()
	write(s, func(b *persistence.Batch) { b.Append(newRecord(q, 3, 10), &w, 2) })
	release() // too late
	w.want(t, "[1] the store has failed: gone", "[2] the store has failed: gone")
	if _, ok := lost.Ref(0); ok {
		t.Error("what was lost has a ref")
	}
	s.Read([]persistence.Ref{{}}, func(_ int, _ *persistence.Record, err error) {
		if !errors.Is(err, persistence.ErrFailed) {
			t.Errorf("Read: %v", err)
		}
	})
	if err := s.Close(); !errors.Is(err, persistence.ErrFailed) {
		t.Errorf("Close returned %v, want the failure", err)
	}
	again := s.Reopen()
	if again.Err() != nil {
		t.Errorf("after the start Err is %v", again.Err())
	}
	wantSeqs(t, again, 1)
}

func TestAwaitBlocksWhileMuchIsHeld(t *testing.T) {
	for name, let := range map[string]func(s *memory.Store, release func()){
		"release": func(_ *memory.Store, release func()) { release() },
		"fail":    func(s *memory.Store, _ func()) { s.Fail(errors.New("gone")) },
		"close":   func(s *memory.Store, _ func()) { _ = s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.New()
				q := newQueue(s)
				release := s.Hold()
				s.Await()
				write(s, func(b *persistence.Batch) { b.Append(newRecord(q, 1, 3<<20), nil, 0) })
				s.Await()
				write(s, func(b *persistence.Batch) { b.Append(newRecord(q, 2, 3<<20), nil, 0) })
				var returned atomic.Int32
				for range 2 {
					go func() { s.Await(); returned.Add(1) }()
				}
				synctest.Wait()
				if returned.Load() != 0 {
					t.Fatal("Await returned while 6 MiB are held")
				}
				let(s, release)
				synctest.Wait()
				if n := returned.Load(); n != 2 {
					t.Errorf("%d of 2 that awaited have returned", n)
				}
			})
		})
	}
}

func TestReopenTwice(t *testing.T) {
	s := memory.New()
	q := newQueue(s)
	r := newRecord(q, 1, 10)
	write(s, func(b *persistence.Batch) { b.Append(r, nil, 0) })
	// Each has the content on its own.
	one, two := s.Reopen(), s.Reopen()
	write(one, func(b *persistence.Batch) {
		b.Settle(r, 0)
		b.Append(newRecord(q, 2, 10), nil, 0)
	})
	wantSeqs(t, one.Reopen(), 2)
	at, _ := r.Ref(0)
	two.Read([]persistence.Ref{at}, func(_ int, back *persistence.Record, err error) {
		if err != nil || back.Places[0].Seq != 1 {
			t.Errorf("Read: %v and %v", back, err)
		}
	})
	wantSeqs(t, two, 1)
	if a, b := one.NewID(), two.NewID(); a == b {
		t.Errorf("both return %d as a new id", a)
	}
}

func TestChunksGoWithTheirPlaces(t *testing.T) {
	s := memory.New()
	q := newQueue(s)
	a, b := newRecord(q, 1, 1000), newRecord(q, 2, 3000)
	write(s, func(batch *persistence.Batch) {
		batch.Append(a, nil, 0)
		batch.Append(b, nil, 0)
	})
	want := func(chunks, live, liveAbout, deadAbout int64) {
		t.Helper()
		st := s.Stats()
		if st.Chunks != chunks || st.LivePlaces != live || st.LiveBytes/1000 != liveAbout || st.DeadBytes/1000 != deadAbout ||
			st.DiskBytes != st.LiveBytes+st.DeadBytes {
			t.Errorf("the stats are %+v", st)
		}
	}
	want(1, 2, 4, 0)
	write(s, func(batch *persistence.Batch) { batch.Settle(b, 0) })
	want(1, 1, 1, 3)
	at, _ := b.Ref(0)
	s.Read([]persistence.Ref{at}, func(_ int, r *persistence.Record, err error) {
		if r != nil || !errors.Is(err, persistence.ErrDamaged) {
			t.Errorf("Read of what was settled: %v and %v", r, err)
		}
	})
	write(s, func(batch *persistence.Batch) { batch.Settle(a, 0) })
	want(0, 0, 0, 0)
}
