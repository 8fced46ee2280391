package queue

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

// row makes n placed as they are when records of one queue come in groups of a
// chunk each, with gaps of others between them.
func row(n, group int, gap uint32, size func(int) uint32) (out []placed) {
	for i := range n {
		out = append(out, placed{
			ref:  persistence.Ref{Chunk: 1000 + uint64(i/group), Index: uint32(i%group) * (1 + gap)},
			seq:  500_000 + uint64(i),
			size: size(i),
		})
	}
	return out
}

func oneKiB(int) uint32 { return 1024 }

func TestPackedComesBack(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	wild := make([]placed, 1000)
	for i := range wild {
		p := &wild[i]
		if i > 0 && random.IntN(3) > 0 {
			*p = wild[i-1]
			p.seq++
			p.ref.Index += uint32(random.IntN(2))
		}
		switch random.IntN(8) {
		case 0:
			p.ref = persistence.Ref{Chunk: random.Uint64(), Index: random.Uint32()}
		case 1:
			p.seq = random.Uint64()
		case 2:
			p.size = random.Uint32()
		case 3:
			p.expires = int64(random.Uint64())
		case 4:
			p.returns, p.redelivered = random.Uint32(), !p.redelivered
		}
	}
	ends := []placed{
		{ref: persistence.Ref{Chunk: math.MaxUint64, Index: math.MaxUint32}, seq: math.MaxUint64,
			expires: math.MaxInt64, size: math.MaxUint32, returns: math.MaxUint32, redelivered: true},
		{expires: math.MinInt64},
		{},
	}
	var k packer
	for _, want := range [][]placed{nil, row(1, 1, 0, oneKiB), row(129, 1000, 0, oneKiB), row(512, 100, 2, oneKiB), wild, ends} {
		for i := range want {
			k.add(&want[i])
		}
		packed := k.take()
		if got := slices.Collect(unpack(packed, len(want))); !slices.Equal(got, want) {
			t.Errorf("%d placed came back otherwise", len(want))
		}
		for p := range unpack(packed, min(len(want), 1)) { // to stop early is allowed
			if p != want[0] {
				t.Errorf("the first came back as %+v", p)
			}
			break
		}
	}
}

// What a message costs while it is not in memory is what makes 10 million of
// them possible.
func TestPackedIsSmall(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	deadlines := row(segmentMax, 100, 0, oneKiB)
	at := int64(1_800_000_000_000_000_000)
	for i := range deadlines {
		at += random.Int64N(20_000)
		deadlines[i].expires = at
	}
	for _, c := range []struct {
		name  string
		row   []placed
		limit float64 // bytes each
	}{
		{"in a row", row(segmentMax, 100, 0, oneKiB), 0.1},
		{"between others", row(segmentMax, 100, 3, oneKiB), 0.1},
		{"two a chunk", row(segmentMax, 2, 1, oneKiB), 2.1},
		{"many sizes", row(segmentMax, 100, 0, func(int) uint32 { return random.Uint32N(16 << 10) }), 3.2},
		{"deadlines", deadlines, 4.2},
	} {
		var k packer
		for i := range c.row {
			k.add(&c.row[i])
		}
		each := float64(len(k.take())) / float64(len(c.row))
		t.Logf("%s: %.2f bytes each", c.name, each)
		if each > c.limit {
			t.Errorf("%s: %.2f bytes each, want %v at most", c.name, each, c.limit)
		}
	}
}
