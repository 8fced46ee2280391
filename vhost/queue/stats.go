package queue

import (
	"cmp"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// Stats is a queue at one moment.
type Stats struct {
	Ready, Unacked, Consumers int
	// Held messages wait for their time, HeldBytes are their bodies.
	Held      int
	HeldBytes int64
	// PagedOut messages are ready and in the store only.
	PagedOut int
	// Stored messages are ready and in the store, or on the way there.
	Stored                   int
	ReadyBytes, UnackedBytes int64
	// Memory is about what the ready messages that are not PagedOut take, in bytes.
	Memory int64
	// Persistent messages are ready or unacked, PersistentBytes are their bodies. None
	// is in a queue that is not durable.
	Persistent      int
	PersistentBytes int64
	// ConsumerCapacity is the part of the time, 0 to 1, in which consumers took what
	// came at once: an average whose half-life is a second. 0 without consumers.
	ConsumerCapacity float64
	// IdleSince is when somebody did something with the queue last.
	IdleSince time.Time
	Counts
}

// Stats returns the queue's numbers.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{
		Held: q.core.held.count(), HeldBytes: q.core.held.size(),
		Ready: q.core.ready.count, Unacked: q.core.unacked.count,
		Consumers: len(q.core.consumers.all), PagedOut: q.core.away,
		ReadyBytes: q.core.bytes, UnackedBytes: q.core.unacked.bytes,
		Stored: q.core.recorded, Memory: q.core.memory,
		IdleSince: time.Unix(0, q.core.active), Counts: q.core.counts,
	}
	if s.Consumers > 0 {
		s.ConsumerCapacity = q.core.capacity(time.Now().UnixNano())
	}
	if q.opts.Durable {
		s.Persistent = q.core.lasting.count + q.core.unacked.lasting.count
		s.PersistentBytes = q.core.lasting.bytes + q.core.unacked.lasting.bytes
	}
	return s
}

// Oldest returns when the oldest ready message came, to a seventh of its age or a
// second, and when the oldest unacked one was handed out, to a
// second or so; the zero time where there is none. What was there at the start is as old as that. It may
// look at all that is unacked.
func (q *Queue) Oldest() (ready, unacked time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if seq, ok := q.core.oldestReady(); ok {
		from, to := q.core.takenAt(seq)
		ready = time.Unix(0, cmp.Or(from, to))
	}
	if taken := q.core.unacked.oldestTaken(); taken != 0 {
		unacked = time.Unix(0, int64(taken)*takenUnit)
	}
	return ready, unacked
}

// Consumers returns the consumers in the order in which they came.
func (q *Queue) Consumers() []*Consumer {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]*Consumer(nil), q.core.consumers.all...)
}

// Head returns the message that is delivered next; nil if there is none, or if it is in
// the store only.
func (q *Queue) Head() *amqp.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	if it := q.core.ready.front(); it != nil {
		return it.msg
	}
	return nil
}
