package queue

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

// storage is what a play's queue has of a store and a pager.
type storage struct {
	store *fakeStore // nil if nothing is stored
	pager *Pager
	id    persistence.QueueID
}

// newStorage makes one of four kinds: nothing stored, a stored queue, a queue
// that is not stored with a pager, a stored queue without a pager.
func newStorage(t testing.TB, kind byte) *storage {
	s := &storage{}
	if kind == 0 {
		return s
	}
	s.store = newFakeStore(t)
	if kind != 2 {
		s.id = persistence.QueueID(s.store.NewID())
	}
	if kind != 3 {
		s.pager = NewPager(s.store, 0, 0)
	}
	return s
}

func (s *storage) options(o Options) Options {
	o.ID, o.Pager = s.id, s.pager
	if s.store != nil {
		o.Store = s.store
	}
	return o
}

func (s *storage) close() {
	if s.pager != nil {
		s.pager.Close()
	}
	if s.store != nil {
		s.store.setHeld(false)
	}
}

// pageOut takes out of memory what an operation says.
func (s *storage) pageOut(q *Queue, o op) {
	if s.pager == nil {
		return
	}
	w := sweeper{Pager: s.pager}
	x := step{segments: 1 + int(o[1]%4), tries: 1 + int(o[1]), least: int(o[2] % 3), shelf: int(o[2] / 3 % 4),
		spill: int64(o[3]%2) << 20, batch: &w.batch, writer: s.pager, packer: &w.packer}
	q.pageOut(&x, o[3]%4 != 0)
	w.hand()
}

// hold lets the store wait, write what waits, or wait no more.
func (s *storage) hold(o op) {
	switch {
	case s.store == nil:
	case o[1]%4 < 2:
		s.store.setHeld(o[1]%4 == 0)
	default:
		s.store.write()
	}
}

// compare checks that just those places are not settled whose messages the
// queue has.
func (s *storage) compare(q *Queue, m *model) error {
	if s.store == nil {
		return nil
	}
	s.store.mu.Lock()
	waiting := len(s.store.waiting)
	s.store.mu.Unlock()
	if waiting > 0 {
		return nil
	}
	var want []uint64
	if s.id != 0 && !m.closed {
		all := slices.Concat(m.ready, m.held)
		for _, c := range m.everybody() {
			all = append(all, c.unackedMessages()...)
		}
		for _, msg := range all {
			if msg.persistent {
				want = append(want, uint64(msg.place))
			}
		}
		slices.Sort(want)
	}
	got, others := s.store.live(s.id)
	if !slices.Equal(got, want) {
		return fmt.Errorf("places %v are in the store, want %v", got, want)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	spilled := q.core.recorded - len(want)
	for _, u := range q.core.unacked.slots {
		if u.rec != nil {
			spilled++
		}
	}
	if q.core.held != nil {
		spilled += q.core.held.recorded
	}
	if spilled != others {
		return fmt.Errorf("%d transient places are in the store, want %d", others, spilled)
	}
	return s.compareKeys(m)
}

// compareKeys checks that the keys of a stored queue are in the store.
func (s *storage) compareKeys(m *model) error {
	if s.id == 0 || m.closed {
		return nil
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var got []int64
	for _, id := range slices.Sorted(maps.Keys(s.store.keys)) {
		got = append(got, s.store.keys[id].Expires)
	}
	var want []int64
	for _, k := range m.keys {
		want = append(want, k.expires)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("keys in the store expire at %v, want %v", got, want)
	}
	return nil
}

// recoverKeys gives a queue the keys that it has seen before.
func (s *storage) recoverKeys(q *Queue) {
	w := q.Keys()
	if w == nil {
		return
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for id, d := range s.store.keys {
		w.Recover(id, d)
	}
	for _, id := range w.Recovered() {
		s.store.changeLocked(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindDuplicate, ID: id}, Delete: true})
	}
}

// names returns the messages that the store has of a stored queue, in order.
func (s *storage) names() (names []string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var live []fakePlace
	for _, c := range s.store.chunks {
		for _, p := range c.places {
			if !p.settled && !p.transient {
				live = append(live, p)
			}
		}
	}
	slices.SortFunc(live, func(a, b fakePlace) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, p := range live {
		names = append(names, p.msg.RoutingKey)
	}
	return names
}

// restart ends a stored queue and its broker and starts them again; arrange, if
// not nil, has a look at the new queue and at what is to be recovered.
func (s *storage) restart(q *Queue, arrange func(*Queue, []persistence.Recovered)) *Queue {
	s.store.setHeld(false)
	o := q.Options()
	o.Policy = q.Policy()
	q.Close()
	q = New(o)
	var found []persistence.Recovered
	_ = s.store.Recover(func(r persistence.Recovered) bool {
		found = append(found, r)
		return true
	})
	if arrange != nil {
		arrange(q, found)
	}
	s.recoverKeys(q)
	for _, r := range found {
		q.Recover(r)
	}
	if err := q.Recovered(); err != nil {
		panic(err)
	}
	return q
}
