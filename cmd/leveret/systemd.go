package main

import (
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notify tells systemd a state, if it has started us and wants to know.
func notify(state string) {
	// It fails only if the socket is gone, and then nobody listens.
	_, _ = daemon.SdNotify(false, state)
}

// watchdog ticks twice in the time after which systemd takes us for dead; never, if it
// does not watch.
func watchdog() (ticks <-chan time.Time, stop func()) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(interval / 2)
	return t.C, t.Stop
}
