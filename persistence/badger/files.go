package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"
)

// discardFile is where Badger notes how much is dead in which file of the value
// log.
const discardFile = "DISCARD"

// prepareFiles looks at the files before Badger does: at what makes it fail for
// no reason, panic in a goroutine of its own, or delete what it should not.
func prepareFiles(dir string, log *zerolog.Logger) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("the store %s cannot be read: %w", dir, err)
	}
	data := false
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".mem", ".vlog", ".sst":
			data = true
		}
	}
	if !data {
		return nil
	}
	if err := removeEmptyLogs(dir, log); err != nil {
		return err
	}
	if damages := verifyTables(dir); len(damages) > 0 {
		return fmt.Errorf("the store %s is %w: %w", dir, ErrBroken, damages[0])
	}
	logs, err := memLogs(dir)
	for _, n := range logs {
		err = errors.Join(err, warnOfLog(memPath(dir, n), log))
	}
	if err != nil {
		return fmt.Errorf("the store %s cannot be read: %w", dir, err)
	}
	if err := verifyDiscards(filepath.Join(dir, discardFile), log); err != nil {
		return fmt.Errorf("the store %s cannot be opened: %w", dir, err)
	}
	return nil
}

// removeEmptyLogs removes logs of no length, which are left when the process
// ends while Badger makes or deletes one, and which Badger would not open.
func removeEmptyLogs(dir string, log *zerolog.Logger) error {
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err == nil && info.Size() == 0 {
				log.Info().Str("file", name).Msg("removing an empty log")
				err = os.Remove(name)
			}
			if err != nil {
				return fmt.Errorf("the store %s cannot be opened: %w", dir, err)
			}
		}
	}
	return nil
}

// verifyDiscards removes Badger's notes of how much is dead in which file of the
// value log if they are not what Badger wrote: it would loop or panic. They are
// only statistics.
func verifyDiscards(path string, log *zerolog.Logger) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if soundDiscards(data) {
		return nil
	}
	log.Warn().Str("file", path).Msg("removing damaged statistics; less disk space may be reclaimed for some time")
	return os.Remove(path)
}

// soundDiscards reports whether data are pairs of a file's number and its dead
// bytes, up to the first number 0, each number once.
func soundDiscards(data []byte) bool {
	if len(data) < 1<<20 || len(data)%16 != 0 {
		return len(data) == 0
	}
	var files []uint64
	for ; len(data) > 0; data = data[16:] {
		file, dead := binary.BigEndian.Uint64(data), binary.BigEndian.Uint64(data[8:])
		if file == 0 {
			break
		}
		if file > math.MaxUint32 || dead > math.MaxUint32 {
			return false
		}
		files = append(files, file)
	}
	slices.Sort(files)
	return len(slices.Compact(slices.Clone(files))) == len(files)
}

// seedDiscards has Badger believe that all of the value log is dead. It then
// looks at each file, and drops it or moves what is live.
func seedDiscards(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.vlog"))
	if err != nil {
		return err
	}
	data := make([]byte, 0, 1<<20)
	for _, name := range names {
		var file uint32
		if _, err := fmt.Sscanf(filepath.Base(name), "%d.vlog", &file); err != nil || file == 0 {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		data = binary.BigEndian.AppendUint64(data, uint64(file))
		data = binary.BigEndian.AppendUint64(data, uint64(min(info.Size(), math.MaxUint32)))
	}
	// Badger wants a free pair at the end.
	data = append(data, make([]byte, max(1<<20-len(data), 16))...)
	return os.WriteFile(filepath.Join(dir, discardFile), data, 0o600)
}
