package perf

import (
	"math"
	"time"
)

// longNap is what is waited for with a timer, which can be interrupted; shorter
// waits must be more exact than Go's timers are.
const longNap = 5 * time.Millisecond

// pace says when which message of a producer is due.
type pace struct {
	start int64   // of the clock
	rate  float64 // messages a second; 0: all at once
}

// due is how many messages should have gone out by now.
func (p pace) due(now int64) uint64 {
	switch {
	case p.rate == 0:
		return math.MaxUint64
	case now < p.start:
		return 0
	}
	return uint64(float64(now-p.start)*p.rate/1e9) + 1
}

// at is when message number n should go out.
func (p pace) at(n uint64, now int64) int64 {
	if p.rate == 0 {
		return now
	}
	return p.start + int64(float64(n)*1e9/p.rate)
}

// wait returns when message number n is due, or when stop is closed.
func (p pace) wait(n uint64, c clock, stop <-chan struct{}) {
	if p.rate == 0 {
		return
	}
	for {
		left := time.Duration(p.at(n, 0) - c.now())
		switch {
		case left <= 0:
			return
		case left <= longNap:
			nap(left)
		default:
			timer := time.NewTimer(left - longNap/2)
			select {
			case <-timer.C:
			case <-stop:
				timer.Stop()
				return
			}
		}
	}
}
