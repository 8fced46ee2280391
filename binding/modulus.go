package binding

import (
	"cmp"
	"slices"
)

// Modulus is the index of bindings of which a message gets one, by its hash modulo
// their number; keys and arguments play no part. The bindings are counted in the
// order of what identifies their destinations, so that a restart changes nothing.
type Modulus[T comparable] struct {
	set[T]
	identify func(T) string
	sorted   []ranked[T]
}

// ranked is a binding of a Modulus.
type ranked[T comparable] struct {
	id string
	to T
}

// NewModulus returns an empty index. No two destinations may have the same
// identity at a time.
func NewModulus[T comparable](identify func(T) string) *Modulus[T] {
	m := &Modulus[T]{identify: identify}
	m.set = newSet[T](m)
	return m
}

// Match appends the one destination of the hash to dst; none if there are no
// bindings.
func (m *Modulus[T]) Match(h Hash, dst []T) []T {
	if len(m.sorted) == 0 {
		return dst
	}
	return append(dst, m.sorted[h.mix()%uint64(len(m.sorted))].to)
}

func (m *Modulus[T]) attach(e *entry[T]) {
	id, at := m.find(e)
	m.sorted = slices.Insert(m.sorted, at, ranked[T]{id, e.Destination})
}

// detach takes out any binding of the destination: they are all alike.
func (m *Modulus[T]) detach(e *entry[T]) {
	_, at := m.find(e)
	m.sorted = slices.Delete(m.sorted, at, at+1)
}

// find returns the place of the destination's first binding, or where it belongs.
func (m *Modulus[T]) find(e *entry[T]) (id string, at int) {
	id = m.identify(e.Destination)
	at, _ = slices.BinarySearchFunc(m.sorted, id, func(r ranked[T], id string) int { return cmp.Compare(r.id, id) })
	return id, at
}
