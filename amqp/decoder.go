package amqp

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// Why a decoder stopped. The exported functions turn these into an *Error.
var (
	errTruncated = errors.New("it ends too early")
	errTrailing  = errors.New("bytes are left over")
	errFieldType = errors.New("unknown field type")
	errNotFinite = errors.New("a float is not a finite number")
	errDepth     = errors.New("it is nested too deeply")
	errUTF8      = errors.New("a short string is not UTF-8")
)

// decoder takes fields off the front of a slice. After the first error it
// answers zero values, so that a caller asks once, with finish.
type decoder struct {
	p    []byte
	err  error
	bits uint8 // what is left of the octet that holds bit fields
	// notUTF8 comes second: RabbitMQ looks at it when all else could be decoded.
	notUTF8 bool
}

// take returns the next n bytes, or nil and an error.
func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n > len(d.p) {
		d.fail(errTruncated)
		return nil
	}
	b := d.p[:n:n]
	d.p = d.p[n:]
	return b
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
		d.p = nil
	}
}

func (d *decoder) octet() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) short() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) long() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) longlong() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// firstBit starts a run of at most eight bit fields, which share an octet.
func (d *decoder) firstBit() bool {
	d.bits = d.octet()
	return d.bits&1 != 0
}

// nextBit is the next field of a run.
func (d *decoder) nextBit() bool {
	d.bits >>= 1
	return d.bits&1 != 0
}

// shortBytes is a short string as a slice of the input.
func (d *decoder) shortBytes() []byte { return d.take(int(d.octet())) }

// shortstr is a short string of any bytes.
func (d *decoder) shortstr() string { return string(d.shortBytes()) }

// utf8Str is a short string that RabbitMQ wants to be UTF-8.
func (d *decoder) utf8Str() string {
	b := d.shortBytes()
	d.notUTF8 = d.notUTF8 || !utf8.Valid(b)
	return string(b)
}

// longBytes is a long string as a slice of the input.
func (d *decoder) longBytes() []byte {
	n := d.long()
	if uint64(n) > uint64(len(d.p)) {
		d.fail(errTruncated)
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) longstr() string { return string(d.longBytes()) }

// finish reports the first error; bytes that are left over are one.
func (d *decoder) finish() error {
	if len(d.p) > 0 {
		d.fail(errTrailing)
	}
	if d.notUTF8 {
		d.fail(errUTF8)
	}
	return d.err
}
