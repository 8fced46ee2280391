package badger

import (
	"errors"
	"os"
	"path/filepath"
)

// Sizes is what a store takes on disk, by kinds of files. Bytes are those that
// are used, which is less than the lengths of the files.
type Sizes struct {
	// Values are the files of the value log: messages, and long indexes.
	Values Files
	// Tables hold definitions, indexes and settles.
	Tables Files
	// Logs of memtables are not in tables yet.
	Logs Files
	// Other is everything else.
	Other Files
}

// Files is how many files of a kind there are, and how much they take.
type Files struct {
	Count int
	Bytes int64
}

func (s *Sizes) total() int64 { return s.Values.Bytes + s.Tables.Bytes + s.Logs.Bytes + s.Other.Bytes }

// measureDir looks at all files in a directory.
func measureDir(dir string) (sizes Sizes, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Sizes{}, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return Sizes{}, err
		}
		kind := &sizes.Other
		switch filepath.Ext(e.Name()) {
		case ".vlog":
			kind = &sizes.Values
		case ".sst":
			kind = &sizes.Tables
		case ".mem":
			kind = &sizes.Logs
		}
		kind.Count++
		kind.Bytes += usedBytes(info)
	}
	return sizes, nil
}
