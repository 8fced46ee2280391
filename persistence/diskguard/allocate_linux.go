package diskguard

import (
	"errors"
	"os"
	"syscall"
)

// allocate makes size bytes of the disk the file's, without writing them where
// the file system can.
func allocate(f *os.File, size int) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(size))
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.ENOSYS):
			return fill(f, size)
		}
		return os.NewSyscallError("fallocate", err)
	}
}
