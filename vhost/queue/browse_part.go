package queue

import (
	"math"
	"slices"
)

// part is a segment that a browse has noted: a copy of its items, or what it is packed
// into, which nobody changes.
type part struct {
	items  []item
	packed []byte
	count  int
}

// browsed appends the messages that are behind one place and not behind another.
func (p *part) browsed(all []Browsed, after, until uint64) []Browsed {
	for i := range p.items {
		if it := &p.items[i]; it.seq > after && it.seq <= until {
			all = append(all, Browsed{ID: it.seq, it: *it})
		}
	}
	if p.packed == nil {
		return all
	}
	for at := range unpack(p.packed, p.count) {
		if at.seq > after && at.seq <= until {
			all = append(all, Browsed{ID: at.seq, it: at.item(), ref: at.ref})
		}
	}
	return all
}

// lift notes segments with what is behind a place, up to most messages or a segment more, and returns up to which place that
// is all that there is in the fifos of the line; then it is behind after.
func (l *line) lift(after uint64, most int) (parts []part, horizon uint64) {
	var next []*segment // of each fifo
	for f := range l.fifos {
		if s := f.behind(after); s != nil {
			next = append(next, s)
		}
	}
	for taken := 0; len(next) > 0; {
		first := 0
		for i, s := range next {
			if s.front().seq < next[first].front().seq {
				first = i
			}
		}
		s := next[first]
		if from := s.front().seq; taken >= most && from > after+1 {
			return parts, from - 1
		}
		parts = append(parts, s.note())
		taken += s.count()
		if s = s.next; s == nil || s.count() == 0 {
			next = slices.Delete(next, first, first+1)
		} else {
			next[first] = s
		}
	}
	return parts, math.MaxUint64
}

// behind returns the first segment that may have something behind a place, nil if there
// is none.
func (f *fifo) behind(after uint64) *segment {
	if f.count == 0 {
		return nil
	}
	s := f.head
	for s.next != nil && s.next.count() > 0 && s.next.front().seq <= after+1 {
		s = s.next
	}
	if s.count() > 0 && s.packed == nil && s.items[s.end-1].seq <= after {
		s = s.next
	}
	if s == nil || s.count() == 0 {
		return nil
	}
	return s
}

// note notes what is in the segment.
func (s *segment) note() part {
	if s.packed != nil {
		return part{packed: s.packed, count: s.count()}
	}
	return part{items: slices.Clone(s.items[s.first:s.end])}
}
