package queue

import "slices"

// line is the ready messages of one priority, in order: new ones at the end,
// returned ones at the place that they had.
type line struct {
	fresh fifo
	back  returned
	// late holds what recovery found out of its turn, and what came back and is
	// to leave memory, each fifo in order; nil otherwise.
	late []*fifo
}

// fifos yields all fifos of the line, fresh last.
func (l *line) fifos(yield func(*fifo) bool) {
	for _, f := range l.late {
		if !yield(f) {
			return
		}
	}
	yield(&l.fresh)
}

func (l *line) empty() bool { return l.fresh.count == 0 && len(l.back) == 0 && len(l.late) == 0 }

// front returns the first in line, or nil. It is valid until the next call.
func (l *line) front() *item {
	it, _ := l.first()
	return it
}

// first returns the first in line and the fifo that it is in, which is nil for
// one that came back.
func (l *line) first() (*item, *fifo) {
	it, from := l.fresh.front(), &l.fresh
	if l.late != nil {
		for _, f := range l.late {
			if o := f.front(); it == nil || o.seq < it.seq {
				it, from = o, f
			}
		}
	}
	if len(l.back) > 0 && (it == nil || l.back[0].seq < it.seq) {
		return &l.back[0], nil
	}
	return it, from
}

// drop removes the first in line; there must be one, with its message. It
// reports what fifo.drop does.
func (l *line) drop() (ahead bool) {
	_, from := l.first()
	if from == nil {
		l.back.drop()
		return false
	}
	ahead = from.drop()
	if from.count == 0 && from != &l.fresh {
		l.forget(from)
	}
	return ahead
}

// forget lets go of a fifo that is empty for ever.
func (l *line) forget(f *fifo) {
	l.late = slices.DeleteFunc(l.late, func(o *fifo) bool { return o == f })
	if len(l.late) == 0 {
		l.late = nil
	}
}
