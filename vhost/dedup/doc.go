// Package dedup is the memory of a deduplicating exchange or queue: a Window of
// the keys that it has seen last. A key is the value of a message's header; what
// comes with a key of the window is a duplicate.
//
// A window has room for a fixed number of keys; the oldest goes for a new one. In
// the store each key is a definition of its own, made in the batch of the message
// that brought it, and deleted in that of the key that takes its room. Several
// publishers may hand over their batches in another order than they came to the
// window; so keys have order numbers, and what is out of the window is dropped at
// start.
//
// The arguments and their meaning are those of LavinMQ (docs/deduplication.md),
// whose cache is in memory only. The lock of a Window is a leaf.
package dedup
