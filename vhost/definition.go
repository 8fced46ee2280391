package vhost

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

const (
	// definitionVersion is the first byte of each definition's body.
	definitionVersion = 1
	// maxDefinition is the longest body that a store takes.
	maxDefinition = 1 << 20
)

// The bits of a definition's flags.
const (
	flagAutoDelete = 1 << iota
	flagInternal
)

// The four kinds of definitions of this room. What is stored is durable, so
// that is not said again; a vhost is named by its id, 0 for "/".
type (
	vhostDefinition struct {
		name string
	}
	exchangeDefinition struct {
		vhost                uint64
		name, kind           string
		autoDelete, internal bool
		arguments            amqp.Table
	}
	queueDefinition struct {
		vhost      uint64
		name       string
		autoDelete bool
		arguments  amqp.Table
	}
	bindingDefinition struct {
		vhost       uint64
		source      definedEnd
		destination definedEnd
		key         string
		arguments   amqp.Table
	}
)

// definedEnd is an end of a binding: a definition, or a predeclared exchange,
// which has a name only.
type definedEnd struct {
	kind persistence.Kind // KindExchange or KindQueue
	id   uint64           // 0 for a predeclared exchange
	name string           // only if id is 0
}

func (d *vhostDefinition) encode() ([]byte, error) {
	return seal(appendText([]byte{definitionVersion}, d.name), nil)
}

func (d *exchangeDefinition) encode() ([]byte, error) {
	b := binary.AppendUvarint([]byte{definitionVersion}, d.vhost)
	b = append(b, flagIf(d.autoDelete, flagAutoDelete)|flagIf(d.internal, flagInternal))
	b = appendText(appendText(b, d.name), d.kind)
	return seal(amqp.AppendTable(b, d.arguments))
}

func (d *queueDefinition) encode() ([]byte, error) {
	b := binary.AppendUvarint([]byte{definitionVersion}, d.vhost)
	b = append(b, flagIf(d.autoDelete, flagAutoDelete))
	b = appendText(b, d.name)
	return seal(amqp.AppendTable(b, d.arguments))
}

func (d *bindingDefinition) encode() ([]byte, error) {
	b := binary.AppendUvarint([]byte{definitionVersion}, d.vhost)
	for _, end := range []definedEnd{d.source, d.destination} {
		b = binary.AppendUvarint(append(b, byte(end.kind)), end.id)
		if end.id == 0 {
			b = appendText(b, end.name)
		}
	}
	b = appendText(b, d.key)
	return seal(amqp.AppendTable(b, d.arguments))
}

// seal is the last step of an encoding.
func seal(body []byte, err error) ([]byte, error) {
	switch {
	case err != nil: // it did not come off the wire
		return nil, fmt.Errorf("encode a definition: %w", err)
	case len(body) > maxDefinition:
		return nil, amqp.PreconditionFailed("the definition takes %d bytes, and the limit is %d", len(body), maxDefinition)
	}
	return body, nil
}

func flagIf(set bool, flag byte) byte {
	if set {
		return flag
	}
	return 0
}

func appendText(buf []byte, s string) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
}

func (d *vhostDefinition) decode(body []byte) error {
	r := openDefinition(body)
	d.name = r.text()
	return r.end()
}

func (d *exchangeDefinition) decode(body []byte) error {
	r := openDefinition(body)
	d.vhost = r.uvarint()
	flags := r.flags(flagAutoDelete | flagInternal)
	d.autoDelete, d.internal = flags&flagAutoDelete != 0, flags&flagInternal != 0
	d.name, d.kind = r.text(), r.text()
	d.arguments = r.table()
	return r.end()
}

func (d *queueDefinition) decode(body []byte) error {
	r := openDefinition(body)
	d.vhost = r.uvarint()
	d.autoDelete = r.flags(flagAutoDelete) != 0
	d.name = r.text()
	d.arguments = r.table()
	return r.end()
}

func (d *bindingDefinition) decode(body []byte) error {
	r := openDefinition(body)
	d.vhost = r.uvarint()
	for _, end := range []*definedEnd{&d.source, &d.destination} {
		end.kind, end.id = persistence.Kind(r.octet()), r.uvarint()
		if end.id == 0 {
			end.name = r.text()
		}
	}
	d.key = r.text()
	d.arguments = r.table()
	return r.end()
}

// definitionReader takes fields off the front of a body; after a failure all
// are zero.
type definitionReader struct {
	p   []byte
	err error
}

var errShort = errors.New("it is cut short")

func openDefinition(body []byte) definitionReader {
	r := definitionReader{p: body}
	if v := r.octet(); r.err == nil && v != definitionVersion {
		r.fail(fmt.Errorf("its version is %d, and this program knows %d", v, definitionVersion))
	}
	return r
}

// fail keeps the first error, and leaves nothing to be read.
func (r *definitionReader) fail(err error) {
	if r.err == nil {
		r.err, r.p = err, nil
	}
}

func (r *definitionReader) octet() byte {
	if len(r.p) == 0 {
		r.fail(errShort)
		return 0
	}
	b := r.p[0]
	r.p = r.p[1:]
	return b
}

// flags reads an octet in which only the known bits may be set.
func (r *definitionReader) flags(known byte) byte {
	b := r.octet()
	if b&^known != 0 {
		r.fail(fmt.Errorf("its flags are %#x, and this program knows %#x", b, known))
		return 0
	}
	return b
}

func (r *definitionReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.p)
	if size <= 0 {
		r.fail(errShort)
		return 0
	}
	r.p = r.p[size:]
	return n
}

func (r *definitionReader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.p)) {
		r.fail(errShort)
		return ""
	}
	s := string(r.p[:n])
	r.p = r.p[n:]
	return s
}

func (r *definitionReader) table() amqp.Table {
	if r.err != nil {
		return nil
	}
	t, rest, err := amqp.DecodeTable(r.p)
	if err != nil {
		r.fail(err)
		return nil
	}
	r.p = rest
	return t
}

// end returns what went wrong, if anything did.
func (r *definitionReader) end() error {
	if r.err == nil && len(r.p) > 0 {
		r.fail(fmt.Errorf("%d bytes are left over", len(r.p)))
	}
	return r.err
}
