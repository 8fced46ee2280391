package binding

// Hash is what Consistent and Modulus choose a destination by. It is the same in
// each process and on each machine, so that a key keeps its destination.
type Hash uint64

// FNV-1a of 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// HashText hashes a text.
func HashText(s string) Hash { return hashOf(s) }

// HashValue hashes a field value. Values that a headers binding takes for equal
// have one hash: 1 in any width, a text and its bytes.
func HashValue(v any, s *Scratch) Hash {
	s.value = appendValue(s.value[:0], v, erased)
	return hashOf(s.value)
}

func hashOf[S string | []byte](s S) Hash {
	h := uint64(fnvOffset)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return Hash(h)
}

// Then is the hash of two things in this order.
func (h Hash) Then(next Hash) Hash { return Hash(h.mix()) ^ next }

// mix spreads each bit over all others [the finalizer of MurmurHash3].
func (h Hash) mix() uint64 {
	x := uint64(h)
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
