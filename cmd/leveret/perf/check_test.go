package perf

import (
	"math/rand/v2"
	"testing"
)

// The set must agree with a map, whatever the order.
func TestSeenAgainstAMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	var s seen
	model := make(map[uint64]bool)
	for i := range uint64(20_000) {
		n := i
		switch rnd.IntN(10) {
		case 0:
			n += rnd.Uint64N(300)
		case 1:
			n -= min(n, rnd.Uint64N(300))
		}
		if got, want := s.add(n), !model[n]; got != want {
			t.Fatalf("add(%d) at %d: %v, want %v", n, i, got, want)
		}
		model[n] = true
		if s.len != uint64(len(model)) {
			t.Fatalf("len %d after %d, want %d", s.len, i, len(model))
		}
	}
}

func TestSeenStaysSmallInOrder(t *testing.T) {
	var s seen
	for n := range uint64(100_000) {
		s.add(n)
	}
	if len(s.words) > 1 || cap(s.words) > 4 {
		t.Errorf("%d words of %d", len(s.words), cap(s.words))
	}
}

func TestArrivals(t *testing.T) {
	a := &arrivals{cycle: 5, residues: []uint64{1, 4}}
	want := map[uint64]uint64{1: 0, 4: 1, 6: 2, 9: 3, 11: 4}
	count := uint64(0)
	for n := range uint64(12) {
		if got := a.count(n); got != count {
			t.Errorf("count(%d) = %d, want %d", n, got, count)
		}
		position, ok := a.position(n)
		if expected, due := want[n]; ok != due || ok && position != expected {
			t.Errorf("position(%d) = %d, %v", n, position, ok)
		} else if due {
			count++
		}
	}
}

func TestAuditor(t *testing.T) {
	plan := &queuePlan{arrivals: []*arrivals{{cycle: 1, residues: []uint64{0}}, nil, {cycle: 2, residues: []uint64{1}}}}
	type message struct {
		producer, number uint32
		ok               bool
	}
	for _, c := range []struct {
		name     string
		messages []message
		want     faults
	}{
		{"in order", []message{{0, 0, true}, {2, 1, true}, {0, 1, true}, {2, 3, true}}, faults{}},
		{"gap", []message{{0, 1, true}, {0, 3, true}}, faults{}},
		{"back", []message{{0, 1, true}, {0, 0, true}, {0, 2, true}}, faults{OutOfOrder: 1}},
		{"again", []message{{0, 0, true}, {0, 0, false}}, faults{Duplicates: 1}},
		{"unknown producer", []message{{7, 0, false}}, faults{Misrouted: 1}},
		{"producer of another queue", []message{{1, 0, false}}, faults{Misrouted: 1}},
		{"message of another queue", []message{{2, 2, false}}, faults{Misrouted: 1}},
		{"before the first", []message{{0, 1<<32 - 1, false}}, faults{Damaged: 1}},
		{"far ahead", []message{{0, maxJump + 1, false}}, faults{Damaged: 1}},
	} {
		a := newAuditor(newLedger(plan))
		for _, m := range c.messages {
			if got := a.delivered(stamp{producer: m.producer, number: m.number}); got != m.ok {
				t.Errorf("%s: delivered(%v) = %v", c.name, m, got)
			}
		}
		if a.faults != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, a.faults, c.want)
		}
	}
}

// Bodies carry the low half of the number only.
func TestNumbersBeyond32Bits(t *testing.T) {
	a := newAuditor(newLedger(&queuePlan{arrivals: []*arrivals{{cycle: 1, residues: []uint64{0}}}}))
	a.ledger.seen[0] = seen{base: 1<<32 - 64, len: 1<<32 - 64}
	a.last[0], a.next[0] = 1<<32-65, 1<<32-64
	for n := uint64(1<<32 - 64); n < 1<<32+100; n++ {
		if !a.delivered(stamp{number: uint32(n)}) {
			t.Fatalf("message %d: %+v", n, a.faults)
		}
	}
	if lost := a.ledger.lost([]uint64{1<<32 + 100}); lost != 0 || a.faults != (faults{}) {
		t.Errorf("%d lost, %+v", lost, a.faults)
	}
}

func TestFaultsAddUp(t *testing.T) {
	one := faults{1, 2, 3, 4, 5, 6, 7, 8}
	sum := one
	sum.add(one)
	if want := (faults{2, 4, 6, 8, 10, 12, 14, 16}); sum != want {
		t.Errorf("%+v", sum)
	}
	if err := (faults{}).err(); err != nil {
		t.Error(err)
	}
	want := "the check failed: 1 lost, 2 duplicate, 3 out of order, 4 misrouted, 5 damaged, " +
		"6 refused (basic.nack), 7 not confirmed, 8 confirmed without need"
	if err := one.err(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
