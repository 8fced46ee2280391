//go:build unix

package server

import "syscall"

// tryWrite writes what a socket that never blocks takes.
func tryWrite(fd uintptr, b []byte) (int, error) { return syscall.Write(int(fd), b) }
