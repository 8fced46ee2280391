package crashtest

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// anonymous is the memory of a process that is not a file's, in bytes: 0 when
// it is gone.
func anonymous(pid int) int64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "Anonymous:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// diskUse is what the files of a directory take up, without the ballast: they
// are sparse, so that their sizes say nothing.
func diskUse(dir string) (n int64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "ballast" {
			return nil // it comes and goes as we look
		}
		if info, err := d.Info(); err == nil {
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				n += s.Blocks * 512
			}
		}
		return nil
	})
	return n
}

// meter follows the memory of brokers, five times a second.
type meter struct {
	stop    chan struct{}
	stopped sync.WaitGroup

	mu   sync.Mutex
	pid  int
	most int64
}

func newMeter(t *testing.T) *meter {
	m := &meter{stop: make(chan struct{})}
	m.stopped.Go(func() {
		for {
			select {
			case <-m.stop:
				return
			case <-time.After(200 * time.Millisecond):
				m.look()
			}
		}
	})
	t.Cleanup(func() {
		close(m.stop)
		m.stopped.Wait()
	})
	return m
}

func (m *meter) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pid != 0 {
		m.most = max(m.most, anonymous(m.pid))
	}
}

// watch follows another process, and forgets what was.
func (m *meter) watch(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pid, m.most = pid, 0
}

// peak is the most that was seen, in bytes.
func (m *meter) peak() int64 {
	m.look()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.most
}
