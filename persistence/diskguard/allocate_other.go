//go:build !linux

package diskguard

import "os"

// allocate makes size bytes of the disk the file's.
func allocate(f *os.File, size int) error { return fill(f, size) }
