// Package memory is a store that keeps everything in memory: for tests, and for
// brokers that start again within one process. What comes back has gone through
// the same encoding as on a disk, and it can hold back or fail, as a disk does.
package memory
