package binding

import "math/rand/v2"

// Random is the index of bindings of which a message gets one, any, each as likely
// as the other; keys and arguments play no part.
type Random[T comparable] struct {
	set[T]
	bound bucket[T]
}

// NewRandom returns an empty index.
func NewRandom[T comparable]() *Random[T] {
	r := &Random[T]{}
	r.set = newSet[T](r)
	return r
}

// Match appends one destination to dst; none if there are no bindings.
func (r *Random[T]) Match(dst []T) []T {
	if len(r.bound.entries) == 0 {
		return dst
	}
	return append(dst, r.bound.entries[rand.IntN(len(r.bound.entries))].Destination)
}

func (r *Random[T]) attach(e *entry[T]) { r.bound.add(e) }

func (r *Random[T]) detach(e *entry[T]) { r.bound.remove(e) }
