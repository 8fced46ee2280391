package badger

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// ErrBackup is what is wrong with something that is no backup, or not all of one. It is
// wrapped in a sentence that may be shown to a user as it is.
var ErrBackup = errors.New("not a whole backup")

// Restore makes a store in a directory, which must not be there or be empty, of what
// Backup has written, and syncs it. If it is not all there, or not as it was written,
// nothing is left of the store; the error wraps ErrBackup, or ErrNewer if it is of a newer
// version. It returns how many bytes it has read.
func Restore(dir string, r io.Reader) (read int64, err error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return 0, fmt.Errorf("the store %s is not empty", dir)
	}
	in := &backupReader{in: newBackupBuffer(r), sum: sha256.New()}
	if err := in.begin(); err != nil {
		return in.read, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return in.read, err
	}
	err = restore(dir, in)
	if err != nil {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return in.read, err
}

func restore(dir string, in *backupReader) (err error) {
	o, err := Options{Sync: Always}.check()
	if err != nil {
		return err
	}
	log := &logger{log: o.Log}
	db, err := guardedOpen(o.database(dir, log))
	if err != nil {
		return fmt.Errorf("the store %s cannot be made: %s", dir, firstLine(err))
	}
	s := &Store{dir: dir, opts: o, limits: o.limits, logger: log, front: newFront(0), db: db}
	s.limitTransactions()
	err = s.restore(in)
	if closed := db.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = log.failure()
	}
	if err == nil {
		err = syncDir(dir)
	}
	return err
}

// restore writes what is read, in the end with what says that it is all.
func (s *Store) restore(in *backupReader) error {
	var list []operation
	size := 0
	for {
		op, err := in.next()
		if err != nil {
			return err
		}
		if op.key == nil {
			return s.inPieces(list)
		}
		if op.value, err = restored(op); err != nil {
			return err
		}
		list = append(list, op)
		if size += len(op.value); size >= s.limits.txnValues/2 || len(list) >= s.txnCount/2 {
			if err := s.inPieces(list); err != nil {
				return err
			}
			clear(list)
			list, size = list[:0], 0
		}
	}
}

// restored is a value as it is restored: there is no front log, of which the counts could
// tell.
func restored(op operation) ([]byte, error) {
	switch op.key[0] {
	case keyFormat:
		if len(op.value) == 1 && op.value[0] > formatVersion {
			return nil, fmt.Errorf("the backup is %w: it has format %d, and this one knows up to %d",
				ErrNewer, op.value[0], formatVersion)
		}
	case keyCounts:
		var c counts
		if err := c.read(op.key, op.value); err != nil {
			return op.value, nil // a start says so
		}
		c.fronted = 0
		return c.seal(op.key), nil
	}
	return op.value, nil
}

// backupReader reads a backup.
type backupReader struct {
	in    *bufio.Reader
	sum   hash.Hash
	read  int64
	count uint64
}

func newBackupBuffer(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, backupBuffer) }

func notWhole(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBackup, fmt.Sprintf(format, args...))
}

// cut words the error of a read that should have been possible.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return notWhole("it ends too early")
	}
	return err
}

func (b *backupReader) begin() error {
	magic, err := b.bytes(len(backupMagic))
	switch {
	case err != nil && !errors.Is(err, ErrBackup):
		return err
	case string(magic) != backupMagic:
		return notWhole("it does not begin like one")
	}
	return nil
}

// next returns the next record; one without a key after the last, when all was verified.
func (b *backupReader) next() (op operation, err error) {
	n, err := b.number()
	switch {
	case err != nil:
		return op, err
	case n == 0:
		return op, b.end()
	case n > backupKey:
		return op, notWhole("a key of %d bytes", n)
	}
	if op.key, err = b.bytes(int(n)); err != nil {
		return op, err
	}
	if n, err = b.number(); err != nil {
		return op, err
	}
	if n == 0 || n > backupValue {
		return op, notWhole("a value of %d bytes", n)
	}
	op.value, err = b.bytes(int(n))
	b.count++
	return op, err
}

// end verifies that this is the end, and what it should be.
func (b *backupReader) end() error {
	n, err := b.number()
	if err != nil {
		return err
	}
	if n != b.count {
		return notWhole("it has %d records, and should have %d", b.count, n)
	}
	want := b.sum.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(b.in, got); err != nil {
		return cut(err)
	}
	if !bytes.Equal(got, want) {
		return notWhole("wrong checksum")
	}
	if _, err := b.in.ReadByte(); err != io.EOF {
		return notWhole("something follows its end")
	}
	b.read += int64(len(want))
	return nil
}

// bytes reads n bytes, growing with what is there.
func (b *backupReader) bytes(n int) ([]byte, error) {
	var buf bytes.Buffer
	if n <= backupBuffer {
		buf.Grow(n)
	}
	if _, err := io.CopyN(&buf, b.in, int64(n)); err != nil {
		return nil, cut(err)
	}
	b.sum.Write(buf.Bytes())
	b.read += int64(n)
	return buf.Bytes(), nil
}

func (b *backupReader) number() (uint64, error) {
	var raw [binary.MaxVarintLen64]byte
	for i := range raw {
		c, err := b.in.ReadByte()
		if err != nil {
			return 0, cut(err)
		}
		raw[i] = c
		if c < 0x80 {
			b.sum.Write(raw[:i+1])
			b.read += int64(i + 1)
			n, size := binary.Uvarint(raw[:i+1])
			if size != i+1 {
				break
			}
			return n, nil
		}
	}
	return 0, notWhole("a number that is none")
}
