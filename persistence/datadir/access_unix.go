//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package datadir

import (
	"errors"
	"os"
	"syscall"
)

// owner returns who a file belongs to.
func owner(name string) (uid int, ok bool) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// mapFile writes the first page of a file through a shared mapping, and reads
// it back the usual way.
func mapFile(f *os.File) error {
	page, err := syscall.Mmap(int(f.Fd()), 0, os.Getpagesize(), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	page[0] = 1
	if err := syscall.Munmap(page); err != nil {
		return os.NewSyscallError("munmap", err)
	}
	var back [1]byte
	if _, err := f.ReadAt(back[:], 0); err != nil {
		return err
	}
	if back[0] != 1 {
		return errors.New("what is written there does not reach the file")
	}
	return nil
}
