package badger

import (
	"cmp"
	"slices"

	"github.com/leveretmq/leveret/persistence"
)

// group is what is written in one transaction, and what it makes of the table
// of chunks. Its way:
//
//   - pending.take fills in what is to be written;
//   - build settles places in the table and lists the operations;
//   - Store.commit does them;
//   - finish makes new chunks known, to the records and to readers;
//   - and then those who wait are told.
type group struct {
	bytes   int64
	records []*persistence.Record
	settles []persistence.Settle
	changes []persistence.Change
	told    []told
	elided  int

	ops    operations
	done   []settled // places that this group settles
	noted  []noted
	chunks []*chunk // that it writes
	added  []added
	bodies [][]byte // what the values of those chunks are made of
	gone   []*chunk // chunks that it deletes
	moves  []*relocated
	ids    uint64 // the new limit of ids, if not 0
}

// settled is a place that a group settles.
type settled struct {
	chunk *chunk
	place uint32
}

// noted is a note on a place.
type noted struct {
	settled
	note persistence.Note
}

func (g *group) reset() {
	clear(g.records)
	clear(g.settles)
	clear(g.changes)
	clear(g.told)
	clear(g.done)
	clear(g.noted)
	clear(g.chunks)
	clear(g.added)
	clear(g.bodies)
	clear(g.gone)
	clear(g.moves)
	g.ops.reset()
	g.bytes, g.elided, g.ids = 0, 0, 0
	g.records, g.settles, g.changes, g.told = g.records[:0], g.settles[:0], g.changes[:0], g.told[:0]
	g.done, g.noted = g.done[:0], g.noted[:0]
	g.chunks, g.added, g.bodies = g.chunks[:0], g.added[:0], g.bodies[:0]
	g.gone, g.moves = g.gone[:0], g.moves[:0]
}

// build turns the group into operations. The order counts: settles come first,
// so that what they free is neither noted nor moved.
func (s *Store) build(g *group) error {
	s.settlePlaces(g)
	s.dropDead(g)
	s.encodeSettles(g)
	s.relocate(g)
	if err := s.placeRecords(g); err != nil {
		return err
	}
	s.define(g)
	s.extendIDs(g)
	if len(g.ops.list) > 0 {
		s.setCounts(g)
	}
	return nil
}

// settlePlaces marks what is settled in the table.
func (s *Store) settlePlaces(g *group) {
	if len(g.settles) == 0 {
		return
	}
	s.table.mu.Lock()
	defer s.table.mu.Unlock()
	for _, t := range g.settles {
		at, ok := t.Record.Ref(t.Place)
		if !ok {
			continue
		}
		if t.Returned {
			if c, place := s.table.resolveLocked(at); c != nil && !c.settled.has(int(place)) {
				s.table.noteLocked(c, place, t.Note())
				g.noted = append(g.noted, noted{settled{c, place}, t.Note()})
			}
			continue
		}
		c, place := s.table.settleLocked(at)
		if c == nil {
			continue
		}
		if c.live == 0 {
			s.doomed = append(s.doomed, c)
		}
		g.done = append(g.done, settled{c, place})
	}
}

// dropDead deletes chunks that have no live places left, as many as go into a
// transaction.
func (s *Store) dropDead(g *group) {
	n := min(len(s.doomed), s.limits.deletes)
	for _, c := range s.doomed[:n] {
		s.dropChunk(g, c)
	}
	s.doomed = slices.Delete(s.doomed, 0, n)
	n = min(len(s.spent), s.limits.deletes)
	for _, id := range s.spent[:n] {
		g.ops.delete(keyN(keySettles, id))
		s.counts.settles--
	}
	s.spent = slices.Delete(s.spent, 0, n)
}

