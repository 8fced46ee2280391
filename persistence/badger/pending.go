package badger

import (
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// settleSize is what a settle counts for while it waits.
const settleSize = 16

// changeSize is what a changed definition counts for besides its body.
const changeSize = 48

// pending is what was handed over and waits for a group. The zero value is
// empty.
type pending struct {
	appends fifo[persistence.Append]
	settles fifo[persistence.Settle]
	changes fifo[persistence.Change]
	waits   fifo[persistence.Wait]
	batches fifo[batchSize] // of which all that is made up, in order
	bytes   int64
	changed int64     // how much of that is changes
	since   time.Time // when there was something to be written first
}

// batchSize is how much of pending is of one batch.
type batchSize struct {
	appends, settles, changes, waits int
	bytes, changed                   int64
}

// with returns the size of two together.
func (n batchSize) with(b batchSize) batchSize {
	return batchSize{
		n.appends + b.appends, n.settles + b.settles, n.changes + b.changes, n.waits + b.waits,
		n.bytes + b.bytes, n.changed + b.changed,
	}
}

// over reports whether it is more than a group should have.
func (n batchSize) over(l *limits) bool {
	return n.bytes > int64(l.groupBytes) || n.appends > l.groupRecords ||
		n.changes > l.groupChanges || n.changed > int64(l.groupChangeBytes)
}

// urgent reports whether somebody waits, or something may not be lost.
func (p *pending) urgent() bool { return p.appends.len()+p.changes.len()+p.waits.len() > 0 }

// full reports whether there is enough for a group.
func (p *pending) full(l *limits) bool {
	return p.bytes >= int64(l.groupBytes) || p.changes.len() >= l.groupChanges || p.changed >= int64(l.groupChangeBytes)
}

// Write implements persistence.Store.
func (s *Store) Write(b *persistence.Batch) {
	if !s.begun.Load() {
		s.begun.Store(true)
	}
	s.write(b)
}

// write is Write without its being the end of the start.
func (s *Store) write(b *persistence.Batch) {
	if b.Empty() {
		return
	}
	s.mu.Lock()
	if err := s.err; err != nil {
		s.mu.Unlock()
		refuse(b.Appends, b.Waits, err)
		b.Reset()
		return
	}
	p := &s.pending
	wasEmpty, wasUrgent := p.batches.len() == 0, p.urgent()
	n := batchSize{appends: len(b.Appends), changes: len(b.Changes), waits: len(b.Waits)}
	for i := range b.Appends {
		r := b.Appends[i].Record
		r.State.Phase = persistence.Waiting
		n.bytes += int64(persistence.SizeOf(r.Message) + settleSize*len(r.Places))
	}
	for i := range b.Changes {
		n.changed += int64(len(b.Changes[i].Body)) + changeSize
	}
	n.bytes += n.changed
	p.appends.push(b.Appends...)
	p.changes.push(b.Changes...)
	p.waits.push(b.Waits...)
	if n.appends+n.changes > 0 {
		p.settles.push(b.Settles...)
		n.settles = len(b.Settles)
	} else {
		n.settles = p.settleEarly(b.Settles)
	}
	n.bytes += int64(n.settles * settleSize)
	if n != (batchSize{}) {
		if wasEmpty {
			p.since = time.Now()
		}
		p.batches.push(n)
		p.bytes += n.bytes
		p.changed += n.changed
	}
	wake := !wasUrgent && p.urgent() || wasEmpty && p.batches.len() > 0 || p.bytes >= int64(s.limits.settleBytes) || p.full(&s.limits)
	s.mu.Unlock()
	b.Reset()
	if wake {
		s.wakeCommitter()
	}
}

// settleEarly takes the settles of a batch that has nothing else to be written,
// and returns for how many a group is needed. A settle that belongs to nothing
// counts at once for a record that is not being written yet: with its last
// place it needs not be written at all. If it belonged to an append, a crash
// could keep the settle and lose the append. Notes stay in order: one that comes
// alone does not overtake one that belongs to an append.
func (p *pending) settleEarly(settles []persistence.Settle) (n int) {
	for _, t := range settles {
		if t.Returned && p.settles.len() > 0 || !settleUnwritten(t) {
			p.settles.push(t)
			n++
		}
	}
	return n
}

// settleUnwritten notes a settle in the record itself, unless that is being
// written or is stored. A record that is gone has nothing to be settled.
func settleUnwritten(t persistence.Settle) bool {
	st := &t.Record.State
	switch st.Phase {
	case persistence.New, persistence.Waiting:
		if t.Returned {
			st.Return(t.Place, t.Note())
		} else {
			st.Settle(t.Place)
		}
		return true
	case persistence.Gone:
		return true
	default:
		return false
	}
}

// take moves what is to be written next into the group: batches from the front
// until it is large enough.
func (p *pending) take(g *group, l *limits) {
	var n batchSize
	taken := 0
	for _, b := range p.batches.front(p.batches.len()) {
		more := n.with(b)
		if taken > 0 && more.over(l) {
			break
		}
		n = more
		taken++
	}
	g.bytes = n.bytes
	g.changes = append(g.changes, p.changes.front(n.changes)...)
	for _, t := range p.settles.front(n.settles) {
		if !settleUnwritten(t) {
			g.settles = append(g.settles, t)
		}
	}
	for _, a := range p.appends.front(n.appends) {
		if st := &a.Record.State; st.Count() < len(a.Record.Places) {
			st.Phase = persistence.Writing
			g.records = append(g.records, a.Record)
		} else {
			a.Record.State = persistence.State{Phase: persistence.Gone}
			g.elided++
		}
		if a.Waiter != nil {
			g.told = append(g.told, told{a.Waiter, a.Number})
		}
	}
	for _, w := range p.waits.front(n.waits) {
		if w.Waiter != nil {
			g.told = append(g.told, told{w.Waiter, w.Number})
		}
	}
	p.batches.drop(taken)
	p.appends.drop(n.appends)
	p.settles.drop(n.settles)
	p.changes.drop(n.changes)
	p.waits.drop(n.waits)
	p.bytes -= n.bytes
	p.changed -= n.changed
}

// Await implements persistence.Store.
func (s *Store) Await() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.err == nil && s.pending.bytes+s.writing > s.limits.pending {
		s.room.Wait()
	}
}

// told is somebody who waits, and the number by which.
type told struct {
	waiter persistence.Waiter
	number uint64
}

// tell tells all of them, with one call for neighbours who are the same. It
// uses numbers as memory and returns it.
func tell(all []told, err error, numbers []uint64) []uint64 {
	for i := 0; i < len(all); {
		w := all[i].waiter
		numbers = numbers[:0]
		for ; i < len(all) && all[i].waiter == w; i++ {
			numbers = append(numbers, all[i].number)
		}
		w.Done(numbers, err)
	}
	return numbers
}

// refuse tells everybody that it was not written.
func refuse(appends []persistence.Append, waits []persistence.Wait, err error) {
	all := make([]told, 0, len(appends)+len(waits))
	for _, a := range appends {
		if a.Waiter != nil {
			all = append(all, told{a.Waiter, a.Number})
		}
	}
	for _, w := range waits {
		if w.Waiter != nil {
			all = append(all, told{w.Waiter, w.Number})
		}
	}
	tell(all, err, nil)
}
