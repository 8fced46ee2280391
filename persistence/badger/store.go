package badger

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/leveretmq/leveret/persistence"
)

// Store keeps definitions and records in a Badger database. It implements
// persistence.Store.
type Store struct {
	// immutable
	dir       string
	opts      Options
	limits    limits
	db        *badger.DB
	logger    *logger
	txnSize   int // what goes into one transaction
	txnCount  int
	owners    map[persistence.QueueID]struct{} // that were defined at start
	reclaimer *reclaimer
	killed    bool          // it was not closed when it was used last
	wake      chan struct{} // has room for one
	committed chan struct{} // closed when the committer has ended
	failed    chan struct{}

	gate    gate // around the use of db by others than the committer
	front   *front
	table   table
	cache   indexCache
	indexes sync.Pool // of *index, for those that are not kept
	syncs   atomic.Uint64
	turns   sync.Mutex  // see transact
	begun   atomic.Bool // Write was called, so nothing is recovered any more

	mu      sync.Mutex // never held for I/O or while others are called
	room    *sync.Cond // with mu: pending has become less
	pending pending
	writing int64 // bytes of the group that is being written
	err     error // what Write says
	failure error // wraps ErrFailed
	closing bool
	lastID  uint64
	idLimit uint64             // ids up to here are set aside on disk
	backups []chan<- *snapshot // that wait to begin
	stats   persistence.Stats
	damaged atomic.Uint64

	fault atomic.Pointer[func(step string) error] // what tests have the disk say

	// owned by the committer, once it runs
	lastGroup     time.Time // when it began
	counts        counts
	definitions   map[definitionID]struct{}
	doomed        []*chunk // with no live place, to be deleted
	spent         []uint64 // values with settles, to be deleted
	candidates    []*chunk // to be relocated
	relocatedDead int64    // how much more is to be freed by that
	relocateAbove int64    // more has to be dead for the next time
	buffers       [][]byte // for chunks
	numbers       []uint64
	places        []uint32
	notes         []note
}

var _ persistence.Store = (*Store)(nil)

// failed returns the error that all get after a failure.
func failed(cause error) error { return fmt.Errorf("%w: %w", persistence.ErrFailed, oneLine{cause}) }

// oneLine is an error without the lines that Badger puts after the first.
type oneLine struct{ error }

// Error implements error.
func (e oneLine) Error() string { return firstLine(e.error) }

// Unwrap returns what it was.
func (e oneLine) Unwrap() error { return e.error }

// Err implements persistence.Store.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// failureOf returns why the store has failed, or nil.
func (s *Store) failureOf() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// groups returns how many groups were written.
func (s *Store) groups() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Groups
}

// Failed implements persistence.Store.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Stats implements persistence.Store.
func (s *Store) Stats() persistence.Stats {
	s.mu.Lock()
	st := s.stats
	st.PendingBytes = s.pending.bytes + s.writing
	s.mu.Unlock()
	st.Chunks, st.LivePlaces = s.table.chunks.Load(), s.table.places.Load()
	st.LiveBytes, st.DeadBytes = s.table.live.Load(), s.table.dead.Load()
	st.DiskBytes = s.reclaimer.disk.Load()
	st.Syncs, st.Damaged = s.syncs.Load(), s.damaged.Load()
	return st
}

// Close implements persistence.Store. A second call returns ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return persistence.ErrClosed
	}
	s.closing = true
	if s.err == nil {
		s.err = persistence.ErrClosed
	}
	s.room.Broadcast()
	s.mu.Unlock()
	s.wakeCommitter()
	<-s.committed
	s.reclaimer.close()
	s.gate.close()
	err := s.failureOf()
	if e := s.db.Close(); e != nil && err == nil {
		err = fmt.Errorf("closing the store: %w", e)
	}
	if e := s.front.close(); e != nil && err == nil {
		err = fmt.Errorf("closing the store: %w", e)
	}
	return err
}

// gate lets users in until it is closed.
type gate struct {
	mu     sync.Mutex
	users  int
	closed bool
	empty  chan struct{} // not nil while close waits
}

// enter returns ErrClosed once close was called. Whoever enters leaves.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return persistence.ErrClosed
	}
	g.users++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.users--; g.users == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// close lets nobody in any more, and waits until all have left.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	var empty chan struct{}
	if g.users > 0 {
		empty = make(chan struct{})
		g.empty = empty
	}
	g.mu.Unlock()
	if empty != nil {
		<-empty
	}
}
