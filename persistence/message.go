package persistence

import (
	"encoding/binary"
	"fmt"

	"github.com/leveretmq/leveret/amqp"
)

// The bits of an encoded message's flags.
const (
	flagPersistent = 1 << iota
	flagHeaders
)

// AppendMessage appends the encoding of a message to buf: a version byte, the
// flags, priority and expiration, exchange, routing key and further keys, the
// properties as on the wire, and the body, which is all that is left.
func AppendMessage(buf []byte, m *amqp.Message) []byte {
	var flags byte
	if m.Persistent {
		flags |= flagPersistent
	}
	if m.HasHeaders {
		flags |= flagHeaders
	}
	buf = append(buf, messageVersion, flags, m.Priority)
	buf = binary.AppendVarint(buf, m.Expiration)
	buf = appendBytes(buf, m.Exchange)
	buf = appendBytes(buf, m.RoutingKey)
	buf = binary.AppendUvarint(buf, uint64(len(m.ExtraKeys)))
	for _, key := range m.ExtraKeys {
		buf = appendBytes(buf, key)
	}
	buf = appendBytes(buf, m.Properties)
	return append(buf, m.Body...)
}

func appendBytes[S ~string | ~[]byte](buf []byte, s S) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(s)))
	return append(buf, s...)
}

// DecodeMessage reads what AppendMessage wrote. The message owns its bytes. The
// error wraps ErrDamaged.
func DecodeMessage(p []byte) (*amqp.Message, error) {
	d := decoder{p: p}
	if v := d.octet(); d.ok() && v != messageVersion {
		return nil, fmt.Errorf("%w: a message of version %d", ErrDamaged, v)
	}
	flags, priority := d.octet(), d.octet()
	expiration := d.varint()
	exchange := string(d.bytes())
	key := d.bytes()
	var extra []string
	for n := d.uvarint(); n > 0 && d.ok(); n-- {
		extra = append(extra, string(d.bytes()))
	}
	properties := d.bytes()
	if !d.ok() {
		return nil, fmt.Errorf("%w: a message cut short", ErrDamaged)
	}
	m := amqp.NewMessage(exchange, key, properties, len(d.p))
	m.AppendBody(d.p)
	m.Persistent = flags&flagPersistent != 0
	m.HasHeaders = flags&flagHeaders != 0
	m.Priority, m.Expiration, m.ExtraKeys = priority, expiration, extra
	return m, nil
}

// decoder takes fields off the front of p; after a failure all are zero.
type decoder struct {
	p    []byte
	fail bool
}

func (d *decoder) ok() bool { return !d.fail }

func (d *decoder) take(n uint64) []byte {
	if d.fail || n > uint64(len(d.p)) {
		d.fail = true
		return nil
	}
	b := d.p[:n]
	d.p = d.p[n:]
	return b
}

func (d *decoder) octet() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.p)
	if d.fail || n <= 0 {
		d.fail = true
		return 0
	}
	d.p = d.p[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.p)
	if d.fail || n <= 0 {
		d.fail = true
		return 0
	}
	d.p = d.p[n:]
	return v
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }
