package memory

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/persistence"
)

// Store is a persistence.Store in memory. Make it with New. A Write is complete
// when it returns, its waiters told by it, unless Hold says otherwise.
type Store struct {
	ids    *atomic.Uint64 // the last that NewID returned, shared with what Reopen returns
	failed chan struct{}

	mu      sync.Mutex
	changed sync.Cond // uses mu; signalled when Await may have to return
	// guarded by mu
	content content
	err     error // why nothing is written any more
	holding bool
	held    []persistence.Batch
	stats   persistence.Stats // but for what content counts
}

var _ persistence.Store = (*Store)(nil)

// heldLimit is how many bytes may be held before Await blocks.
const heldLimit = 4 << 20

// New returns an empty store.
func New() *Store { return open(newContent(), new(atomic.Uint64)) }

func open(c content, ids *atomic.Uint64) *Store {
	s := &Store{ids: ids, failed: make(chan struct{}), content: c}
	s.changed.L = &s.mu
	return s
}

// Reopen stops the store, if Close has not, and returns a new one with the same
// content, as after a clean stop and start: without transient records and
// places of owners that are not defined. Refs stay good, ids that were given
// out do not come again. After Fail the content is what was written before.
// What is called twice gives the same content twice.
func (s *Store) Reopen() *Store {
	_ = s.Close() // a failure is where the content ends
	s.mu.Lock()
	defer s.mu.Unlock()
	return open(s.content.restart(), s.ids)
}

// NewID implements persistence.Store.
func (s *Store) NewID() uint64 { return s.ids.Add(1) }

// Definitions implements persistence.Store.
func (s *Store) Definitions() ([]persistence.Definition, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	return s.content.definitions(), nil
}

// Recover implements persistence.Store.
func (s *Store) Recover(yield func(persistence.Recovered) bool) error {
	s.mu.Lock()
	err := s.err
	var live []persistence.Recovered
	if err == nil {
		live = s.content.live()
	}
	s.mu.Unlock()
	for _, r := range live {
		if !yield(r) {
			break
		}
	}
	return err
}

// Read implements persistence.Store.
func (s *Store) Read(refs []persistence.Ref, found func(int, *persistence.Record, error)) {
	for i, at := range refs {
		r, err := s.readOne(at)
		found(i, r, err)
	}
}

func (s *Store) readOne(at persistence.Ref) (*persistence.Record, error) {
	s.mu.Lock()
	err := s.err
	p := s.content.at(at)
	var place persistence.Place
	var encoded []byte
	if p != nil {
		place, encoded = p.Place, p.of.encoded
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, fmt.Errorf("%w: no place %d in chunk %d", persistence.ErrDamaged, at.Index, at.Chunk)
	}
	m, err := persistence.DecodeMessage(encoded)
	if err != nil {
		return nil, err
	}
	return persistence.StoredRecord(m, place, at), nil
}

// Err implements persistence.Store.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Failed implements persistence.Store.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Stats implements persistence.Store. DiskBytes are those of all records.
func (s *Store) Stats() persistence.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Chunks, st.LivePlaces = int64(len(s.content.chunks)), s.content.livePlaces
	st.LiveBytes, st.DeadBytes = s.content.liveBytes, s.content.deadBytes
	st.DiskBytes = st.LiveBytes + st.DeadBytes
	return st
}

// Await implements persistence.Store. It blocks only while more than 4 MiB are
// held.
func (s *Store) Await() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.stats.PendingBytes > heldLimit && s.err == nil {
		s.changed.Wait()
	}
}

// Close implements persistence.Store. The content is kept for Reopen. The error
// is that of Fail, if it was called.
func (s *Store) Close() error {
	s.mu.Lock()
	var calls calls
	if s.err == nil {
		calls = s.releaseLocked()
		s.err = persistence.ErrClosed
	}
	err := s.err
	s.changed.Broadcast()
	s.mu.Unlock()
	calls.tell(nil)
	if err == persistence.ErrClosed {
		return nil
	}
	return err
}
