package badger

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/leveretmq/leveret/persistence"
)

// errStopped ends a walk early.
var errStopped = errors.New("stopped")

// recovery is a run of Recover.
type recovery struct {
	store *Store
	yield func(persistence.Recovered) bool

	x       index // of the chunk that it is at
	settled bitset
	notes   map[uint32]persistence.Note
	strays  persistence.Batch // places of owners that are not defined
	waits   []*persistence.Outcome
}

// strayBatch is how many places are settled in a batch.
const strayBatch = 10_000

// Recover implements persistence.Store.
func (s *Store) Recover(yield func(persistence.Recovered) bool) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	r := recovery{store: s, yield: yield}
	err := each(s.db, keyIndex, r.chunk)
	if err == nil || errors.Is(err, errStopped) {
		err = r.settleStrays()
	}
	if err != nil {
		return fmt.Errorf("recovering messages: %w", err)
	}
	return nil
}

// chunk yields the live places of a chunk.
func (r *recovery) chunk(item *badger.Item) error {
	s := r.store
	id, ok := numberOf(item.Key())
	if !ok || !r.look(id) {
		return nil
	}
	err := item.Value(func(value []byte) error {
		p, err := unseal(item.Key(), value)
		if err == nil {
			err = r.x.decode(p)
		}
		return err
	})
	if err != nil {
		s.damaged.Add(1)
		s.opts.Log.Error().Err(err).Uint64("chunk", id).Msg("messages are lost")
		return nil
	}
	owner, defined := persistence.QueueID(0), false
	for i := range r.x.all {
		p := &r.x.all[i]
		if r.settled.has(i) {
			continue
		}
		if p.Queue != owner || i == 0 {
			owner = p.Queue
			_, defined = s.owners[owner]
		}
		at := persistence.Ref{Chunk: id, Index: uint32(i)}
		place := p.Place
		if n, ok := r.notes[uint32(i)]; ok {
			n.Apply(&place)
		}
		if !defined {
			r.strays.Settle(persistence.StoredRecord(nil, place, at), 0)
			continue
		}
		rec := &r.x.recs[p.record]
		if !r.yield(persistence.Recovered{Place: place, Ref: at, Size: rec.size, Priority: rec.priority}) {
			return errStopped
		}
	}
	if len(r.strays.Settles) >= strayBatch {
		r.settle()
	}
	return nil
}

// look takes what the table says of a chunk; false if it has no live places.
func (r *recovery) look(id uint64) bool {
	t := &r.store.table
	t.mu.RLock()
	defer t.mu.RUnlock()
	c := t.byID[id]
	if c == nil || c.live == 0 || c.moved() != nil {
		return false
	}
	r.settled = append(r.settled[:0], c.settled...)
	clear(r.notes)
	if c.more != nil {
		for place, n := range c.more.notes {
			if r.notes == nil {
				r.notes = make(map[uint32]persistence.Note)
			}
			r.notes[place] = n
		}
	}
	return true
}

// settle settles the places of owners that are not defined, for good: the id
// of the owner may be defined again.
func (r *recovery) settle() {
	if r.strays.Empty() {
		return
	}
	done := persistence.NewOutcome()
	r.strays.Wait(done, 0)
	r.store.write(&r.strays)
	r.waits = append(r.waits, done)
}

// settleStrays settles what is left of them, and waits for all.
func (r *recovery) settleStrays() error {
	r.settle()
	var err error
	for _, done := range r.waits {
		err = errors.Join(err, done.Await())
	}
	return err
}

// chunkVisitor is told what walkChunks finds.
type chunkVisitor struct {
	// chunk is an index and how many values of messages it has; value calls
	// use with what is in the index.
	chunk func(id uint64, parts int, value func(use func(p []byte) error) error) error
	// orphan is the key of a value of messages without an index.
	orphan func(key []byte)
}

// walkChunks visits all chunks in order.
func walkChunks(db *badger.DB, v chunkVisitor) error {
	return db.View(func(txn *badger.Txn) error {
		indexes := txn.NewIterator(badger.IteratorOptions{Prefix: key1(keyIndex)})
		defer indexes.Close()
		values := txn.NewIterator(badger.IteratorOptions{Prefix: key1(keyChunk)})
		defer values.Close()
		values.Rewind()
		for indexes.Rewind(); indexes.Valid(); indexes.Next() {
			item := indexes.Item()
			id, ok := numberOf(item.Key())
			if !ok {
				continue
			}
			parts := 0
			for ; values.Valid(); values.Next() {
				key := values.Item().Key()
				chunk, part, ok := partOf(key)
				if ok && chunk > id {
					break
				}
				if ok && chunk == id && part == parts {
					parts++
				} else {
					v.orphan(slices.Clone(key))
				}
			}
			err := v.chunk(id, parts, func(use func(p []byte) error) error {
				return item.Value(func(value []byte) error {
					p, err := unseal(item.Key(), value)
					if err != nil {
						return err
					}
					return use(p)
				})
			})
			if err != nil {
				return err
			}
		}
		for ; values.Valid(); values.Next() {
			v.orphan(slices.Clone(values.Item().Key()))
		}
		return nil
	})
}
