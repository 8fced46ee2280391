package memguard

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// ErrUnknown is what Available says where the system does not tell.
var ErrUnknown = errors.New("the memory of this machine is not known")

// Available is how many bytes of memory the process can have: those of the
// machine, or fewer if a control group (of version 1 or 2) allows fewer.
// Known on Linux only.
func Available() (int64, error) { return availableIn(os.DirFS("/")) }

func availableIn(root fs.FS) (int64, error) {
	total, ok := machine(root)
	if !ok {
		return 0, ErrUnknown
	}
	return min(total, groups(root)), nil
}

// machine is MemTotal of /proc/meminfo.
func machine(root fs.FS) (n int64, ok bool) {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[0] == "MemTotal:" && fields[2] == "kB" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			return n << 10, err == nil && n > 0
		}
	}
	return 0, false
}

// unlimited is above any machine's memory.
const unlimited = 1 << 62

// groups is the least limit of the control groups that the process is in.
func groups(root fs.FS) int64 {
	least := int64(unlimited)
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return least
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		// hierarchy:controllers:path, and 0::path for version 2
		id, rest, _ := strings.Cut(lines.Text(), ":")
		controllers, group, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
		case id == "0" && controllers == "":
			least = min(least, along(root, "sys/fs/cgroup", group, "memory.max"))
			least = min(least, along(root, "sys/fs/cgroup/unified", group, "memory.max"))
		case strings.Contains(","+controllers+",", ",memory,"):
			least = min(least, along(root, "sys/fs/cgroup/memory", group, "memory.limit_in_bytes"))
		}
	}
	return least
}

// along is the least limit of a group and of those around it. In a container
// the path may be that of the host, of which only the last part is mounted, so
// what is not there does not count.
func along(root fs.FS, mount, group, file string) int64 {
	least := int64(unlimited)
	for dir := path.Join("/", group); ; dir = path.Dir(dir) {
		text, err := fs.ReadFile(root, path.Join(mount, dir, file))
		if err == nil {
			// "max" is no number, and means none.
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
				least = min(least, n)
			}
		}
		if dir == "/" {
			return least
		}
	}
}
