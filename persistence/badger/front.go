package badger

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// frontFile is the front log, in the directory of the database.
const frontFile = "front.log"

const (
	// frontSize is how long the front log becomes. It is written round and round.
	frontSize = 8 << 20
	// frontBlock is what records of it are padded to, so that what is being written
	// shares no block with what is safe.
	frontBlock = 4 << 10
	// frontPiece is by how much it grows, until it has its size.
	frontPiece = 1 << 20
	// frontMost is how long the record of a group is at most. A larger group is
	// better written to the database at once than twice.
	frontMost = 64 << 10
	// frontBytes is of how much in the log the database gets all; else it waits for
	// limits.frontWindow.
	frontBytes = 1 << 20
)

// front is the log before the database, in the mode Always. A small group is a
// record of it, with one write and one sync, which is several times quicker than a
// transaction of Badger's; with that it is safe. The database gets what many groups
// come to together, some time later: of a message that has come and gone by then,
// nothing at all.
//
// Records are numbered. Which was the last to reach the database is in its counts,
// so a start knows which are still to be carried out (frontread.go). A group that is
// not written by way of the log goes to the database after all that is in the log.
//
// It belongs to the committer, but for what its mutex guards.
type front struct {
	window time.Duration
	secret uint64 // see frontread.go
	file   *os.File
	at     int64 // where the next record goes
	size   int64 // how long the file is
	used   int64 // of it since the last drain
	since  time.Time
	// records are those since the last drain; what is in latest lies in them.
	records []byte
	scratch []operation

	mu sync.RWMutex
	// guarded by mu: what is not in the database yet
	latest map[string][]byte // by key; nil if it is deleted
}

func newFront(window time.Duration) *front {
	return &front{window: window, latest: map[string][]byte{}}
}

// open opens the file, or makes it.
func (f *front) open(dir string) error {
	path := filepath.Join(dir, frontFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		file.Close()
		return err
	}
	// The end of a disk that was full can leave another length than that of whole
	// pieces. All that is in the log is in the database by now.
	f.file, f.size = file, info.Size()/frontPiece*frontPiece
	if f.size == info.Size() {
		return nil
	}
	return file.Truncate(f.size)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (f *front) close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// frontRoom is what a record has room for besides the operations of a group: its
// head, and the counts.
const frontRoom = 128

// takes reports whether a group goes by way of the log.
func (f *front) takes(o *operations) bool {
	return f.file != nil && !o.ahead && frontRoom+o.encoded() <= frontMost
}

// write writes a group and syncs it. number is one more than that of the last group.
func (f *front) write(number uint64, list []operation) error {
	from := len(f.records)
	f.records = appendFrontRecord(f.records, f.secret, number, list)
	record := f.records[from:]
	if err := f.put(record); err != nil {
		return fmt.Errorf("front log: %w", err)
	}
	// What the caller has of them does not stay; the record does.
	list, err := decodeJournal(record[frontHead:frontLength(record)], f.scratch[:0])
	if err != nil {
		return fmt.Errorf("front log: %w", err)
	}
	f.note(list)
	clear(list)
	f.scratch = list
	return nil
}

// put writes a record to the file, which grows to its size first.
func (f *front) put(record []byte) error {
	n := int64(len(record))
	if f.at+n > f.size {
		switch {
		case f.size < frontSize:
			if _, err := f.file.WriteAt(make([]byte, frontPiece), f.size); err != nil {
				return err
			}
			f.size += frontPiece
		default:
			f.used += f.size - f.at
			f.at = 0
		}
	}
	if _, err := f.file.WriteAt(record, f.at); err != nil {
		return err
	}
	if f.used == 0 {
		f.since = time.Now()
	}
	f.at += n
	f.used += n
	return syncData(f.file)
}

// note notes what operations make of the database. Chunks, indexes and settles have
// numbers that are never used again: what is deleted of them that the database does
// not have yet, it never gets.
func (f *front) note(list []operation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, op := range list {
		if _, known := f.latest[string(op.key)]; known && op.value == nil {
			switch op.key[0] {
			case keyChunk, keyIndex, keySettles:
				delete(f.latest, string(op.key))
				continue
			}
		}
		f.latest[string(op.key)] = op.value
	}
}

// find returns what a key has in the log; known is false if only the database can say.
// Nobody changes the value, and it stays good.
func (f *front) find(key []byte) (value []byte, known bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	value, known = f.latest[string(key)]
	return value, known
}

// pending returns what the database does not have yet, the counts last: with them it
// has all.
func (f *front) pending() (list []operation) {
	for key, value := range f.latest {
		if key[0] != keyCounts {
			list = append(list, operation{[]byte(key), value})
		}
	}
	if value, ok := f.latest[string(key1(keyCounts))]; ok {
		list = append(list, operation{key1(keyCounts), value})
	}
	return list
}

// drained forgets what the database has now. The memory is new, as somebody may
// still read the old.
func (f *front) drained() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records = nil
	clear(f.latest)
	f.used = 0
}

// wait returns how long it is until the log is to be drained; 0 is now, and
// negative never.
func (f *front) wait() time.Duration {
	switch {
	case f.used == 0:
		return -1
	case f.used >= frontSize/2, len(f.records) >= frontBytes:
		return 0
	}
	return max(0, f.window-time.Since(f.since))
}

// drain brings the database up to the log.
func (s *Store) drain() error {
	if list := s.front.pending(); len(list) > 0 {
		if err := s.inPieces(list); err != nil {
			return err
		}
	}
	s.front.drained()
	return nil
}
