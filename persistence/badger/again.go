package badger

import (
	"bytes"

	"github.com/dgraph-io/badger/v4"
)

// Badger, when it collects a file of the value log, asks for each entry by the
// version that it has in the file. So it takes for live, and writes anew, what a
// later deletion only shadows as yet; and that above the deletion, which
// compaction drops when it has met the old entry below. Then the key is back,
// with all that it stands for. Numbers are never used again, so what was deleted
// can be deleted once more, above all of that.

// sizeError is by how much Badger may be wrong about the size of a value.
const sizeError = 16

// deleteAgain deletes all keys of chunks and settles that are deleted and whose
// value is still there, in the value log, and those of chunks that are back. It
// returns how many.
func (s *Store) deleteAgain() (int, error) {
	known := s.table.highest.Load() // before the keys are looked at
	var list []operation
	for _, kind := range []byte{keyChunk, keyIndex, keySettles} {
		err := eachVersions(s.db, kind, s.limits.valueThreshold-sizeError, func(key []byte, deleted, shadows bool) {
			if shadows || !deleted && kind != keySettles && s.table.isGone(key, known) {
				list = append(list, operation{key: bytes.Clone(key)})
			}
		})
		if err != nil {
			return 0, err
		}
	}
	if len(list) == 0 {
		return 0, nil
	}
	return len(list), s.inPieces(list)
}

// eachVersions visits the keys of a kind: whether a key is deleted, and if so
// whether an older version, which is not, is still there, with a value that is as
// large as those in the value log.
func eachVersions(db *badger.DB, kind byte, large int64, visit func(key []byte, deleted, shadows bool)) error {
	return db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: key1(kind), AllVersions: true})
		defer it.Close()
		var key []byte
		var deleted, shadows bool
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			if key != nil && bytes.Equal(key, item.Key()) {
				shadows = shadows || deleted && !item.IsDeletedOrExpired() && item.ValueSize() >= large
				continue
			}
			if key != nil {
				visit(key, deleted, shadows)
			}
			key, deleted, shadows = item.KeyCopy(key), item.IsDeletedOrExpired(), false
		}
		if key != nil {
			visit(key, deleted, shadows)
		}
		return nil
	})
}

// isGone reports whether a key is that of a chunk that was known once, as all up
// to known were, and is not any more.
func (t *table) isGone(key []byte, known uint64) bool {
	id, _, ok := partOf(key)
	if !ok || id > known {
		return false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	c := t.byID[id]
	return c == nil || c.moved() != nil
}
