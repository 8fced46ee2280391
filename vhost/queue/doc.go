// Package queue is one queue: what is ready, what is unacked, who consumes,
// and what its limits decide. It does no network I/O and knows no exchange.
//
// core is a plain state machine: input and its time in, decisions out. Queue
// drives it under one mutex, so whoever causes a change carries it out: a
// publisher's goroutine hands the message to the consumer's Offer.
//
// What must not happen under the lock (waking a writer, publishing a dead
// letter, deleting an unused queue, telling a consumer that its queue is gone)
// is collected in Effects and done by the caller afterwards, so a queue never
// calls another queue. Lock order: queue, then session.
//
// Each message has a place in line (seq) for as long as it is in the queue: one
// that comes back goes to its old place, ahead of what came later.
package queue
