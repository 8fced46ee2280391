package badger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"
)

// Badger cuts the log of a memtable at the first entry that it cannot read, and
// does not say so. After the end of the process the rest is zeros, or the
// beginning of what was being written; after a power cut it may be any part of
// that. But if an entry was damaged later, what follows it is lost, and that
// should be known.

// logHeader is how long the header of a log is.
const logHeader = 20

// txnEnd begins the key of the entry by which a transaction ends.
var txnEnd = []byte("!badger!txn")

// logTail is what follows the last entry of a log that can be read.
type logTail struct {
	// bytes, not counting zeros at the end
	bytes int
	// lost says that several transactions end there, so that more is lost than
	// what was being written: that is one, as each is synced before the next.
	lost bool
}

// warnOfLog says if a log has an end that cannot be read.
func warnOfLog(path string, log *zerolog.Logger) error {
	tail, err := readTail(path)
	switch name := filepath.Base(path); {
	case tail.lost:
		log.Error().Str("file", name).Int("bytes", tail.bytes).Msg("a log is damaged: what follows is lost")
	case tail.bytes > 0:
		log.Warn().Str("file", name).Int("bytes", tail.bytes).
			Msg("the end of a log cannot be read: after a power cut it is what was being written, and nobody was told that it is safe")
	}
	return err
}

// readTail returns what follows the last entry of a log that can be read.
func readTail(path string) (tail logTail, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return logTail{}, fmt.Errorf("log: %w", err)
	}
	if len(data) < logHeader {
		return logTail{}, nil
	}
	data = data[logHeader:]
	for {
		n := logEntry(data)
		if n == 0 {
			break
		}
		data = data[n:]
	}
	data = bytes.TrimRight(data, "\x00")
	return logTail{bytes: len(data), lost: bytes.Count(data, txnEnd) > 1}, nil
}

// logEntry returns the length of the entry at the front of data, or 0 if there
// is none: two bytes of flags, the lengths of key and value and the expiry as
// varints, key, value, and a CRC32C of all that.
func logEntry(data []byte) int {
	if len(data) < 2 {
		return 0
	}
	at := 2
	var v [3]uint64
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(data[at:]); n <= 0 {
			return 0
		}
		at += n
	}
	left := uint64(len(data) - at)
	if v[0] == 0 || v[0] > left || v[1] > left || v[0]+v[1]+crc32.Size > left {
		return 0
	}
	at += int(v[0] + v[1])
	if crc32.Checksum(data[:at], castagnoli) != binary.BigEndian.Uint32(data[at:]) {
		return 0
	}
	return at + crc32.Size
}
