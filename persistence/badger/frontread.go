package badger

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// A record of the front log begins at a multiple of frontBlock:
//
//	magic (4) | length of the operations (4) | number (8) | secret (8) | CRC32C of all else (4) | operations
//
// with little-endian numbers and the operations as in the journal. The secret is a
// random number that the database knows. A start looks for records at every block, and
// what clients have sent lies in some of them: without the secret a message could pass
// for a record.
const (
	frontMagic = 0x314c564c // "LVL1"
	frontHead  = 28
	frontSumAt = frontHead - 4
)

// appendFrontRecord appends a record, padded to whole blocks.
func appendFrontRecord(b []byte, secret, number uint64, list []operation) []byte {
	from := len(b)
	b = binary.LittleEndian.AppendUint32(b, frontMagic)
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint64(b, secret)
	b = append(b, 0, 0, 0, 0)
	for _, op := range list {
		b = appendOperation(b, op)
	}
	record := b[from:]
	binary.LittleEndian.PutUint32(record[4:], uint32(len(record)-frontHead))
	binary.LittleEndian.PutUint32(record[frontSumAt:], frontSum(record))
	if over := len(record) % frontBlock; over > 0 {
		b = append(b, make([]byte, frontBlock-over)...)
	}
	return b
}

// frontLength returns how long a record is without its padding.
func frontLength(record []byte) int {
	return frontHead + int(binary.LittleEndian.Uint32(record[4:]))
}

func frontSum(record []byte) uint32 {
	sum := crc32.Checksum(record[:frontSumAt], castagnoli)
	return crc32.Update(sum, castagnoli, record[frontHead:])
}

// frontRecord is a record that was read.
type frontRecord struct {
	number uint64
	list   []operation
}

// frontState is what is in a front log that is still to be carried out.
type frontState struct {
	records []frontRecord // in order
	// missing are records that should be among them, torn one at the end that was
	// being written when all ended, or is damaged.
	missing uint64
	torn    int64 // bytes
	// cut: records at the end may be missing without a trace.
	cut bool
}

// readFront reads what comes after what the database has by its counts. A log that is
// not there is empty. It is cut if it has not even the last record that the database
// has, or another length than it was given.
func readFront(dir string, secret uint64, has *counts) (frontState, error) {
	data, err := os.ReadFile(filepath.Join(dir, frontFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return frontState{}, err
	}
	s := parseFront(data, secret, has.front)
	s.cut = len(data)%frontPiece != 0 || has.fronted > 0 && len(s.records) == 0 && s.torn == 0 &&
		len(parseFront(data, secret, has.fronted-1).records) == 0
	return s, nil
}

// parseFront is readFront of the bytes. It looks at each block, because what is written
// round and round has no beginning.
func parseFront(data []byte, secret, after uint64) (s frontState) {
	broken := map[uint64]int64{}
	for at := 0; at+frontHead <= len(data); at += frontBlock {
		record, number, ok := recordAt(data[at:], secret)
		if number <= after {
			continue
		}
		var list []operation
		if ok {
			var err error
			list, err = decodeJournal(record[frontHead:], nil)
			ok = err == nil
		}
		if !ok {
			broken[number] = max(int64(len(record)), frontBlock)
			continue
		}
		s.records = append(s.records, frontRecord{number, list})
	}
	slices.SortFunc(s.records, func(a, b frontRecord) int { return cmp.Compare(a.number, b.number) })
	s.records = slices.CompactFunc(s.records, func(a, b frontRecord) bool { return a.number == b.number })
	last := after
	for _, r := range s.records {
		s.missing += r.number - last - 1
		last = r.number
	}
	s.torn = broken[last+1]
	return s
}

// recordAt returns the record at the front of data, and the number that it has or
// seems to have: 0 if it is none at all.
func recordAt(data []byte, secret uint64) (record []byte, number uint64, ok bool) {
	if binary.LittleEndian.Uint32(data) != frontMagic || binary.LittleEndian.Uint64(data[16:]) != secret {
		return nil, 0, false
	}
	number = binary.LittleEndian.Uint64(data[8:])
	length := frontHead + uint64(binary.LittleEndian.Uint32(data[4:]))
	if length > uint64(len(data)) || length > frontMost {
		return nil, number, false
	}
	record = data[:length]
	return record, number, frontSum(record) == binary.LittleEndian.Uint32(record[frontSumAt:])
}

// readSecret returns the secret of the records, 0 if there is none yet.
func readSecret(db *badger.DB) (secret uint64, err error) {
	err = eachValue(db, keyFront, func(key, value []byte) error { return unsealNumbers(key, value, &secret) })
	return secret, err
}

// newSecret makes another secret; what is in the log is none of ours then.
func (s *Store) newSecret() error {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	s.front.secret = binary.LittleEndian.Uint64(random[:]) | 1
	key := key1(keyFront)
	return s.transact([]operation{{key, sealedNumbers(key, s.front.secret)}})
}

// recoverFront carries out what the log has and the database has not.
func (s *Store) recoverFront() error {
	secret, err := readSecret(s.db)
	var last counts
	if err == nil {
		err = eachValue(s.db, keyCounts, last.read)
	}
	if err != nil {
		// load will say more of it. Without the number nobody knows what is old, so the
		// log is made worthless, for later starts too.
		s.opts.Log.Error().Err(err).Msg("what was written last may be lost")
		s.damaged.Add(1)
		return s.newSecret()
	}
	if secret == 0 {
		return s.newSecret()
	}
	s.front.secret = secret
	found, err := readFront(s.dir, secret, &last)
	if err != nil {
		return fmt.Errorf("front log: %w", err)
	}
	if found.missing > 0 {
		s.damaged.Add(found.missing)
		s.opts.Log.Error().Uint64("groups", found.missing).Msg("the front log is damaged: messages are missing")
	}
	if found.cut && s.killed {
		s.damaged.Add(1)
		s.opts.Log.Error().Msg("the front log was cut: what was written last may be missing")
	}
	if found.torn > 0 {
		s.opts.Log.Warn().Int64("bytes", found.torn).Str("file", filepath.Join(s.dir, frontFile)).
			Msg("the last group of the front log cannot be read; after a power cut that is what was being written")
	}
	if len(found.records) == 0 {
		return nil
	}
	for _, r := range found.records {
		s.front.note(r.list)
	}
	s.opts.Log.Info().Int("groups", len(found.records)).Msg("carried out what was only in the front log")
	return s.drain()
}
