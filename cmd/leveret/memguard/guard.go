package memguard

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// every is how often the guard looks.
	every = time.Second
	// patience is the least time between two collections that the guard asks
	// for.
	patience = 10 * time.Second
)

// Options are what a Guard is made with.
type Options struct {
	// Limit is how many bytes the process is to take at most.
	Limit int64
	// Log says when the alarm begins and ends; nil for nothing.
	Log *zerolog.Logger
	// InUse returns how many bytes the process uses, garbage included; nil for
	// what the Go runtime says.
	InUse func() int64
	// Collect frees the garbage; nil for the runtime's collector.
	Collect func()
}

// Guard watches the memory of the process.
type Guard struct {
	// immutable
	opts Options
	log  zerolog.Logger

	stop     chan struct{}  // closed by Close
	watching sync.WaitGroup // the goroutine of Watch

	// owned by the goroutine of Watch
	on        bool // the alarm
	collected time.Time
}

// New returns a guard that does not watch yet.
func New(o Options) *Guard {
	if o.InUse == nil {
		o.InUse = inUse
	}
	if o.Collect == nil {
		o.Collect = runtime.GC
	}
	g := &Guard{opts: o, log: zerolog.Nop(), stop: make(chan struct{})}
	if o.Log != nil {
		g.log = *o.Log
	}
	return g
}

// Apply makes the Go runtime keep to a limit for the process, in bytes. A
// sixteenth is left for what the runtime does not count.
func Apply(limit int64) { debug.SetMemoryLimit(limit / 16 * 15) }

// Watch begins to guard. alarm is called with true when memory runs short and
// with false when there is enough again, never twice the same, by one
// goroutine. It must not block.
func (g *Guard) Watch(alarm func(on bool)) {
	g.watching.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-g.stop:
				return
			case <-t.C:
				g.look(alarm)
			}
		}
	})
}

// Close ends the watch. The alarm stays as it is.
func (g *Guard) Close() {
	close(g.stop)
	g.watching.Wait()
}

// most is what may be in use. Near the runtime's limit the collector would run
// all the time for the little that is left, so that it is less.
func (g *Guard) most() int64 { return g.opts.Limit / 8 * 7 }

func (g *Guard) look(alarm func(on bool)) {
	used := g.opts.InUse()
	most := g.most()
	if enough := most / 10 * 9; g.on && used >= enough || !g.on && used > most {
		// Much of it may be garbage, whichever way it is to be decided.
		if now := time.Now(); now.Sub(g.collected) < patience {
			return
		}
		g.opts.Collect()
		g.collected = time.Now()
		used = g.opts.InUse()
	}
	switch {
	case used > most && !g.on:
		g.on = true
		g.log.Warn().Int64("in_use", used).Int64("limit", g.opts.Limit).
			Msg("memory alarm: nearly all memory is in use; publishers are stopped until there is more")
		alarm(true)
	case used < most/10*9 && g.on:
		g.on = false
		g.log.Info().Int64("in_use", used).Int64("limit", g.opts.Limit).
			Msg("memory alarm ended: there is memory again; publishers go on")
		alarm(false)
	}
}

// inUse is what the Go runtime has taken from the system and could not give
// back at once.
func inUse() int64 {
	s := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64() - s[2].Value.Uint64())
}

// Messages is how many bytes of a limit messages may take up: half of what the
// rest of the broker leaves, because the collector needs as much again.
func Messages(limit int64) int64 {
	const rest = 128 << 20
	return max(limit/4, (limit-rest)/2)
}
