// Package badger is the store on disk: definitions and records in a Badger
// database.
//
// All that waits is written as one group in one transaction, with one fsync, or
// if it is little to a log before the database (front.go). The messages of a
// group lie back to back in a chunk, one value of Badger's value log for all
// queues; an index beside it says which place in which queue each record has.
// What is settled is noted per group, and a chunk is deleted when all its places
// are. One goroutine, the committer, writes groups, moves what is left of mostly
// dead chunks, and owns the table of chunks; another gives disk space back.
//
// Chunks and keys are described in keys.go, the way of a group in group.go.
package badger
