package badger

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/leveretmq/leveret/persistence"
)

type definitionID struct {
	kind persistence.Kind
	id   uint64
}

// idBlock is how many ids are set aside at a time: so many may be given out
// without a group, and are never used if the process ends.
const idBlock = 1 << 20

// Definitions implements persistence.Store.
func (s *Store) Definitions() ([]persistence.Definition, error) {
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	return readDefinitions(s.db)
}

// readDefinitions returns all of them.
func readDefinitions(db *badger.DB) (all []persistence.Definition, err error) {
	err = eachDefinition(db, func(d persistence.Definition) {
		d.Body = slices.Clone(d.Body)
		all = append(all, d)
	})
	return all, err
}

// eachDefinition visits them in the order of keys, which is that of kinds and
// ids. A body is not good for longer than the visit.
func eachDefinition(db *badger.DB, visit func(persistence.Definition)) error {
	return eachValue(db, keyDefinition, func(key, value []byte) error {
		if len(key) != 10 {
			return fmt.Errorf("%w: the key of a definition is %x", errValue, key)
		}
		kind, id := persistence.Kind(key[1]), binary.BigEndian.Uint64(key[2:])
		body, err := unseal(key, value)
		if err != nil {
			return fmt.Errorf("definition %d of kind %d: %w", id, kind, err)
		}
		visit(persistence.Definition{Kind: kind, ID: id, Body: body})
		return nil
	})
}

// define adds the changes of definitions.
func (s *Store) define(g *group) {
	for _, c := range g.changes {
		id := definitionID{c.Kind, c.ID}
		key := definitionKey(c.Kind, c.ID)
		if c.Delete {
			g.ops.delete(key)
			delete(s.definitions, id)
			continue
		}
		value := append(unsealed(make([]byte, 0, len(c.Body)+5)), c.Body...)
		g.ops.set(key, seal(key, value))
		s.definitions[id] = struct{}{}
	}
}

// NewID implements persistence.Store.
func (s *Store) NewID() uint64 {
	s.mu.Lock()
	s.lastID++
	id := s.lastID
	low := s.idLimit-id == idBlock/2 && id < s.idLimit
	s.mu.Unlock()
	if low {
		s.wakeCommitter()
	}
	return id
}

// extendIDs sets more ids aside when they run low. An id that is past the limit
// is not safe until the next group, but whatever it is used for comes with that
// group or later.
func (s *Store) extendIDs(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lastID+idBlock/2 >= s.idLimit {
		g.ids = s.lastID + idBlock
		key := key1(keyIDs)
		g.ops.set(key, sealedNumbers(key, g.ids))
	}
}

// settledIDs notes that ids were set aside.
func (s *Store) settledIDs(g *group) {
	if g.ids != 0 {
		s.idLimit = g.ids
	}
}
