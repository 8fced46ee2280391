// Package server is the broker as a program embeds it: Open makes one, Serve
// takes connections from any net.Listener, Pipe gives one without a socket, and
// Shutdown ends it. It has no globals, flags or signals.
//
// A connection is two goroutines. The reader takes every whole frame of a read,
// carries each out to the end (a publish goes straight to the consumer's
// outbox), and wakes each outbox that it touched once. The writer swaps the
// outbox's buffer and writes it in one call.
//
// The reader owns the session: channels, their content under way, transactions.
// What others must reach too (delivery tags, what is unacked, credit, confirms,
// frames to send) is guarded by the outbox's mutex, the last in the lock order: vhost,
// queue, outbox. There is one file for each class of AMQP, and a handler has
// the spec's name; it returns its error, which conn.fail alone sends.
package server
