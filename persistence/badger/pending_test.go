package badger

import (
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// testRecord makes a record of one place with so many bytes of body.
func testRecord(seq uint64, size int) *persistence.Record {
	m := amqp.NewMessage("", []byte("key"), nil, size)
	m.AppendBody(make([]byte, size))
	r := persistence.NewRecord(m)
	r.Add(persistence.Place{Queue: 1, Seq: seq})
	return r
}

// idleStore is a store without a disk and a committer, of which groups are taken by
// hand.
func idleStore() *Store {
	s := &Store{wake: make(chan struct{}, 1), limits: limits{groupRecords: 10, groupBytes: 10_000}.withDefaults()}
	s.logger = &logger{}
	return s
}

func (s *Store) takeGroup() *group {
	g := &group{}
	s.pending.take(g, &s.limits)
	return g
}

func write(s *Store, fill func(*persistence.Batch)) {
	var b persistence.Batch
	fill(&b)
	s.Write(&b)
}

func TestGroupsEndBetweenBatches(t *testing.T) {
	s := idleStore()
	var all []*persistence.Record
	for _, n := range []int{4, 4, 4, 25, 1} {
		write(s, func(b *persistence.Batch) {
			for range n {
				all = append(all, testRecord(uint64(len(all)), 1))
				b.Append(all[len(all)-1], nil, 0)
			}
		})
	}
	write(s, func(b *persistence.Batch) { b.Append(testRecord(99, 9_990), nil, 0) }) // by bytes
	var sizes []int
	for len(s.pending.batches) > 0 {
		g := s.takeGroup()
		sizes = append(sizes, len(g.records))
		for _, r := range g.records {
			if len(all) > 0 && r != all[0] {
				t.Fatal("records come in another order")
			}
			all = all[min(1, len(all)):]
		}
	}
	if want := []int{8, 4, 25, 1, 1}; !slices.Equal(sizes, want) {
		t.Errorf("groups of %v records, want %v", sizes, want)
	}
	if s.pending.bytes != 0 {
		t.Errorf("%d bytes are pending of nothing", s.pending.bytes)
	}
}

// TestSettlesAheadOfTheirGroup: what an ack settles needs not be written, even
// if the ack is handed over many groups later.
func TestSettlesAheadOfTheirGroup(t *testing.T) {
	s := idleStore()
	var all []*persistence.Record
	for n := range 40 {
		all = append(all, testRecord(uint64(n), 1))
		write(s, func(b *persistence.Batch) { b.Append(all[n], nil, 0) })
	}
	write(s, func(b *persistence.Batch) {
		for _, r := range all {
			b.Settle(r, 0)
		}
	})
	g := s.takeGroup()
	if len(g.records) != 0 || g.elided != 10 {
		t.Errorf("the first group has %d records and %d elided ones, want none and 10", len(g.records), g.elided)
	}
}

// TestMovesAreNotTornApart: the settle of a dead letter must not come before
// what is appended with it.
func TestMovesAreNotTornApart(t *testing.T) {
	s := idleStore()
	old, moved := testRecord(1, 9_000), testRecord(2, 9_000)
	write(s, func(b *persistence.Batch) { b.Append(old, nil, 0) })
	write(s, func(b *persistence.Batch) {
		b.Settle(old, 0)
		b.Append(moved, nil, 0)
	})
	first := s.takeGroup()
	if len(first.records) != 1 || first.records[0] != old || first.elided != 0 {
		t.Fatalf("the first group has records %v and %d elided, want the old record", first.records, first.elided)
	}
	old.SetStored(ref(7, 0))
	old.State.Phase = persistence.Stored
	second := s.takeGroup()
	if len(second.records) != 1 || second.records[0] != moved || len(second.settles) != 1 || second.settles[0].Record != old {
		t.Fatalf("the second group has records %v and settles %v, want the move", second.records, second.settles)
	}
	// Within a group it counts at once.
	s = idleStore()
	old, moved = testRecord(1, 1), testRecord(2, 1)
	write(s, func(b *persistence.Batch) { b.Append(old, nil, 0) })
	write(s, func(b *persistence.Batch) {
		b.Settle(old, 0)
		b.Append(moved, nil, 0)
	})
	if g := s.takeGroup(); len(g.records) != 1 || g.records[0] != moved || g.elided != 1 {
		t.Errorf("one group has records %v and %d elided, want the moved record and one", g.records, g.elided)
	}
}

func TestSettlesAloneWait(t *testing.T) {
	s := idleStore()
	stored := func(n int) *persistence.Record {
		return persistence.StoredRecord(nil, persistence.Place{Queue: 1}, ref(uint64(n+1), 0))
	}
	s.idLimit = 1 << 40
	write(s, func(b *persistence.Batch) { b.Settle(stored(0), 0) })
	wait, _ := s.nextGroup(&group{})
	if wait <= 0 || wait > s.limits.settleDelay {
		t.Errorf("a settle alone waits %v, want up to %v", wait, s.limits.settleDelay)
	}
	write(s, func(b *persistence.Batch) {
		for n := range s.limits.settleBytes / settleSize {
			b.Settle(stored(n), 0)
		}
	})
	if wait, _ := s.nextGroup(&group{}); wait != 0 {
		t.Errorf("many settles wait %v, want a group at once", wait)
	}
	write(s, func(b *persistence.Batch) { b.Settle(stored(0), 0) })
	write(s, func(b *persistence.Batch) { b.Append(testRecord(1, 1), nil, 0) })
	if wait, _ := s.nextGroup(&group{}); wait != 0 {
		t.Errorf("with an append settles wait %v, want a group at once", wait)
	}
}

// sayings is a waiter that keeps each call.
type sayings struct{ calls [][]uint64 }

func (w *sayings) Done(numbers []uint64, _ error) { w.calls = append(w.calls, slices.Clone(numbers)) }

func TestNeighboursAreToldTogether(t *testing.T) {
	var a, b sayings
	tell([]told{{&a, 1}, {&a, 2}, {&b, 7}, {&a, 3}}, nil, nil)
	if len(a.calls) != 2 || !slices.Equal(a.calls[0], []uint64{1, 2}) || !slices.Equal(a.calls[1], []uint64{3}) || len(b.calls) != 1 {
		t.Errorf("a was told %v and b %v", a.calls, b.calls)
	}
}
