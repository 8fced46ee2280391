//go:build unix

package badger

import (
	"io/fs"
	"syscall"
)

// usedBytes returns what a file takes on disk; Badger's are sparse.
func usedBytes(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512
	}
	return info.Size()
}
