package binding

// Direct is the index of bindings whose key must be the routing key itself
// [3.1.3.1]. Arguments play no part in the match.
type Direct[T comparable] struct {
	set[T]
	keys map[string]bucket[T]
}

// NewDirect returns an empty index.
func NewDirect[T comparable]() *Direct[T] {
	d := &Direct[T]{keys: make(map[string]bucket[T])}
	d.set = newSet[T](d)
	return d
}

// Match appends the destinations of the routing key to dst, each once.
func (d *Direct[T]) Match(key string, s *Scratch, dst []T) []T {
	b, ok := d.keys[key]
	if !ok {
		return dst
	}
	if b.withArgs == 0 {
		for _, e := range b.entries {
			dst = append(dst, e.Destination)
		}
		return dst
	}
	s.found.reset()
	for _, e := range b.entries {
		if s.found.add(e.of.slot) {
			dst = append(dst, e.Destination)
		}
	}
	return dst
}

func (d *Direct[T]) attach(e *entry[T]) {
	b := d.keys[e.Key]
	b.add(e)
	d.keys[e.Key] = b
}

func (d *Direct[T]) detach(e *entry[T]) {
	b := d.keys[e.Key]
	b.remove(e)
	if len(b.entries) == 0 {
		delete(d.keys, e.Key)
		return
	}
	d.keys[e.Key] = b
}
