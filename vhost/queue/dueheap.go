package queue

// dueHeap is a binary heap by due time, and among equals by place in line.
type dueHeap[T interface {
	at() (due int64, seq uint64)
}] []T

func (h dueHeap[T]) less(i, j int) bool {
	a, m := h[i].at()
	b, n := h[j].at()
	return a < b || a == b && m < n
}

func (h *dueHeap[T]) push(v T) {
	*h = append(*h, v)
	h.up(len(*h) - 1)
}

// pop removes the first; there must be one.
func (h *dueHeap[T]) pop() T { return h.remove(0) }

// remove removes the one at a place of the slice.
func (h *dueHeap[T]) remove(i int) T {
	s := *h
	last := len(s) - 1
	v := s[i]
	s[i] = s[last]
	var none T
	s[last] = none
	if *h = s[:last]; last == 0 && cap(s) > segmentMax {
		*h = nil
	}
	if i < last {
		h.down(i)
		h.up(i)
	}
	return v
}

// order makes a heap of what may be none.
func (h dueHeap[T]) order() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h dueHeap[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (h dueHeap[T]) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
