package server

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/vhost/queue"
)

// naiveLedger is what a ledger means: the unacked entries, in order of their tags.
type naiveLedger []entry

func (l *naiveLedger) add(e entry) { *l = append(*l, e) }

func (l *naiveLedger) take(tag uint64, multiple bool) (taken []entry, ok bool) {
	at := slices.IndexFunc(*l, func(e entry) bool { return e.tag == tag })
	switch {
	case multiple && tag == 0:
		taken, *l = *l, nil
		return taken, true
	case at < 0:
		return nil, false
	case multiple:
		taken = slices.Clone((*l)[:at+1])
		*l = slices.Clone((*l)[at+1:])
		return taken, true
	}
	taken = []entry{(*l)[at]}
	*l = slices.Delete(*l, at, at+1)
	return taken, true
}

func (l *naiveLedger) restore(list []entry) {
	*l = append(*l, list...)
	slices.SortFunc(*l, func(a, b entry) int { return int(a.tag) - int(b.tag) })
}

func TestLedger_DoesAsTheNaiveOne(t *testing.T) {
	q := queue.New(queue.Options{Name: "q", Limits: queue.NoLimits()})
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		var (
			real   ledger
			naive  naiveLedger
			kept   []entry // taken, and perhaps restored later
			last   uint64
			length = 1 + r.IntN(300) // how long it tends to be
		)
		for op := range 1000 {
			what := ""
			switch n := r.IntN(100); {
			case n < 50 && len(naive) < length || len(naive) == 0:
				last += uint64(1 + r.IntN(3)/2) // no-ack deliveries take tags too
				e := entry{tag: last, q: q, con: &consumer{}}
				what = fmt.Sprintf("add %d", e.tag)
				real.add(e)
				naive.add(e)
			case n < 97:
				tag := uint64(r.IntN(int(last) + 3))
				if n < 90 && len(naive) > 0 { // one that is there, mostly near an end
					at := min(r.IntN(len(naive)), r.IntN(len(naive)))
					if r.IntN(3) == 0 {
						at = len(naive) - 1 - at
					}
					tag = naive[at].tag
				}
				multiple := r.IntN(20) == 0
				what = fmt.Sprintf("take %d, multiple %v", tag, multiple)
				got, ok := real.take(tag, multiple, nil)
				want, wantOk := naive.take(tag, multiple)
				if ok != wantOk || !slices.Equal(got, want) {
					t.Fatalf("seed %d, op %d: %s: got %v, %v, want %v, %v", seed, op, what, got, ok, want, wantOk)
				}
				kept = append(kept, want...)
			default:
				what = fmt.Sprintf("restore %d", len(kept))
				r.Shuffle(len(kept), func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
				if len(kept) > length {
					kept = kept[:length]
				}
				real.restore(kept)
				naive.restore(kept)
				kept = nil
			}
			if real.live != len(naive) {
				t.Fatalf("seed %d, op %d: %s: %d are live, want %d", seed, op, what, real.live, len(naive))
			}
			if len(real.entries) >= 2*max(tidyFrom, length) && len(real.entries) > 2*real.live+tidyFrom {
				t.Fatalf("seed %d, op %d: %s: a list of %d for %d entries", seed, op, what, len(real.entries), real.live)
			}
		}
		got, _ := real.take(0, true, nil)
		if !slices.Equal(got, naive) {
			t.Fatalf("seed %d: at the end %v, want %v", seed, got, naive)
		}
	}
}

// A list that was long gives its memory back.
func TestLedger_GivesMemoryBack(t *testing.T) {
	q := queue.New(queue.Options{Name: "q", Limits: queue.NoLimits()})
	var l ledger
	const n = 100_000
	for tag := uint64(1); tag <= n; tag++ {
		l.add(entry{tag: tag, q: q})
	}
	for tag := uint64(1); tag < n; tag++ {
		if _, ok := l.take(tag, false, nil); !ok {
			t.Fatalf("%d is not there", tag)
		}
	}
	if cap(l.entries) > n/8 {
		t.Errorf("one entry keeps room for %d", cap(l.entries))
	}
	l.take(n, false, nil)
	if cap(l.entries) > 16*tidyFrom {
		t.Errorf("none keeps room for %d", cap(l.entries))
	}
}

// In the order of the tags, or any other, settling takes no time to speak of.
func BenchmarkLedger(b *testing.B) {
	q := queue.New(queue.Options{Name: "q", Limits: queue.NoLimits()})
	for _, window := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			b.ReportAllocs()
			var l ledger
			list := make([]entry, 0, 1)
			tag := uint64(0)
			for b.Loop() {
				tag++
				l.add(entry{tag: tag, q: q})
				if tag > uint64(window) {
					if _, ok := l.take(tag-uint64(window), false, list); !ok {
						b.Fatal("not there")
					}
				}
			}
		})
	}
}
