package badger

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// result is what Read has found of one ref.
type result struct {
	record *persistence.Record
	err    error
}

// Read implements persistence.Store.
func (s *Store) Read(refs []persistence.Ref, found func(i int, r *persistence.Record, err error)) {
	byChunk := func(a, b persistence.Ref) int { return compareRefs(a, b) }
	if slices.IsSortedFunc(refs, byChunk) {
		s.readSorted(refs, found)
		return
	}
	order := make([]int, len(refs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareRefs(refs[a], refs[b]) })
	sorted, all := make([]persistence.Ref, len(refs)), make([]result, len(refs))
	for k, i := range order {
		sorted[k] = refs[i]
	}
	s.readSorted(sorted, func(k int, r *persistence.Record, err error) { all[order[k]] = result{r, err} })
	for i, r := range all {
		found(i, r.record, r.err)
	}
}

// readSorted reads chunk after chunk.
func (s *Store) readSorted(refs []persistence.Ref, found func(i int, r *persistence.Record, err error)) {
	var out []result
	for i := 0; i < len(refs); {
		n := 1
		for i+n < len(refs) && refs[i+n].Chunk == refs[i].Chunk {
			n++
		}
		out = append(out[:0], make([]result, n)...)
		s.readOfChunk(refs[i:i+n], out)
		for k, r := range out {
			found(i+k, r.record, r.err)
		}
		clear(out)
		i += n
	}
}

// readOfChunk reads places that were written to one chunk, wherever they are
// now.
func (s *Store) readOfChunk(refs []persistence.Ref, out []result) {
	if err := s.gate.enter(); err != nil {
		for i := range out {
			out[i].err = err
		}
		return
	}
	defer s.gate.leave()
	const tries = 5
	for left := refs; len(left) > 0; {
		var n int
		for try := 1; ; try++ {
			var id uint64
			var err error
			if id, n, err = s.readPlaces(left, out); err == nil {
				break
			}
			// The chunk may have been moved between the looking up and the
			// reading, by ourselves or within the value log.
			if try == tries {
				s.blame(left[:n], out, err)
				break
			}
			s.table.awaitDrop(id)
		}
		left, out = left[n:], out[n:]
	}
}

// blame has places be damaged.
func (s *Store) blame(refs []persistence.Ref, out []result, err error) {
	s.damaged.Add(uint64(len(refs)))
	for i := range refs {
		out[i].err = fmt.Errorf("%w: %v: %w", persistence.ErrDamaged, refs[i], err)
	}
	s.opts.Log.Error().Err(err).Uint64("chunk", refs[0].Chunk).Int("places", len(refs)).Msg("messages cannot be read")
}

// readPlaces reads the first n of refs, which are in one chunk now. If it
// returns an error, nothing is read of them.
func (s *Store) readPlaces(refs []persistence.Ref, out []result) (id uint64, n int, err error) {
	type spot struct {
		place uint32
		noted bool
		note  persistence.Note
	}
	var spots []spot
	var places uint32
	s.table.mu.RLock()
	for _, at := range refs {
		c, place := s.table.resolveLocked(at)
		if c == nil && len(spots) == 0 {
			s.table.mu.RUnlock()
			out[0].err = fmt.Errorf("%w: there is nothing at %v", persistence.ErrDamaged, at)
			return 0, 1, nil
		}
		if c == nil || len(spots) > 0 && c.id != id {
			break
		}
		id, places = c.id, c.places
		spot := spot{place: place}
		if c.more != nil {
			spot.note, spot.noted = c.more.notes[place]
		}
		spots = append(spots, spot)
	}
	s.table.mu.RUnlock()
	n = len(spots)
	x, release, err := s.indexFor(id, n, places)
	if err != nil {
		return id, n, err
	}
	defer release()
	err = s.readChunk(id, x, func(data []byte) error {
		for i, spot := range spots {
			if int(spot.place) >= len(x.all) {
				return fmt.Errorf("%w: the index has only %d places", errValue, len(x.all))
			}
			p := &x.all[spot.place]
			r := &x.recs[p.record]
			place := p.Place
			if spot.noted {
				spot.note.Apply(&place)
			}
			m, err := decodeRecord(data, r)
			if err != nil {
				s.damaged.Add(1)
				s.opts.Log.Error().Err(err).Uint64("chunk", id).Uint32("place", spot.place).Msg("a message cannot be read")
				out[i].err = err
				continue
			}
			out[i].record = persistence.StoredRecord(m, place, refs[i])
		}
		return nil
	})
	return id, n, err
}

// compareRefs orders refs as they were written.
func compareRefs(a, b persistence.Ref) int {
	if a.Chunk != b.Chunk {
		if a.Chunk < b.Chunk {
			return -1
		}
		return 1
	}
	return int(int64(a.Index) - int64(b.Index))
}

