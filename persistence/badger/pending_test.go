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
	for s.pending.batches.len() > 0 {
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

// TestNotesStayInOrder: a note alone does not overtake one that waits for what is
// appended with it.
func TestNotesStayInOrder(t *testing.T) {
	for name, size := range map[string]int{"one group": 1, "two groups": 9_000} {
		t.Run(name, func(t *testing.T) {
			s := idleStore()
			r := testRecord(1, size)
			write(s, func(b *persistence.Batch) { b.Append(r, nil, 0) })
			write(s, func(b *persistence.Batch) {
				b.Return(r, 0, 1, 10)
				b.Append(testRecord(2, size), nil, 0)
			})
			write(s, func(b *persistence.Batch) { b.Return(r, 0, 2, 20) })
			var last persistence.Note
			for s.pending.batches.len() > 0 {
				g := s.takeGroup()
				if n, ok := r.State.Returns[0]; ok && slices.Contains(g.records, r) {
					last = n // it is written so
				}
				for _, e := range g.settles {
					last = e.Note()
				}
				if r.State.Phase == persistence.Writing {
					r.State = persistence.State{Phase: persistence.Stored}
				}
			}
			if want := (persistence.Note{Returns: 2, Due: 20}); last != want {
				t.Errorf("the last note is %+v, want %+v", last, want)
			}
		})
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

// TestChangesLimitGroups: there are not more changes in a group, unless they
// are of one batch, than go into a transaction with what else there is.
func TestChangesLimitGroups(t *testing.T) {
	s := idleStore()
	s.limits = limits{}.withDefaults()
	l := s.limits
	change := func(id uint64, size int) persistence.Change {
		return persistence.Change{Definition: persistence.Definition{Kind: persistence.KindDuplicate, ID: id, Body: make([]byte, size)}}
	}
	s.idLimit = 1 << 40
	for _, n := range []int{l.groupChanges - 1, 1, 1, l.groupChanges + 50, 2} {
		write(s, func(b *persistence.Batch) {
			for i := range n {
				b.Change(change(uint64(i), 0))
			}
		})
	}
	for range 4 { // by bytes
		write(s, func(b *persistence.Batch) { b.Change(change(1, l.groupChangeBytes/2-changeSize)) })
	}
	if !s.pending.full(&l) {
		t.Error("many changes are not enough for a group")
	}
	var sizes []int
	for s.pending.batches.len() > 0 {
		sizes = append(sizes, len(s.takeGroup().changes))
	}
	if want := []int{l.groupChanges, 1, l.groupChanges + 50, 3, 2, 1}; !slices.Equal(sizes, want) {
		t.Errorf("groups of %v changes, want %v", sizes, want)
	}
	if p := &s.pending; p.changed != 0 || p.bytes != 0 || p.full(&l) {
		t.Errorf("%d bytes are pending, and %d of changes, of nothing", p.bytes, p.changed)
	}
}

// TestGroupsOfChangesAreOneTransaction: or each would be synced several times.
func TestGroupsOfChangesAreOneTransaction(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	defer s.Close()
	if l := s.limits; 3*l.groupChanges > 2*s.txnCount || 3*l.groupChangeBytes > 2*s.txnSize {
		t.Errorf("of %d keys and %d bytes in a transaction changes take up to %d and %d", s.txnCount, s.txnSize, l.groupChanges, l.groupChangeBytes)
	}
	q := benchQueue(t, s)
	before := s.Stats()
	var waits []*persistence.Outcome
	for n := range uint64(5000) {
		var b persistence.Batch
		r := testRecord(n, 100)
		r.Places[0].Queue = q
		w := persistence.NewOutcome()
		b.Append(r, w, n)
		b.Change(persistence.Change{Definition: persistence.Definition{
			Kind: persistence.KindDuplicate, ID: 1000 + n%2000, Body: make([]byte, 20+n%280),
		}})
		s.Write(&b)
		waits = append(waits, w)
	}
	for _, w := range waits {
		if err := w.Await(); err != nil {
			t.Fatal(err)
		}
	}
	after := s.Stats()
	// The reclaimer, which looks around at the start, has some of the syncs.
	if groups, syncs := after.Groups-before.Groups, after.Syncs-before.Syncs; syncs > groups+20 {
		t.Errorf("%d groups were synced %d times", groups, syncs)
	}
}
