package badger

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// logger is what Badger logs to. Some of it is for us.
type logger struct {
	log *zerolog.Logger
	// failed is called when Badger has logged that a sync failed; nil until
	// the store is open
	wake    func()
	cause   atomic.Pointer[error]
	ignored atomic.Int32 // tables that Badger left out because of their checksum
}

// syncFailed is how Badger says that the value log was not synced, which it
// tells nobody in any other way (valueLog.write).
const syncFailed = "Error while curlf sync"

// failure returns why a sync has failed, or nil.
func (l *logger) failure() error {
	if cause := l.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// Errorf implements badger.Logger.
func (l *logger) Errorf(format string, args ...any) {
	text := line(format, args)
	switch {
	case strings.HasPrefix(format, syncFailed):
		err := errors.New("sync of the value log: " + text)
		if l.cause.CompareAndSwap(nil, &err) && l.wake != nil {
			l.wake()
		}
	case strings.HasPrefix(format, "Ignoring table"):
		l.ignored.Add(1)
	case strings.HasPrefix(format, "Unable to read: Key"), strings.HasPrefix(format, "Key: "),
		strings.HasPrefix(format, "Received err"):
		// A value that was moved, or is damaged, or an error that is returned:
		// who asked for it says so.
		l.log.Debug().Msg("badger: " + text)
		return
	}
	l.log.Error().Msg("badger: " + text)
}

// Warningf implements badger.Logger.
func (l *logger) Warningf(format string, args ...any) {
	l.log.Warn().Msg("badger: " + line(format, args))
}

// Infof implements badger.Logger. What Badger thinks worth telling is detail
// to us.
func (l *logger) Infof(format string, args ...any) {
	if e := l.log.Trace(); e.Enabled() {
		e.Msg("badger: " + line(format, args))
	}
}

// Debugf implements badger.Logger.
func (l *logger) Debugf(format string, args ...any) { l.Infof(format, args...) }

func line(format string, args []any) string {
	return strings.TrimSpace(fmt.Sprintf(format, args...))
}
