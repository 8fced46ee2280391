package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestLoggerJSON(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, config{logLevel: zerolog.InfoLevel, logJSON: true})
	log.Debug().Msg("too fine")
	log.Info().Str("queue", "q").Msg("declared")
	var e struct{ Level, Message, Queue, Time string }
	if err := json.Unmarshal(out.Bytes(), &e); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	if e.Level != "info" || e.Message != "declared" || e.Queue != "q" {
		t.Errorf("logged %+v", e)
	}
	if at, err := time.Parse(time.RFC3339, e.Time); err != nil || time.Since(at) > time.Minute || !strings.Contains(e.Time, ".") {
		t.Errorf("time %q: %v", e.Time, err)
	}
}

func TestLoggerConsole(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, config{logLevel: zerolog.WarnLevel})
	log.Info().Msg("too fine")
	log.Warn().Str("queue", "q").Msg("long")
	if got := out.String(); strings.Contains(got, "\x1b") || !strings.Contains(got, " WRN long queue=q") || strings.Count(got, "\n") != 1 {
		t.Errorf("logged %q", got)
	}
}

func TestLoggerNone(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out, config{logLevel: levels()["none"]})
	log.Error().Msg("nobody listens")
	if out.Len() != 0 {
		t.Errorf("logged %q", out.String())
	}
}

func TestWarnings(t *testing.T) {
	var out bytes.Buffer
	warnings(newLogger(&out, config{logJSON: true})).Print("http: odd")
	if got := out.String(); !strings.Contains(got, `"level":"warn"`) || !strings.Contains(got, `"error":"http: odd"`) || !strings.Contains(got, `"message":"HTTP connection failed"`) {
		t.Errorf("logged %q", got)
	}
}

func TestLevelNamesAreTheLevels(t *testing.T) {
	if len(levelNames()) != len(levels()) {
		t.Errorf("%d names, %d levels", len(levelNames()), len(levels()))
	}
	for _, name := range levelNames() {
		if _, ok := levels()[name]; !ok {
			t.Errorf("level %q has a name and no meaning", name)
		}
	}
}
