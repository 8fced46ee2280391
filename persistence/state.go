package persistence

import "math/bits"

// Settle notes that a place was settled before the record was written, and
// reports whether that was new.
func (s *State) Settle(place int) bool {
	if s.IsSettled(place) {
		return false
	}
	if place < 64 {
		s.Settled |= 1 << place
		return true
	}
	if s.Many == nil {
		s.Many = make(map[int]struct{})
	}
	s.Many[place] = struct{}{}
	return true
}

// IsSettled reports whether Settle was called for a place.
func (s *State) IsSettled(place int) bool {
	if place < 64 {
		return s.Settled&(1<<place) != 0
	}
	_, ok := s.Many[place]
	return ok
}

// Count returns how many places were settled before the record was written. A
// record with no more places than that need not be written.
func (s *State) Count() int { return bits.OnesCount64(s.Settled) + len(s.Many) }

// Note is what is to be remembered of a place that came back, with the meanings
// of [Place]; the last one counts, both values together.
type Note struct {
	Returns uint32
	Due     int64
}

// Apply has a place say what was noted of it.
func (n Note) Apply(p *Place) { p.Returns, p.Due = n.Returns, n.Due }

// Return notes what came back before the record was written.
func (s *State) Return(place int, n Note) {
	if s.Returns == nil {
		s.Returns = make(map[int]Note)
	}
	s.Returns[place] = n
}
