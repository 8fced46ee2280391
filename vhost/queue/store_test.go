package queue

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/dedup"
)

// fakeStore is a store that keeps an eye on its caller: each place may be
// settled once. It writes at once, or while held when write is called, and can
// be made to fail.
type fakeStore struct {
	mu       sync.Mutex
	id       uint64
	held     bool
	waiting  []persistence.Batch
	chunk    uint64
	chunks   map[uint64]*fakeChunk
	faults   []string // what callers did wrong
	failing  error    // of each Read
	damaged  func(*amqp.Message) bool
	reads    int // calls
	elided   int
	returned map[persistence.Ref]persistence.Note
	batches  [][2]int // appends and settles of each batch that was written
	keys     map[uint64]dedup.Definition
}

// fakeChunk is the places of one batch, in order. It goes with the last of them.
type fakeChunk struct {
	places []fakePlace
	live   int
}

func (s *fakeStore) endLocked(at persistence.Ref) {
	c := s.chunks[at.Chunk]
	c.places[at.Index].settled = true
	if c.live--; c.live == 0 {
		delete(s.chunks, at.Chunk)
	}
}

type fakePlace struct {
	persistence.Place
	msg                *amqp.Message
	transient, settled bool
}

func newFakeStore(t testing.TB) *fakeStore {
	s := &fakeStore{chunks: map[uint64]*fakeChunk{}, returned: map[persistence.Ref]persistence.Note{},
		keys: map[uint64]dedup.Definition{}}
	t.Cleanup(func() {
		for _, f := range s.faults {
			t.Error(f)
		}
	})
	return s
}

func (s *fakeStore) fault(format string, args ...any) {
	if len(s.faults) < 10 {
		s.faults = append(s.faults, "store: "+fmt.Sprintf(format, args...))
	}
}

func (s *fakeStore) NewID() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id++
	return s.id
}

func (s *fakeStore) Write(b *persistence.Batch) {
	s.mu.Lock()
	mine := persistence.Batch{Appends: slices.Clone(b.Appends), Settles: slices.Clone(b.Settles),
		Changes: slices.Clone(b.Changes), Waits: slices.Clone(b.Waits)}
	b.Reset()
	s.waiting = append(s.waiting, mine)
	held := s.held
	s.mu.Unlock()
	if !held {
		s.write()
	}
}

// write writes what is waiting, each batch as a group.
func (s *fakeStore) write() {
	s.mu.Lock()
	work := s.waiting
	s.waiting = nil
	for i := range work {
		for _, x := range work[i].Settles {
			s.settleLocked(x)
		}
	}
	for i := range work {
		s.batches = append(s.batches, [2]int{len(work[i].Appends), len(work[i].Settles)})
		s.appendLocked(work[i].Appends)
		for _, c := range work[i].Changes {
			s.changeLocked(c)
		}
	}
	s.mu.Unlock()
	for _, b := range work {
		for _, a := range b.Appends {
			if a.Waiter != nil {
				a.Waiter.Done([]uint64{a.Number}, nil)
			}
		}
		for _, w := range b.Waits {
			w.Waiter.Done([]uint64{w.Number}, nil)
		}
	}
}

func (s *fakeStore) settleLocked(x persistence.Settle) {
	at, ok := x.Record.Ref(x.Place)
	switch {
	case !ok && x.Returned:
		x.Record.State.Return(x.Place, persistence.Note{Returns: x.Returns, Due: x.Due})
	case !ok:
		if !x.Record.State.Settle(x.Place) {
			s.fault("place %d of %s settled twice before it was written", x.Place, x.Record.Message.RoutingKey)
		}
	case s.chunks[at.Chunk] == nil || int(at.Index) >= len(s.chunks[at.Chunk].places):
		s.fault("settle of %v, which was never written or has gone", at)
	default:
		p := &s.chunks[at.Chunk].places[at.Index]
		if p.settled {
			s.fault("%s settled twice at %v", p.msg.RoutingKey, at)
		}
		if x.Returned {
			s.returned[at] = persistence.Note{Returns: x.Returns, Due: x.Due}
		} else {
			s.endLocked(at)
		}
	}
}

