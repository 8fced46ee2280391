package memory

import (
	"fmt"

	"github.com/leveretmq/leveret/persistence"
)

// Hold makes the store a slow disk: what is handed over from now on is neither
// written nor told, until release is called, or Close. Then all of it is one
// group. After Fail it is lost, and its waiters are told so; after that and
// Reopen it is as after a crash.
func (s *Store) Hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = true
	return func() {
		s.mu.Lock()
		told := s.releaseLocked()
		s.mu.Unlock()
		told.tell(nil)
	}
}

// Fail makes the store fail as a broken disk does: nothing is written any more,
// and everything says persistence.ErrFailed, wrapped around the cause. After
// Close, or a first Fail, it does nothing.
func (s *Store) Fail(cause error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	err := fmt.Errorf("%w: %w", persistence.ErrFailed, cause)
	s.err = err
	var told calls
	for _, b := range s.held {
		told.add(&b)
	}
	s.emptyLocked()
	close(s.failed)
	s.mu.Unlock()
	told.tell(err)
}

// holdLocked takes over what is in a batch.
func (s *Store) holdLocked(b *persistence.Batch) {
	for _, a := range b.Appends {
		a.Record.State.Phase = persistence.Waiting
		s.stats.PendingBytes += int64(persistence.SizeOf(a.Record.Message))
	}
	for _, c := range b.Changes {
		s.stats.PendingBytes += int64(len(c.Body))
	}
	s.held = append(s.held, *b)
	*b = persistence.Batch{}
}

// releaseLocked writes what is held and holds no more.
func (s *Store) releaseLocked() (told calls) {
	if len(s.held) > 0 {
		told = s.commitLocked(s.held...)
	}
	s.emptyLocked()
	return told
}

func (s *Store) emptyLocked() {
	s.holding, s.held, s.stats.PendingBytes = false, nil, 0
	s.changed.Broadcast()
}
