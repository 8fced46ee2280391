package badger

import (
	"math/rand/v2"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

func TestBitset(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		n := 1 + rng.IntN(300)
		var b, grown bitset
		in := make([]bool, n)
		for range rng.IntN(n + 1) {
			i := rng.IntN(n)
			in[i] = true
			b.add(i, n)
			grown.grow(i)
		}
		before := 0
		for i := range in {
			if b.has(i) != in[i] || grown.has(i) != in[i] {
				t.Fatalf("has(%d) is %v and %v, want %v", i, b.has(i), grown.has(i), in[i])
			}
			if in[i] {
				before = i
			}
			if got := b.before(i); got != before {
				t.Fatalf("before(%d) is %d, want %d, of %v", i, got, before, in)
			}
			after := i + 1
			for after < n && !in[after] {
				after++
			}
			if got := b.after(i, n); got != after {
				t.Fatalf("after(%d) is %d, want %d, of %v", i, got, after, in)
			}
		}
	}
}

// TestTableCounts settles places of chunks in random order and compares the
// totals with what they should be.
func TestTableCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var tab table
	tab.init()
	type spot struct {
		at     persistence.Ref
		record int // in its chunk
	}
	var live []spot
	left := make(map[uint64]map[int]int) // live places of each record of a chunk
	for id := uint64(1); id <= 20; id++ {
		c := &chunk{id: id, bytes: 1000 * int64(id), parts: 1}
		var starts bitset
		left[id] = make(map[int]int)
		for record := range 1 + rng.IntN(30) {
			starts.grow(int(c.places))
			for range 1 + rng.IntN(4)*int(id%2) {
				live = append(live, spot{persistence.Ref{Chunk: id, Index: c.places}, record})
				left[id][record]++
				c.places++
			}
			c.records++
		}
		c.live, c.intact = c.places, c.records
		if c.places != c.records {
			c.more = &chunkMore{starts: starts}
		}
		tab.add(c)
	}
	rng.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
	for len(live) > 0 {
		s := live[0]
		live = live[1:]
		if c, place := tab.settleLocked(s.at); c == nil || c.id != s.at.Chunk || place != s.at.Index {
			t.Fatalf("settle of %v: chunk %v, place %d", s.at, c, place)
		}
		if c, _ := tab.settleLocked(s.at); c != nil {
			t.Fatalf("%v is settled twice", s.at)
		}
		if left[s.at.Chunk][s.record]--; left[s.at.Chunk][s.record] == 0 {
			delete(left[s.at.Chunk], s.record)
		}
		var wantLive, wantDead int64
		for id, records := range left {
			c := tab.byID[id]
			bytes := c.bytes * int64(len(records)) / int64(c.records)
			wantLive += bytes
			if len(records) > 0 {
				wantDead += c.bytes - bytes
			}
		}
		if tab.places.Load() != int64(len(live)) || tab.live.Load() != wantLive || tab.dead.Load() != wantDead {
			t.Fatalf("%d places, %d live and %d dead bytes; want %d, %d, %d",
				tab.places.Load(), tab.live.Load(), tab.dead.Load(), len(live), wantLive, wantDead)
		}
	}
	for _, c := range tab.byID {
		tab.remove(c)
	}
	if tab.chunks.Load() != 0 || tab.places.Load() != 0 || tab.live.Load() != 0 || tab.dead.Load() != 0 {
		t.Error("an empty table counts something")
	}
}

// TestForwarding moves places twice and settles them by the refs they had
// first.
func TestForwarding(t *testing.T) {
	var tab table
	tab.init()
	add := func(id uint64, places uint32) *chunk {
		c := &chunk{id: id, bytes: 100, places: places, live: places, records: places, intact: places}
		tab.add(c)
		return c
	}
	first := add(1, 10)
	for i := range uint32(10) {
		if i%3 != 0 {
			tab.settleLocked(persistence.Ref{Chunk: 1, Index: i})
		}
	}
	second := add(2, 4)
	tab.forward(first, []move{{0, ref(2, 0)}, {3, ref(2, 1)}, {6, ref(2, 2)}, {9, ref(2, 3)}})
	tab.settleLocked(ref(1, 3))
	third := add(3, 3)
	tab.forward(second, []move{{0, ref(3, 0)}, {2, ref(3, 1)}, {3, ref(3, 2)}})
	for _, c := range []struct {
		from, to persistence.Ref
	}{{ref(1, 0), ref(3, 0)}, {ref(1, 6), ref(3, 1)}, {ref(1, 9), ref(3, 2)}, {ref(2, 3), ref(3, 2)}, {ref(3, 1), ref(3, 1)}} {
		if got, place := tab.resolveLocked(c.from); got == nil || ref(got.id, place) != c.to {
			t.Errorf("%v is at %v %d, want %v", c.from, got, place, c.to)
		}
	}
	for _, at := range []persistence.Ref{ref(1, 3), ref(1, 1), ref(2, 1), ref(3, 3)} {
		if c, place := tab.resolveLocked(at); c != nil {
			t.Errorf("%v, which is settled or never was, is at %d %d", at, c.id, place)
		}
	}
	if tab.places.Load() != 3 || tab.chunks.Load() != 1 {
		t.Errorf("%d places in %d chunks, want 3 in 1", tab.places.Load(), tab.chunks.Load())
	}
	for _, i := range []uint32{0, 9, 6} {
		if c, _ := tab.settleLocked(ref(1, i)); c != third {
			t.Errorf("settle of %v was in %v", ref(1, i), c)
		}
	}
	if len(tab.byID) != 1 || third.live != 0 {
		t.Errorf("%d chunks are known, with %d live places in the last; want 1 and 0", len(tab.byID), third.live)
	}
}

func ref(chunk uint64, index uint32) persistence.Ref {
	return persistence.Ref{Chunk: chunk, Index: index}
}
