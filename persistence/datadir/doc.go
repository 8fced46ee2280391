// Package datadir is the directory that one broker, and only one at a time,
// keeps its data in: it recognises, creates and locks it, and knows nothing of
// what a store puts inside.
//
// A directory is ours when it holds the marker, leveret.json. An exclusive
// lock on the file LOCK is held from Open to Close; the kernel drops it when
// the process dies, so a crash leaves nothing to clean up. Creation survives a
// crash at any point: the marker appears whole or not at all, and a directory
// with only LOCK and an unfinished marker in it is finished by the next Open.
//
// A directory that Open refuses is left as it was found.
package datadir
