// Package diskguard keeps a disk from running full under a store that maps its
// files into memory: writing to a page that has no room on the disk ends the
// process with SIGBUS, so it must never come to that.
//
// A Guard looks at the free space of a directory, the oftener the less there
// is. Under the limit it raises its alarm, on which publishers are stopped;
// deliveries and acks go on, and as they free space, or somebody else does, the
// alarm ends by itself.
//
// In the directory lies the ballast, a file of 64 MiB without meaning. It is
// given up when a full disk would keep the broker from starting, or is about to
// end it, and made anew when there is room again.
package diskguard
