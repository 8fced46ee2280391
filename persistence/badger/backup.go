package badger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"github.com/dgraph-io/badger/v4"

	"github.com/leveretmq/leveret/persistence"
)

// A backup is the keys and values of the database:
//
//	magic (8) | records | 0 | number of records | SHA-256 of all before (32)
//
// A record is the length of a key, the key, the length of the value, and the value, with
// lengths and numbers as uvarints; no key is empty. What is not as long as that, or
// longer, is no backup.
const (
	backupMagic = "LVRTBAK1"
	// backupKey and backupValue are how long keys and values are at most.
	backupKey   = 64
	backupValue = 64 << 20
)

// snapshot is the database at one moment, as a backup reads it. While its iterator is
// open no file of the value log is deleted, and no version that it sees is dropped.
type snapshot struct {
	txn *badger.Txn
	it  *badger.Iterator
}

func (s *snapshot) close() {
	s.it.Close()
	s.txn.Discard()
}

// Backup implements persistence.Store.
func (s *Store) Backup(w io.Writer) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	snap, err := s.snapshot()
	if err != nil {
		return err
	}
	defer snap.close()
	b := newBackupWriter(w)
	var value []byte
	for snap.it.Rewind(); snap.it.Valid(); snap.it.Next() {
		item := snap.it.Item()
		if item.Key()[0] == keyFiller {
			continue
		}
		if err := s.Err(); err != nil {
			return err // it is to close, or cannot be relied on
		}
		// A copy, because the file is locked while the value is looked at.
		if value, err = item.ValueCopy(value); err != nil {
			return fmt.Errorf("backup: key %x: %w", item.Key(), err)
		}
		if len(value) == 0 {
			// Badger's answer for what is damaged. What is missing is found missing after
			// the backup is restored.
			s.opts.Log.Error().Hex("key", item.Key()).Msg("cannot be read, and is not in the backup")
			continue
		}
		if err := b.record(item.Key(), value); err != nil {
			return err
		}
	}
	return b.end()
}

// snapshot has the committer note a moment between two groups at which the database has
// all: nothing is in the front log only, and no transaction is done by half.
func (s *Store) snapshot() (*snapshot, error) {
	ask := make(chan *snapshot, 1)
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return nil, s.Err()
	}
	s.backups = append(s.backups, ask)
	s.mu.Unlock()
	s.wakeCommitter()
	select {
	case snap := <-ask:
		return snap, nil
	case <-s.committed:
	}
	select {
	case snap := <-ask:
		return snap, nil
	default:
	}
	if err := s.failureOf(); err != nil {
		return nil, err
	}
	return nil, persistence.ErrClosed
}

// beginBackups gives those that wait to begin what they read. It is the committer's.
func (s *Store) beginBackups() {
	s.mu.Lock()
	waiting := s.backups
	s.backups = nil
	s.mu.Unlock()
	if len(waiting) == 0 || s.failureOf() != nil {
		return
	}
	if s.drainOrFail(); s.failureOf() != nil {
		return
	}
	for _, ask := range waiting {
		txn := s.db.NewTransaction(false)
		ask <- &snapshot{txn, txn.NewIterator(badger.IteratorOptions{})}
	}
}

// backupWriter writes a backup.
type backupWriter struct {
	w     io.Writer
	sum   hash.Hash
	count uint64
	buf   []byte
}

// backupBuffer is how much is written at a time, about.
const backupBuffer = 256 << 10

func newBackupWriter(w io.Writer) *backupWriter {
	return &backupWriter{w: w, sum: sha256.New(), buf: []byte(backupMagic)}
}

func (b *backupWriter) record(key, value []byte) error {
	b.count++
	b.buf = binary.AppendUvarint(b.buf, uint64(len(key)))
	b.buf = append(b.buf, key...)
	b.buf = binary.AppendUvarint(b.buf, uint64(len(value)))
	b.buf = append(b.buf, value...)
	if len(b.buf) < backupBuffer {
		return nil
	}
	return b.flush()
}

func (b *backupWriter) flush() error {
	b.sum.Write(b.buf)
	_, err := b.w.Write(b.buf)
	b.buf = b.buf[:0]
	return err
}

func (b *backupWriter) end() error {
	b.buf = append(b.buf, 0)
	b.buf = binary.AppendUvarint(b.buf, b.count)
	b.sum.Write(b.buf)
	b.buf = b.sum.Sum(b.buf)
	_, err := b.w.Write(b.buf)
	return err
}
