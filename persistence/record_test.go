package persistence_test

import (
	"slices"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

func TestRecordsKeepTheirPlaces(t *testing.T) {
	m := messages["all"]
	r := persistence.NewRecord(m)
	if r.Message != m || len(r.Places) != 0 || r.Transient || r.State.Phase != persistence.New {
		t.Fatalf("a new record is %+v", r)
	}
	for i := range 100 {
		p := persistence.Place{Queue: persistence.QueueID(i), Seq: uint64(i) * 7}
		if n := r.Add(p); n != i || r.Places[i] != p {
			t.Fatalf("place %d is added as number %d, and is %+v", i, n, r.Places[n])
		}
	}
	for i, p := range r.Places {
		if p.Seq != uint64(i)*7 {
			t.Fatalf("place %d has become %+v", i, p)
		}
	}
	if one := persistence.NewRecord(m); one.Add(persistence.Place{Seq: 1}) != 0 || &one.Places[0] == &r.Places[0] || r.Places[0].Seq != 0 {
		t.Error("records share their places")
	}
}

func TestRecordsInOneQueueAreOneAllocation(t *testing.T) {
	m := messages["all"]
	var kept *persistence.Record // so that it is not on the stack
	if n := testing.AllocsPerRun(100, func() {
		kept = persistence.NewRecord(m)
		kept.Add(persistence.Place{Queue: 1, Seq: 1})
	}); n != 1 {
		t.Errorf("a record with one place is %v allocations, want 1", n)
	}
	if kept.Places[0].Queue != 1 {
		t.Errorf("the place is %+v", kept.Places[0])
	}
}

func TestRefsCountPlaces(t *testing.T) {
	r := persistence.NewRecord(messages["all"])
	for range 3 {
		r.Add(persistence.Place{})
	}
	for i := range r.Places {
		if at, ok := r.Ref(i); ok || at != (persistence.Ref{}) {
			t.Fatalf("before it is written place %d is at %v", i, at)
		}
	}
	r.SetStored(persistence.Ref{Chunk: 5, Index: 40})
	for i := range r.Places {
		if at, ok := r.Ref(i); !ok || at != (persistence.Ref{Chunk: 5, Index: 40 + uint32(i)}) {
			t.Fatalf("place %d is at %v, %v", i, at, ok)
		}
	}
}

func TestStoredRecords(t *testing.T) {
	p, at := persistence.Place{Queue: 3, Seq: 9, Expires: 1, Due: 3, Returns: 2}, persistence.Ref{Chunk: 7, Index: 11}
	r := persistence.StoredRecord(nil, p, at)
	if r.State.Phase != persistence.Stored || !slices.Equal(r.Places, []persistence.Place{p}) {
		t.Errorf("the record is %+v", r)
	}
	if got, ok := r.Ref(0); !ok || got != at {
		t.Errorf("it is at %v, %v, want %v", got, ok, at)
	}
}

func TestStateCountsPlacesOnce(t *testing.T) {
	var s persistence.State
	settled := []int{0, 1, 62, 63, 64, 65, 127, 128, 1000, 1 << 20}
	for n, place := range settled {
		if s.IsSettled(place) || s.Count() != n {
			t.Fatalf("before place %d is settled: settled %v, %d in all", place, s.IsSettled(place), s.Count())
		}
		if !s.Settle(place) || s.Settle(place) {
			t.Fatalf("place %d: Settle must be true, and then false", place)
		}
		if !s.IsSettled(place) || s.Count() != n+1 {
			t.Fatalf("after place %d is settled: settled %v, %d in all", place, s.IsSettled(place), s.Count())
		}
	}
	for place := range 2000 {
		if s.IsSettled(place) != slices.Contains(settled, place) {
			t.Errorf("place %d: settled %v", place, s.IsSettled(place))
		}
	}
}

func TestStateKeepsTheLastNotes(t *testing.T) {
	var s persistence.State
	if n := testing.AllocsPerRun(10, func() { s.Settle(63) }); n != 0 || s.Returns != nil {
		t.Errorf("a settle of a low place is %v allocations, and notes %v", n, s.Returns)
	}
	s.Return(2, persistence.Note{Returns: 1, Due: 9})
	s.Return(70, persistence.Note{Returns: 5, Due: 8})
	s.Return(2, persistence.Note{Returns: 3})
	if len(s.Returns) != 2 || s.Returns[2] != (persistence.Note{Returns: 3}) || s.Returns[70] != (persistence.Note{Returns: 5, Due: 8}) || s.Count() != 1 {
		t.Errorf("the state is %+v", s)
	}
}

func TestNotesReplaceBothValues(t *testing.T) {
	p := persistence.Place{Queue: 1, Seq: 2, Expires: 3, Due: 4, Returns: 5}
	persistence.Note{Returns: 6}.Apply(&p)
	if want := (persistence.Place{Queue: 1, Seq: 2, Expires: 3, Returns: 6}); p != want {
		t.Errorf("the place is %+v, want %+v", p, want)
	}
}
