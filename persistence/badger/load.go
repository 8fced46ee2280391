package badger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/leveretmq/leveret/persistence"
)

// load finds out what is in the database, before the committer runs.
func (s *Store) load() error {
	if err := s.checkFormat(); err != nil {
		return err
	}
	if err := s.recoverJournal(); err != nil {
		return err
	}
	if err := s.recoverFront(); err != nil {
		return err
	}
	var want counts
	counted, err := s.readNumbers(&want)
	if err != nil {
		return err
	}
	err = eachDefinition(s.db, func(d persistence.Definition) {
		s.definitions[definitionID{d.Kind, d.ID}] = struct{}{}
		if d.Kind.Owns() {
			s.owners[persistence.QueueID(d.ID)] = struct{}{}
		}
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if err := s.loadChunks(); err != nil {
		return err
	}
	if err := s.loadSettles(); err != nil {
		return err
	}
	for _, c := range s.table.byID {
		if c.live == 0 {
			s.doomed = append(s.doomed, c)
		}
	}
	slices.SortFunc(s.doomed, func(a, b *chunk) int { return cmp.Compare(a.id, b.id) })
	s.verifyLast()
	if counted {
		s.compareCounts(want)
	} else if len(s.table.byID) > 0 {
		s.opts.Log.Error().Msg("the count of what should be in the store is missing")
	}
	s.counts.nextChunk = max(s.counts.nextChunk, want.nextChunk)
	s.counts.nextSettles = max(s.counts.nextSettles, want.nextSettles)
	s.counts.front, s.counts.fronted = want.front, want.fronted
	return nil
}

// checkFormat refuses what is newer, and signs what is empty or older.
func (s *Store) checkFormat() error {
	key := key1(keyFormat)
	version, err := readFormat(s.db)
	switch {
	case err != nil:
		return err
	case version == formatVersion:
		return nil
	case version > formatVersion:
		return fmt.Errorf("%w: it has format %d, and this one knows up to %d", ErrNewer, version, formatVersion)
	}
	return s.transact([]operation{{key, []byte{formatVersion}}})
}

// readFormat returns the version of the format; 0 if there is nothing.
func readFormat(db *badger.DB) (version byte, err error) {
	err = db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(key1(keyFormat))
		if errors.Is(err, badger.ErrKeyNotFound) {
			it := txn.NewIterator(badger.IteratorOptions{})
			defer it.Close()
			if it.Rewind(); it.Valid() {
				return fmt.Errorf("%w: its format is not noted", ErrBroken)
			}
			return nil
		}
		if err != nil {
			return err
		}
		return item.Value(func(value []byte) error {
			if len(value) != 1 || value[0] == 0 {
				return fmt.Errorf("%w: its format is noted as %x", ErrBroken, value)
			}
			version = value[0]
			return nil
		})
	})
	return version, err
}

// readNumbers reads the counts, and sets ids aside.
func (s *Store) readNumbers(want *counts) (counted bool, err error) {
	err = eachValue(s.db, keyCounts, func(key, value []byte) error {
		counted = true
		return want.read(key, value)
	})
	if err != nil {
		s.opts.Log.Error().Err(err).Msg("the count of what should be in the store is damaged")
		counted = false
	}
	err = eachValue(s.db, keyIDs, func(key, value []byte) error { return unsealNumbers(key, value, &s.lastID) })
	if err != nil {
		return false, fmt.Errorf("%w: which ids were given out: %w", ErrBroken, err)
	}
	s.idLimit = s.lastID + idBlock
	key := key1(keyIDs)
	return counted, s.transact([]operation{{key, sealedNumbers(key, s.idLimit)}})
}

// loadChunks makes the table of what indexes there are, and looks that each has
// its messages, by the keys. What is no good is left out, or deleted soon.
func (s *Store) loadChunks() error {
	var orphans []operation
	err := walkChunks(s.db, chunkVisitor{
		chunk: func(id uint64, parts int, value func(use func(p []byte) error) error) error {
			c, err := s.loadChunk(id, parts, value)
			if err != nil {
				s.opts.Log.Error().Err(err).Uint64("chunk", id).Msg("messages are lost")
				s.damaged.Add(max(1, uint64(c.records)))
				c.live, c.intact = 0, 0
			}
			if c.transient {
				c.live, c.intact = 0, 0 // dropped at start
			}
			s.table.byID[id] = c
			s.table.count(c, 1)
			s.counts.chunks++
			s.counts.nextChunk = max(s.counts.nextChunk, id)
			return nil
		},
		orphan: func(key []byte) {
			// Gone ahead of a transaction that a crash has prevented.
			orphans = append(orphans, operation{key: slices.Clone(key)})
			if id, _, ok := partOf(key); ok {
				s.counts.nextChunk = max(s.counts.nextChunk, id)
			}
		},
	})
	if err != nil {
		return err
	}
	return s.inPieces(orphans)
}

