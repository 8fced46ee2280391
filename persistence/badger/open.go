package badger

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/leveretmq/leveret/persistence"
)

// What Open refuses, besides what the system says. Each is wrapped in a
// sentence that names the directory and may be shown to a user as it is.
var (
	// ErrInUse: another store, in this or another process, has it open.
	ErrInUse = errors.New("in use by another process")
	// ErrNewer: it has a format that this version does not know.
	ErrNewer = errors.New("written by a newer version of Leveret")
	// ErrBroken: it cannot be opened without losing what may be whole.
	ErrBroken = errors.New("damaged")
)

// Open opens the store in a directory, which is made if it is not there, and
// finds out what is in it. What is damaged but can be left out is left out,
// logged and counted in Stats. The caller closes the store.
func Open(dir string, o Options) (*Store, error) {
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the store %s cannot be made: %w", dir, err)
	}
	s := &Store{
		dir: dir, opts: o, limits: o.limits, logger: &logger{log: o.Log},
		wake: make(chan struct{}, 1), committed: make(chan struct{}), failed: make(chan struct{}),
		front:       newFront(o.limits.frontWindow),
		definitions: make(map[definitionID]struct{}),
		owners:      make(map[persistence.QueueID]struct{}),
	}
	s.table.init()
	s.room = sync.NewCond(&s.mu)
	s.logger.wake = s.wakeCommitter
	s.reclaimer = newReclaimer(s)
	logs, err := memLogs(dir)
	if err != nil {
		return nil, fmt.Errorf("the store %s cannot be read: %w", dir, err)
	}
	s.killed = len(logs) > 0
	if s.db, err = openDatabase(dir, o, s.logger); err != nil {
		return nil, err
	}
	s.limitTransactions()
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("the store %s: %w", dir, err), s.db.Close())
	}
	s.table.highest.Store(s.counts.nextChunk)
	if err := s.collectWaste(); err != nil {
		return nil, err
	}
	if _, err := s.deleteAgain(); err != nil {
		return nil, errors.Join(fmt.Errorf("the store %s: %w", dir, err), s.db.Close())
	}
	if o.Sync == Always {
		if err := s.front.open(dir); err != nil {
			return nil, errors.Join(fmt.Errorf("the store %s: front log: %w", dir, err), s.db.Close())
		}
	}
	s.reclaimer.measure()
	o.Log.Info().Int64("chunks", s.table.chunks.Load()).Int64("places", s.table.places.Load()).
		Int64("bytes", s.table.live.Load()).Int("definitions", len(s.definitions)).
		Dur("took", time.Since(start)).Msg("store opened")
	go s.commitGroups()
	go s.reclaimer.run()
	s.reclaimer.start()
	return s, nil
}

// limitTransactions finds out what goes into a transaction.
func (s *Store) limitTransactions() {
	s.txnSize = cmp.Or(s.limits.txnSize, int(s.db.MaxBatchSize()*3/4))
	s.txnCount = cmp.Or(s.limits.txnCount, int(s.db.MaxBatchCount()*3/4))
}

// collectWaste has all of the value log looked at if far too much of it is
// dead: Badger's notes of what is dead where are not synced, and a file that is
// missing in them would stay for ever.
func (s *Store) collectWaste() error {
	wasted, kept := s.reclaimer.garbage(), s.table.live.Load()+s.table.dead.Load()
	if wasted < s.limits.wasted || wasted < 3*kept {
		return nil
	}
	s.opts.Log.Warn().Int64("bytes", wasted).Int64("needed", kept).Msg("much more disk space is taken than needed: looking for what can be deleted")
	// What was deleted counts as live until its deletion has met it in the
	// tables.
	_, err := s.reclaimer.compactAndCollect()
	if err == nil {
		err = s.db.Flatten(1)
	}
	if err == nil {
		err = s.db.Close()
	}
	if err == nil {
		err = seedDiscards(s.dir)
	}
	if err != nil {
		return fmt.Errorf("the store %s: %w", s.dir, err)
	}
	s.db, err = openDatabase(s.dir, s.opts, s.logger)
	return err
}

// openDatabase opens Badger.
func openDatabase(dir string, o Options, log *logger) (*badger.DB, error) {
	unlock, err := lockDir(dir)
	if errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("the store %s is %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the store %s cannot be locked: %w", dir, err)
	}
	err = prepareFiles(dir, o.Log)
	unlock()
	if err != nil {
		return nil, err
	}
	db, err := guardedOpen(o.database(dir, log))
	if err == nil && log.ignored.Load() > 0 {
		err = errors.Join(errors.New("tables have wrong checksums"), db.Close())
	}
	switch {
	case err == nil:
		return db, nil
	case isLocked(err):
		return nil, fmt.Errorf("the store %s is %w", dir, ErrInUse)
	case isSystem(err):
		return nil, fmt.Errorf("the store %s cannot be opened: %s", dir, firstLine(err))
	default:
		return nil, fmt.Errorf("the store %s is %w: %s", dir, ErrBroken, firstLine(err))
	}
}

// isLocked reports whether Badger could not be opened because it is.
func isLocked(err error) bool { return strings.Contains(err.Error(), "Cannot acquire directory lock") }

// isSystem reports whether Badger could not be opened for a reason that is not
// in the store. Badger keeps only the texts of errors.
func isSystem(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM,
		syscall.ENODEV, syscall.EIO,
	} {
		if strings.Contains(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}

// guardedOpen turns a panic, which damaged files can cause, into an error.
func guardedOpen(o badger.Options) (db *badger.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%v", r)
		}
	}()
	return badger.Open(o)
}

// firstLine leaves out the stacks that Badger puts into errors.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
