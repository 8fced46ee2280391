package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// TestRepeats: what repeats is written so often and then counted; errors and other
// lines are not touched.
func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := newLogger(&out, config{logJSON: true, logLevel: zerolog.InfoLevel})
		for range repeatsMost + 7 {
			log.Info().Msg("connection open")
			log.Error().Msg("internal error")
		}
		log.Warn().Msg("something else")
		time.Sleep(2 * repeatsWindow)
		synctest.Wait()
		log.Info().Msg("connection open")
		counts := map[string]int{}
		for line := range bytes.Lines(out.Bytes()) {
			var l struct {
				Level, Message, Of string
				Repeated           int
			}
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatal(err)
			}
			counts[l.Level+" "+l.Message]++
			if l.Repeated != 0 && (l.Repeated != 7 || l.Of != "connection open" || l.Level != "info") {
				t.Errorf("%+v", l)
			}
		}
		for line, want := range map[string]int{
			"info connection open": repeatsMost + 1, "error internal error": repeatsMost + 7,
			"warn something else": 1, "info as many lines more were left out": 1,
		} {
			if counts[line] != want {
				t.Errorf("%s: %d times, want %d", line, counts[line], want)
			}
		}
		time.Sleep(2 * repeatsWindow)
	})
}
