package badger

import "math/bits"

// bitset is a set of small numbers; nil is empty.
type bitset []uint64

// add puts a number below n into the set, which has room for n.
func (b *bitset) add(i, n int) {
	if *b == nil {
		*b = make(bitset, (n+63)/64)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

// grow puts a number into the set, which grows.
func (b *bitset) grow(i int) {
	for len(*b) <= i/64 {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b bitset) has(i int) bool { return i/64 < len(b) && b[i/64]&(1<<(i%64)) != 0 }

// before returns the largest member up to i, or 0.
func (b bitset) before(i int) int {
	w := min(i/64, len(b)-1)
	if w < 0 {
		return 0
	}
	word := b[w]
	if w == i/64 {
		word &= ^uint64(0) >> (63 - i%64)
	}
	for word == 0 && w > 0 {
		w--
		word = b[w]
	}
	if word == 0 {
		return 0
	}
	return w*64 + 63 - bits.LeadingZeros64(word)
}

// after returns the smallest member above i, or end.
func (b bitset) after(i, end int) int {
	i++
	w := i / 64
	if w >= len(b) {
		return end
	}
	word := b[w] &^ (1<<(i%64) - 1)
	for word == 0 {
		if w++; w >= len(b) {
			return end
		}
		word = b[w]
	}
	return min(end, w*64+bits.TrailingZeros64(word))
}
