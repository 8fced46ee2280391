package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
)

// syncAll syncs all that was committed before, in the mode Never.
//
// Badger syncs the log of its current memtable and its current value log. A
// value log is synced when it is left for the next; the log of a memtable is
// not, and what is in it is safe only when its table is written. So logs of
// other memtables are synced here.
func syncAll(db *badger.DB, dir string) error {
	if err := db.Sync(); err != nil {
		return err
	}
	logs, err := memLogs(dir)
	if err != nil {
		return err
	}
	for _, n := range logs {
		if err := syncFile(memPath(dir, n)); err != nil {
			return err
		}
	}
	return nil
}

func memPath(dir string, n int) string { return filepath.Join(dir, fmt.Sprintf("%05d.mem", n)) }

// memLogs returns the numbers of the logs of memtables, in order.
func memLogs(dir string) (all []int, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	for _, name := range names {
		var n int
		if _, err := fmt.Sscanf(filepath.Base(name), "%05d.mem", &n); err == nil {
			all = append(all, n)
		}
	}
	return all, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// syncFile syncs a file, unless it is gone: then what was in it is elsewhere.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}
