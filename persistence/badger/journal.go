package badger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// A transaction that Badger would not take is made whole with a journal: its
// operations are written down, in pieces from 1 on, then piece 0, which says
// how many there are and by which all count as done; then they are done, in
// several transactions, and the journal is deleted, piece 0 first. A start does
// again what a journal with piece 0 says, and deletes one without.

// journalPiece is how long a piece becomes, about.
const journalPiece = 1 << 20

// commitByJournal does operations that do not fit into one transaction.
func (s *Store) commitByJournal(o *operations) error {
	pieces := journalPieces(o.list)
	if err := s.inPieces(pieces); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	head := keyN(keyJournal, 0)
	if err := s.transact([]operation{{head, sealedNumbers(head, uint64(len(pieces)))}}); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return s.redo(o.list, len(pieces))
}

// redo does what a journal of n pieces says, and deletes it.
func (s *Store) redo(list []operation, n int) error {
	if err := s.inPieces(list); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return s.dropJournal(n)
}

// dropJournal deletes a journal of n pieces.
func (s *Store) dropJournal(n int) error {
	if err := s.transact([]operation{{key: keyN(keyJournal, 0)}}); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	list := make([]operation, n)
	for i := range list {
		list[i].key = keyN(keyJournal, uint64(i+1))
	}
	if err := s.inPieces(list); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// journalPieces returns the operations that write pieces 1 and on.
func journalPieces(list []operation) (pieces []operation) {
	var value []byte
	end := func() {
		if value != nil {
			key := keyN(keyJournal, uint64(len(pieces)+1))
			pieces = append(pieces, operation{key, seal(key, value)})
			value = nil
		}
	}
	for _, op := range list {
		if len(value) > 0 && len(value)+len(op.value) > journalPiece {
			end()
		}
		if value == nil {
			value = unsealed(nil)
		}
		value = appendOperation(value, op)
	}
	end()
	return pieces
}

// appendOperation appends an operation as decodeJournal reads it.
func appendOperation(b []byte, op operation) []byte {
	b = binary.AppendUvarint(b, uint64(len(op.key)))
	b = append(b, op.key...)
	if op.value == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(op.value)+1))
	return append(b, op.value...)
}

// decodeJournal appends the operations of a piece to list. They share memory
// with it.
func decodeJournal(p []byte, list []operation) ([]operation, error) {
	for len(p) > 0 {
		d := decoder{p: p}
		n := d.uvarint()
		if d.bad || n == 0 || n > uint64(len(d.p)) {
			return list, fmt.Errorf("%w: journal", errValue)
		}
		key := d.p[:n:n]
		d.p = d.p[n:]
		n = d.uvarint()
		if d.bad || n > uint64(len(d.p))+1 {
			return list, fmt.Errorf("%w: journal", errValue)
		}
		op := operation{key: key}
		if n > 0 {
			op.value = d.p[: n-1 : n-1]
			d.p = d.p[n-1:]
		}
		list, p = append(list, op), d.p
	}
	return list, nil
}

// recoverJournal ends what a crash has left of a journal.
func (s *Store) recoverJournal() error {
	list, pieces, whole, err := readJournal(s.db)
	switch {
	case err != nil:
		return err
	case whole:
		s.opts.Log.Info().Int("operations", len(list)).Msg("ending what was begun before the store was stopped")
		return s.redo(list, pieces)
	case pieces > 0:
		return s.dropJournal(pieces)
	default:
		return nil
	}
}

// readJournal returns what is in the journal; whole is false if it does not
// count. pieces is the highest number of a piece.
func readJournal(db *badger.DB) (list []operation, pieces int, whole bool, err error) {
	var want uint64
	found := uint64(0)
	err = eachValue(db, keyJournal, func(key, value []byte) error {
		n, ok := numberOf(key)
		switch {
		case !ok:
			return fmt.Errorf("%w: key of the journal", errValue)
		case n == 0:
			whole = true
			return unsealNumbers(key, value, &want)
		}
		pieces = int(n)
		if !whole {
			return nil
		}
		found++
		p, err := unseal(key, value)
		if err != nil {
			return err
		}
		list, err = decodeJournal(append([]byte(nil), p...), list)
		return err
	})
	if err == nil && whole && found != want {
		err = errors.New("pieces of the journal are missing")
	}
	if err != nil {
		return nil, 0, false, fmt.Errorf("journal: %w", err)
	}
	return list, pieces, whole, nil
}
