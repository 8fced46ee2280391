// Package memguard keeps the process within its memory: it finds out how much
// there is, tells the Go runtime the limit, and raises an alarm when all that is
// in use comes near it.
//
// The alarm is the last resort. The broker moves long queues to the disk, and
// the runtime collects more often towards the limit; only what is still in use
// after a collection counts. On the alarm publishers are stopped, and as
// consumers empty the queues it ends by itself.
package memguard
