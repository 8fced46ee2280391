package diskguard

import (
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// Least is the free space, in bytes, under which a store is not opened.
	Least = 64 << 20
	// LeastLimit is the smallest limit that makes sense: what is written until
	// the alarm takes effect must not use up Least.
	LeastLimit = 2 * Least
	// acute is the free space at which even acks could fill the disk: the
	// ballast is given up for them.
	acute = 16 << 20
)

// The guard looks again before a disk that is written at fastest could come
// from what is free to the limit, but no sooner than often and no later than
// seldom.
const (
	fastest = 1 << 30 // bytes a second
	often   = 50 * time.Millisecond
	seldom  = time.Second
)

// Options are what a Guard is made with.
type Options struct {
	// Dir is the directory on the disk in question; the ballast lies there.
	Dir string
	// Limit is the free space, in bytes, under which the alarm is raised. At
	// least LeastLimit.
	Limit int64
	// Log says when the alarm begins and ends, and what becomes of the ballast;
	// nil for nothing.
	Log *zerolog.Logger
	// Free returns how many bytes this user can still write under a directory;
	// nil for what the system says.
	Free func(dir string) (int64, error)
}

// Guard watches the disk of a directory.
type Guard struct {
	// immutable
	opts    Options
	ballast ballast
	log     zerolog.Logger

	stop     chan struct{}  // closed by Close
	watching sync.WaitGroup // the goroutine of Watch

	// owned by the goroutine of Watch, before it by Open
	on     bool // the alarm
	failed bool // the last look at the disk was none
}

// Open looks at the disk before a store is opened on it. It makes the ballast,
// if there is room, and gives it up if that makes the start possible. The error
// is one sentence: there is too little room.
func Open(o Options) (*Guard, error) {
	if o.Limit < LeastLimit {
		return nil, fmt.Errorf("a disk free limit of %d bytes is less than %d", o.Limit, LeastLimit)
	}
	if o.Free == nil {
		o.Free = free
	}
	g := &Guard{opts: o, ballast: ballastIn(o.Dir), log: zerolog.Nop(), stop: make(chan struct{})}
	if o.Log != nil {
		g.log = *o.Log
	}
	n, err := o.Free(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("the free space of the disk of %s is not known: %w", o.Dir, err)
	}
	if n < Least {
		if err := g.makeRoom(n); err != nil {
			return nil, err
		}
	} else {
		g.restoreBallast(n)
	}
	return g, nil
}

// Room returns nil if there is enough room on the disk of a directory to open a
// store there, with the ballast where it is. The error is one sentence.
func Room(dir string) error {
	n, err := free(dir)
	if err != nil {
		return fmt.Errorf("the free space of the disk of %s is not known: %w", dir, err)
	}
	if n < Least {
		return tooFull(dir, n)
	}
	return nil
}

func tooFull(dir string, n int64) error {
	return fmt.Errorf("the disk of %s has only %s free, and %s is the least to start with: make room there first", dir, amount(n), amount(Least))
}

// makeRoom gives the ballast up for a start on a disk with n bytes free, if
// that is enough.
func (g *Guard) makeRoom(n int64) error {
	held := g.ballast.size()
	if n+held < Least {
		return tooFull(g.opts.Dir, n)
	}
	if err := g.ballast.remove(); err != nil {
		return fmt.Errorf("the disk of %s has only %s free, and the ballast could not be removed: %w", g.opts.Dir, amount(n), err)
	}
	g.log.Warn().Int64("free", n).Int64("ballast", held).Str("file", g.ballast.path).
		Msg("the disk is too full to start: the ballast was removed to make room; it comes back when there is space again")
	return nil
}

// Watch begins to guard. alarm is called with true when space runs short and
// with false when there is enough again, never twice the same, by one goroutine
// at a time; if there is too little already, before Watch returns. It must not
// block.
func (g *Guard) Watch(alarm func(on bool)) {
	next := g.look(alarm)
	g.watching.Go(func() {
		t := time.NewTimer(next)
		defer t.Stop()
		for {
			select {
			case <-g.stop:
				return
			case <-t.C:
				t.Reset(g.look(alarm))
			}
		}
	})
}

// Close ends the watch. The alarm stays as it is, and the ballast where it is.
func (g *Guard) Close() {
	close(g.stop)
	g.watching.Wait()
}

// look does what the free space calls for, and returns when to look again.
func (g *Guard) look(alarm func(on bool)) time.Duration {
	n, err := g.opts.Free(g.opts.Dir)
	if err != nil {
		if !g.failed {
			g.log.Error().Err(err).Str("dir", g.opts.Dir).Msg("the free space of the disk is not known; the disk alarm stays as it is")
		}
		g.failed = true
		return seldom
	}
	g.failed = false
	limit := g.opts.Limit
	switch {
	case n < limit && !g.on:
		g.on = true
		g.log.Warn().Int64("free", n).Int64("limit", limit).Str("dir", g.opts.Dir).
			Msg("disk alarm: little space is left; publishers are stopped until there is more")
		alarm(true)
	case n >= g.enough() && g.on:
		g.on = false
		g.log.Info().Int64("free", n).Int64("limit", limit).Str("dir", g.opts.Dir).
			Msg("disk alarm ended: there is space again; publishers go on")
		alarm(false)
	}
	if n < acute {
		g.giveUp(n)
	} else {
		g.restoreBallast(n)
	}
	return wait(n - limit)
}

// wait is how long a disk can be left alone that has so many bytes more than
// its limit.
func wait(spare int64) time.Duration {
	if spare >= fastest { // also keeps the product below from overflowing
		return seldom
	}
	return max(often, time.Duration(spare)*time.Second/fastest)
}

// enough is the free space at which an alarm ends: somewhat above the limit, so
// that it does not come and go with each message.
func (g *Guard) enough() int64 { return g.opts.Limit + g.opts.Limit/8 }

// giveUp removes the ballast because the disk has only n bytes left.
func (g *Guard) giveUp(n int64) {
	held := g.ballast.size()
	if held == 0 {
		return
	}
	if err := g.ballast.remove(); err != nil {
		g.log.Error().Err(err).Msg("the ballast could not be removed")
		return
	}
	g.log.Error().Int64("free", n).Int64("ballast", held).Str("file", g.ballast.path).
		Msg("the disk is nearly full: the ballast was removed so that acks can still be written; make room on the disk now")
}

// restoreBallast makes the ballast if it is not there and n bytes leave room
// for it without an alarm.
func (g *Guard) restoreBallast(n int64) {
	if n < g.enough()+ballastSize || g.ballast.size() == ballastSize {
		return
	}
	if err := g.ballast.make(); err != nil {
		g.log.Warn().Err(err).Str("file", g.ballast.path).Msg("the ballast could not be made; a full disk may keep the broker from starting")
		return
	}
	g.log.Debug().Str("file", g.ballast.path).Int("bytes", ballastSize).Msg("made the ballast")
}

// amount is a number of bytes for people.
func amount(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// Free returns how many bytes the file system has for us, 0 if that cannot be told.
func (g *Guard) Free() int64 {
	n, err := free(g.opts.Dir)
	if err != nil {
		return 0
	}
	return n
}