// loadChunk returns what is to be known of a chunk, also with an error.
func (s *Store) loadChunk(id uint64, parts int, value func(use func(p []byte) error) error) (*chunk, error) {
	c := &chunk{id: id, parts: uint16(max(parts, 1))}
	err := value(func(p []byte) error {
		h, _, err := decodeHeader(p)
		if err != nil {
			return err
		}
		c.transient, c.parts, c.bytes = h.transient, uint16(h.parts), int64(h.bytes)
		c.places, c.live = uint32(h.places), uint32(h.places)
		c.records, c.intact = uint32(h.records), uint32(h.records)
		if h.records == h.places && !h.gaps || h.transient {
			return nil
		}
		var x index
		if err := x.decode(p); err != nil {
			return err
		}
		if starts := x.starts(); starts != nil {
			c.more = &chunkMore{starts: starts}
		}
		for i, p := range x.all {
			if p.settled {
				c.settled.add(i, x.places)
				c.live--
			}
		}
		return nil
	})
	if err == nil && parts != int(c.parts) {
		err = fmt.Errorf("%w: %d of %d values of messages are there", errValue, parts, c.parts)
	}
	return c, err
}

// loadSettles applies what was settled.
func (s *Store) loadSettles() error {
	s.table.mu.Lock()
	defer s.table.mu.Unlock()
	return eachValue(s.db, keySettles, func(key, value []byte) error {
		id, ok := numberOf(key)
		if !ok {
			return nil
		}
		s.counts.settles++
		s.counts.nextSettles = max(s.counts.nextSettles, id)
		batch := &settleBatch{id: id}
		var c *chunk
		visit := settlesVisitor{
			chunk: func(chunk uint64) {
				if c = s.table.byID[chunk]; c == nil {
					return
				}
				if c.more == nil {
					c.more = &chunkMore{}
				}
				batch.refs++
				c.more.batches = append(c.more.batches, batch)
			},
			settled: func(from, to uint32) {
				for p := from; c != nil && p < min(to, c.places); p++ {
					if c.live > 0 && !c.settled.has(int(p)) {
						s.table.markLocked(c, p)
					}
				}
			},
			noted: func(n note) {
				if c != nil && n.place < c.places && c.live > 0 && !c.settled.has(int(n.place)) {
					s.table.noteLocked(c, n.place, n.Note)
				}
			},
		}
		p, err := unseal(key, value)
		if err == nil {
			err = decodeSettles(p, visit)
		}
		if err != nil {
			s.damaged.Add(1)
			s.opts.Log.Error().Err(err).Uint64("settles", id).Msg("what was settled is lost; some messages will be delivered again")
		}
		if batch.refs == 0 {
			s.spent = append(s.spent, id)
		}
		return nil
	})
}

// verifyLast reads the chunks that were written last: the value log is cut at
// the first thing that cannot be read in its last file, and nobody says so.
func (s *Store) verifyLast() {
	ids := make([]uint64, 0, len(s.table.byID))
	for id := range s.table.byID {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uint64) int { return cmp.Compare(b, a) })
	left := 2 * s.limits.valueLogFile
	for _, id := range ids {
		c := s.table.byID[id]
		if left -= c.bytes; left < 0 {
			return
		}
		if c.live == 0 {
			continue
		}
		h := indexHeader{parts: int(c.parts), bytes: uint64(c.bytes)}
		if err := readChunk(s.db, id, h, func([]byte) error { return nil }); err != nil {
			s.opts.Log.Error().Err(err).Uint64("chunk", id).Uint32("messages", c.intact).Msg("messages are lost")
			s.damaged.Add(uint64(c.intact))
			s.table.count(c, -1)
			c.live, c.intact = 0, 0
			s.table.count(c, 1)
			s.doomed = append(s.doomed, c)
		}
	}
}

// compareCounts says what is missing, or too much.
func (s *Store) compareCounts(want counts) {
	found := s.counts
	found.definitions = uint64(len(s.definitions))
	for _, d := range want.differences(found) {
		if d.found < d.want {
			s.damaged.Add(d.want - d.found)
		}
		s.opts.Log.Error().Uint64("want", d.want).Uint64("found", d.found).Str("of", d.of).Msg(d.text)
	}
}
