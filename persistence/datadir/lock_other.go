//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package datadir

import (
	"errors"
	"os"
)

const noFollow = 0

// tryLock refuses: without a lock two brokers could share a directory.
func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
