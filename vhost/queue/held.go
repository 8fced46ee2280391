package queue

import (
	"github.com/leveretmq/leveret/persistence"
)

// What is held is near, in memory, or away, in the store only and an entry of
// 40 bytes here. It goes away when it takes heldMemory and is not due for
// heldNear; it is brought back, heldLoadBytes at a time, when it is due in less
// than heldAhead, with what is due heldNear later: what was published in another
// order than it is due lies scattered on disk, so that few large reads are best.
const (
	heldMemory    = 4 << 20
	heldStep      = 1 << 20
	heldMax       = 32 << 20
	heldLoadBytes = 24 << 20
	heldLoadItems = 1 << 16
	heldAhead     = 4e9 // nanoseconds
	heldNear      = 8e9
)

// heldItem is a message in the queue whose time has not come.
type heldItem struct {
	item
	due int64 // Unix nanoseconds
	// why is set if it is a dead letter that nobody has taken yet.
	why Reason
}

func (h heldItem) at() (int64, uint64) { return h.due, h.seq }

// heldAway is a heldItem whose message is in the store only.
type heldAway struct {
	due                  int64
	seq, chunk           uint64
	index, size, returns uint32
	why                  uint8 // a place in reasons
	redelivered          bool
}

func (h heldAway) at() (int64, uint64) { return h.due, h.seq }

func (h *heldAway) ref() persistence.Ref { return persistence.Ref{Chunk: h.chunk, Index: h.index} }

// reasons are numbered for heldAway.
var reasons = [...]Reason{"", Rejected, Expired, MaxLen, DeliveryLimit}

func reasonNumber(r Reason) uint8 {
	for i := range reasons {
		if reasons[i] == r {
			return uint8(i)
		}
	}
	return 0
}

// heldSet is the messages of a queue that wait for their time.
type heldSet struct {
	near    dueHeap[heldItem]
	away    dueHeap[heldAway]
	loading []heldAway // taken from away, being read

	memory   int64 // of near
	bytes    int64 // bodies of all
	recorded int   // that the store knows
	sweepAt  int64 // how much memory is too much
	want     bool  // what is away is to be read
}

func (h *heldSet) count() int {
	if h == nil {
		return 0
	}
	return len(h.near) + len(h.away) + len(h.loading)
}

// size is the bytes of all bodies.
func (h *heldSet) size() int64 {
	if h == nil {
		return 0
	}
	return h.bytes
}

// wants reports whether something is to be read.
func (h *heldSet) wants() bool { return h != nil && h.want }

// holds returns what is held, to be added to.
func (c *core) holds() *heldSet {
	if c.held == nil {
		c.held = new(heldSet)
	}
	return c.held
}

// hold lets a message wait.
func (c *core) hold(it heldItem, now int64, fx *Effects) {
	h := c.holds()
	h.near.push(it)
	h.bytes += int64(it.size)
	if it.rec != nil {
		h.recorded++
	}
	n := it.memory()
	h.memory += n
	c.memory += n
	if c.pages && h.memory >= max(h.sweepAt, heldMemory) {
		c.sweepHeld(now, func(rec *persistence.Record, _ int64) {
			fx.Use(c.store)
			fx.Append(rec, nil, 0)
		})
		h.sweepAt = h.nextSweep()
	}
}

// nextSweep is when sweepHeld is worth its while again, in bytes of memory: it
// looks at all that is near.
func (h *heldSet) nextSweep() int64 { return h.memory + max(heldStep, h.memory/4) }

