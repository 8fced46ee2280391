package persistence

import (
	"errors"
	"io"

	"github.com/leveretmq/leveret/amqp"
)

// ErrFailed is what everything says after the disk has failed: nothing more is
// written, nothing is confirmed. It is wrapped around the cause.
var ErrFailed = errors.New("the store has failed")

// ErrClosed is what everything says after Close.
var ErrClosed = errors.New("the store is closed")

// ErrDamaged is wrapped by the error of a record that cannot be read back.
var ErrDamaged = errors.New("damaged record")

// ErrNoBackup is what Backup says where there is nothing on disk to be kept.
var ErrNoBackup = errors.New("the store is in memory only: there is nothing to back up")

// Store keeps definitions and records. Its methods may be called from any
// goroutine, unless they say otherwise. No method calls back while it holds a
// lock, and none but Await, Read, Recover, Definitions, Backup and Close does I/O.
type Store interface {
	// Definitions returns everything that was defined and not deleted, sorted
	// by kind and then by id. To be called before the first Write.
	Definitions() ([]Definition, error)

	// Recover yields every live place, once, before the first Write: chunk by
	// chunk, in the order in which they were written, so that the places of one
	// owner come nearly in the order of Seq, but not quite. Places of owners
	// that are not defined, and records that were dropped at start, are not
	// yielded; they are gone. It stops early if yield returns false.
	Recover(yield func(Recovered) bool) error

	// NewID returns a number that was never returned before, by this store or
	// an earlier run on the same data. It is never 0.
	NewID() uint64

	// Write takes over what is in the batch and leaves it empty, to be used
	// again; it never blocks. Batches are written in the order of Write, each
	// within one group, and a group is atomic over a crash. Waiters are told
	// after the group is as safe as the store's mode promises, or with an error
	// if it will never be. They may be told before Write returns.
	//
	// A record that is settled in all its places before its group is written is
	// not written at all; its waiter is told with that group.
	Write(b *Batch)

	// Await blocks while too many bytes wait to be written, which is how
	// publishers are slowed down to the speed of the disk. It returns at once
	// after a failure.
	Await()

	// Read brings records back, in any order of refs, fastest when they are
	// sorted. found is called once for each, in the order of refs, with the
	// record, its message in place, or an error that wraps ErrDamaged (the
	// record is on disk but not as it was written, or the ref names nothing) or
	// is the store's own. The record's only place is the one that the ref
	// names; its Returns and Due may be older than what was noted last.
	Read(refs []Ref, found func(i int, r *Record, err error))

	// Backup writes all that is in the store at one moment, which is when it begins or
	// shortly after: all that waiters were told of before is in it, and no group by half.
	// The store goes on meanwhile, but the space of what is deleted is not free before
	// the end. What has been written without an error is whole: an error is that of w,
	// or the store's. It wraps ErrNoBackup where there is no such thing.
	Backup(w io.Writer) error

	// Err returns nil, or why nothing is written any more: an error that wraps
	// ErrFailed, or ErrClosed.
	Err() error
	// Failed is closed when the disk has failed.
	Failed() <-chan struct{}

	// Stats returns the store's numbers, at a cost that does not depend on how
	// much is stored.
	Stats() Stats

	// Close writes what was handed over, and releases the data. Whoever
	// opened the store closes it, after everybody who writes has stopped.
	Close() error
}

// QueueID names what owns places: a durable queue, or an exchange that keeps
// messages back. It comes from NewID, so that no two owners have the same.
type QueueID uint64

// Place is the place of a record in one queue, or in an exchange.
type Place struct {
	// Queue is the owner of the place.
	Queue QueueID
	// Seq orders the records of the owner. No two have the same.
	Seq uint64
	// Expires is when the message dies, in Unix nanoseconds; 0 is never.
	Expires int64
	// Due is when the message may be handed on, in Unix nanoseconds; 0: at once.
	Due int64
	// Returns is how often the message was handed out and came back.
	Returns uint32
}

// Ref says where a place was written: Index counts the places of the chunk. A
// ref stays good until its place is settled, also when the store moves the
// record elsewhere. The zero Ref refers to nothing.
type Ref struct {
	Chunk uint64
	Index uint32
}

// Recovered is a place that was found at start.
type Recovered struct {
	Place
	Ref Ref
	// Size is the length of the body, Priority the message's.
	Size     uint32
	Priority uint8
}

// Stats are a store's numbers. Totals count from Open.
type Stats struct {
	// Chunks hold records; LivePlaces are those not settled.
	Chunks, LivePlaces int64
	// LiveBytes and DeadBytes are the sizes of records on disk that are still
	// needed, and of those that are not but share a chunk with some that are.
	LiveBytes, DeadBytes int64
	// DiskBytes is what the data directory takes, about.
	DiskBytes int64
	// PendingBytes wait to be written.
	PendingBytes int64
	// Groups were committed, with so many records; Elided were settled first.
	Groups, Records, Elided uint64
	// Syncs were asked of the disk.
	Syncs uint64
	// Damaged records were found, at start or by Read.
	Damaged uint64
	// CommitTimes are how long groups took until they were safe, in seconds, by
	// CommitBounds; GroupSizes how many records they had, by SizeBounds.
	CommitTimes, GroupSizes Histogram
}

// messageVersion is the first byte of an encoded message.
const messageVersion = 1

// messageOverhead is about what a record takes on disk besides its message.
const messageOverhead = 32

// SizeOf is about how many bytes a message takes in the store.
func SizeOf(m *amqp.Message) int {
	return len(m.Body) + len(m.Properties) + len(m.RoutingKey) + len(m.Exchange) + messageOverhead
}
