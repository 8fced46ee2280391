package badger

import (
	"cmp"
	"slices"

	"github.com/leveretmq/leveret/persistence"
)

// relocated is a chunk whose live places have moved.
type relocated struct {
	chunk *chunk
	moved []move
}

// relocate moves what is live in mostly dead chunks to new ones, so that slow
// queues do not keep the disk full of what others are done with. A group moves
// a little.
func (s *Store) relocate(g *group) error {
	if len(s.candidates) == 0 && !s.pickCandidates() {
		return nil
	}
	budget := int64(s.limits.relocateStep)
	var open [2]*chunkWriter
	for n := 0; n < s.limits.deletes/2 && budget > 0 && len(s.candidates) > 0; n++ {
		c := s.candidates[0]
		s.candidates = s.candidates[1:]
		if c.live == 0 || c.dropped || c.intact == c.records {
			continue
		}
		budget -= c.liveBytes()
		if err := s.moveChunk(g, c, &open); err != nil {
			return err
		}
		s.relocatedDead -= c.bytes - c.liveBytes()
	}
	if s.relocatedDead <= 0 {
		s.candidates = nil
	}
	return nil
}

// pickCandidates lists chunks to be moved, lowest live share first, if more is
// dead than may be. As many are moved as bring that down to half.
func (s *Store) pickCandidates() bool {
	if !s.begun.Load() {
		return false // Recover would miss what is moved while it looks
	}
	dead, most := s.table.dead.Load(), max(s.limits.relocateMin, s.table.live.Load())
	if dead <= max(most, s.relocateAbove) {
		return false
	}
	for _, c := range s.table.byID {
		if c.moved() == nil && !c.dropped && !c.stuck && c.live > 0 && c.intact < c.records {
			s.candidates = append(s.candidates, c)
		}
	}
	slices.SortFunc(s.candidates, func(a, b *chunk) int {
		return cmp.Or(cmp.Compare(uint64(a.intact)*uint64(b.records), uint64(b.intact)*uint64(a.records)), cmp.Compare(a.id, b.id))
	})
	s.relocatedDead = dead - most/2
	// If all that can be moved is moved and it is still too much, more has to
	// become dead before it is worth another look.
	s.relocateAbove = dead
	s.opts.Log.Debug().Int64("dead", dead).Int64("live", s.table.live.Load()).Int("chunks", len(s.candidates)).Msg("moving messages out of mostly dead chunks")
	return true
}

// moveChunk moves the live places of a chunk, and deletes it.
func (s *Store) moveChunk(g *group, c *chunk, open *[2]*chunkWriter) error {
	x, err := s.readIndex(c.id)
	if err != nil {
		s.leave(c, err)
		return nil
	}
	k := 0
	if c.transient {
		k = 1
	}
	m := &relocated{chunk: c}
	err = s.readChunk(c.id, x, func(data []byte) error {
		var places []persistence.Place
		var from []uint32
		for i := range x.recs {
			r := &x.recs[i]
			places, from = places[:0], from[:0]
			for p := r.first; p < r.first+r.places; p++ {
				if c.settled.has(int(p)) {
					continue
				}
				place := x.all[p].Place
				if c.more != nil {
					if n, ok := c.more.notes[p]; ok {
						place.Returns = n
					}
				}
				places, from = append(places, place), append(from, p)
			}
			if len(places) == 0 {
				continue
			}
			w := s.roomFor(g, open[k], int(r.length), len(places), c.transient)
			open[k] = w
			first := w.addRaw(data[r.offset:r.offset+r.length], *r, places)
			for j, p := range from {
				m.moved = append(m.moved, move{p, persistence.Ref{Chunk: w.id, Index: first + uint32(j)}})
			}
		}
		return nil
	})
	if err != nil {
		s.leave(c, err)
		return nil
	}
	s.dropChunk(g, c)
	g.moves = append(g.moves, m)
	return nil
}

// leave has a chunk stay where it is because it cannot be read.
func (s *Store) leave(c *chunk, err error) {
	c.stuck = true
	s.opts.Log.Error().Err(err).Uint64("chunk", c.id).Msg("messages cannot be moved")
}
