package perf

import (
	"bytes"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// userHz is the unit of /proc/PID/stat: Linux keeps it at 1/100 s for all
// programs, whatever the kernel itself counts in.
const userHz = 100

// broker is the process of the broker under test and its descendants, as far
// as they run on this machine.
type broker struct {
	proc fs.FS // /proc
	pid  int   // 0: not known
}

// memory is what the broker has at a moment, in bytes.
type memory struct {
	resident  int64
	anonymous int64 // of the resident: what belongs to no file
}

// procStat is one line of /proc/PID/stat.
type procStat struct {
	parent int
	cpu    time.Duration // with that of children that have ended
}

// cpu is what the broker has used since it started, user and system. It is 0
// if the process is not known.
func (b broker) cpu() (time.Duration, error) {
	tree, err := b.tree()
	var sum time.Duration
	for _, stat := range tree {
		sum += stat.cpu
	}
	return sum, err
}

// memory adds up what can be read, which may take a while.
func (b broker) memory() (memory, error) {
	tree, err := b.tree()
	var sum memory
	for pid := range tree {
		sum.resident += b.kilobytes(pid, "status", "VmRSS:")
		sum.anonymous += b.kilobytes(pid, "smaps_rollup", "Anonymous:")
	}
	return sum, err
}

// tree is the process and its descendants; empty if it is not known.
func (b broker) tree() (map[int]procStat, error) {
	if b.pid == 0 {
		return nil, nil
	}
	all, err := b.processes()
	if err != nil {
		return nil, err
	}
	if _, ok := all[b.pid]; !ok {
		return nil, fmt.Errorf("there is no process %d", b.pid)
	}
	tree := make(map[int]procStat)
	for pid, stat := range all {
		if b.isOurs(all, pid) {
			tree[pid] = stat
		}
	}
	return tree, nil
}

// isOurs follows the parents up.
func (b broker) isOurs(all map[int]procStat, pid int) bool {
	for range all { // parents cannot form a ring for longer than that
		if pid == b.pid {
			return true
		}
		stat, ok := all[pid]
		if !ok {
			return false
		}
		pid = stat.parent
	}
	return false
}

// processes reads the state of all processes.
func (b broker) processes() (map[int]procStat, error) {
	dirs, err := fs.ReadDir(b.proc, ".")
	if err != nil {
		return nil, fmt.Errorf("--pid needs /proc: %w", err)
	}
	all := make(map[int]procStat)
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		line, err := fs.ReadFile(b.proc, d.Name()+"/stat")
		if err != nil {
			continue // it has ended meanwhile
		}
		if stat, ok := parseStat(line); ok {
			all[pid] = stat
		}
	}
	return all, nil
}

// parseStat reads a line of proc_pid_stat(5).
func parseStat(line []byte) (procStat, bool) {
	// The second field is the command, and may hold anything; the last
	// parenthesis ends it.
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return procStat{}, false
	}
	f := strings.Fields(string(line[end+1:]))
	const parent, utime, cstime = 1, 11, 14 // fields 4, 14 and 17
	if len(f) <= cstime {
		return procStat{}, false
	}
	var stat procStat
	var err error
	if stat.parent, err = strconv.Atoi(f[parent]); err != nil {
		return procStat{}, false
	}
	for _, s := range f[utime : cstime+1] {
		ticks, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return procStat{}, false
		}
		stat.cpu += time.Duration(ticks) * (time.Second / userHz)
	}
	return stat, true
}

// kilobytes reads a value of a file of "Name: 123 kB" lines, in bytes; 0 if it
// is not to be had.
func (b broker) kilobytes(pid int, file, name string) int64 {
	text, err := fs.ReadFile(b.proc, strconv.Itoa(pid)+"/"+file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		f := strings.Fields(rest)
		if len(f) == 2 && f[1] == "kB" {
			n, _ := strconv.ParseInt(f[0], 10, 64)
			return n << 10
		}
	}
	return 0
}
