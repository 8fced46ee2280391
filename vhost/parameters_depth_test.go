package vhost

import (
	"encoding/json"
	"testing"
)

func TestDepthOf(t *testing.T) {
	for in, want := range map[string]int{
		`1`: 0, `"[["`: 0, `"\"[["`: 0, `"\\\\"`: 0, `["\\\\",[1]]`: 2, `{"a":{"b":[]}}`: 3, `[[],[[]]]`: 3,
	} {
		if got := depthOf(json.RawMessage(in)); got != want || !json.Valid([]byte(in)) {
			t.Errorf("%s: depth %d, want %d", in, got, want)
		}
	}
}
