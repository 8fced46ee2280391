package binding

import (
	"iter"

	"github.com/leveretmq/leveret/amqp"
)

// set is the bindings of one exchange: identity, order of age, and those of one
// destination. Each index embeds it and is told of what comes and goes.
type set[T comparable] struct {
	index        index[T]
	entries      map[identity]*entry[T]
	destinations map[T]*destination[T]
	byAge        chain[T]
	freeSlots    []uint32
}

// index is the half that makes matching fast.
type index[T comparable] interface {
	// attach is called once e is in the set.
	attach(e *entry[T])
	// detach is called once e is out of the set.
	detach(e *entry[T])
}

// identity is what makes two bindings the same; args as by Identity.
type identity struct {
	slot      uint32
	key, args string
}

// entry is a binding in a set.
type entry[T comparable] struct {
	Binding[T]
	args   string // Identity of the arguments
	of     *destination[T]
	links  [chainKinds]struct{ previous, next *entry[T] }
	place  int    // in the bucket that holds it
	node   uint32 // of the trie; topic only
	filter *filter[T]
}

// destination is what one or more bindings of a set lead to.
type destination[T comparable] struct {
	value T
	// slot is a small number of its own among the destinations of the set, so
	// that a match can mark what it has found without hashing.
	slot     uint32
	place    int // fanout only
	bindings chain[T]
}

func newSet[T comparable](i index[T]) set[T] {
	return set[T]{
		index:        i,
		entries:      make(map[identity]*entry[T]),
		destinations: make(map[T]*destination[T]),
		byAge:        chain[T]{kind: ageChain},
	}
}

// Add adds a binding and reports whether it is new. The index keeps args.
func (s *set[T]) Add(key string, args amqp.Table, dest T) (added bool, err error) {
	d := s.destinations[dest]
	if d == nil {
		d = s.newDestination(dest)
	}
	id := identity{d.slot, key, Identity(args)}
	if _, bound := s.entries[id]; bound {
		return false, nil
	}
	e := &entry[T]{Binding: Binding[T]{dest, key, args}, args: id.args, of: d}
	s.entries[id] = e
	s.byAge.push(e)
	d.bindings.push(e)
	s.index.attach(e)
	return true, nil
}

// Remove removes a binding and reports whether it was there.
func (s *set[T]) Remove(key string, args amqp.Table, dest T) bool {
	e := s.find(key, args, dest)
	if e != nil {
		s.remove(e)
	}
	return e != nil
}

// RemoveDestination removes all that leads to dest and returns it, oldest
// first. What it costs depends on the number of those bindings alone.
func (s *set[T]) RemoveDestination(dest T) []Binding[T] {
	removed := s.To(dest)
	if len(removed) > 0 {
		for d := s.destinations[dest]; d.bindings.first != nil; {
			s.remove(d.bindings.first)
		}
	}
	return removed
}

// Has reports whether there is such a binding.
func (s *set[T]) Has(key string, args amqp.Table, dest T) bool {
	return s.find(key, args, dest) != nil
}

// Len returns the number of bindings.
func (s *set[T]) Len() int { return s.byAge.len }

// All yields the bindings, oldest first. The set must not change meanwhile.
func (s *set[T]) All() iter.Seq[Binding[T]] { return s.byAge.all() }

// To returns the bindings that lead to dest, oldest first.
func (s *set[T]) To(dest T) []Binding[T] {
	d := s.destinations[dest]
	if d == nil {
		return nil
	}
	out := make([]Binding[T], 0, d.bindings.len)
	for b := range d.bindings.all() {
		out = append(out, b)
	}
	return out
}

func (s *set[T]) find(key string, args amqp.Table, dest T) *entry[T] {
	d := s.destinations[dest]
	if d == nil {
		return nil
	}
	return s.entries[identity{d.slot, key, Identity(args)}]
}

func (s *set[T]) remove(e *entry[T]) {
	delete(s.entries, identity{e.of.slot, e.Key, e.args})
	s.byAge.remove(e)
	e.of.bindings.remove(e)
	if e.of.bindings.len == 0 {
		delete(s.destinations, e.Destination)
		s.freeSlots = append(s.freeSlots, e.of.slot)
	}
	s.index.detach(e)
}

func (s *set[T]) newDestination(dest T) *destination[T] {
	d := &destination[T]{
		value:    dest,
		slot:     uint32(len(s.destinations)), // next after 0 … len-1, if none is free
		bindings: chain[T]{kind: destinationChain},
	}
	if last := len(s.freeSlots) - 1; last >= 0 {
		d.slot = s.freeSlots[last]
		s.freeSlots = s.freeSlots[:last]
	}
	s.destinations[dest] = d
	return d
}
