package badger

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/rs/zerolog"

	"github.com/leveretmq/leveret/persistence"
)

// Report is what is in a stopped store.
type Report struct {
	Sizes Sizes
	// Format is the version of the format.
	Format int
	// Replayed says that the store was not stopped cleanly, so that the logs
	// had to be replayed for it to be read, as the next start would have done.
	Replayed bool
	// Torn is how many bytes at the ends of logs cannot be read. After a power
	// cut that is what was being written, and nobody was told that it is safe.
	Torn int64
	// Definitions are in the order of kinds and ids.
	Definitions []persistence.Definition
	// Chunks hold Records, which have LivePlaces in defined queues and
	// exchanges.
	Chunks, Records, LivePlaces int64
	// LiveBytes is what records with a live place take, DeadBytes what others do.
	LiveBytes, DeadBytes int64
	// Transient is how many records the next start drops, for that is all they
	// are; Strays how many places it drops because their owner is not defined;
	// Orphans how many values it deletes that a transaction has left which was
	// not ended.
	Transient, Strays, Orphans int64
	// Queues and Exchanges are those defined with live places, in the order of
	// ids.
	Queues, Exchanges []OwnerReport
	// Damages are sentences, the first maxDamages of them; Damaged is how many
	// there are. Nil if there is no damage.
	Damages []string
	Damaged int
}

// OwnerReport is what a queue or an exchange has in the store.
type OwnerReport struct {
	ID persistence.QueueID
	// Places are live; Bytes is what the bodies have together.
	Places, Bytes int64
}

// owner is a queue or an exchange that is defined.
type owner struct {
	OwnerReport
	kind persistence.Kind
}

// maxDamages is how many damages are put into words.
const maxDamages = 1000

// Check reads all of a stopped store, each message with its checksum, and
// changes nothing but what Report.Replayed says. It returns an error if it
// cannot look, such as one that wraps ErrInUse or ErrNewer; what it finds wrong
// is in the report.
func Check(dir string) (Report, error) { return examine(dir, true) }

// Inspect is Check without reading the messages.
func Inspect(dir string) (Report, error) { return examine(dir, false) }

// examination is a run of Check or Inspect.
type examination struct {
	Report
	db      *badger.DB
	deep    bool
	settled map[uint64]*bitset // by chunk
	owners  map[persistence.QueueID]*owner
	x       index
}

func examine(dir string, deep bool) (Report, error) {
	e := &examination{deep: deep, settled: make(map[uint64]*bitset), owners: make(map[persistence.QueueID]*owner)}
	var err error
	if e.Sizes, err = measureDir(dir); err != nil {
		return Report{}, fmt.Errorf("the store %s cannot be read: %w", dir, err)
	}
	if !exists(filepath.Join(dir, badger.ManifestFilename)) && e.Sizes.Values.Count+e.Sizes.Tables.Count+e.Sizes.Logs.Count == 0 {
		return Report{}, fmt.Errorf("there is no store in %s", dir)
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return Report{}, fmt.Errorf("the store %s cannot be read: %w", dir, err)
	}
	sound, err := e.files(dir)
	unlock()
	if err != nil || !sound {
		return e.Report, err
	}
	if err := e.open(dir); err != nil || e.db == nil {
		return e.Report, err
	}
	err = e.content()
	if closed := e.db.Close(); err == nil && closed != nil {
		err = fmt.Errorf("closing the store %s: %w", dir, closed)
	}
	return e.Report, err
}

// damage adds a sentence to the report.
func (e *examination) damage(format string, args ...any) {
	if e.Damaged++; len(e.Damages) < maxDamages {
		e.Damages = append(e.Damages, fmt.Sprintf(format, args...))
	}
}

// files looks at what Badger would stumble over. It reports whether Badger may
// be let at them.
func (e *examination) files(dir string) (sound bool, err error) {
	damages := verifyTables(dir)
	for _, err := range damages {
		e.damage("%v", err)
	}
	logs, err := memLogs(dir)
	if err != nil {
		return false, err
	}
	for _, n := range logs {
		tail, err := readTail(memPath(dir, n))
		if err != nil {
			return false, err
		}
		if e.Torn += int64(tail.bytes); tail.lost {
			e.damage("%s: %d bytes cannot be read, and are lost", filepath.Base(memPath(dir, n)), tail.bytes)
		}
	}
	return len(damages) == 0, nil
}

