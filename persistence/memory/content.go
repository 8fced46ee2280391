package memory

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"github.com/leveretmq/leveret/persistence"
)

// content is what a disk would hold.
type content struct {
	defined   map[definition][]byte
	chunks    map[uint64]*chunk
	lastChunk uint64

	livePlaces, liveBytes, deadBytes int64
}

// definition names one.
type definition struct {
	kind persistence.Kind
	id   uint64
}

// chunk is what one group wrote. It goes when none of its places is live.
type chunk struct {
	id     uint64
	places []place
	live   int   // places
	bytes  int64 // of all its records
}

type place struct {
	persistence.Place
	settled bool
	of      *record
}

// record is shared by its places.
type record struct {
	encoded   []byte // nil once no place is live
	bytes     int64
	size      uint32
	priority  uint8
	transient bool
	live      int // places
}

func newContent() content {
	return content{defined: make(map[definition][]byte), chunks: make(map[uint64]*chunk)}
}

func (c *content) change(d persistence.Change) {
	if d.Delete {
		delete(c.defined, definition{d.Kind, d.ID})
		return
	}
	c.defined[definition{d.Kind, d.ID}] = bytes.Clone(d.Body)
}

func (c *content) definitions() []persistence.Definition {
	all := make([]persistence.Definition, 0, len(c.defined))
	for d, body := range c.defined {
		all = append(all, persistence.Definition{Kind: d.kind, ID: d.id, Body: bytes.Clone(body)})
	}
	slices.SortFunc(all, func(a, b persistence.Definition) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// newChunk returns a chunk to append to. It counts once it was added.
func (c *content) newChunk() *chunk { return &chunk{id: c.lastChunk + 1} }

// add keeps a chunk, unless nothing was appended to it.
func (c *content) add(k *chunk) {
	if len(k.places) == 0 {
		return
	}
	c.lastChunk = k.id
	if k.live > 0 {
		c.chunks[k.id] = k
	}
}

// append encodes a record into a chunk, with the places that are not settled.
func (c *content) append(k *chunk, r *persistence.Record) {
	d := &record{
		encoded: persistence.AppendMessage(nil, r.Message), bytes: int64(persistence.SizeOf(r.Message)),
		size: uint32(len(r.Message.Body)), priority: r.Message.Priority, transient: r.Transient,
	}
	r.SetStored(persistence.Ref{Chunk: k.id, Index: uint32(len(k.places))})
	for i, p := range r.Places {
		if n, ok := r.State.Returns[i]; ok {
			n.Apply(&p)
		}
		settled := r.State.IsSettled(i)
		k.places = append(k.places, place{p, settled, d})
		if !settled {
			d.live++
		}
	}
	k.live += d.live
	k.bytes += d.bytes
	c.livePlaces += int64(d.live)
	c.liveBytes += d.bytes
}

// at returns the live place that a ref names, or nil.
func (c *content) at(ref persistence.Ref) *place {
	k := c.chunks[ref.Chunk]
	if k == nil || ref.Index >= uint32(len(k.places)) || k.places[ref.Index].settled {
		return nil
	}
	return &k.places[ref.Index]
}

// settle ends a live place, or notes that it came back.
func (c *content) settle(e persistence.Settle) {
	ref, _ := e.Record.Ref(e.Place)
	p := c.at(ref)
	switch {
	case p == nil:
	case e.Returned:
		e.Note().Apply(&p.Place)
	default:
		c.end(c.chunks[ref.Chunk], p)
	}
}

// end ends a place, and what is no longer needed with it.
func (c *content) end(k *chunk, p *place) {
	p.settled = true
	c.livePlaces--
	k.live--
	if p.of.live--; p.of.live == 0 {
		p.of.encoded = nil
		c.liveBytes -= p.of.bytes
		c.deadBytes += p.of.bytes
	}
	if k.live == 0 {
		c.deadBytes -= k.bytes
		delete(c.chunks, k.id)
	}
}

// live returns the live places in the order of their chunks.
func (c *content) live() []persistence.Recovered {
	all := make([]persistence.Recovered, 0, c.livePlaces)
	for _, id := range slices.Sorted(maps.Keys(c.chunks)) {
		for i, p := range c.chunks[id].places {
			if !p.settled {
				all = append(all, persistence.Recovered{
					Place: p.Place, Ref: persistence.Ref{Chunk: id, Index: uint32(i)}, Size: p.of.size, Priority: p.of.priority,
				})
			}
		}
	}
	return all
}

// restart returns a copy as it is found at a start: without transient records
// and places of owners that are not defined.
func (c *content) restart() content {
	to := *c
	to.defined = maps.Clone(c.defined)
	to.chunks = make(map[uint64]*chunk, len(c.chunks))
	for id, k := range c.chunks {
		to.chunks[id] = k.clone()
	}
	owners := make(map[persistence.QueueID]bool)
	for d := range to.defined {
		if d.kind.Owns() {
			owners[persistence.QueueID(d.id)] = true
		}
	}
	for _, k := range maps.Clone(to.chunks) {
		for i := range k.places {
			p := &k.places[i]
			if !p.settled && (p.of.transient || !owners[p.Queue]) {
				to.end(k, p)
			}
		}
	}
	return to
}

func (k *chunk) clone() *chunk {
	to := *k
	to.places = slices.Clone(k.places)
	copies := make(map[*record]*record)
	for i := range to.places {
		p := &to.places[i]
		if copies[p.of] == nil {
			d := *p.of
			copies[p.of] = &d
		}
		p.of = copies[p.of]
	}
	return &to
}