// readIndex returns the index of a chunk, which is not to be changed.
func (s *Store) readIndex(id uint64) (*index, error) {
	if x := s.cache.find(id); x != nil {
		return x, nil
	}
	x := &index{}
	if err := s.decodeIndex(id, x); err != nil {
		return nil, err
	}
	s.cache.add(id, x, s.limits.indexCache)
	return x, nil
}

// sparse is the share of a chunk's places under which its index is not kept: who
// reads a few here and there reads many chunks.
const sparse = 8

// indexFor returns the index of a chunk of which n places are to be read, to be
// used until release is called.
func (s *Store) indexFor(id uint64, n int, places uint32) (x *index, release func(), err error) {
	if x := s.cache.find(id); x != nil {
		return x, func() {}, nil
	}
	if n*sparse > int(places) {
		x, err = s.readIndex(id)
		return x, func() {}, err
	}
	x, _ = s.indexes.Get().(*index)
	if x == nil {
		x = new(index)
	}
	if err := s.decodeIndex(id, x); err != nil {
		return nil, nil, err
	}
	return x, func() { s.indexes.Put(x) }, nil
}

// decodeIndex reads the index of a chunk into x.
func (s *Store) decodeIndex(id uint64, x *index) error {
	key := keyN(keyIndex, id)
	decode := func(value []byte) error {
		p, err := unseal(key, value)
		if err != nil {
			return err
		}
		return x.decode(p)
	}
	if value, known := s.front.find(key); value != nil {
		return decode(value)
	} else if known {
		return fmt.Errorf("index: %w", badger.ErrKeyNotFound)
	}
	err := s.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(key)
		if err != nil {
			return err
		}
		return item.Value(decode)
	})
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// readChunk calls use with all messages of a chunk, which are good until it
// returns. It must be quick: the file is locked meanwhile.
func (s *Store) readChunk(id uint64, x *index, use func(data []byte) error) error {
	if value, _ := s.front.find(partKey(id, 0)); value != nil && x.parts == 1 {
		return usePart(value, func(data []byte) error { return useWhole(data, x.indexHeader, use) })
	}
	return readChunk(s.db, id, x.indexHeader, use)
}

// useWhole calls use with what is all of a chunk, if it is.
func useWhole(data []byte, h indexHeader, use func(data []byte) error) error {
	if uint64(len(data)) != h.bytes {
		return fmt.Errorf("%w: %d bytes of messages, and %d are in the index", errValue, len(data), h.bytes)
	}
	return use(data)
}

func readChunk(db *badger.DB, id uint64, h indexHeader, use func(data []byte) error) error {
	return db.View(func(txn *badger.Txn) error {
		if h.parts == 1 {
			return readPart(txn, id, 0, func(data []byte) error { return useWhole(data, h, use) })
		}
		var all []byte
		for part := range h.parts {
			err := readPart(txn, id, part, func(data []byte) error {
				if uint64(len(all)+len(data)) > h.bytes {
					return fmt.Errorf("%w: more than %d bytes of messages", errValue, h.bytes)
				}
				all = append(all, data...)
				return nil
			})
			if err != nil {
				return err
			}
		}
		if uint64(len(all)) != h.bytes {
			return fmt.Errorf("%w: %d bytes of messages, and %d are in the index", errValue, len(all), h.bytes)
		}
		return use(all)
	})
}

// readPart calls use with what is in one value of a chunk. Badger gives an
// empty value for one that it cannot read.
func readPart(txn *badger.Txn, id uint64, part int, use func(data []byte) error) error {
	item, err := txn.Get(partKey(id, part))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return fmt.Errorf("%w: it is not there", errValue)
	}
	if err != nil {
		return err
	}
	return item.Value(func(value []byte) error { return usePart(value, use) })
}

// usePart calls use with what is in one value of a chunk.
func usePart(value []byte, use func(data []byte) error) error {
	switch {
	case len(value) == 0:
		return fmt.Errorf("%w: it cannot be read", errValue)
	case value[0] != valueVersion:
		return fmt.Errorf("%w: version %d", errValue, value[0])
	}
	return use(value[1:])
}

// decodeRecord returns the message of a record.
func decodeRecord(data []byte, r *indexRecord) (m *amqp.Message, err error) {
	if uint64(r.offset)+uint64(r.length) > uint64(len(data)) {
		return nil, fmt.Errorf("%w: it ends after its chunk", persistence.ErrDamaged)
	}
	raw := data[r.offset : r.offset+r.length]
	if crc32.Checksum(raw, castagnoli) != r.sum {
		return nil, fmt.Errorf("%w: wrong checksum", persistence.ErrDamaged)
	}
	return persistence.DecodeMessage(raw)
}
