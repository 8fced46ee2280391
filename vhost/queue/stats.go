package queue

// Stats is a queue at one moment.
type Stats struct {
	Ready, Unacked, Consumers int
	// Held messages wait for their time, HeldBytes are their bodies.
	Held      int
	HeldBytes int64
	// PagedOut messages are ready and in the store only.
	PagedOut                 int
	ReadyBytes, UnackedBytes int64
	Counts
}

// Stats returns the queue's numbers.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{
		Held: q.core.held.count(), HeldBytes: q.core.held.size(),
		Ready: q.core.ready.count, Unacked: q.core.unacked.count,
		Consumers: len(q.core.consumers.all), PagedOut: q.core.away,
		ReadyBytes: q.core.bytes, UnackedBytes: q.core.unacked.bytes,
		Counts: q.core.counts,
	}
}

// Consumers returns the consumers in the order in which they came.
func (q *Queue) Consumers() []*Consumer {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]*Consumer(nil), q.core.consumers.all...)
}
