package badger

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestFIFO(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var f fifo[*int]
	var want []*int
	for range 5000 {
		if rng.IntN(2) == 0 {
			for range rng.IntN(60) {
				f.push(new(int))
				want = append(want, f.all[len(f.all)-1])
			}
		} else {
			n := rng.IntN(min(len(want), 50) + 1)
			if rng.IntN(100) == 0 {
				n = len(want)
			}
			if got := f.front(n); !slices.Equal(got, want[:n]) {
				t.Fatal("the front is not what was put there first")
			}
			f.drop(n)
			want = want[n:]
		}
		if f.len() != len(want) || !slices.Equal(f.front(f.len()), want) {
			t.Fatalf("%d are there, want %d, or others", f.len(), len(want))
		}
		if len(f.all) > 2*len(want)+1 {
			t.Fatalf("%d are held for %d", len(f.all), len(want))
		}
		for _, p := range append(slices.Clone(f.all[:f.from]), f.all[len(f.all):cap(f.all)]...) {
			if p != nil {
				t.Fatal("what was taken is held on to")
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { f.push(nil, nil, nil); f.drop(3) }); n != 0 {
		t.Errorf("what is taken at once is %v allocations, want none", n)
	}
}