// dropChunk deletes a chunk, and has those settles deleted later that named no
// other.
func (s *Store) dropChunk(g *group, c *chunk) {
	for part := range int(c.parts) {
		g.ops.delete(partKey(c.id, part))
	}
	g.ops.delete(keyN(keyIndex, c.id))
	s.counts.chunks--
	s.table.drop(c)
	g.gone = append(g.gone, c)
	if c.more == nil {
		return
	}
	for _, b := range c.more.batches {
		if b.refs--; b.refs == 0 {
			s.spent = append(s.spent, b.id)
		}
	}
	c.more.batches = nil
}

// encodeSettles notes what was settled in chunks that live on. Chunks that are
// deleted in this group need no note, and transient ones do not outlive the
// process.
func (s *Store) encodeSettles(g *group) {
	gone := func(c *chunk) bool { return c.transient || c.dropped }
	g.done = slices.DeleteFunc(g.done, func(d settled) bool { return gone(d.chunk) })
	g.noted = slices.DeleteFunc(g.noted, func(n noted) bool {
		return gone(n.chunk) || n.chunk.settled.has(int(n.place))
	})
	order := func(a, b settled) int {
		return cmp.Or(cmp.Compare(a.chunk.id, b.chunk.id), cmp.Compare(a.place, b.place))
	}
	slices.SortFunc(g.done, order)
	slices.SortStableFunc(g.noted, func(a, b noted) int { return order(a.settled, b.settled) })

	var e settlesEncoder
	var batch *settleBatch
	flush := func() {
		if e.chunks > 0 {
			key := keyN(keySettles, batch.id)
			g.ops.set(key, seal(key, e.buf))
			s.counts.settles++
		}
		e, batch = settlesEncoder{}, nil
	}
	done, notes := g.done, g.noted
	for len(done)+len(notes) > 0 {
		c := nextChunk(done, notes)
		if batch == nil {
			s.counts.nextSettles++
			batch = &settleBatch{id: s.counts.nextSettles}
			e.buf = unsealed(nil)
		}
		s.places, s.notes = s.places[:0], s.notes[:0]
		for ; len(done) > 0 && done[0].chunk == c; done = done[1:] {
			s.places = append(s.places, done[0].place)
		}
		for ; len(notes) > 0 && notes[0].chunk == c; notes = notes[1:] {
			if n := len(s.notes); n > 0 && s.notes[n-1].place == notes[0].place {
				s.notes = s.notes[:n-1] // the last counts
			}
			s.notes = append(s.notes, note{notes[0].place, notes[0].note})
		}
		e.add(c.id, s.places, s.notes)
		batch.refs++
		m := s.table.extra(c)
		m.batches = append(m.batches, batch)
		if len(e.buf) >= s.limits.settleValue {
			flush()
		}
	}
	flush()
}

// nextChunk returns the chunk with the lowest number at the front of either.
func nextChunk(done []settled, notes []noted) *chunk {
	switch {
	case len(notes) == 0:
		return done[0].chunk
	case len(done) == 0 || notes[0].chunk.id < done[0].chunk.id:
		return notes[0].chunk
	default:
		return done[0].chunk
	}
}

// finish makes known what was written.
func (s *Store) finish(g *group) {
	for _, c := range g.chunks {
		s.table.add(c)
	}
	s.table.highest.Store(s.counts.nextChunk)
	for _, m := range g.moves {
		s.table.forward(m.chunk, m.moved)
	}
	var deleted int64
	for _, c := range g.gone {
		deleted += c.bytes
		if c.moved() == nil {
			s.table.remove(c)
		}
		s.cache.remove(c.id)
	}
	if len(g.gone) > 0 {
		s.table.change.Broadcast()
	}
	s.mu.Lock()
	s.settledIDs(g)
	for _, a := range g.added {
		a.record.SetStored(a.at)
		a.record.State = persistence.State{Phase: persistence.Stored}
	}
	s.mu.Unlock()
	s.keepBodies(g)
	s.reclaimer.deleted(deleted, s.table.live.Load() == 0)
}
