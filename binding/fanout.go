package binding

// Fanout is the index of bindings that match every message, whatever their key
// and arguments [3.1.3.2].
type Fanout[T comparable] struct {
	set[T]
	bound []*destination[T]
}

// NewFanout returns an empty index.
func NewFanout[T comparable]() *Fanout[T] {
	f := &Fanout[T]{}
	f.set = newSet[T](f)
	return f
}

// Match appends all destinations to dst, each once.
func (f *Fanout[T]) Match(dst []T) []T {
	for _, d := range f.bound {
		dst = append(dst, d.value)
	}
	return dst
}

func (f *Fanout[T]) attach(e *entry[T]) {
	if e.of.bindings.len == 1 {
		e.of.place = len(f.bound)
		f.bound = append(f.bound, e.of)
	}
}

func (f *Fanout[T]) detach(e *entry[T]) {
	if e.of.bindings.len > 0 {
		return
	}
	last := len(f.bound) - 1
	moved := f.bound[last]
	f.bound[e.of.place], moved.place = moved, e.of.place
	f.bound[last] = nil
	f.bound = f.bound[:last]
}
