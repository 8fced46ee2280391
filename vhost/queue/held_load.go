package queue

import (
	"errors"
	"slices"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// heldSlice is how many messages are taken or put back under one hold of the
// queue's lock, some milliseconds' work.
const heldSlice = 4096

// heldLoad is what is held and being read, in the order in which it is due.
type heldLoad struct {
	all   []heldAway
	items []heldItem // as all; without a message where it cannot be read any more
	bytes int64
	done  int // items that are in place again
}

// takeHeld takes what is to be read next; it stays counted. Nil if there is
// nothing, or if all is gone since purges.
func (q *Queue) takeHeld(purges uint64) *heldLoad {
	now := time.Now().UnixNano()
	l := &heldLoad{}
	for more := true; more; {
		q.mu.Lock()
		more = q.core.purges == purges && q.core.held.take(l, now)
		q.mu.Unlock()
	}
	if len(l.all) == 0 {
		return nil
	}
	return l
}

// take takes a slice of what is to be read, and reports whether there is more.
func (h *heldSet) take(l *heldLoad, now int64) (more bool) {
	if h == nil || !h.want {
		return false
	}
	if len(h.away) == 0 {
		h.want = len(h.loading) > 0
		return false
	}
	for n := 0; len(h.away) > 0 && len(h.loading) < heldLoadItems && l.bytes < heldLoadBytes &&
		(len(h.loading) == 0 || h.away[0].due <= now+heldNear); n++ {
		if n == heldSlice {
			return true
		}
		a := h.away.pop()
		l.bytes += int64(a.size) + messageCost
		h.loading = append(h.loading, a)
		l.all = h.loading
	}
	return false
}

// read reads the messages, without a lock.
func (l *heldLoad) read(store persistence.Store) (failure error) {
	if l == nil {
		return nil
	}
	order := make([]int, len(l.all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareAway(&l.all[a], &l.all[b]) })
	refs := make([]persistence.Ref, len(order))
	for k, i := range order {
		refs[k] = l.all[i].ref()
	}
	l.items = make([]heldItem, len(l.all))
	store.Read(refs, func(k int, r *persistence.Record, err error) {
		i := order[k]
		a := &l.all[i]
		switch {
		case err == nil:
			r.Message.Redelivered = a.redelivered // the store has not kept it
			l.items[i] = heldItem{
				item: item{msg: r.Message, rec: r, seq: a.seq, expires: r.Places[0].Expires, size: a.size,
					returns: a.returns, redelivered: a.redelivered},
				due: a.due, why: reasons[a.why]}
		case !errors.Is(err, persistence.ErrDamaged):
			failure = err
		}
	})
	return failure
}

func compareAway(a, b *heldAway) int {
	switch {
	case a.chunk < b.chunk:
		return -1
	case a.chunk > b.chunk:
		return 1
	}
	return int(int64(a.index) - int64(b.index))
}

// installHeldLocked takes in what was read, slice by slice, and returns with
// q.mu held. After a failure all is away again. What was purged since is left.
func (q *Queue) installHeldLocked(l *heldLoad, failure error, purges uint64, fx *Effects) {
	for l != nil && q.core.purges == purges && q.core.installHeld(l, failure, fx) {
		q.mu.Unlock()
		q.mu.Lock()
	}
}

// installHeld takes in a slice, and reports whether there is more.
func (c *core) installHeld(l *heldLoad, failure error, fx *Effects) (more bool) {
	h := c.held
	if failure != nil {
		for _, a := range h.loading {
			h.away.push(a)
		}
		h.loading = nil
		return false
	}
	end := min(l.done+heldSlice, len(l.items))
	for i := l.done; i < end; i++ {
		it := &l.items[i]
		if it.msg == nil {
			c.loseHeld(&l.all[i], fx)
			continue
		}
		h.near.push(*it)
		n := it.memory()
		h.memory += n
		c.memory += n
	}
	l.done = end
	if end < len(l.items) {
		h.loading = l.all[end:]
		return true
	}
	h.loading, h.want = nil, false
	return false
}

// loseHeld gives up a message that cannot be read.
func (c *core) loseHeld(a *heldAway, fx *Effects) {
	fx.Use(c.store)
	fx.Settle(a.record(c.id), 0)
	c.counts.Damaged++
	c.held.recorded--
	c.held.bytes -= int64(a.size)
}

// record returns the record of what is away, to be settled.
func (h *heldAway) record(id persistence.QueueID) *persistence.Record {
	return persistence.StoredRecord(nil, persistence.Place{Queue: id, Seq: h.seq, Due: h.due}, h.ref())
}

// recover takes in a message that was found in the store at start.
func (h *heldSet) recover(r persistence.Recovered) {
	h.away.push(heldAway{due: r.Due, seq: r.Seq, chunk: r.Ref.Chunk, index: r.Ref.Index,
		size: r.Size, returns: r.Returns, redelivered: true})
	h.bytes += int64(r.Size)
	h.recorded++
}

// loadHeldLocked reads all that is held.
func (q *Queue) loadHeldLocked() error {
	h := q.core.held
	if h == nil || len(h.away) == 0 {
		return nil
	}
	h.loading, h.away = h.away, nil
	l := &heldLoad{all: h.loading}
	err := l.read(q.core.store)
	var fx Effects
	q.installHeldLocked(l, err, q.core.purges, &fx)
	fx.WakeAll()
	return err
}
