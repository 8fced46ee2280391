package dedup

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// Key stands for the value of a header: the first half of the SHA-256 of its
// encoding, so that a key takes the same room however long the value is. Two
// values that differ have the same key by no chance that would ever be met.
type Key [16]byte

// Subject is what a window has to know of a message.
type Subject struct {
	Key Key
	// TTL is for how long the key is to be remembered; 0: until others take its
	// room; negative: not at all.
	TTL time.Duration
}

// The first byte of a value's encoding. Integers of all widths are one class,
// and so are floats; text and bytes are not the same.
const (
	valueText    = 's'
	valueBytes   = 'x'
	valueInteger = 'l'
	valueFloat   = 'd'
	valueBool    = 't'
	valueOther   = 'F' // what follows is a field table
)

// keyOf returns the key of a header's value; false for void, and for what cannot
// be encoded.
func keyOf(value any) (k Key, ok bool) {
	var room [256]byte // no allocation for what is shorter
	b := room[:0]
	if n, ok := amqp.Int(value); ok {
		value = n
	}
	switch v := value.(type) {
	case nil:
		return k, false
	case string:
		b = append(append(b, valueText), v...)
	case []byte:
		b = append(append(b, valueBytes), v...)
	case int64:
		b = binary.BigEndian.AppendUint64(append(b, valueInteger), uint64(v))
	case float32:
		b = binary.BigEndian.AppendUint64(append(b, valueFloat), math.Float64bits(float64(v)))
	case float64:
		b = binary.BigEndian.AppendUint64(append(b, valueFloat), math.Float64bits(v))
	case bool:
		b = append(b, valueBool, 0)
		if v {
			b[1] = 1
		}
	default:
		return keyOfOther(v)
	}
	sum := sha256.Sum256(b)
	copy(k[:], sum[:])
	return k, true
}

// keyOfOther is keyOf for the kinds that are rare.
func keyOfOther(value any) (k Key, ok bool) {
	b, err := amqp.AppendTable([]byte{valueOther}, amqp.Table{{Value: value}})
	if err != nil {
		return k, false
	}
	sum := sha256.Sum256(b)
	copy(k[:], sum[:])
	return k, true
}

// Of returns what the window has to know of a message. ok is false for one that
// is not deduplicated: it has no key, or it is a dead letter that comes back to
// where it has been and so is no second one.
func (w *Window) Of(m *amqp.Message) (s Subject, ok bool) {
	if !m.HasHeaders {
		return s, false
	}
	info, err := m.Properties.Scan()
	if err != nil {
		return s, false // whoever took the message from a client has checked it
	}
	v, ok, err := amqp.LookupField(info.Headers, w.header)
	if err != nil || !ok {
		return s, false
	}
	if s.Key, ok = keyOf(v); !ok || w.returns(info.Headers) {
		return s, false
	}
	s.TTL = w.ttl
	if v, ok, err := amqp.LookupField(info.Headers, ArgumentTTL); ok && err == nil {
		if ms, ok := amqp.Int(v); ok && ms >= 0 {
			s.TTL = time.Duration(min(ms, maxTTL)) * time.Millisecond
			if ms == 0 {
				s.TTL = -1
			}
		}
	}
	return s, true
}

// returns reports whether the header x-death says that a message has been in
// this queue, or has come by this exchange.
func (w *Window) returns(headers []byte) bool {
	v, ok, err := amqp.LookupField(headers, "x-death")
	if !ok || err != nil {
		return false
	}
	by := "queue"
	if w.kind == persistence.KindExchange {
		by = "exchange"
	}
	deaths, _ := v.(amqp.Array)
	for _, d := range deaths {
		if d, ok := d.(amqp.Table); ok {
			if name, _ := d.Get(by); name == w.name {
				return true
			}
		}
	}
	return false
}