// sweepHeld takes out of memory what is not due soon and in the store; what is
// in memory only is given a record, for store, and leaves next time. It reports
// whether it could do anything.
func (c *core) sweepHeld(now int64, store func(*persistence.Record, int64)) (done bool) {
	h := c.held
	kept := h.near[:0]
	for i := range h.near {
		it := &h.near[i]
		if it.due <= now+heldNear {
			kept = append(kept, *it)
			continue
		}
		if it.rec == nil {
			it.rec = c.spillRecord(&it.item, it.due)
			it.place = 0
			h.recorded++
			store(it.rec, it.memory())
			done = true
		}
		ref, ok := it.rec.Ref(int(it.place))
		if !ok {
			kept = append(kept, *it)
			continue
		}
		h.away.push(heldAway{due: it.due, seq: it.seq, chunk: ref.Chunk, index: ref.Index, size: it.size,
			returns: it.returns, why: reasonNumber(it.why), redelivered: it.redelivered})
		n := it.memory()
		h.memory -= n
		c.memory -= n
		done = true
	}
	clear(h.near[len(kept):])
	h.near = kept
	h.near.order()
	return done
}

// spillRecord makes the record of a message that is in memory only, to take it
// out of memory. From now on it is settled like others when it leaves the queue.
func (c *core) spillRecord(it *item, due int64) *persistence.Record {
	if c.spills == 0 {
		if c.spills = c.id; c.spills == 0 {
			c.spills = persistence.QueueID(c.store.NewID())
		}
	}
	rec := persistence.NewRecord(it.msg)
	rec.Transient = true
	rec.Add(persistence.Place{Queue: c.spills, Seq: it.seq, Expires: it.expires, Returns: it.returns, Due: due})
	return rec
}

// release lets go on what is due, up to most messages, in the order in which
// they are due. It reports whether there was anything.
func (c *core) release(now int64, most int, fx *Effects) (some bool) {
	h := c.held
	if h == nil {
		return false
	}
	var back bool
	for n := 0; n < most && len(h.near) > 0 && h.near[0].due <= now; n++ {
		if h.awaits() {
			break // the loader goes on with this
		}
		some = true
		it := h.near.pop()
		c.unhold(&it)
		switch {
		case it.why != "":
			c.drop(&it.item, it.why, fx)
		case c.passesOn:
			fx.due = append(fx.due, Due{Queue: c.owner, Message: it.msg, Again: c.again(&it.item)})
			c.settle(&it.item, fx)
		default:
			c.enter(&it.item)
			c.ready.putBack(it.item)
			back = true
		}
	}
	if back {
		c.trim(fx)
		c.dispatch(now, fx)
	}
	return some
}

// unhold stops counting a message that was near.
func (c *core) unhold(it *heldItem) {
	h := c.held
	n := it.memory()
	h.memory -= n
	c.memory -= n
	h.bytes -= int64(it.size)
	if it.rec != nil {
		h.recorded--
	}
	h.sweepAt = min(h.sweepAt, h.nextSweep())
}

// awaits reports whether what is first of all is not near.
func (h *heldSet) awaits() bool {
	for _, part := range [...][]heldAway{h.away, h.loading} {
		if len(part) > 0 && (len(h.near) == 0 || earlier(&part[0], &h.near[0])) {
			return true
		}
	}
	return false
}

func earlier(a *heldAway, n *heldItem) bool {
	return a.due < n.due || a.due == n.due && a.seq < n.seq
}

// mayLoad reports whether something is to be brought back, when its time comes.
func (h *heldSet) mayLoad() bool {
	return len(h.away) > 0 && len(h.loading) == 0 && (h.memory < heldMax || h.awaits())
}

// wantsLoad reports whether what is away is to be brought back now.
func (h *heldSet) wantsLoad(now int64) bool { return h.mayLoad() && h.away[0].due <= now+heldAhead }

// nextDue is when there is something to be done, or 0: then there is nothing, or
// the loader is at it.
func (h *heldSet) nextDue() (at int64) {
	if len(h.near) > 0 && !h.awaits() {
		at = h.near[0].due
	}
	if !h.want && h.mayLoad() {
		if early := max(h.away[0].due-heldAhead, 1); at == 0 || early < at {
			at = early
		}
	}
	return at
}
