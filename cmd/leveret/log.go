package main

import (
	"io"
	"log"
	"os"
	"time"

	"github.com/rs/zerolog"
)

// logTime is RFC 3339 with milliseconds.
const logTime = "2006-01-02T15:04:05.000Z07:00"

func levelNames() []string { return []string{"debug", "info", "warn", "error", "none"} }

func levels() map[string]zerolog.Level {
	return map[string]zerolog.Level{
		"debug": zerolog.DebugLevel,
		"info":  zerolog.InfoLevel,
		"warn":  zerolog.WarnLevel,
		"error": zerolog.ErrorLevel,
		"none":  zerolog.Disabled,
	}
}

// newLogger returns the logger of a configuration: a line of JSON an event, or
// text for people, in colour if a person is looking.
func newLogger(w io.Writer, c config) zerolog.Logger {
	if !c.logJSON {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !isTerminal(w), TimeFormat: logTime}
	}
	l := zerolog.New(zerolog.SyncWriter(w)).Level(c.logLevel).Hook(zerolog.HookFunc(addTime))
	return l.Hook(&repeats{log: l, counts: map[string]int{}})
}

// addTime is there because zerolog's own timestamps take their format from a
// global variable.
func addTime(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().Format(logTime))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// warnings is a log.Logger, as net/http wants one, whose lines are warnings. They have
// one message, because there are addresses of clients in the text, and the same thing
// must be seen as the same.
func warnings(l zerolog.Logger) *log.Logger { return log.New(warningWriter{l}, "", 0) }

type warningWriter struct{ log zerolog.Logger }

func (w warningWriter) Write(p []byte) (int, error) {
	n := len(p)
	if n > 0 && p[n-1] == '\n' {
		p = p[:n-1]
	}
	w.log.Warn().Bytes("error", p).Msg("HTTP connection failed")
	return n, nil
}
