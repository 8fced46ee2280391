package datadir

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestMarkerBothWays(t *testing.T) {
	dir := t.TempDir()
	want := newMarker(time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)))
	if err := writeMarker(dir, want); err != nil {
		t.Fatal(err)
	}
	got, found, err := readMarker(dir)
	if err != nil || !found {
		t.Fatalf("readMarker: found %v, %v", found, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, wrote %+v", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, markerTempName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary file is still there: %v", err)
	}
}

func TestMarkerIgnoresUnknownFields(t *testing.T) {
	m, err := decodeMarker([]byte(`{"later":[1],` + goodMarker[1:]))
	if err != nil || m.Format != 1 {
		t.Errorf("decodeMarker = %+v, %v", m, err)
	}
}

func TestMarkerThatIsADirectory(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, filepath.Join(dir, markerName))
	if _, err := Open(dir); err == nil {
		t.Error("opened")
	}
	if got := names(t, dir); got != markerName {
		t.Errorf("directory holds %q", got)
	}
}

// What decodes is valid and decodes again to itself; what does not is damaged
// or newer, and nothing else.
func FuzzDecodeMarker(f *testing.F) {
	for _, seed := range []string{goodMarker, "", "{}", `{"format":2}`, `{"format":1}`, `[]`, `null`, `{"format":1e99}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMarker(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
				t.Fatalf("error %v is of no known kind", err)
			}
			return
		}
		if m.Format != Format || len(m.NodeID) != 2*nodeIDSize || m.CreatedAt.IsZero() {
			t.Fatalf("accepted %+v", m)
		}
		out, err := json.Marshal(m)
		if err != nil {
			t.Skip("a date that JSON cannot hold")
		}
		if again, err := decodeMarker(out); err != nil || !again.CreatedAt.Equal(m.CreatedAt) || again.NodeID != m.NodeID {
			t.Fatalf("%s decodes to %+v, %v", out, again, err)
		}
	})
}
