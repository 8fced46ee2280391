package queue

import (
	"errors"
	"slices"

	"github.com/leveretmq/leveret/persistence"
)

// heldLoad is what is held and being read.
type heldLoad struct {
	all   []heldAway
	items []heldItem
	lost  []heldAway // what cannot be read any more
}

// take takes what is to be read next; it stays counted. Nil if there is nothing.
func (h *heldSet) take(now int64) *heldLoad {
	if h == nil || !h.want {
		return nil
	}
	if len(h.away) == 0 {
		h.want = false
		return nil
	}
	bytes := int64(0)
	for len(h.away) > 0 && len(h.loading) < heldLoadItems && bytes < heldLoadBytes &&
		(len(h.loading) == 0 || h.away[0].due <= now+heldNear) {
		a := h.away.pop()
		bytes += int64(a.size) + messageCost
		h.loading = append(h.loading, a)
	}
	return &heldLoad{all: h.loading}
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
	store.Read(refs, func(k int, r *persistence.Record, err error) {
		a := &l.all[order[k]]
		switch {
		case err == nil:
			r.Message.Redelivered = a.redelivered // the store has not kept it
			l.items = append(l.items, heldItem{
				item: item{msg: r.Message, rec: r, seq: a.seq, expires: r.Places[0].Expires, size: a.size,
					returns: a.returns, redelivered: a.redelivered},
				due: a.due, why: reasons[a.why]})
		case errors.Is(err, persistence.ErrDamaged):
			l.lost = append(l.lost, *a)
		default:
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

// installHeld takes in what was read. After a failure all is away again.
func (c *core) installHeld(l *heldLoad, failure error, fx *Effects) {
	if l == nil {
		return
	}
	h := c.held
	h.loading = nil
	if failure != nil {
		for _, a := range l.all {
			h.away.push(a)
		}
		return
	}
	h.want = false
	for _, it := range l.items {
		h.near.push(it)
		n := it.memory()
		h.memory += n
		c.memory += n
	}
	for i := range l.lost {
		a := &l.lost[i]
		fx.Use(c.store)
		fx.Settle(a.record(c.id), 0)
		c.counts.Damaged++
		h.recorded--
		h.bytes -= int64(a.size)
	}
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
	q.core.installHeld(l, err, &fx)
	fx.WakeAll()
	return err
}
