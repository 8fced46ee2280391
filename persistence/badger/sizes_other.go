//go:build !unix

package badger

import "io/fs"

// usedBytes returns the length of a file, as what it takes is not to be had.
func usedBytes(info fs.FileInfo) int64 { return info.Size() }
