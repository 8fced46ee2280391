package binding

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSmallSet(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	s := smallSet{mark: math.MaxUint32 - 5} // so that the mark wraps on the way
	for round := range 200 {
		s.reset()
		seen := map[uint32]bool{}
		for range random.IntN(60) {
			n := uint32(random.IntN(100))
			if got := s.add(n); got == seen[n] {
				t.Fatalf("round %d: add(%d) = %t with members %v", round, n, got, seen)
			}
			seen[n] = true
		}
	}
}
