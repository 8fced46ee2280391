package badger

import (
	"cmp"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/rs/zerolog"
)

// Sync says when what was written is safe, and with that when waiters are told.
type Sync uint8

const (
	// Always: each group is synced to disk before its waiters are told. What
	// was told survives a power cut.
	Always Sync = iota
	// Interval: as Always, but a group is written only when Options.Interval has
	// passed since the last, so that fewer and larger ones are synced, and more
	// is settled before it needs to be written.
	Interval
	// Never: waiters are told when the operating system has the data. What was
	// told survives the end of the process, but not of the machine.
	Never
)

// The range of Options.Interval.
const (
	MinInterval = time.Millisecond
	MaxInterval = 10 * time.Second
)

// DefaultInterval is used for an Options.Interval of 0.
const DefaultInterval = 10 * time.Millisecond

// Options says how a store works. The zero value is the safest.
type Options struct {
	// Sync is the mode.
	Sync Sync
	// Interval is how often the mode Interval syncs at most, MinInterval to
	// MaxInterval; 0 is DefaultInterval. It is how long a confirm may wait.
	// Other modes ignore it.
	Interval time.Duration
	// Log is told what happens to the data; nil logs nothing.
	Log *zerolog.Logger

	// limits may be lowered by tests; zero fields have their defaults.
	limits limits
}

// limits are sizes that are not for users to choose. Bytes unless it says
// otherwise.
type limits struct {
	// A group takes whole batches until it has so much, or so much of changed
	// definitions: that should leave room in a transaction.
	groupBytes, groupRecords       int
	groupChanges, groupChangeBytes int
	// A chunk is cut when it has so much, or so many places; a larger message
	// has a chunk of its own, in values of partBytes.
	chunkBytes, chunkPlaces, ownChunk, partBytes int
	// Settles alone wait so long, or for so many bytes of them.
	settleDelay time.Duration
	settleBytes int
	// One value with settles names at most so many bytes.
	settleValue int
	// Await blocks above.
	pending int64
	// Relocation begins when so much is dead in live chunks, and more than is
	// live; a group moves relocateStep.
	relocateMin  int64
	relocateStep int
	// The reclaimer runs when so much was deleted, and a start has all files of
	// the value log looked at when so much of it is dead.
	reclaim, wasted int64
	// A group deletes so many keys of each kind, so that it stays within the
	// limits of a transaction.
	deletes int
	// A transaction has at most so much in the value log, see commit.go, and so
	// much and so many keys otherwise; 0 is what Badger takes.
	txnValues, txnSize, txnCount int
	// Badger's own.
	memTable, valueLogFile, valueThreshold int64
	// frontWindow is how long what is in the front log waits for the database.
	frontWindow time.Duration
	// indexCache is how many places of decoded indexes are kept.
	indexCache int
}

func (l limits) withDefaults() limits {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set64 := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&l.groupBytes, 1<<20)
	set(&l.groupRecords, 2000)
	set(&l.groupChanges, 800)
	set(&l.groupChangeBytes, 76<<10)
	set(&l.chunkBytes, 1<<20)
	set(&l.chunkPlaces, 1<<14)
	set(&l.ownChunk, 256<<10)
	set(&l.partBytes, 8<<20)
	if l.settleDelay == 0 {
		l.settleDelay = 100 * time.Millisecond
	}
	if l.frontWindow == 0 {
		l.frontWindow = 200 * time.Millisecond
	}
	set(&l.settleBytes, 64<<10)
	set(&l.settleValue, 64<<10)
	set64(&l.pending, 64<<20)
	set64(&l.relocateMin, 256<<20)
	set(&l.relocateStep, 4<<20)
	set64(&l.reclaim, 64<<20)
	set64(&l.wasted, 1<<30)
	set(&l.deletes, 300)
	set(&l.txnValues, 12<<20)
	set64(&l.memTable, 1<<20)
	set64(&l.valueLogFile, 32<<20)
	set64(&l.valueThreshold, 4<<10)
	set(&l.indexCache, 32<<10)
	return l
}

// check fills in the defaults.
func (o Options) check() (Options, error) {
	switch {
	case o.Sync > Never:
		return o, fmt.Errorf("unknown sync mode %d", o.Sync)
	case o.Interval == 0:
		o.Interval = DefaultInterval
	case o.Sync == Interval && (o.Interval < MinInterval || o.Interval > MaxInterval):
		return o, fmt.Errorf("a sync interval of %v is not within %v to %v", o.Interval, MinInterval, MaxInterval)
	}
	if o.Log == nil {
		nop := zerolog.Nop()
		o.Log = &nop
	}
	if o.Sync == Interval {
		o.limits.groupBytes = cmp.Or(o.limits.groupBytes, 8<<20)
		o.limits.groupRecords = cmp.Or(o.limits.groupRecords, 16_000)
	}
	o.limits = o.limits.withDefaults()
	return o, nil
}

// database returns Badger's options. A small memtable and small files keep
// memory, and what one write dirties, small; nothing is compressed or cached,
// as bodies lie in the value log and are read through the page cache. The
// value log verifies what it reads, or it would take a damaged header for
// lengths.
func (o Options) database(dir string, log badger.Logger) badger.Options {
	l := o.limits
	return badger.DefaultOptions(dir).
		WithSyncWrites(o.Sync != Never).
		WithValueThreshold(l.valueThreshold).
		WithMemTableSize(l.memTable).
		WithNumMemtables(2).
		WithNumLevelZeroTables(1).
		WithNumLevelZeroTablesStall(15).
		WithNumCompactors(2).
		WithValueLogFileSize(l.valueLogFile).
		WithBaseTableSize(2 << 20).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithMetricsEnabled(false).
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithCompactL0OnClose(false).
		WithVerifyValueChecksum(true).
		WithLogger(log)
}
