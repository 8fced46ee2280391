// Package persistence is the room of the store: what the broker must not
// forget (definitions, and persistent messages in durable queues) and the
// contract by which it hands that over and gets it back.
//
// In this version there is no durable store: definitions and messages live in
// memory, and the contract comes with its first implementation. What exists
// already is the place where that store will live: the sub-package datadir
// opens, recognises and locks the data directory.
package persistence
