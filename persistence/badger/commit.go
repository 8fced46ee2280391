package badger

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// commit does the operations, all or none, and syncs them unless the mode is
// Never. In the mode Always what is little goes by way of the front log.
//
// What Badger takes in one transaction is limited, and so is what may come into
// one file of its value log without its being mapped anew under the eyes of
// readers. Messages that are too much go ahead in transactions of their own:
// without an index they count for nothing, and a start deletes them. What is
// still too much goes by way of the journal.
func (s *Store) commit(o *operations) error {
	if err := s.faulty("commit"); err != nil {
		return err
	}
	if o.inFront {
		return s.commitInFront(o)
	}
	if err := s.drain(); err != nil {
		return err
	}
	if s.fits(o) {
		return s.transact(o.list)
	}
	if err := s.inPieces(o.takeMessages()); err != nil {
		return err
	}
	if s.fits(o) {
		return s.transact(o.list)
	}
	return s.commitByJournal(o)
}

// commitInFront writes the operations to the front log.
func (s *Store) commitInFront(o *operations) error {
	if err := s.faulty("front"); err != nil {
		return err
	}
	s.syncs.Add(1)
	return s.front.write(s.counts.front, o.list)
}

// faulty returns what tests have a step fail with.
func (s *Store) faulty(step string) error {
	if f := s.fault.Load(); f != nil {
		return (*f)(step)
	}
	return nil
}

// fits reports whether the operations may go into one transaction.
func (s *Store) fits(o *operations) bool {
	return o.size < s.txnSize && len(o.list) < s.txnCount && o.logged <= s.limits.txnValues
}

// inPieces does the operations in order, in as many transactions as it takes.
func (s *Store) inPieces(list []operation) error {
	piece := operations{threshold: int(s.limits.valueThreshold)}
	for _, op := range list {
		size, logged := piece.sizeOf(op)
		if n := len(piece.list); n > 0 && (piece.size+size >= s.txnSize || n+1 >= s.txnCount || piece.logged+logged > s.limits.txnValues) {
			if err := s.transact(piece.list); err != nil {
				return err
			}
			piece.reset()
		}
		piece.list = append(piece.list, op)
		piece.size, piece.logged = piece.size+size, piece.logged+logged
	}
	if len(piece.list) == 0 {
		return nil
	}
	return s.transact(piece.list)
}

// transact does the operations in one transaction.
//
// Badger 4.9.6 reads the highest version of its memtable without a lock when it
// begins to collect a file of the value log. It may be an older one for that,
// which only makes it keep more; but the race detector complains, so with that
// the two take turns.
func (s *Store) transact(list []operation) error {
	if err := s.faulty("transact"); err != nil {
		return err
	}
	if raceDetector {
		s.turns.Lock()
		defer s.turns.Unlock()
	}
	txn := s.db.NewTransaction(true)
	defer txn.Discard()
	for _, op := range list {
		if err := op.apply(txn); err != nil {
			return fmt.Errorf("key %x: %w", op.key, err)
		}
	}
	if s.opts.Sync != Never {
		s.syncs.Add(1)
	}
	if err := txn.Commit(); err != nil {
		return err
	}
	// Of the value log Badger only says in its log when a sync fails.
	return s.logger.failure()
}

// eachValue visits the keys of a kind with their values, in order; neither is
// good for longer than the visit.
func eachValue(db *badger.DB, kind byte, visit func(key, value []byte) error) error {
	return each(db, kind, func(item *badger.Item) error {
		return item.Value(func(value []byte) error { return visit(item.Key(), value) })
	})
}

// each visits the keys of a kind in order.
func each(db *badger.DB, kind byte, visit func(item *badger.Item) error) error {
	return db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: key1(kind)})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if err := visit(it.Item()); err != nil {
				return err
			}
		}
		return nil
	})
}
