package dedup

import (
	"sync"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// Config is what a Window is made with.
type Config struct {
	Options
	// Kind is KindExchange or KindQueue: what the window belongs to. Name is its
	// name.
	Kind persistence.Kind
	Name string
	// Owner is the id of its definition, and Store where that is. Of an owner
	// that is not stored, id 0 or no Store, the window is in memory only.
	Owner uint64
	Store persistence.Store
}

// Window is the keys that an exchange or queue has seen last. Its methods may be
// called from any goroutine, but for those of the recovery.
type Window struct {
	// immutable
	header string
	size   int
	ttl    time.Duration
	kind   persistence.Kind
	name   string
	owner  uint64
	store  persistence.Store // nil: in memory only

	mu sync.Mutex
	// guarded by mu
	slots []slot         // a ring once there are size of them
	at    int            // the slot that the next key takes then
	order uint64         // of the last key
	index map[Key]uint32 // the slots, without the keys that came again
	open  map[Key]*Entry // the last of each key that is not settled
	err   error          // the store's, once it has failed
	over  bool           // the owner is gone
}

// slot is a key that was seen.
type slot struct {
	key     Key
	id      uint64 // of its definition, 0 if it is not stored
	order   uint64 // counts keys, from 1
	expires int64  // Unix nanoseconds, 0: never
}

// New returns an empty window.
func New(c Config) *Window {
	w := &Window{
		header: c.Header, size: c.Size, ttl: c.TTL, kind: c.Kind, name: c.Name,
		index: map[Key]uint32{}, open: map[Key]*Entry{},
	}
	if w.header == "" {
		w.header = DefaultHeader
	}
	if w.size == 0 {
		w.size = DefaultSize
	}
	if c.Owner != 0 && c.Store != nil {
		w.owner, w.store = c.Owner, c.Store
	}
	return w
}

// Len returns how many keys are remembered, with those whose time is over and
// whose room nobody has taken yet.
func (w *Window) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.index)
}

// Seen reports whether a message is a duplicate.
func (w *Window) Seen(s Subject) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seenLocked(s.Key)
}

func (w *Window) seenLocked(k Key) bool {
	if e := w.open[k]; e != nil && !e.kept {
		return true
	}
	at, ok := w.index[k]
	if !ok {
		return false
	}
	expires := w.slots[at].expires
	return expires == 0 || expires > time.Now().UnixNano()
}

// Enter reports whether a message is a duplicate. If it is not, its key counts as
// seen from now on, and the caller must Keep or Withdraw the entry, which may be
// nil for a key that is not to be remembered.
func (w *Window) Enter(s Subject) (e *Entry, duplicate bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.seenLocked(s.Key):
		return nil, true
	case s.TTL < 0 || w.over:
		return nil, false
	}
	e = &Entry{window: w, key: s.Key}
	if s.TTL > 0 {
		e.expires = time.Now().Add(s.TTL).UnixNano()
	}
	w.open[s.Key] = e
	return e, false
}

// Await lets somebody wait for the message of which a duplicate has come: it is
// told when that is in the store, or with the error if it never will be, perhaps
// before Await returns. False: there is nothing to wait for.
func (w *Window) Await(k Key, by persistence.Waiter, number uint64) bool {
	w.mu.Lock()
	err := w.err
	if e := w.open[k]; e != nil && err == nil {
		e.waiting = append(e.waiting, persistence.Wait{Waiter: by, Number: number})
		w.mu.Unlock()
		return true
	}
	w.mu.Unlock()
	if err != nil {
		by.Done([]uint64{number}, err)
	}
	return err != nil
}

// putLocked gives a key the oldest slot and returns what was there.
func (w *Window) putLocked(e *Entry) (at int, old slot) {
	if len(w.slots) < w.size {
		at = len(w.slots)
		w.growLocked()
	} else {
		at = w.at
		w.at = (at + 1) % w.size
		old = w.slots[at]
		if newest, ok := w.index[old.key]; ok && int(newest) == at {
			delete(w.index, old.key)
		}
	}
	w.order++
	w.slots[at] = slot{key: e.key, order: w.order, expires: e.expires}
	w.index[e.key] = uint32(at)
	return at, old
}

// growLocked adds a slot. There is never room for more than there may be.
func (w *Window) growLocked() {
	n := len(w.slots)
	if n == cap(w.slots) {
		more := make([]slot, n, min(max(2*n, 16), w.size))
		copy(more, w.slots)
		w.slots = more
	}
	w.slots = w.slots[:n+1]
}

// Close forgets all, because the owner is deleted: nothing is a duplicate any
// more. It returns the definitions of the keys, to be deleted.
func (w *Window) Close() (ids []uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for i := range w.slots {
		if id := w.slots[i].id; id != 0 {
			ids = append(ids, id)
		}
	}
	w.slots, w.at = nil, 0
	clear(w.index)
	return ids
}
