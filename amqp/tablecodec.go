package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
)

// maxTableDepth bounds how deeply tables and arrays may be nested, so that a
// hostile table cannot exhaust the stack.
const maxTableDepth = 64

// DecodeTable decodes the table at the front of p, which starts with its
// 4-byte length, and returns the bytes after it. The table shares no memory
// with p. Every allocation is paid for by bytes seen. A malformed table, an
// unknown type letter, a float that is no finite number (RabbitMQ cannot hold
// one) and nesting beyond 64 are a 501. An empty table decodes as nil.
func DecodeTable(p []byte) (t Table, rest []byte, err error) {
	d := decoder{p: p}
	t = d.table(0)
	if d.err != nil {
		return nil, p, tableError(d.err)
	}
	return t, d.p, nil
}

// DecodeFields is DecodeTable for a table without its length, which is all of
// p: the response of the SASL mechanism AMQPLAIN is one.
func DecodeFields(p []byte) (Table, error) {
	d := decoder{p: p}
	t := d.fields(0)
	if d.err != nil {
		return nil, tableError(d.err)
	}
	return t, nil
}

// ValidateTable checks, without allocating, that p is what DecodeTable accepts
// and nothing more.
func ValidateTable(p []byte) error {
	d := decoder{p: p}
	d.skipTable(0)
	if err := d.finish(); err != nil {
		return tableError(err)
	}
	return nil
}

// LookupField decodes the first field of that name in a table on the wire
// (with its length) and steps over the others. ok is false if there is none.
// A field that is malformed behind the one found goes unnoticed.
func LookupField(rawTable []byte, name string) (value any, ok bool, err error) {
	d := decoder{p: rawTable}
	d.p = d.longBytes()
	for len(d.p) > 0 {
		if found := d.shortBytes(); d.err == nil && string(found) == name {
			value, ok = d.value(0), true
			break
		}
		d.skipValue(0)
	}
	if d.err != nil {
		return nil, false, tableError(d.err)
	}
	return value, ok, nil
}

func tableError(err error) *Error { return FrameError("cannot decode table: %v", err) }

// table decodes a length and the fields that it covers.
func (d *decoder) table(depth int) Table {
	inner := d.inside(depth)
	t := inner.fields(depth)
	d.leave(&inner)
	return t
}

// array decodes a length and the values that it covers.
func (d *decoder) array(depth int) Array {
	inner := d.inside(depth)
	a := inner.values(depth)
	d.leave(&inner)
	return a
}

// inside returns a decoder of what the length at the front covers.
func (d *decoder) inside(depth int) decoder {
	if depth >= maxTableDepth {
		d.fail(errDepth)
	}
	return decoder{p: d.longBytes()}
}

// leave takes over the error of a decoder from inside.
func (d *decoder) leave(inner *decoder) {
	if inner.err != nil {
		d.fail(inner.err)
	}
}

// fields decodes fields up to the end of the slice.
func (d *decoder) fields(depth int) Table {
	var t Table
	for len(d.p) > 0 {
		name := d.shortstr()
		t = append(t, Field{name, d.value(depth)})
	}
	return t
}

// values decodes values up to the end of the slice.
func (d *decoder) values(depth int) Array {
	a := Array{}
	for len(d.p) > 0 {
		a = append(a, d.value(depth))
	}
	return a
}

// value decodes a type letter and what it announces.
func (d *decoder) value(depth int) any {
	switch d.octet() {
	case 't':
		return d.octet() != 0
	case 'b':
		return int8(d.octet())
	case 'B':
		return d.octet()
	case 's':
		return int16(d.short())
	case 'u':
		return d.short()
	case 'I':
		return int32(d.long())
	case 'i':
		return d.long()
	case 'l', 'L':
		return int64(d.longlong())
	case 'f':
		return d.float32()
	case 'd':
		return d.float64()
	case 'D':
		return Decimal{d.octet(), int32(d.long())}
	case 'S':
		return d.longstr()
	case 'x':
		return append([]byte{}, d.longBytes()...)
	case 'A':
		return d.array(depth + 1)
	case 'F':
		return d.table(depth + 1)
	case 'T':
		return Timestamp(d.longlong())
	case 'V':
		return nil
	}
	d.fail(errFieldType)
	return nil
}

func (d *decoder) float32() float32 {
	f := math.Float32frombits(d.long())
	d.checkFinite(float64(f))
	return f
}

func (d *decoder) float64() float64 {
	f := math.Float64frombits(d.longlong())
	d.checkFinite(f)
	return f
}

func (d *decoder) checkFinite(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		d.fail(errNotFinite)
	}
}

// skipTable is table without the result.
func (d *decoder) skipTable(depth int) {
	inner := d.inside(depth)
	for len(inner.p) > 0 {
		inner.shortBytes()
		inner.skipValue(depth)
	}
	d.leave(&inner)
}

// skipArray is array without the result.
func (d *decoder) skipArray(depth int) {
	inner := d.inside(depth)
	for len(inner.p) > 0 {
		inner.skipValue(depth)
	}
	d.leave(&inner)
}

