package memory

import "github.com/leveretmq/leveret/persistence"

// Write implements persistence.Store.
func (s *Store) Write(b *persistence.Batch) {
	if b.Empty() {
		return
	}
	s.mu.Lock()
	err := s.err
	var told calls
	switch {
	case err != nil:
		told.add(b)
	case s.holding:
		s.holdLocked(b)
	default:
		told = s.commitLocked(*b)
	}
	s.mu.Unlock()
	b.Reset()
	told.tell(err)
}

// commitLocked writes batches as one group, and returns who is to be told.
func (s *Store) commitLocked(group ...persistence.Batch) (told calls) {
	// What was settled before it is written is not written, so these come first.
	for _, b := range group {
		for _, e := range b.Settles {
			note(e)
		}
	}
	chunk := s.content.newChunk()
	for _, b := range group {
		for _, a := range b.Appends {
			s.appendLocked(chunk, a.Record)
		}
		for _, e := range b.Settles {
			if e.Record.State.Phase == persistence.Stored {
				s.content.settle(e)
			}
		}
		for _, c := range b.Changes {
			s.content.change(c)
		}
		told.add(&b)
	}
	s.content.add(chunk)
	s.stats.Groups++
	return told
}

// note keeps a settle with a record that is not written yet.
func note(e persistence.Settle) {
	st := &e.Record.State
	switch {
	case st.Phase != persistence.New && st.Phase != persistence.Waiting:
	case e.Returned:
		st.Return(e.Place, e.Note())
	default:
		st.Settle(e.Place)
	}
}

// appendLocked writes a record, unless all its places are settled.
func (s *Store) appendLocked(c *chunk, r *persistence.Record) {
	if r.State.Count() >= len(r.Places) {
		r.State = persistence.State{Phase: persistence.Gone}
		s.stats.Elided++
		return
	}
	s.content.append(c, r)
	r.State = persistence.State{Phase: persistence.Stored}
	s.stats.Records++
}

// calls are the calls of waiters to be made, in order, once the lock is gone.
type calls []call

type call struct {
	waiter  persistence.Waiter
	numbers []uint64
}

// add adds who waits for something in a batch. What one waiter is to be told in
// a row becomes one call.
func (c *calls) add(b *persistence.Batch) {
	for _, a := range b.Appends {
		if a.Waiter != nil {
			c.addOne(a.Waiter, a.Number)
		}
	}
	for _, w := range b.Waits {
		if w.Waiter != nil {
			c.addOne(w.Waiter, w.Number)
		}
	}
}

func (c *calls) addOne(w persistence.Waiter, number uint64) {
	if last := len(*c) - 1; last >= 0 && (*c)[last].waiter == w {
		(*c)[last].numbers = append((*c)[last].numbers, number)
		return
	}
	*c = append(*c, call{w, []uint64{number}})
}

func (c calls) tell(err error) {
	for _, call := range c {
		call.waiter.Done(call.numbers, err)
	}
}
