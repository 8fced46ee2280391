package badger

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// reclaimer gives the disk space of deleted chunks back.
//
// Badger learns what is dead in its value log when tables are compacted, and a
// chunk is so little in the tables that this would hardly ever happen. So the
// memtable is filled up with nothing, to have it written and compacted, and
// then Badger is asked to drop files that are half dead.
type reclaimer struct {
	store *Store
	kick  chan struct{}
	stop  chan struct{}
	done  chan struct{}
	bytes atomic.Int64 // deleted since the last time
	disk  atomic.Int64 // bytes on disk, as last looked up
}

// The share of a file of the value log that must be dead for it to be dropped,
// with the rest moved; and how long Badger is given to compact.
const (
	discardRatio = 0.5
	compactDelay = 100 * time.Millisecond
	compactTries = 5
	diskInterval = 2 * time.Second
)

func newReclaimer(s *Store) *reclaimer {
	return &reclaimer{store: s, kick: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

// deleted counts bytes that were deleted; empty says that nothing is left.
func (r *reclaimer) deleted(bytes int64, empty bool) {
	if bytes == 0 {
		return
	}
	limit := r.store.limits.reclaim
	if n := r.bytes.Add(bytes); n >= limit || empty && n >= limit/8 {
		r.start()
	}
}

// start has it run soon.
func (r *reclaimer) start() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

func (r *reclaimer) close() {
	close(r.stop)
	<-r.done
}

// run reclaims when it is told to, and looks after the size on disk.
func (r *reclaimer) run() {
	defer close(r.done)
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	var groups uint64
	for {
		select {
		case <-r.stop:
			return
		case <-r.kick:
			r.bytes.Store(0)
			r.reclaim()
		case <-tick.C:
			if now := r.store.groups(); now == groups {
				continue
			} else {
				groups = now
			}
		}
		r.measure()
	}
}

// measure looks up the size on disk.
func (r *reclaimer) measure() {
	sizes, err := measureDir(r.store.dir)
	if err != nil {
		r.store.opts.Log.Warn().Err(err).Msg("the size of the store is not known")
		return
	}
	r.disk.Store(sizes.total())
}

// reclaim does all of it once.
func (r *reclaimer) reclaim() {
	s := r.store
	if s.failureOf() != nil {
		return
	}
	start := time.Now()
	files, err := r.compactAndCollect()
	if err == nil && r.garbage() > max(2*s.limits.reclaim, s.table.live.Load()/2) {
		// The deletion of a chunk has not met the chunk in the tables: they
		// are on different levels.
		if err = s.db.Flatten(1); err == nil {
			var n int
			n, err = r.collect()
			files += n
		}
	}
	if err != nil {
		s.opts.Log.Warn().Err(err).Msg("disk space is not reclaimed")
		return
	}
	s.opts.Log.Debug().Int("files", files).Dur("took", time.Since(start)).Msg("reclaimed disk space")
}

// compactAndCollect has the memtable compacted, and gives Badger some time for
// it.
func (r *reclaimer) compactAndCollect() (files int, err error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	for range compactTries {
		select {
		case <-r.stop:
			return files, nil
		case <-time.After(compactDelay):
		}
		n, err := r.collect()
		files += n
		if err != nil || n == 0 && files > 0 {
			return files, err
		}
	}
	return files, nil
}

// garbage returns what the value log takes beyond what chunks do, about.
func (r *reclaimer) garbage() int64 {
	sizes, err := measureDir(r.store.dir)
	if err != nil {
		return 0
	}
	return sizes.Values.Bytes - r.store.table.live.Load() - r.store.table.dead.Load()
}

// fill writes as much nothing as goes into the memtable.
func (r *reclaimer) fill() error {
	s := r.store
	value := make([]byte, s.limits.valueThreshold-1)
	var list []operation
	for n := 0; n < int(s.limits.memTable); n += len(value) {
		list = append(list, operation{keyN(keyFiller, uint64(n/len(value))), value})
	}
	if err := s.inPieces(list); err != nil {
		return err
	}
	// A full memtable is left at the next write.
	return s.transact(list[:1])
}

// collect has Badger drop files until there is none to be dropped, and returns
// how many. What is deleted by now is deleted again before, so that a deletion
// is above all that Badger writes anew, and after it what was deleted meanwhile.
func (r *reclaimer) collect() (files int, err error) {
	for err == nil {
		select {
		case <-r.stop:
			err = badger.ErrNoRewrite
		default:
			if _, err = r.store.deleteAgain(); err != nil {
				break
			}
			if err = r.collectOne(); err == nil {
				files++
			}
		}
	}
	if errors.Is(err, badger.ErrNoRewrite) || errors.Is(err, badger.ErrRejected) {
		err = nil
	}
	if files > 0 && err == nil {
		_, err = r.store.deleteAgain()
	}
	return files, err
}

// collectOne drops a file. What is still live in it Badger writes anew, and
// unless it syncs all it writes, that would be only in memory when the file is
// deleted. An open iterator defers the deletion until we have synced.
func (r *reclaimer) collectOne() error {
	s := r.store
	if raceDetector {
		s.turns.Lock()
		defer s.turns.Unlock()
	}
	if s.opts.Sync != Never {
		return s.db.RunValueLogGC(discardRatio)
	}
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: key1(keyFormat)})
	defer it.Close()
	if err := s.db.RunValueLogGC(discardRatio); err != nil {
		return err
	}
	return syncAll(s.db, s.dir)
}
