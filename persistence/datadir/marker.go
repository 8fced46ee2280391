package datadir

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	markerName = "leveret.json"
	// markerTempName holds a marker that is not yet complete, and begins the
	// names of probes. Open removes leftovers.
	markerTempName = markerName + ".tmp"
	// maxMarkerSize bounds what is read: a marker is some hundred bytes.
	maxMarkerSize = 64 << 10
	nodeIDSize    = 16
)

// Format is the layout of data directories that this version writes. It knows
// all layouts from 1 up to this one.
const Format = 1

// marker is the content of leveret.json. Fields may be added within a format;
// unknown ones are ignored.
type marker struct {
	Format    int       `json:"format"`
	CreatedAt time.Time `json:"created_at"`
	NodeID    string    `json:"node_id"`
}

func newMarker(now time.Time) marker {
	id := make([]byte, nodeIDSize)
	rand.Read(id) // never fails: the runtime ends the process instead
	return marker{Format: Format, CreatedAt: now.UTC(), NodeID: hex.EncodeToString(id)}
}

// readMarker returns the marker of the directory; found is false if it has
// none. The format is looked at before anything else, because a newer one may
// mean other fields.
func readMarker(dir string) (m marker, found bool, err error) {
	data, err := readSmallFile(filepath.Join(dir, markerName))
	if errors.Is(err, os.ErrNotExist) {
		return marker{}, false, nil
	}
	if err != nil {
		return marker{}, false, denied(dir, "read", err)
	}
	if err := checkOwner(dir, filepath.Join(dir, markerName)); err != nil {
		return marker{}, true, err
	}
	m, err = decodeMarker(data)
	if err != nil {
		return marker{}, true, fmt.Errorf("data directory %s: %w", dir, err)
	}
	return m, true, nil
}

func decodeMarker(data []byte) (marker, error) {
	damaged := func(why string) (marker, error) {
		return marker{}, fmt.Errorf("%w (%s)", ErrDamaged, why)
	}
	var version struct {
		Format *int `json:"format"`
	}
	if len(data) > maxMarkerSize {
		return damaged("it is too long")
	}
	if json.Unmarshal(data, &version) != nil || version.Format == nil {
		return damaged("it is not a JSON object with a format number")
	}
	if *version.Format > Format {
		return marker{}, fmt.Errorf("%w (format %d; this version knows up to %d)", ErrNewer, *version.Format, Format)
	}
	if *version.Format < 1 {
		return damaged(fmt.Sprintf("format %d never existed", *version.Format))
	}
	var m marker
	if json.Unmarshal(data, &m) != nil {
		return damaged("a field has a value of the wrong kind")
	}
	if m.CreatedAt.IsZero() {
		return damaged("created_at is missing")
	}
	if id, err := hex.DecodeString(m.NodeID); err != nil || len(id) != nodeIDSize {
		return damaged("node_id is not 32 hexadecimal digits")
	}
	return m, nil
}

// writeMarker puts the marker in place so that a crash leaves either none or a
// whole one.
func writeMarker(dir string, m marker) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, markerTempName)
	if err := writeFileSync(temp, append(data, '\n')); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, markerName)); err != nil {
		return err
	}
	return syncDir(dir)
}

func writeFileSync(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

func readSmallFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxMarkerSize+1))
}

// syncDir makes the names in a directory survive a power cut.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
