package persistence

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/leveretmq/leveret/amqp"
)

const (
	// BodyVersion is the first byte of each definition's body.
	BodyVersion = 1
	// MaxBody is the longest body of a definition, in bytes.
	MaxBody = 1 << 20
)

// AppendText appends texts to a definition's body, each with its length before it.
func AppendText(body []byte, texts ...string) []byte {
	for _, s := range texts {
		body = appendBytes(body, s)
	}
	return body
}

// BodyReader takes fields off the front of a definition's body, in the order in
// which they were appended. After a failure all are zero; End says what it was.
type BodyReader struct {
	p   []byte
	err error
}

var errShort = errors.New("it is cut short")

// OpenBody returns a reader behind the version byte, which must be BodyVersion.
func OpenBody(body []byte) BodyReader {
	r := BodyReader{p: body}
	if v := r.Octet(); r.err == nil && v != BodyVersion {
		r.Fail(fmt.Errorf("its version is %d, and this program knows %d", v, BodyVersion))
	}
	return r
}

// Fail has the body be wrong for a reason of the caller's; the first one counts.
func (r *BodyReader) Fail(err error) {
	if r.err == nil {
		r.err, r.p = err, nil
	}
}

// Failed reports whether something was wrong so far.
func (r *BodyReader) Failed() bool { return r.err != nil }

// Bytes reads n bytes, which are those of the body; nil if there are not as many.
func (r *BodyReader) Bytes(n uint64) []byte {
	if n > uint64(len(r.p)) {
		r.Fail(errShort)
		return nil
	}
	b := r.p[:n]
	r.p = r.p[n:]
	return b
}

// Octet reads one byte.
func (r *BodyReader) Octet() byte {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// Flags reads an octet in which only the known bits may be set.
func (r *BodyReader) Flags(known byte) byte {
	b := r.Octet()
	if b&^known != 0 {
		r.Fail(fmt.Errorf("its flags are %#x, and this program knows %#x", b, known))
		return 0
	}
	return b
}

// Uvarint reads a number.
func (r *BodyReader) Uvarint() uint64 {
	n, size := binary.Uvarint(r.p)
	if size <= 0 {
		r.Fail(errShort)
		return 0
	}
	r.p = r.p[size:]
	return n
}

// Varint reads a number that may be negative.
func (r *BodyReader) Varint() int64 {
	n, size := binary.Varint(r.p)
	if size <= 0 {
		r.Fail(errShort)
		return 0
	}
	r.p = r.p[size:]
	return n
}

// Text reads a text that AppendText has appended.
func (r *BodyReader) Text() string { return string(r.Bytes(r.Uvarint())) }

// Table reads a field table, as amqp.AppendTable appends it.
func (r *BodyReader) Table() amqp.Table {
	if r.err != nil {
		return nil
	}
	t, rest, err := amqp.DecodeTable(r.p)
	if err != nil {
		r.Fail(err)
		return nil
	}
	r.p = rest
	return t
}

// End returns what went wrong, also if something is left.
func (r *BodyReader) End() error {
	if r.err == nil && len(r.p) > 0 {
		r.Fail(fmt.Errorf("%d bytes are left over", len(r.p)))
	}
	return r.err
}
