// Package queue is one queue: what is ready, what is unacked, who consumes,
// and what its limits decide. It does no network I/O and knows no exchange.
//
// core is a plain state machine; Queue drives it under one mutex, so whoever
// causes a change carries it out. What must not happen under the lock (storing,
// waking a writer, publishing a dead letter, deleting an unused queue) is
// collected in Effects and done by the caller afterwards, so a queue never calls
// another. Lock order: a queue's loading, queue, then session, pager or store.
//
// Each message has a place in line (seq) for as long as it is in the queue: one
// that comes back goes to its old place, ahead of what came later. In a stored
// queue a persistent one has a place in the store as long, and each way out of
// the queue settles that. The Pager takes segments of deep queues out of memory;
// where the first message is not in memory, all waits until it is.
package queue
