package badger

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/persistence"
)

// chunk is what is known of a chunk while it is on disk, or while somebody may
// have a ref into it. The committer owns it, but for what table.mu guards.
type chunk struct {
	id              uint64
	bytes           int64 // of its messages
	places, live    uint32
	records, intact uint32 // intact are those with a live place
	parts           uint16
	transient       bool
	dropped         bool       // deleted by the group that is being written, or before
	stuck           bool       // could not be relocated
	settled         bitset     // changed under table.mu
	more            *chunkMore // nil for most; set under table.mu
}

// chunkMore is what only some chunks have.
type chunkMore struct {
	starts  bitset         // the first place of each record; nil if each has one
	batches []*settleBatch // that name the chunk
	// notes are those on live places; guarded by table.mu
	notes map[uint32]persistence.Note
	// moved is where the live places are now, in the order of from; the chunk
	// is not on disk any more. Guarded by table.mu.
	moved []move
}

// move is where a place went; to is zero once it is settled.
type move struct {
	from uint32
	to   persistence.Ref
}

// settleBatch is a value with settles; it is deleted when the last of the
// chunks that it names is.
type settleBatch struct {
	id   uint64
	refs int
}

// extra returns what more is known of a chunk, to be changed.
func (t *table) extra(c *chunk) *chunkMore {
	if c.more == nil {
		t.mu.Lock()
		c.more = &chunkMore{}
		t.mu.Unlock()
	}
	return c.more
}

func (c *chunk) moved() []move {
	if c.more == nil {
		return nil
	}
	return c.more.moved
}

// liveBytes is what records with a live place take, about.
func (c *chunk) liveBytes() int64 {
	if c.records == 0 {
		return 0
	}
	return c.bytes * int64(c.intact) / int64(c.records)
}

// table is all chunks. It is changed by the committer alone, or before it runs.
type table struct {
	mu   sync.RWMutex // guards byID, and what chunk and chunkMore say
	byID map[uint64]*chunk

	change  *sync.Cond // with mu.RLocker: chunks that were dropped are gone, or stopped is set
	stopped bool       // nothing changes any more

	chunks, places, live, dead atomic.Int64 // see persistence.Stats

	highest atomic.Uint64 // all chunks up to this number were known at some time
}

func (t *table) init() {
	t.byID = make(map[uint64]*chunk)
	t.change = sync.NewCond(t.mu.RLocker())
}

// drop marks a chunk as deleted by the group that is being written.
func (t *table) drop(c *chunk) {
	t.mu.Lock()
	c.dropped = true
	t.mu.Unlock()
}

// awaitDrop waits until it is known what became of a chunk if it is being
// deleted: where its places are now, or that it is gone.
func (t *table) awaitDrop(id uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for {
		c := t.byID[id]
		if c == nil || !c.dropped || c.moved() != nil || t.stopped {
			return
		}
		t.change.Wait()
	}
}

// stop lets go of those who wait, after a failure.
func (t *table) stop() {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	t.change.Broadcast()
}

// add makes a new chunk known.
func (t *table) add(c *chunk) {
	t.mu.Lock()
	t.byID[c.id] = c
	t.mu.Unlock()
	t.count(c, 1)
}

// count adds a chunk to the totals, or takes it out.
func (t *table) count(c *chunk, sign int64) {
	t.chunks.Add(sign)
	t.places.Add(sign * int64(c.live))
	live := c.liveBytes()
	t.live.Add(sign * live)
	if c.intact > 0 {
		t.dead.Add(sign * (c.bytes - live))
	}
}

// remove forgets a chunk that is deleted.
func (t *table) remove(c *chunk) {
	t.count(c, -1)
	t.mu.Lock()
	delete(t.byID, c.id)
	t.mu.Unlock()
}

// resolveLocked returns where a place is now; nil if it is not known.
func (t *table) resolveLocked(at persistence.Ref) (*chunk, uint32) {
	for {
		c := t.byID[at.Chunk]
		if c == nil {
			return nil, 0
		}
		moved := c.moved()
		if moved == nil {
			if at.Index >= c.places {
				return nil, 0
			}
			return c, at.Index
		}
		k, ok := findMove(moved, at.Index)
		if !ok {
			return nil, 0
		}
		at = moved[k].to
	}
}

func findMove(moved []move, from uint32) (int, bool) {
	return slices.BinarySearchFunc(moved, from, func(m move, from uint32) int { return int(int64(m.from) - int64(from)) })
}

// settleLocked marks a place as settled and returns where it was, or nil if it
// was settled before or is not known.
func (t *table) settleLocked(at persistence.Ref) (*chunk, uint32) {
	c := t.byID[at.Chunk]
	for c != nil && c.moved() != nil {
		k, ok := findMove(c.more.moved, at.Index)
		if !ok || c.more.moved[k].to.Chunk == 0 {
			return nil, 0
		}
		at = c.more.moved[k].to
		c.more.moved[k].to = persistence.Ref{}
		if c.live--; c.live == 0 {
			delete(t.byID, c.id)
		}
		c = t.byID[at.Chunk]
	}
	if c == nil || at.Index >= c.places || c.settled.has(int(at.Index)) {
		return nil, 0
	}
	t.markLocked(c, at.Index)
	return c, at.Index
}

// markLocked marks a live place as settled.
func (t *table) markLocked(c *chunk, place uint32) {
	before := c.liveBytes()
	c.settled.add(int(place), int(c.places))
	c.live--
	if c.more != nil {
		delete(c.more.notes, place)
	}
	t.places.Add(-1)
	if !c.broken(place) {
		return
	}
	c.intact--
	after := c.liveBytes()
	t.live.Add(after - before)
	if c.intact == 0 {
		t.dead.Add(before - c.bytes)
	} else {
		t.dead.Add(before - after)
	}
}

// broken reports whether the record of a settled place has no live one left.
func (c *chunk) broken(place uint32) bool {
	if c.more == nil || c.more.starts == nil {
		return true
	}
	from := c.more.starts.before(int(place))
	to := c.more.starts.after(int(place), int(c.places))
	for i := from; i < to; i++ {
		if !c.settled.has(i) {
			return false
		}
	}
	return true
}

// noteLocked remembers that a live place came back.
func (t *table) noteLocked(c *chunk, place uint32, n persistence.Note) {
	if c.more == nil {
		c.more = &chunkMore{}
	}
	if c.more.notes == nil {
		c.more.notes = make(map[uint32]persistence.Note)
	}
	c.more.notes[place] = n
}

// forward replaces a chunk by where its live places went.
func (t *table) forward(c *chunk, moved []move) {
	t.count(c, -1)
	t.mu.Lock()
	defer t.mu.Unlock()
	c.live = uint32(len(moved))
	c.settled = nil
	c.more = &chunkMore{moved: moved}
}
