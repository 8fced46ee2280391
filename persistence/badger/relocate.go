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
func (s *Store) relocate(g *group) {
	if len(s.candidates) == 0 && !s.pickCandidates() {
		return
	}
	budget := int64(s.limits.relocateStep)
	var open openChunks
	for n := 0; n < s.limits.deletes/2 && budget > 0 && len(s.candidates) > 0; n++ {
		c := s.candidates[0]
		s.candidates = s.candidates[1:]
		if c.live == 0 || c.dropped || c.intact == c.records {
			continue
		}
		budget -= c.liveBytes()
		s.moveChunk(g, c, &open)
		s.relocatedDead -= c.bytes - c.liveBytes()
	}
	if s.relocatedDead <= 0 {
		s.candidates = nil
	}
	s.endChunks(g, &open)
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
func (s *Store) moveChunk(g *group, c *chunk, open *openChunks) {
	x, err := s.readIndex(c.id)
	m := &relocated{chunk: c}
	if err == nil {
		// Nothing may be committed meanwhile: the file is locked.
		err = s.readChunk(c.id, x, func(data []byte) error {
			s.moveRecords(g, m, x, data, open)
			return nil
		})
	}
	if err != nil {
		c.stuck = true
		s.opts.Log.Error().Err(err).Uint64("chunk", c.id).Msg("messages cannot be moved")
		return
	}
	s.dropChunk(g, c)
	g.moves = append(g.moves, m)
}

// moveRecords appends what is live in data to open chunks.
func (s *Store) moveRecords(g *group, m *relocated, x *index, data []byte, open *openChunks) {
	var places []persistence.Place
	var from []uint32
	for i := range x.recs {
		r := &x.recs[i]
		places, from = m.chunk.livePlaces(x, r, places[:0], from[:0])
		if len(places) == 0 {
			continue
		}
		w := s.roomFor(g, open, int(r.length), len(places), m.chunk.transient)
		first := w.addRaw(data[r.offset:r.offset+r.length], *r, places)
		for j, p := range from {
			m.moved = append(m.moved, move{p, persistence.Ref{Chunk: w.id, Index: first + uint32(j)}})
		}
	}
}

// livePlaces appends the live places of a record, with what was noted of them,
// and their numbers.
func (c *chunk) livePlaces(x *index, r *indexRecord, places []persistence.Place, numbers []uint32) ([]persistence.Place, []uint32) {
	for p := r.first; p < r.first+r.places; p++ {
		if c.settled.has(int(p)) {
			continue
		}
		place := x.all[p].Place
		if c.more != nil {
			if n, ok := c.more.notes[p]; ok {
				n.Apply(&place)
			}
		}
		places, numbers = append(places, place), append(numbers, p)
	}
	return places, numbers
}