func (s *fakeStore) appendLocked(appends []persistence.Append) {
	s.chunk++
	c := &fakeChunk{}
	for _, a := range appends {
		r := a.Record
		if len(r.Places) == 0 {
			s.fault("%s has no place", r.Message.RoutingKey)
		}
		if r.State.Phase != persistence.New {
			s.fault("%s was handed over twice", r.Message.RoutingKey)
		}
		if r.State.Count() == len(r.Places) {
			r.State.Phase = persistence.Gone
			s.elided++
			continue
		}
		r.State.Phase = persistence.Stored
		first := persistence.Ref{Chunk: s.chunk, Index: uint32(len(c.places))}
		for i, p := range r.Places {
			c.places = append(c.places, fakePlace{p, r.Message, r.Transient, r.State.IsSettled(i)})
			if !r.State.IsSettled(i) {
				c.live++
			}
			if n, ok := r.State.Returns[i]; ok {
				s.returned[persistence.Ref{Chunk: s.chunk, Index: first.Index + uint32(i)}] = n
			}
		}
		r.SetStored(first)
	}
	if c.live > 0 {
		s.chunks[s.chunk] = c
	}
}

// changeLocked keeps the keys of queues that deduplicate, and no other
// definition.
func (s *fakeStore) changeLocked(c persistence.Change) {
	_, there := s.keys[c.ID]
	switch {
	case c.Kind != persistence.KindDuplicate:
	case c.Delete:
		if !there {
			s.fault("key %d deleted twice", c.ID)
		}
		delete(s.keys, c.ID)
	default:
		var d dedup.Definition
		if err := d.Decode(c.Body); err != nil || there {
			s.fault("key %d: %v, or there already", c.ID, err)
		}
		s.keys[c.ID] = d
	}
}

func (s *fakeStore) Await()                  {}
func (s *fakeStore) Err() error              { return nil }
func (s *fakeStore) Failed() <-chan struct{} { return nil }
func (s *fakeStore) Stats() (st persistence.Stats) {
	return st
}
func (s *fakeStore) Close() error                                   { return nil }
func (s *fakeStore) Definitions() ([]persistence.Definition, error) { return nil, nil }

func (s *fakeStore) Read(refs []persistence.Ref, found func(int, *persistence.Record, error)) {
	s.mu.Lock()
	s.reads++
	s.mu.Unlock()
	for i, at := range refs {
		s.mu.Lock()
		err := s.failing
		var p fakePlace
		if c := s.chunks[at.Chunk]; c != nil && int(at.Index) < len(c.places) {
			p = c.places[at.Index]
		}
		if err == nil && (p.msg == nil || p.settled || s.damaged != nil && s.damaged(p.msg)) {
			err = fmt.Errorf("%w: at %v", persistence.ErrDamaged, at)
		}
		s.mu.Unlock()
		if err != nil {
			found(i, nil, err)
			continue
		}
		m := *p.msg // as far as a queue can tell it is another
		m.Redelivered = false
		r := persistence.StoredRecord(&m, p.Place, at)
		r.Transient = p.transient
		found(i, r, nil)
	}
}

// Recover may be called again and again: each time is a start.
func (s *fakeStore) Recover(yield func(persistence.Recovered) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for chunk := uint64(1); chunk <= s.chunk; chunk++ {
		c := s.chunks[chunk]
		if c == nil {
			continue
		}
		for i := range c.places {
			p := &c.places[i]
			at := persistence.Ref{Chunk: chunk, Index: uint32(i)}
			if p.transient && !p.settled {
				s.endLocked(at)
			}
			if p.settled {
				continue
			}
			if n, ok := s.returned[at]; ok {
				p.Returns, p.Due = n.Returns, n.Due
			}
			if !yield(persistence.Recovered{Place: p.Place, Ref: at, Size: uint32(len(p.msg.Body)), Priority: p.msg.Priority}) {
				return nil
			}
		}
	}
	return nil
}

// live returns the places of a queue that are not settled, by seq, and how many
// others there are.
func (s *fakeStore) live(id persistence.QueueID) (seqs []uint64, others int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.chunks {
		for i := range c.places {
			switch p := &c.places[i]; {
			case p.settled:
			case p.Queue == id && !p.transient:
				seqs = append(seqs, p.Seq)
			default:
				others++
			}
		}
	}
	slices.Sort(seqs)
	return seqs, others
}

// failReads lets each Read fail from now on, or none.
func (s *fakeStore) failReads(err error) {
	s.mu.Lock()
	s.failing = err
	s.mu.Unlock()
}

// setHeld lets batches wait until write, or no more.
func (s *fakeStore) setHeld(held bool) {
	s.mu.Lock()
	s.held = held
	s.mu.Unlock()
	if !held {
		s.write()
	}
}

// name reads which message is at a place.
func (s *fakeStore) name(at persistence.Ref) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chunks[at.Chunk].places[at.Index].msg.RoutingKey
}
