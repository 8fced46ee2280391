package badger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"
)

// Badger cuts the log of a memtable at the first entry that it cannot read, and
// does not say so. After the end of a process the rest is zeros. After a power
// cut it may be anything, of what was not synced. But if an entry was damaged
// later, what follows it is lost, and that should be known.

// logHeader is how long the header of a log is.
const logHeader = 20

// warnOfLog says if a log has an end that cannot be read.
func warnOfLog(path string, log *zerolog.Logger) error {
	n, err := unreadable(path)
	if n > 0 {
		log.Warn().Str("file", filepath.Base(path)).Int("bytes", n).
			Msg("the end of a log cannot be read: what it held is lost, but after a power cut that was not synced yet")
	}
	return err
}

// unreadable returns how many bytes of a log follow its last entry, not
// counting zeros at the end.
func unreadable(path string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("log: %w", err)
	}
	if len(data) < logHeader {
		return 0, nil
	}
	data = data[logHeader:]
	for {
		n := logEntry(data)
		if n == 0 {
			break
		}
		data = data[n:]
	}
	n := len(data)
	for n > 0 && data[n-1] == 0 {
		n--
	}
	return n, nil
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
