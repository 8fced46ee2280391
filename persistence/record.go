package persistence

import (
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp"
)

// Record is a message in the store, or on its way there, with a place in each
// of its durable queues, or in an exchange that keeps it back. The router makes
// it, the owners add their places, and Batch.Append hands it over; from then on
// Message and Places do not change. Owners name a place by the record and the
// number of the place in Places. A place may be settled as soon as it was added,
// before the record is handed over, by a consumer that was quick: until then the
// store does not look at Places.
type Record struct {
	// Message is immutable.
	Message *amqp.Message
	// Places has at least one.
	Places []Place
	// Transient says that the record is on disk to save memory only: it is
	// dropped at start, and needs no fsync.
	Transient bool

	// State is the store's own; others leave it alone.
	State State

	one [1]Place // so that Places of one is no allocation
	// chunk, not 0 once it is written, and the index of the first place there
	chunk atomic.Uint64
	first uint32
}

// State is what a store keeps with a record, guarded by the store's lock.
type State struct {
	// Phase is how far the record has come.
	Phase Phase
	// Settled has a bit for each of the first 64 places that were settled
	// before the record was written; Many are the others.
	Settled uint64
	Many    map[int]struct{}
	// Returns are the last notes on places, by their number, that came before
	// the record was written; nil if there were none.
	Returns map[int]Note
}

// Phase is how far a record has come.
type Phase uint8

// The phases of a record.
const (
	// New: not handed over.
	New Phase = iota
	// Waiting: handed over, its group is not being written yet.
	Waiting
	// Writing: its group is being written.
	Writing
	// Stored: it is in a chunk.
	Stored
	// Gone: it was settled in all its places.
	Gone
)

// NewRecord returns a record without places.
func NewRecord(m *amqp.Message) *Record {
	r := &Record{Message: m}
	r.Places = r.one[:0]
	return r
}

// StoredRecord returns the record of a place that is in the store.
func StoredRecord(m *amqp.Message, p Place, at Ref) *Record {
	r := &Record{Message: m, State: State{Phase: Stored}}
	r.one[0] = p
	r.Places = r.one[:1]
	r.SetStored(at)
	return r
}

// Add gives the record a place and returns its number.
func (r *Record) Add(p Place) int {
	r.Places = append(r.Places, p)
	return len(r.Places) - 1
}

// SetStored says where the first place of the record is. The store calls it
// once, before it tells the waiter.
func (r *Record) SetStored(at Ref) {
	r.first = at.Index
	r.chunk.Store(at.Chunk)
}

// Ref returns where a place of the record is; ok is false if it is not written.
func (r *Record) Ref(place int) (at Ref, ok bool) {
	chunk := r.chunk.Load()
	if chunk == 0 {
		return Ref{}, false
	}
	return Ref{chunk, r.first + uint32(place)}, true
}
