// Package persistence is the contract of the store: how the broker hands over
// what it must not forget, and gets it back.
//
// Two kinds of things are kept. Definitions are the topology: vhosts,
// exchanges, queues, bindings. Records are messages with their places in
// durable queues and exchanges. Both are changed by a Batch, which is on disk as
// a whole or not at all, and after those handed over before it; who waits for
// it, a confirm or a declare-ok, is told by the store.
//
// Keys on disk start with an id that the store gave out, never with a name, so
// what is deleted and declared again shares nothing with its forerunner.
//
// persistence/badger is the store on disk, persistence/memory its twin for
// tests, persistence/storetest what both must pass.
package persistence
