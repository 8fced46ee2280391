//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package badger

import (
	"errors"
	"os"
	"syscall"
)

// lockDir takes the lock that Badger takes, so that files can be looked at
// before Badger does. It returns ErrInUse if another has it.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			f.Close()
			return nil, ErrInUse
		default:
			f.Close()
			return nil, err
		}
	}
}
