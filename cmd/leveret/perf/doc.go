// Package perf measures an AMQP 0-9-1 broker, Leveret or another: the commands
// leveret perf run and leveret perf compare. It speaks the wire itself, because
// a client library would cost more than the broker that it measures.
//
// A preset (preset.go) is a config; newPlan turns it into names, routes and
// what must arrive where; execute runs it. Producers build many messages in one
// buffer and write it at once; consumers take frames apart where the reader has
// them, on the goroutine that reads. Neither allocates for a message, nor locks
// (but for a queue with several consumers).
//
// Every message says when it should have been sent, by whom and as which of
// his (body.go), so that latency is free of coordinated omission, and that any
// loss, duplicate or disorder is found and fails the run (check.go).
package perf
