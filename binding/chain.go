package binding

import "iter"

// The lists that an entry is part of.
const (
	ageChain         = iota // all entries of the set
	destinationChain        // those of one destination
	chainKinds
)

// chain is a doubly linked list through the entries themselves, in the order
// of their coming: what goes is taken out without a search.
type chain[T comparable] struct {
	first, last *entry[T]
	len         int
	kind        int
}

func (c *chain[T]) push(e *entry[T]) {
	link := &e.links[c.kind]
	link.previous = c.last
	if c.last == nil {
		c.first = e
	} else {
		c.last.links[c.kind].next = e
	}
	c.last = e
	c.len++
}

func (c *chain[T]) remove(e *entry[T]) {
	link := &e.links[c.kind]
	if link.previous == nil {
		c.first = link.next
	} else {
		link.previous.links[c.kind].next = link.next
	}
	if link.next == nil {
		c.last = link.previous
	} else {
		link.next.links[c.kind].previous = link.previous
	}
	link.previous, link.next = nil, nil
	c.len--
}

func (c *chain[T]) all() iter.Seq[Binding[T]] {
	return func(yield func(Binding[T]) bool) {
		for e := c.first; e != nil; e = e.links[c.kind].next {
			if !yield(e.Binding) {
				return
			}
		}
	}
}
