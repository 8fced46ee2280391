package binding

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/leveretmq/leveret/amqp"
)

// equality says which values have the same encoding under appendValue.
type equality uint8

const (
	// typed: values of one type, any width of integer and float being one.
	typed equality = iota
	// erased: as Erlang's == on what the wire carried without its type, which
	// is how RabbitMQ compares headers: 1 as any integer, timestamp or float,
	// text and bytes. A boolean is no number and a decimal equals decimals
	// only. Inside of tables and arrays it is exact.
	erased
	// exact: values of one type, width included.
	exact
)

// inside is how the values in a table or an array are compared.
func (eq equality) inside() equality {
	if eq == erased {
		return exact
	}
	return eq
}

// The tags of the encoding. They are seen nowhere outside of this process, but to
// change them moves what Consistent chooses by HashValue.
const (
	tagVoid    = 'V'
	tagBool    = 't'
	tagInt     = 'i'
	tagBig     = 'u' // an integer beyond int64
	tagFloat   = 'd'
	tagTime    = 'T'
	tagDecimal = 'D'
	tagString  = 'S'
	tagBytes   = 'x'
	tagArray   = 'A'
	tagTable   = 'F'
	tagOther   = '?'
	tagPresent = 'P' // no value: stands for "any value at all"
)

// appendName appends a field name so that no other name is a prefix of it.
func appendName(buf []byte, name string) []byte { return appendText(buf, name) }

func appendText[S string | []byte](buf []byte, s S) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(s)))
	return append(buf, s...)
}

func appendUint(buf []byte, tag byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(buf, tag), n)
}

// appendValue appends an encoding of v that two values share exactly if they
// are equal in the sense of eq. No encoding is a prefix of another.
func appendValue(buf []byte, v any, eq equality) []byte {
	if eq == exact {
		buf = appendText(buf, amqp.TypeName(v))
	}
	if n, ok := amqp.Int(v); ok {
		return appendUint(buf, tagInt, uint64(n))
	}
	switch v := v.(type) {
	case nil:
		return append(buf, tagVoid)
	case bool:
		if v {
			return append(buf, tagBool, 1)
		}
		return append(buf, tagBool, 0)
	case int:
		return appendUint(buf, tagInt, uint64(v))
	case amqp.Timestamp:
		return appendTimestamp(buf, v, eq)
	case float32:
		return appendFloat(buf, float64(v), eq)
	case float64:
		return appendFloat(buf, v, eq)
	case amqp.Decimal:
		return appendUint(append(buf, tagDecimal, v.Scale), tagInt, uint64(v.Value))
	case string:
		return appendText(append(buf, tagString), v)
	case []byte:
		if eq == erased {
			return appendText(append(buf, tagString), v)
		}
		return appendText(append(buf, tagBytes), v)
	case amqp.Array:
		return appendArray(buf, v, eq)
	case amqp.Table:
		return appendTable(buf, v, eq)
	}
	return appendText(append(buf, tagOther), fmt.Sprintf("%T %v", v, v))
}

func appendTimestamp(buf []byte, t amqp.Timestamp, eq equality) []byte {
	switch {
	case eq != erased:
		return appendUint(buf, tagTime, uint64(t))
	case t > math.MaxInt64:
		return appendUint(buf, tagBig, uint64(t))
	}
	return appendUint(buf, tagInt, uint64(t))
}

func appendFloat(buf []byte, f float64, eq equality) []byte {
	if eq == erased && f == math.Trunc(f) && f >= math.MinInt64 && f < math.MaxInt64 {
		return appendUint(buf, tagInt, uint64(int64(f)))
	}
	return appendUint(buf, tagFloat, math.Float64bits(f))
}

func appendArray(buf []byte, a amqp.Array, eq equality) []byte {
	buf = binary.AppendUvarint(append(buf, tagArray), uint64(len(a)))
	for _, v := range a {
		buf = appendValue(buf, v, eq.inside())
	}
	return buf
}

// appendTable keeps the order of the fields: inside of a value RabbitMQ does
// not sort them, so it counts.
func appendTable(buf []byte, t amqp.Table, eq equality) []byte {
	if len(t) == 0 && eq == erased {
		return appendArray(buf, nil, eq) // both are the empty list in Erlang
	}
	buf = binary.AppendUvarint(append(buf, tagTable), uint64(len(t)))
	for _, f := range t {
		buf = appendName(buf, f.Name)
		buf = appendValue(buf, f.Value, eq.inside())
	}
	return buf
}
