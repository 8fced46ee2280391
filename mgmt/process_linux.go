package mgmt

import (
	"bytes"
	"cmp"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// askSystem fills in what the kernel tells; what it does not, stays 0.
func askSystem(l *load, dir string) {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		l.switches = int64(usage.Nvcsw) + int64(usage.Nivcsw)
	}
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		l.filesLimit = int64(min(files.Cur, 1<<31-1))
		l.socketsLimit = socketsOf(l.filesLimit)
	}
	if open, err := os.Open("/proc/self/fd"); err == nil {
		names, _ := open.Readdirnames(-1)
		open.Close()
		l.files = max(int64(len(names))-1, 0) // without the directory itself
	}
	if pages := strings.Fields(readFile("/proc/self/statm")); len(pages) > 1 {
		if resident, err := strconv.ParseInt(pages[1], 10, 64); err == nil {
			l.Memory = resident * int64(os.Getpagesize())
		}
	}
	io := readFile("/proc/self/io")
	l.reads, l.readBytes = numberAfter(io, "syscr:"), numberAfter(io, "read_bytes:")
	l.writes, l.writeBytes = numberAfter(io, "syscw:"), numberAfter(io, "write_bytes:")
	var disk syscall.Statfs_t
	if l.DiskFree == 0 && syscall.Statfs(cmp.Or(dir, "."), &disk) == nil {
		l.DiskFree = int64(disk.Bavail) * int64(disk.Bsize)
	}
}

// readFile is the text of a file of the kernel's; empty if it cannot be read.
func readFile(name string) string {
	data, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(data))
}

// numberAfter is the number that follows a word at the beginning of a line.
func numberAfter(text, word string) int64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, word); ok {
			// What is no number is none.
			n, _ := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			return n
		}
	}
	return 0
}
