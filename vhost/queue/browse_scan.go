package queue

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// stepSizes bound the steps of a browse.
type stepSizes struct {
	note int // messages that are noted in a step, about
	look int // looked at in one hold of the lock, where they have no order
	read int // read from the store at a time,
	size int // and bytes of their bodies together, unless the first has more
}

// browseSteps are some 100 us under the lock, and some megabytes.
var browseSteps = stepSizes{note: 4096, look: 1 << 16, read: 256, size: 4 << 20}

// scan is a browse under way.
type scan struct {
	queue *Queue
	look  Look
	steps stepSizes
	at    Cursor
	done  bool

	level     uint8 // of the ready ones, once inLevel
	inLevel   bool
	horizon   uint64    // up to which place a step has noted all
	selected  selection // of what came back to the line, or of the state that it is at
	times     timeline
	sampledTo int64
	recovered uint64
}

// begin notes what is known of times.
func (s *scan) begin() {
	q := s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	s.recovered = q.core.recovered
	if q.core.past != nil {
		s.times, s.sampledTo = slices.Clone(q.core.past.timeline), q.core.sampleAt
	}
}

// step notes messages that come next, in order.
func (s *scan) step() []Browsed {
	if s.look.Skip[s.at.state] {
		s.horizon = math.MaxUint64
		return nil
	}
	if s.at.state != StateReady {
		return s.unordered()
	}
	return s.ready()
}

// arrive goes on behind what a step has noted.
func (s *scan) arrive() {
	switch {
	case s.horizon < math.MaxUint64:
		s.at.seq = max(s.at.seq, s.horizon)
	case s.at.state == StateReady && s.inLevel && s.level > 0:
		s.at = Cursor{state: StateReady, rank: math.MaxUint8 - s.level + 1}
	case s.at.state < states-1:
		s.at = Cursor{state: s.at.state + 1}
	default:
		s.done = true
	}
	if s.horizon == math.MaxUint64 {
		s.inLevel, s.selected = false, selection{}
	}
}

// ready notes ready messages of the priority that it is at.
func (s *scan) ready() []Browsed {
	s.horizon = math.MaxUint64
	parts := s.lift()
	if !s.inLevel {
		return nil
	}
	s.selected.fill(s.queue, returnedOf(s.level), &s.at, s.steps)
	var all []Browsed
	for _, p := range parts {
		all = p.browsed(all, s.at.seq, s.horizon)
	}
	taken, more := s.selected.upTo(s.horizon)
	if more > 0 {
		s.horizon = min(s.horizon, more)
		all = slices.DeleteFunc(all, func(b Browsed) bool { return b.ID > s.horizon })
	}
	all = append(all, taken...)
	slices.SortFunc(all, func(a, b Browsed) int { return cmp.Compare(a.ID, b.ID) })
	all = slices.CompactFunc(all, func(a, b Browsed) bool { return a.ID == b.ID })
	for i := range all {
		all[i].level = s.level
	}
	return all
}

// lift notes segments of the priority that it is at, which is the highest that is not
// shown yet.
func (s *scan) lift() []part {
	q := s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if !s.inLevel {
		for p := math.MaxUint8 - int(s.at.rank); p >= 0; p-- {
			if q.core.ready.used[p>>6]&(1<<(p&63)) != 0 {
				s.inLevel, s.level = true, uint8(p)
				break
			}
		}
		if !s.inLevel {
			return nil
		}
		if rank := math.MaxUint8 - s.level; rank != s.at.rank {
			s.at = Cursor{state: StateReady, rank: rank}
		}
	}
	parts, horizon := q.core.ready.line(s.level).lift(s.at.seq, s.steps.note)
	s.horizon = horizon
	return parts
}

// unordered notes what is next of what has no order.
func (s *scan) unordered() []Browsed {
	var from unordered = unackedAll{}
	if s.at.state == StateDelayed {
		from = heldAll{}
	}
	s.selected.fill(s.queue, from, &s.at, s.steps)
	found := s.selected.list
	s.selected.list = nil
	// The cursor is moved by what is shown; arrive is to leave it there.
	s.horizon = math.MaxUint64
	if s.selected.more {
		s.horizon = 0
	}
	return found
}

// show has messages read and shown, those that are wanted. It reports whether to go on.
func (s *scan) show(found []Browsed, visit func(*Browsed) bool) (more bool, err error) {
	var batch []*Browsed
	away, bytes := 0, 0
	for i := range found {
		b := &found[i]
		if s.look.Until > 0 && b.ID > s.look.Until {
			continue
		}
		s.describe(b)
		if s.look.Pick != nil && !s.look.Pick(b) {
			continue
		}
		if b.it.msg == nil {
			if away == s.steps.read || away > 0 && bytes+b.Size > s.steps.size {
				if more, err := s.showBatch(batch, visit); err != nil || !more {
					return false, err
				}
				batch, away, bytes = batch[:0], 0, 0
			}
			away++
			bytes += b.Size
		}
		batch = append(batch, b)
	}
	if more, err := s.showBatch(batch, visit); err != nil || !more {
		return false, err
	}
	if n := len(found); n > 0 {
		s.pass(&found[n-1])
	}
	return true, nil
}

func (s *scan) showBatch(batch []*Browsed, visit func(*Browsed) bool) (more bool, err error) {
	if err := s.read(batch); err != nil {
		return false, err
	}
	for _, b := range batch {
		if b.Message == nil {
			continue // it has gone, or cannot be read
		}
		s.pass(b)
		more := visit(b)
		b.Message = nil // or all that a step has found would be in memory together
		if !more {
			return false, nil
		}
	}
	return true, nil
}

// pass moves the cursor behind a message.
func (s *scan) pass(b *Browsed) { s.at.due, s.at.seq = b.due, b.ID }

// read reads what is in the store only.
func (s *scan) read(batch []*Browsed) (err error) {
	var refs []persistence.Ref
	var missing []*Browsed
	for _, b := range batch {
		if b.Message == nil {
			refs, missing = append(refs, b.ref), append(missing, b)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	s.queue.core.store.Read(refs, func(i int, r *persistence.Record, failure error) {
		switch {
		case failure == nil:
			b := missing[i]
			r.Message.Redelivered = b.Redelivered // the store has not kept it
			b.Message, b.Again = r.Message, b.Again || b.Redelivered
		case !errors.Is(failure, persistence.ErrDamaged):
			err = failure
		}
	})
	return err
}

// describe fills in what visit is told besides.
func (s *scan) describe(b *Browsed) {
	b.Message, b.Size = b.it.msg, int(b.it.size)
	b.Returns, b.Redelivered = b.it.returns, b.it.redelivered
	b.Again = b.ID <= s.recovered || b.it.msg != nil && b.it.msg.Redelivered
	b.Expires, b.Due = timeOf(b.it.expires), timeOf(b.due)
	from, to, ok := s.times.taken(b.ID)
	switch i := s.times.find(b.ID); {
	case i >= 0 && s.times[i].seq == b.ID:
		to = from
	case !ok:
		to = s.sampledTo
	}
	b.CameAfter, b.CameBefore = timeOf(from), timeOf(to)
}

// timeOf returns a time in Unix nanoseconds, zero for 0.
func timeOf(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}
