//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package datadir

import (
	"errors"
	"os"
)

func owner(string) (uid int, ok bool) { return 0, false }

func mapFile(*os.File) error { return errors.ErrUnsupported }
