package main

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// repeatsWindow is the time in which lines of the same message count together.
	repeatsWindow = time.Second
	// repeatsMost is how many of them are written; how many more there were is told
	// when the window is over.
	repeatsMost = 100
)

// repeats keeps what clients can cause as often as they like from filling the disk with
// lines: a client that connects and goes, one whose log-in fails. Errors are always
// written.
type repeats struct {
	log zerolog.Logger // without this hook

	mu     sync.Mutex
	counts map[string]int // of lines in this window, by message
}

// Run implements zerolog.Hook.
func (r *repeats) Run(e *zerolog.Event, level zerolog.Level, message string) {
	if level >= zerolog.ErrorLevel || message == "" {
		return
	}
	r.mu.Lock()
	r.counts[message]++
	n := r.counts[message]
	r.mu.Unlock()
	if n == 1 {
		time.AfterFunc(repeatsWindow, func() { r.end(level, message) })
	}
	if n > repeatsMost {
		e.Discard()
	}
}

// end is the end of a window.
func (r *repeats) end(level zerolog.Level, message string) {
	r.mu.Lock()
	n := r.counts[message]
	delete(r.counts, message)
	r.mu.Unlock()
	if n > repeatsMost {
		r.log.WithLevel(level).Str("of", message).Int("repeated", n-repeatsMost).
			Msg("as many lines more were left out")
	}
}
