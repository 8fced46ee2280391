package memguard

import (
	"errors"
	"runtime"
	"testing"
	"testing/fstest"
)

const meminfo = "MemTotal:        1000 kB\nMemFree:          500 kB\n"

func TestAvailable(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64 // 0 = unknown
	}{
		{"nothing", nil, 0},
		{"no total", map[string]string{"proc/meminfo": "MemFree: 5 kB\n"}, 0},
		{"no number", map[string]string{"proc/meminfo": "MemTotal: much kB\n"}, 0},
		{"machine", map[string]string{"proc/meminfo": meminfo}, 1024000},
		{"no limit in version 2", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 1024000},
		{"version 2", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "4096\n"}, 4096},
		{"version 2, around", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "8192\n", "sys/fs/cgroup/a/memory.max": "4096\n"}, 4096},
		{"version 2, namespace", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "4096\n"}, 4096},
		{"version 1", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,memory:/a\n4:cpuset:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "4096\n"}, 4096},
		{"version 1, no limit", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:memory:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, 1024000},
		{"version 1, path of the host", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:memory:/docker/0123\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n"}, 4096},
		{"both", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:memory:/a\n0::/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "8192\n", "sys/fs/cgroup/unified/a/memory.max": "4096\n"}, 4096},
		{"another's limit", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\nnonsense\n", "sys/fs/cgroup/b/memory.max": "1\n"}, 1024000},
		{"more than the machine", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "999999999\n"}, 1024000},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range c.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := availableIn(root)
			if got != c.want || errors.Is(err, ErrUnknown) != (c.want == 0) {
				t.Errorf("available %d, %v, want %d", got, err, c.want)
			}
		})
	}
}

func TestAvailableHere(t *testing.T) {
	n, err := Available()
	if runtime.GOOS != "linux" && errors.Is(err, ErrUnknown) {
		t.Skip(err)
	}
	if err != nil || n < 16<<20 {
		t.Errorf("Available = %d, %v", n, err)
	}
}
