package memguard

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// heap is a memory whose garbage goes with a collection.
type heap struct {
	mu            sync.Mutex
	live, garbage int64
	collections   int
	alarm         bool
	calls         int
}

func (h *heap) inUse() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.live + h.garbage
}

func (h *heap) collect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.garbage, h.collections = 0, h.collections+1
}

func (h *heap) set(alarm bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alarm, h.calls = alarm, h.calls+1
}

func (h *heap) fill(live, garbage int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live, h.garbage = live, garbage
}

func TestAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heap{}
		var log bytes.Buffer
		logger := zerolog.New(&log)
		g := New(Options{Limit: 800, Log: &logger, InUse: h.inUse, Collect: h.collect}) // 700 in use are too much
		g.Watch(h.set)
		defer g.Close()
		time.Sleep(time.Minute + every/2) // between two looks
		for _, step := range []struct {
			why           string
			live, garbage int64
			wait          time.Duration
			on            bool
			collections   int
		}{
			{"little", 100, 100, time.Second, false, 0},
			{"garbage", 100, 700, time.Second, false, 1},
			{"garbage again, too soon to look closer", 100, 700, 8 * time.Second, false, 1},
			{"too much", 701, 0, 2 * time.Second, true, 2},
			{"a little less", 650, 0, 20 * time.Second, true, 4},
			{"less, beside garbage", 600, 100, 10 * time.Second, false, 5},
			{"more, but not too much", 700, 0, time.Minute, false, 5},
		} {
			h.fill(step.live, step.garbage)
			time.Sleep(step.wait)
			h.mu.Lock()
			on, n := h.alarm, h.collections
			h.mu.Unlock()
			if on != step.on || n != step.collections {
				t.Errorf("%s: alarm %v after %d collections, want %v after %d", step.why, on, n, step.on, step.collections)
			}
		}
		if h.calls != 2 {
			t.Errorf("%d calls, want 2", h.calls)
		}
		for _, want := range []string{`"level":"warn","in_use":701,"limit":800`, `"level":"info","in_use":600,"limit":800`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %s:\n%s", want, log.String())
			}
		}
	})
}

func TestInUseFollowsTheHeap(t *testing.T) {
	before := inUse()
	ballast := make([]byte, 64<<20)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	full := inUse()
	runtime.KeepAlive(ballast)
	runtime.GC()
	after := inUse()
	if full-before < 60<<20 || full-after < 60<<20 {
		t.Errorf("64 MiB came and went: %d, %d, %d bytes", before, full, after)
	}
}

func TestApply(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	Apply(1600 << 20)
	if got := debug.SetMemoryLimit(-1); got != 1500<<20 {
		t.Errorf("the runtime's limit is %d", got)
	}
}

func TestMessages(t *testing.T) {
	for limit, want := range map[int64]int64{64 << 20: 16 << 20, 256 << 20: 64 << 20, 1 << 30: 448 << 20} {
		if got := Messages(limit); got != want {
			t.Errorf("of %d MiB messages take %d, want %d", limit>>20, got>>20, want>>20)
		}
	}
}
