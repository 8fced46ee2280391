package queue

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Cursor is a place in what a browse shows: after one message and before the next. The
// zero value is before all.
type Cursor struct {
	state State
	rank  uint8 // 255 less the priority, of what is ready
	due   int64 // of what is delayed
	seq   uint64
}

// errCursor is what is wrong with a text that is no cursor.
var errCursor = errors.New("not a cursor that a browse has given")

const cursorVersion = 1

// String returns the cursor as a text that ParseCursor reads, of letters, digits, - and _.
func (c Cursor) String() string {
	b := []byte{cursorVersion, byte(c.state), c.rank}
	b = binary.AppendVarint(b, c.due)
	b = binary.AppendUvarint(b, c.seq)
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor reads what String wrote.
func ParseCursor(text string) (Cursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 3 || b[0] != cursorVersion || State(b[1]) >= states {
		return Cursor{}, errCursor
	}
	c := Cursor{state: State(b[1]), rank: b[2]}
	b = b[3:]
	n := 0
	if c.due, n = binary.Varint(b); n <= 0 {
		return Cursor{}, errCursor
	}
	b = b[n:]
	if c.seq, n = binary.Uvarint(b); n <= 0 || n != len(b) {
		return Cursor{}, errCursor
	}
	return c, nil
}

// before reports whether the cursor is before a message: whether that is still to be
// shown.
func (c *Cursor) before(due int64, seq uint64) bool {
	return due > c.due || due == c.due && seq > c.seq
}
