package binding

// bucket is the entries that match together: those of one key or trie node.
type bucket[T comparable] struct {
	entries []*entry[T]
	// withArgs counts the entries that have arguments. While it is 0, identity
	// makes all destinations of the bucket differ.
	withArgs int
}

func (b *bucket[T]) add(e *entry[T]) {
	e.place = len(b.entries)
	b.entries = append(b.entries, e)
	if e.args != "" {
		b.withArgs++
	}
}

// remove puts the last entry in the place of e, so it needs no search.
func (b *bucket[T]) remove(e *entry[T]) {
	last := len(b.entries) - 1
	moved := b.entries[last]
	b.entries[e.place], moved.place = moved, e.place
	b.entries[last] = nil
	b.entries = b.entries[:last]
	if e.args != "" {
		b.withArgs--
	}
}
