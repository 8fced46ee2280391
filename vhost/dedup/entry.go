package dedup

import "github.com/leveretmq/leveret/persistence"

// Notes collect what is to be stored together, as queue.Effects do.
type Notes interface {
	Use(persistence.Store)
	Change(persistence.Change)
	Wait(w persistence.Waiter, number uint64)
}

// Entry is a key that came with a message which is on its way. A nil Entry is one
// of a message without a key: nothing is done for it.
type Entry struct {
	window  *Window
	key     Key
	expires int64

	// guarded by the window's mu
	kept    bool
	waiting []persistence.Wait // duplicates, to be told what becomes of it
}

// Keep remembers the key for good. n is that of the message: the store has both
// or none.
func (e *Entry) Keep(n Notes) {
	if e == nil {
		return
	}
	w := e.window
	var id uint64
	if w.store != nil {
		id = w.store.NewID()
	}
	w.mu.Lock()
	if w.over || id == 0 {
		if !w.over {
			w.putLocked(e)
		}
		told := e.settleLocked()
		w.mu.Unlock()
		tell(told, nil)
		return
	}
	e.kept = true
	at, old := w.putLocked(e)
	w.slots[at].id = id
	d := Definition{Owner: w.owner, Order: w.slots[at].order, Expires: e.expires, Key: e.key}
	w.mu.Unlock()
	n.Use(w.store)
	n.Change(persistence.Change{Definition: persistence.Definition{
		Kind: persistence.KindDuplicate, ID: id, Body: d.Encode(),
	}})
	if old.id != 0 {
		n.Change(persistence.Change{Definition: persistence.Definition{
			Kind: persistence.KindDuplicate, ID: old.id,
		}, Delete: true})
	}
	n.Wait(e, 0)
}

// Withdraw forgets the key again, because nobody has taken the message. The
// duplicates that came meanwhile end as it did: err is nil if it counts as done.
func (e *Entry) Withdraw(err error) {
	if e == nil {
		return
	}
	e.window.mu.Lock()
	told := e.settleLocked()
	e.window.mu.Unlock()
	tell(told, err)
}

// Done implements persistence.Waiter: the store has the key and the message, or
// will never have them.
func (e *Entry) Done(_ []uint64, err error) {
	w := e.window
	w.mu.Lock()
	if err != nil {
		w.err = err
	}
	told := e.settleLocked()
	w.mu.Unlock()
	tell(told, err)
}

// settleLocked ends the entry and returns who is to be told.
func (e *Entry) settleLocked() (told []persistence.Wait) {
	if w := e.window; w.open[e.key] == e {
		delete(w.open, e.key)
	}
	told, e.waiting = e.waiting, nil
	return told
}

func tell(all []persistence.Wait, err error) {
	for _, t := range all {
		t.Waiter.Done([]uint64{t.Number}, err)
	}
}
