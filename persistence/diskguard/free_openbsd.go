package diskguard

import (
	"os"
	"syscall"
)

// free is what an ordinary user can still write; what is reserved for root does
// not count.
func free(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, os.NewSyscallError("statfs", err)
	}
	return max(0, s.F_bavail) * int64(s.F_bsize), nil
}
