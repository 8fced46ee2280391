package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// syncer syncs what was committed in the mode Interval, and then tells those
// who wait for it.
type syncer struct {
	store *Store
	kick  chan struct{}
	stop  chan struct{}
	done  chan struct{}

	mu      sync.Mutex
	waiting []told // for what is committed

	// owned by run
	current int // the number of the memtable's log at the last sync, or -1
	numbers []uint64
}

func newSyncer(s *Store) *syncer {
	return &syncer{store: s, kick: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}), current: -1}
}

// add has them told after the next sync. What they wait for is committed.
func (y *syncer) add(all []told) {
	y.mu.Lock()
	y.waiting = append(y.waiting, all...)
	y.mu.Unlock()
	select {
	case y.kick <- struct{}{}:
	default:
	}
}

// run syncs until it is closed; then once more.
func (y *syncer) run() {
	defer close(y.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-y.kick:
		case <-y.stop:
			y.sync()
			return
		}
		timer.Reset(y.store.opts.Interval)
		select {
		case <-timer.C:
		case <-y.stop:
		}
		y.sync()
	}
}

func (y *syncer) close() {
	close(y.stop)
	<-y.done
}

// sync syncs what was committed before, and tells.
func (y *syncer) sync() {
	y.mu.Lock()
	all := y.waiting
	y.waiting = nil
	y.mu.Unlock()
	s := y.store
	err := s.failureOf()
	if err == nil {
		if err = y.syncDisk(); err != nil {
			s.fail(err)
			err = s.failureOf()
		}
	}
	y.numbers = tell(all, err, y.numbers)
	clear(all)
	y.mu.Lock()
	if y.waiting == nil {
		y.waiting = all[:0]
	}
	y.mu.Unlock()
}

// refuse tells those who wait that it was not synced.
func (y *syncer) refuse(err error) {
	y.mu.Lock()
	all := y.waiting
	y.waiting = nil
	y.mu.Unlock()
	tell(all, err, nil)
}

// syncDisk syncs all that was committed before.
//
// Badger syncs the log of its current memtable and its current value log. A
// value log is synced when it is left for the next; the log of a memtable is
// not, and what is in it is safe only when its table is written. So logs of
// memtables other than the one that was current the last time, and still is,
// are synced here.
func (y *syncer) syncDisk() error {
	s := y.store
	s.syncs.Add(1)
	if err := s.faulty("sync"); err != nil {
		return err
	}
	if err := s.db.Sync(); err != nil {
		return err
	}
	if y.current >= 0 && exists(memPath(s.dir, y.current)) && !exists(memPath(s.dir, y.current+1)) {
		return nil
	}
	var err error
	y.current, err = syncMemLogs(s.dir)
	return err
}

// syncAll syncs all that was committed before.
func syncAll(db *badger.DB, dir string) error {
	if err := db.Sync(); err != nil {
		return err
	}
	_, err := syncMemLogs(dir)
	return err
}

// syncMemLogs syncs the logs of all memtables and returns the number of the
// last, or -1.
func syncMemLogs(dir string) (last int, err error) {
	logs, err := memLogs(dir)
	if err != nil {
		return -1, err
	}
	last = -1
	for _, n := range logs {
		if err := syncFile(memPath(dir, n)); err != nil {
			return -1, err
		}
		last = n
	}
	return last, nil
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
