package queue

import (
	"errors"
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// Held is a message that waits for its time, as it is listed.
type Held struct {
	// Number names the message in its queue for CancelHeld.
	Number uint64
	Due    time.Time
	// Returns is how often it was handed out and came back.
	Returns uint32
	Message *amqp.Message
}

// Held lists what the queue holds, by the time at which it is due: at most limit
// messages, without the first offset, and how many there are. Those that are in
// the store only are read; what goes on meanwhile is left out. To list costs as
// much as sorting all. The error is the store's.
func (q *Queue) Held(offset, limit int) (list []Held, total int, err error) {
	all := q.heldAll()
	total = len(all)
	if offset < 0 || offset >= total || limit <= 0 {
		return nil, total, nil
	}
	slices.SortFunc(all, compareHeld)
	all = all[offset:min(offset+limit, total)]
	var refs []persistence.Ref
	var missing []int
	for i := range all {
		if all[i].msg == nil {
			refs, missing = append(refs, all[i].ref), append(missing, i)
		}
	}
	if len(refs) > 0 {
		q.core.store.Read(refs, func(k int, r *persistence.Record, failure error) {
			switch {
			case failure == nil:
				all[missing[k]].msg = r.Message
			case !errors.Is(failure, persistence.ErrDamaged):
				err = failure
			}
		})
	}
	for i := range all {
		if h := &all[i]; h.msg != nil {
			list = append(list, Held{Number: h.seq, Due: time.Unix(0, h.due), Returns: h.returns, Message: h.msg})
		}
	}
	return list, total, err
}

// listed is what Held sorts.
type listed struct {
	due     int64
	seq     uint64
	returns uint32
	msg     *amqp.Message
	ref     persistence.Ref
}

func compareHeld(a, b listed) int {
	if a.due != b.due {
		if a.due < b.due {
			return -1
		}
		return 1
	}
	return int(int64(a.seq - b.seq))
}

func (q *Queue) heldAll() []listed {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.core.held
	if h == nil {
		return nil
	}
	all := make([]listed, 0, h.count())
	for i := range h.near {
		it := &h.near[i]
		all = append(all, listed{due: it.due, seq: it.seq, returns: it.returns, msg: it.msg})
	}
	for _, part := range [][]heldAway{h.away, h.loading} {
		for i := range part {
			a := &part[i]
			all = append(all, listed{due: a.due, seq: a.seq, returns: a.returns, ref: a.ref()})
		}
	}
	return all
}

// CancelHeld drops a message that the queue holds, by its number, and reports
// whether it was there. One that is being read because it is due soon is not.
func (q *Queue) CancelHeld(number uint64, fx *Effects) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := &q.core
	h := c.held
	if h == nil {
		return false
	}
	if i := slices.IndexFunc(h.near, func(it heldItem) bool { return it.seq == number }); i >= 0 {
		it := h.near.remove(i)
		c.unhold(&it)
		c.settle(&it.item, fx)
	} else if i := slices.IndexFunc(h.away, func(a heldAway) bool { return a.seq == number }); i >= 0 {
		a := h.away.remove(i)
		h.bytes -= int64(a.size)
		h.recorded--
		fx.Use(c.store)
		fx.Settle(a.record(c.id), 0)
	} else {
		return false
	}
	q.afterLocked(time.Now().UnixNano())
	return true
}
