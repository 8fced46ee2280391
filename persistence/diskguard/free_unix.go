//go:build darwin || dragonfly || freebsd || linux

package diskguard

import (
	"errors"
	"os"
	"syscall"
)

// free is what an ordinary user can still write; what is reserved for root does
// not count.
func free(dir string) (int64, error) {
	var s syscall.Statfs_t
	for {
		err := syscall.Statfs(dir, &s)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return 0, os.NewSyscallError("statfs", err)
		}
		// Some systems count below zero when root has used its reserve.
		return max(0, int64(s.Bavail)) * int64(s.Bsize), nil
	}
}
