package queue

import (
	"cmp"
	"slices"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// Recovery puts the places of a queue into order as they come, and packs them
// at once: a message costs some bits, and nothing is read. Places come nearly in
// order, so a window is enough for most. What comes too late for that, such as
// messages that the store has moved, is sorted by itself and makes a fifo of its
// own beside the others.

// lateMax is how many places that came too late are sorted at once.
const lateMax = 1 << 18

// recovery is a queue's, for as long as places come.
type recovery struct {
	zero    builder
	levels  []*builder
	lateMax int
	started int64  // Unix nanoseconds: what is due later is held
	place   placed // the one that comes, so that it is no allocation
}

// builder makes the line of one priority.
type builder struct {
	line    *line
	window  window
	fresh   stack
	next    func(*placed) // fresh.add
	late    []placed
	lateMax int
}

// stack packs placed into segments of a fifo.
type stack struct {
	fifo   *fifo
	packer packer
	first  placed
	count  int
	bytes  int64
	bodies int64
}

func newRecovery(maxPriority uint8, lateMax int) *recovery {
	return &recovery{started: time.Now().UnixNano(), lateMax: lateMax, levels: make([]*builder, maxPriority)}
}

// Recover adds a message that was found in the store at start. It may be called
// by one goroutine, before anybody else has the queue. The places of a queue may
// come in any order; at best it is nearly that of Seq.
func (q *Queue) Recover(r persistence.Recovered) {
	c := &q.core
	if q.recovery == nil {
		q.recovery = newRecovery(c.limits.MaxPriority, lateMax)
	}
	c.nextSeq = max(c.nextSeq, r.Seq)
	if c.passesOn || r.Due > q.recovery.started {
		c.holds().recover(r)
		return
	}
	q.recovery.place = placed{r.Ref, r.Seq, r.Expires, r.Size, r.Returns, true}
	q.recovery.at(c, r.Priority).add(&q.recovery.place)
	c.ready.count++
	c.away++
	c.recorded++
	c.bytes += int64(r.Size)
	c.lasting.count++ // else it would have been dropped
	c.lasting.bytes += int64(r.Size)
	if r.Expires != 0 {
		c.mortal++
	}
}

// Recovered ends the recovery: from now on the queue can be used. A queue
// without a Pager reads all of its messages into memory; the error is the
// store's.
func (q *Queue) Recovered() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.recovery == nil {
		return nil
	}
	q.recovery.zero.finish()
	for _, b := range q.recovery.levels {
		if b != nil {
			b.finish()
		}
	}
	q.core.pastOf().timeline.add(q.core.nextSeq, q.recovery.started, 0)
	q.recovery = nil
	q.core.recovered = q.core.nextSeq
	if q.opts.Pager == nil {
		if err := q.loadAllLocked(); err != nil {
			return err
		}
		if err := q.loadHeldLocked(); err != nil {
			return err
		}
	}
	q.afterLocked(q.nowLocked(nil))
	return nil
}

// loadAllLocked reads all messages.
func (q *Queue) loadAllLocked() error {
	var loads []*load
	for p, ln := range q.core.ready.all {
		for f := range ln.fifos {
			for s := f.head; s != nil; s = s.next {
				if s.packed == nil {
					continue
				}
				loads = append(loads, &load{line: ln, level: p, fifo: f, seg: s})
			}
		}
	}
	var fx Effects
	for _, l := range loads {
		if err := l.read(q.core.store); err != nil {
			return err
		}
		q.core.install(l, &fx)
	}
	fx.WakeAll()
	return nil
}

func (r *recovery) at(c *core, priority uint8) *builder {
	ln, p := c.ready.at(priority)
	b := &r.zero
	if p > 0 {
		if r.levels[p-1] == nil {
			r.levels[p-1] = new(builder)
		}
		b = r.levels[p-1]
	}
	if b.line == nil {
		*b = builder{line: ln, fresh: stack{fifo: &ln.fresh}, lateMax: r.lateMax}
		b.next = b.fresh.add
		c.ready.used[p>>6] |= 1 << (p & 63)
	}
	return b
}

func (b *builder) add(p *placed) {
	if !b.window.add(p, b.next) {
		return
	}
	if b.late = append(b.late, *p); len(b.late) >= b.lateMax {
		b.stackLate()
	}
}

func (b *builder) stackLate() {
	slices.SortFunc(b.late, func(a, b placed) int { return cmp.Compare(a.seq, b.seq) })
	s := stack{fifo: new(fifo)}
	for i := range b.late {
		s.add(&b.late[i])
	}
	s.seal()
	b.line.late = append(b.line.late, s.fifo)
	b.late = b.late[:0]
}

func (b *builder) finish() {
	b.window.flush(b.next)
	b.fresh.seal()
	if len(b.late) > 0 {
		b.stackLate()
	}
}

func (s *stack) add(p *placed) {
	if s.count == 0 {
		s.first = *p
	}
	s.packer.add(p)
	s.count++
	s.bytes += int64(p.size) + messageCost
	s.bodies += int64(p.size)
	if s.count == segmentMax || s.bytes >= segmentBytes {
		s.seal()
	}
}

// seal ends a segment.
func (s *stack) seal() {
	if s.count > 0 {
		s.fifo.add(&segment{packed: s.packer.take(), end: s.count, stub: s.first.item(), lasting: extent{s.count, s.bodies}})
	}
	s.count, s.bytes, s.bodies = 0, 0, 0
}
