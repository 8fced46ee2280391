//go:build !linux

package perf

import "time"

// nap sleeps for a short time.
func nap(d time.Duration) { time.Sleep(d) }

// ownCPU is not known here.
func ownCPU() time.Duration { return 0 }
