package queue

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// Pager keeps the messages of all queues of a broker within a limit of memory:
// those of deep queues are in the store only, but for the head. It brings them
// back when they are next, and settles what was purged.
//
// It has three goroutines, so that consumers do not wait for the disk because
// of something that can: the sweeper takes out, the loader brings back, the
// settler settles. None of them holds a lock while it calls a queue.
type Pager struct {
	// immutable
	store     persistence.Store
	high, low int64
	closing   chan struct{}
	sweeps    chan struct{} // wakes the sweeper: there is too much,
	written   chan struct{} // or something was stored;
	loads     chan struct{} // the loader
	settles   chan struct{} // and the settler

	memory   atomic.Int64 // of the messages that are in memory
	spilling atomic.Int64 // of those that were handed to the store to be taken out

	hopeful atomic.Bool  // the sweeper gets on
	waiting atomic.Int32 // for room

	all sync.WaitGroup

	mu   sync.Mutex
	room sync.Cond // uses mu; signalled when Await may have to return
	// guarded by mu
	queues map[*Queue]struct{}
	asking []*Queue // want messages
	gone   []*remains
}

// NewPager returns a pager that takes messages out of memory when those of its
// queues take more than high bytes, until they take less than low; with high 0
// it takes out none. That counts ready messages, about; not those unacked. The
// pager is to be closed.
func NewPager(store persistence.Store, high, low int64) *Pager {
	p := &Pager{
		store: store, high: high, low: low, closing: make(chan struct{}),
		sweeps: make(chan struct{}, 1), written: make(chan struct{}, 1), loads: make(chan struct{}, 1), settles: make(chan struct{}, 1),
		queues: map[*Queue]struct{}{},
	}
	p.room.L = &p.mu
	p.all.Go(p.sweepAlways)
	p.all.Go(p.loadAlways)
	p.all.Go(p.settleAlways)
	return p
}

// Close stops the pager and waits for it. All of its queues must be closed or
// deleted before, and the store is closed after. What was purged is settled to
// the end; what was in deleted queues is not, for it does not come back.
func (p *Pager) Close() {
	close(p.closing)
	p.free()
	p.all.Wait()
}

// Memory returns how many bytes ready messages take in memory, about.
func (p *Pager) Memory() int64 { return p.memory.Load() }

// Await blocks while much more is in memory than should be and the disk is busy
// taking it out, which is how publishers of transient messages are slowed down
// to the speed of the disk. It returns at once if there is nothing to wait for.
// The caller holds no lock.
func (p *Pager) Await() {
	if !p.crowded() {
		return
	}
	p.waiting.Add(1)
	p.mu.Lock()
	for p.crowded() {
		p.room.Wait()
	}
	p.mu.Unlock()
	p.waiting.Add(-1)
}

// crowded is what Await waits to end.
func (p *Pager) crowded() bool {
	return p.high > 0 && p.memory.Load() > p.high+p.high/2 && p.hopeful.Load() && !p.closes()
}

// free lets those go on who wait for room, or look again.
func (p *Pager) free() {
	p.mu.Lock()
	p.room.Broadcast()
	p.mu.Unlock()
}

func (p *Pager) enter(q *Queue) {
	p.mu.Lock()
	p.queues[q] = struct{}{}
	p.mu.Unlock()
}

func (p *Pager) leave(q *Queue) {
	p.mu.Lock()
	delete(p.queues, q)
	p.mu.Unlock()
}

// count hears that a queue's messages take d bytes more.
func (p *Pager) count(d int64) {
	switch n := p.memory.Add(d); {
	case d > 0 && p.high > 0 && n > p.high:
		kick(p.sweeps)
	case d < 0 && p.waiting.Load() > 0:
		p.free()
	}
}

// ask hears that a queue wants messages.
func (p *Pager) ask(q *Queue) {
	p.mu.Lock()
	p.asking = append(p.asking, q)
	p.mu.Unlock()
	kick(p.loads)
}

// settle takes over what is to be settled.
func (p *Pager) settle(r *remains) {
	p.mu.Lock()
	p.gone = append(p.gone, r)
	p.mu.Unlock()
	kick(p.settles)
}

// kick wakes a goroutine, or lets it go on once more when it is done.
func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// rest waits for a kick or, if pause is not 0, that long at most. It returns
// false when the pager closes.
func (p *Pager) rest(kicks chan struct{}, pause time.Duration) bool {
	var clock <-chan time.Time
	if pause > 0 {
		clock = time.After(pause)
	}
	select {
	case <-p.closing:
		return false
	case <-kicks:
	case <-clock:
	}
	return true
}

// closes reports whether the pager is being closed.
func (p *Pager) closes() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}