// open opens the database for reading, or if its logs have to be replayed first
// for writing. It leaves e.db nil if that fails for damage.
func (e *examination) open(dir string) error {
	nop := zerolog.Nop()
	o, err := Options{Sync: Always, Log: &nop}.check()
	if err != nil {
		return err
	}
	log := &logger{log: &nop}
	options := o.database(dir, log).WithReadOnly(true)
	if e.Replayed = e.Sizes.Logs.Count > 0; e.Replayed {
		if err := removeEmptyLogs(dir, &nop); err != nil {
			return err
		}
		options = options.WithReadOnly(false).WithNumCompactors(0)
	}
	e.db, err = guardedOpen(options)
	if err == nil {
		err = e.replayFront(dir, o, log)
	}
	switch {
	case err == nil:
	case isLocked(err):
		return fmt.Errorf("the store %s is %w", dir, ErrInUse)
	case isSystem(err):
		return fmt.Errorf("the store %s cannot be read: %s", dir, firstLine(err))
	default:
		e.db = nil
		e.damage("it cannot be opened: %s", firstLine(err))
		return nil
	}
	if n := log.ignored.Load(); n > 0 {
		e.damage("%d tables have wrong checksums", n)
	}
	return nil
}

// content looks at all that is in the database.
func (e *examination) content() error {
	version, err := readFormat(e.db)
	if errors.Is(err, ErrBroken) {
		e.damage("%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if version > formatVersion {
		return fmt.Errorf("the store is %w: it has format %d, and this one knows up to %d", ErrNewer, version, formatVersion)
	}
	e.Format = int(version)
	if e.Definitions, err = readDefinitions(e.db); err != nil {
		e.damage("%v", err)
	}
	for _, d := range e.Definitions {
		if d.Kind.Owns() {
			id := persistence.QueueID(d.ID)
			e.owners[id] = &owner{OwnerReport{ID: id}, d.Kind}
		}
	}
	if list, pieces, whole, err := readJournal(e.db); err != nil {
		e.damage("%v", err)
	} else if whole {
		e.damage("a transaction of %d operations is to be ended by a start first, and is left out here", len(list))
	} else {
		e.Orphans += int64(pieces)
	}
	settles, err := e.readSettles()
	if err != nil {
		return err
	}
	err = walkChunks(e.db, chunkVisitor{chunk: e.chunk, orphan: func([]byte) { e.Orphans++ }})
	if err != nil {
		return err
	}
	e.compare(settles)
	e.Queues, e.Exchanges = e.reports(persistence.KindQueue), e.reports(persistence.KindExchange)
	return nil
}

// reports returns what owners of a kind have, if anything.
func (e *examination) reports(kind persistence.Kind) (all []OwnerReport) {
	for _, o := range e.owners {
		if o.kind == kind && o.Places > 0 {
			all = append(all, o.OwnerReport)
		}
	}
	slices.SortFunc(all, func(a, b OwnerReport) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// readSettles notes which places are settled, and returns how many values say
// so.
func (e *examination) readSettles() (values uint64, err error) {
	err = eachValue(e.db, keySettles, func(key, value []byte) error {
		values++
		var b *bitset
		visit := settlesVisitor{
			chunk: func(chunk uint64) {
				if b = e.settled[chunk]; b == nil {
					b = new(bitset)
					e.settled[chunk] = b
				}
			},
			settled: func(from, to uint32) {
				for p := from; p < min(to, maxChunk/2); p++ {
					b.grow(int(p))
				}
			},
			noted: func(note) {},
		}
		p, err := unseal(key, value)
		if err == nil {
			err = decodeSettles(p, visit)
		}
		if err != nil {
			e.damage("settles %x: %v", key[1:], err)
		}
		return nil
	})
	return values, err
}

// compare compares with what the store has counted itself.
func (e *examination) compare(settles uint64) {
	var want counts
	found := false
	err := eachValue(e.db, keyCounts, func(key, value []byte) error {
		found = true
		return want.read(key, value)
	})
	switch {
	case err != nil:
		e.damage("the count of what there should be: %v", err)
	case !found && e.Chunks > 0:
		e.damage("the count of what there should be is missing")
	case found:
		for _, d := range want.differences(counts{chunks: uint64(e.Chunks), settles: settles, definitions: uint64(len(e.Definitions))}) {
			e.damage("there should be %d %s, and there are %d: %s", d.want, d.of, d.found, d.text)
		}
	}
}
