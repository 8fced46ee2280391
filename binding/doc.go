// Package binding is who is bound to whom: the indexes that find, for one
// exchange, the destinations of a message. There is one index for each kind of
// matching: Direct, Fanout, Topic and Headers, and Consistent, Modulus and Random,
// which choose one. They are generic over the destination and know neither
// exchanges nor queues.
//
// A binding is identified by its key, its arguments and its destination; an
// index holds each once. A match names each destination at most once, however
// many bindings lead to it.
//
// Indexes are not safe for concurrent change, but any number of goroutines may
// match at the same time while none changes them: all that a match writes to
// is in the Scratch, which belongs to its caller.
package binding