// skipValue is value without the result: it refuses exactly the same.
func (d *decoder) skipValue(depth int) {
	switch d.octet() {
	case 't', 'b', 'B':
		d.take(1)
	case 's', 'u':
		d.take(2)
	case 'I', 'i':
		d.take(4)
	case 'l', 'L', 'T':
		d.take(8)
	case 'D':
		d.take(5)
	case 'f':
		d.float32()
	case 'd':
		d.float64()
	case 'S', 'x':
		d.longBytes()
	case 'A':
		d.skipArray(depth + 1)
	case 'F':
		d.skipTable(depth + 1)
	case 'V':
	default:
		d.fail(errFieldType)
	}
}

// AppendTable appends the table with its 4-byte length to buf. The letters are
// those of Table; int64 is written as l, and int is taken as an int64. The
// error, never an *Error, names a field that has no encoding: a type that is
// not in that list, a name of more than 255 bytes, a float that is not finite,
// nesting beyond 64.
func AppendTable(buf []byte, t Table) ([]byte, error) { return appendTable(buf, t, 0) }

func appendTable(buf []byte, t Table, depth int) ([]byte, error) {
	if depth >= maxTableDepth {
		return nil, fmt.Errorf("table: %w", errDepth)
	}
	start := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	for i := range t {
		var err error
		if buf, err = appendShort(buf, t[i].Name); err != nil {
			return nil, fmt.Errorf("table field name: %w", err)
		}
		if buf, err = appendValue(buf, t[i].Value, depth); err != nil {
			return nil, fmt.Errorf("table field '%s': %w", t[i].Name, err)
		}
	}
	putSize(buf, start)
	return buf, nil
}

func appendArray(buf []byte, a Array, depth int) ([]byte, error) {
	if depth >= maxTableDepth {
		return nil, fmt.Errorf("array: %w", errDepth)
	}
	start := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	for _, v := range a {
		var err error
		if buf, err = appendValue(buf, v, depth); err != nil {
			return nil, err
		}
	}
	putSize(buf, start)
	return buf, nil
}

// putSize fills in the 4-byte length at start with what follows it.
func putSize(buf []byte, start int) {
	binary.BigEndian.PutUint32(buf[start:], uint32(len(buf)-start-4))
}

func appendValue(buf []byte, value any, depth int) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(buf, 'V'), nil
	case bool:
		return append(buf, 't', boolOctet(v)), nil
	case int8:
		return append(buf, 'b', byte(v)), nil
	case uint8:
		return append(buf, 'B', v), nil
	case int16:
		return binary.BigEndian.AppendUint16(append(buf, 's'), uint16(v)), nil
	case uint16:
		return binary.BigEndian.AppendUint16(append(buf, 'u'), v), nil
	case int32:
		return binary.BigEndian.AppendUint32(append(buf, 'I'), uint32(v)), nil
	case uint32:
		return binary.BigEndian.AppendUint32(append(buf, 'i'), v), nil
	case int64:
		return binary.BigEndian.AppendUint64(append(buf, 'l'), uint64(v)), nil
	case int:
		return binary.BigEndian.AppendUint64(append(buf, 'l'), uint64(v)), nil
	case float32:
		return appendFloat(buf, 'f', float64(v), uint64(math.Float32bits(v)), 4)
	case float64:
		return appendFloat(buf, 'd', v, math.Float64bits(v), 8)
	case Decimal:
		return binary.BigEndian.AppendUint32(append(buf, 'D', v.Scale), uint32(v.Value)), nil
	case Timestamp:
		return binary.BigEndian.AppendUint64(append(buf, 'T'), uint64(v)), nil
	case string:
		return appendLong(append(buf, 'S'), v), nil
	case []byte:
		return appendLong(append(buf, 'x'), v), nil
	case Array:
		return appendArray(append(buf, 'A'), v, depth+1)
	case Table:
		return appendTable(append(buf, 'F'), v, depth+1)
	}
	return nil, fmt.Errorf("a value of Go type %T has no encoding", value)
}

// appendFloat appends the low size bytes of bits.
func appendFloat(buf []byte, letter byte, f float64, bits uint64, size int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errNotFinite
	}
	buf = append(buf, letter)
	if size == 4 {
		return binary.BigEndian.AppendUint32(buf, uint32(bits)), nil
	}
	return binary.BigEndian.AppendUint64(buf, bits), nil
}

func boolOctet(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// appendShort appends a short string; one of more than 255 bytes is an error.
func appendShort(buf []byte, s string) ([]byte, error) {
	if len(s) > math.MaxUint8 {
		return nil, fmt.Errorf("%d bytes do not fit a short string", len(s))
	}
	return append(append(buf, byte(len(s))), s...), nil
}

// appendLong appends a long string.
func appendLong[S string | []byte](buf []byte, s S) []byte {
	return append(binary.BigEndian.AppendUint32(buf, uint32(len(s))), s...)
}
