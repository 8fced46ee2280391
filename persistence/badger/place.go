package badger

import "github.com/leveretmq/leveret/persistence"

// added is a record that a group writes, and where its first place is.
type added struct {
	record *persistence.Record
	at     persistence.Ref
}

// openChunks are the chunks that are being filled: one for what is kept, and one
// for what is dropped at start.
type openChunks [2]*chunkWriter

// placeRecords puts the new records into chunks. If there are too many messages
// for a transaction, they go ahead, so that they need not all be in memory
// twice.
func (s *Store) placeRecords(g *group) error {
	var open openChunks
	for _, r := range g.records {
		w := s.roomFor(g, &open, persistence.SizeOf(r.Message), len(r.Places), r.Transient)
		if g.ops.logged > s.limits.txnValues {
			if err := s.inPieces(g.ops.takeMessages()); err != nil {
				return err
			}
			s.keepBodies(g)
		}
		g.added = append(g.added, added{r, w.add(r)})
	}
	s.endChunks(g, &open)
	return nil
}

// roomFor returns the chunk to add a message to: the open one, or if there is
// none or it is full a new one.
func (s *Store) roomFor(g *group, open *openChunks, size, places int, transient bool) *chunkWriter {
	k := 0
	if transient {
		k = 1
	}
	if w := open[k]; w != nil {
		if w.fits(size, places, &s.limits) {
			return w
		}
		s.endChunk(g, w)
	}
	s.counts.nextChunk++
	open[k] = newChunkWriter(s.counts.nextChunk, transient, s.buffer(size))
	return open[k]
}

// buffer returns memory for a chunk that begins with a message of that size.
func (s *Store) buffer(size int) []byte {
	if n := len(s.buffers); n > 0 && size <= s.limits.chunkBytes {
		b := s.buffers[n-1]
		s.buffers = s.buffers[:n-1]
		return b
	}
	const more = 1 << 10 // for what SizeOf does not count
	return make([]byte, 0, max(size, s.limits.chunkBytes)+more)
}

// endChunks ends what is open.
func (s *Store) endChunks(g *group, open *openChunks) {
	for _, w := range open {
		if w != nil {
			s.endChunk(g, w)
		}
	}
}

// endChunk adds a chunk to the operations of the group.
func (s *Store) endChunk(g *group, w *chunkWriter) {
	g.chunks = append(g.chunks, w.finish(&g.ops, &s.limits))
	g.bodies = append(g.bodies, w.body)
	s.counts.chunks++
}

// keptBuffers is how many buffers for chunks are kept.
const keptBuffers = 4

// keepBodies takes back the memory of chunks that are written.
func (s *Store) keepBodies(g *group) {
	for _, b := range g.bodies {
		if len(s.buffers) < keptBuffers && cap(b) <= 2*s.limits.chunkBytes {
			s.buffers = append(s.buffers, b)
		}
	}
	clear(g.bodies)
	g.bodies = g.bodies[:0]
}
