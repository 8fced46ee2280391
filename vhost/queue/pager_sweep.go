package queue

import (
	"cmp"
	"slices"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// spillMax bounds the messages that are being written to be taken out of
// memory.
const spillMax = 8 << 20

// While there is too much in memory, the sweeper looks again at these intervals
// for what can leave: the shorter while something could.
const (
	sweepPause    = 5 * time.Millisecond
	sweepPauseMax = 100 * time.Millisecond
)

// sweeper is what the sweeper's goroutine owns.
type sweeper struct {
	*Pager
	batch  persistence.Batch
	packer packer
	queues []deepQueue
}

// deepQueue is a queue and how much of it is in memory.
type deepQueue struct {
	queue  *Queue
	memory int64
}

// sweepAlways is the sweeper.
func (p *Pager) sweepAlways() {
	w := sweeper{Pager: p}
	for p.rest(p.sweeps, 0) {
		pause := sweepPause
		for p.memory.Load() > p.high {
			pause = min(2*pause, sweepPauseMax)
			if w.sweep() {
				pause = sweepPause
			} else if p.spilling.Load() == 0 {
				p.hopeful.Store(false)
				p.free()
			}
			if !p.rest(p.written, pause) {
				return
			}
		}
	}
}

// sweep takes messages out of memory, of the deepest queues first, until there
// is little enough: first what is behind the heads, and if that is not enough
// all that nobody takes. It reports whether it could do anything.
func (w *sweeper) sweep() (worked bool) {
	w.hopeful.Store(true)
	w.deepest()
	for _, deep := range []bool{false, true} {
		for _, d := range w.queues {
			for w.excess() > 0 && !w.closes() && w.step(d.queue, deep) {
				worked = true
			}
		}
		if w.spilling.Load() >= spillMax {
			break // it may be enough once it is written
		}
	}
	return worked
}

// excess is how much is to leave memory, besides what is on its way.
func (w *sweeper) excess() int64 { return w.memory.Load() - w.spilling.Load() - w.low }

// step makes one step, and reports whether it was of use.
func (w *sweeper) step(q *Queue, deep bool) bool {
	o := step{segments: stepSegments, tries: stepTries, least: packItems, shelf: shelfMin,
		spill: spillMax - w.spilling.Load(), batch: &w.batch, writer: w.Pager, packer: &w.packer}
	q.pageOut(&o, deep)
	w.hand()
	return o.done
}

// hand gives the store what is to be written, without a lock held.
func (w *sweeper) hand() {
	for i := range w.batch.Appends {
		w.spilling.Add(int64(w.batch.Appends[i].Number))
	}
	if !w.batch.Empty() {
		w.store.Write(&w.batch)
	}
}

// deepest lists the queues, those first that have most in memory.
func (w *sweeper) deepest() {
	clear(w.queues)
	w.queues = w.queues[:0]
	w.mu.Lock()
	for q := range w.Pager.queues {
		if n := q.paging.reported.Load(); n > 0 {
			w.queues = append(w.queues, deepQueue{q, n})
		}
	}
	w.mu.Unlock()
	slices.SortFunc(w.queues, func(a, b deepQueue) int { return cmp.Compare(b.memory, a.memory) })
}

// Done implements persistence.Waiter for what the sweeper hands to the store:
// the numbers are bytes of memory. What could not be written stays in memory.
func (p *Pager) Done(numbers []uint64, _ error) {
	for _, n := range numbers {
		p.spilling.Add(-int64(n))
	}
	kick(p.written)
}
