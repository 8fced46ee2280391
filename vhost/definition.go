package vhost

import (
	"encoding/binary"
	"fmt"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
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
	return seal(persistence.AppendText([]byte{persistence.BodyVersion}, d.name), nil)
}

func (d *exchangeDefinition) encode() ([]byte, error) {
	b := binary.AppendUvarint([]byte{persistence.BodyVersion}, d.vhost)
	b = append(b, flagIf(d.autoDelete, flagAutoDelete)|flagIf(d.internal, flagInternal))
	b = persistence.AppendText(b, d.name, d.kind)
	return seal(amqp.AppendTable(b, d.arguments))
}

func (d *queueDefinition) encode() ([]byte, error) {
	b := binary.AppendUvarint([]byte{persistence.BodyVersion}, d.vhost)
	b = append(b, flagIf(d.autoDelete, flagAutoDelete))
	b = persistence.AppendText(b, d.name)
	return seal(amqp.AppendTable(b, d.arguments))
}

func (d *bindingDefinition) encode() ([]byte, error) {
	b := binary.AppendUvarint([]byte{persistence.BodyVersion}, d.vhost)
	for _, end := range []definedEnd{d.source, d.destination} {
		b = binary.AppendUvarint(append(b, byte(end.kind)), end.id)
		if end.id == 0 {
			b = persistence.AppendText(b, end.name)
		}
	}
	b = persistence.AppendText(b, d.key)
	return seal(amqp.AppendTable(b, d.arguments))
}

// seal is the last step of an encoding.
func seal(body []byte, err error) ([]byte, error) {
	switch {
	case err != nil: // it did not come off the wire
		return nil, fmt.Errorf("encode a definition: %w", err)
	case len(body) > persistence.MaxBody:
		return nil, amqp.PreconditionFailed("the definition takes %d bytes, and the limit is %d", len(body), persistence.MaxBody)
	}
	return body, nil
}

func flagIf(set bool, flag byte) byte {
	if set {
		return flag
	}
	return 0
}

func (d *vhostDefinition) decode(body []byte) error {
	r := persistence.OpenBody(body)
	d.name = r.Text()
	return r.End()
}

func (d *exchangeDefinition) decode(body []byte) error {
	r := persistence.OpenBody(body)
	d.vhost = r.Uvarint()
	flags := r.Flags(flagAutoDelete | flagInternal)
	d.autoDelete, d.internal = flags&flagAutoDelete != 0, flags&flagInternal != 0
	d.name, d.kind = r.Text(), r.Text()
	d.arguments = r.Table()
	return r.End()
}

func (d *queueDefinition) decode(body []byte) error {
	r := persistence.OpenBody(body)
	d.vhost = r.Uvarint()
	d.autoDelete = r.Flags(flagAutoDelete) != 0
	d.name = r.Text()
	d.arguments = r.Table()
	return r.End()
}

func (d *bindingDefinition) decode(body []byte) error {
	r := persistence.OpenBody(body)
	d.vhost = r.Uvarint()
	for _, end := range []*definedEnd{&d.source, &d.destination} {
		end.kind, end.id = persistence.Kind(r.Octet()), r.Uvarint()
		if end.id == 0 {
			end.name = r.Text()
		}
	}
	d.key = r.Text()
	d.arguments = r.Table()
	return r.End()
}
