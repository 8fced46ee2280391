package vhost

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/leveretmq/leveret/vhost/policy"
)

// The definitions of what management says.
type (
	policyDefinition struct {
		vhost                  uint64
		scope                  policy.Scope
		name, pattern, applyTo string
		priority               int64
		definition             string // JSON
	}
	// parameterDefinition is a value with a name. What component means is up to the
	// scope.
	parameterDefinition struct {
		scope           parameterScope
		vhost           uint64 // if the scope is inVHost
		component, name string
		value           string // JSON
	}
)

// parameterScope says of what a parameter is one. The numbers are on disk.
type parameterScope uint8

const (
	global          parameterScope = iota // no component
	ofUser                                // the component is "limits", the name is the user's
	inVHost                               // the component is that of RabbitMQ
	parameterScopes                       // how many there are
)

func (d *policyDefinition) encode() ([]byte, error) {
	b := binary.AppendUvarint([]byte{definitionVersion}, d.vhost)
	b = append(b, byte(d.scope))
	b = appendText(appendText(appendText(b, d.name), d.pattern), d.applyTo)
	b = binary.AppendVarint(b, d.priority)
	return seal(appendText(b, d.definition), nil)
}

func (d *policyDefinition) decode(body []byte) error {
	r := openDefinition(body)
	d.vhost = r.uvarint()
	d.scope = policy.Scope(r.below(byte(policy.Operator) + 1))
	d.name, d.pattern, d.applyTo = r.text(), r.text(), r.text()
	d.priority = r.varint()
	d.definition = r.text()
	return r.end()
}

func (d *parameterDefinition) encode() ([]byte, error) {
	b := binary.AppendUvarint([]byte{definitionVersion, byte(d.scope)}, d.vhost)
	return seal(appendText(appendText(appendText(b, d.component), d.name), d.value), nil)
}

func (d *parameterDefinition) decode(body []byte) error {
	r := openDefinition(body)
	d.scope = parameterScope(r.below(byte(parameterScopes)))
	d.vhost = r.uvarint()
	d.component, d.name, d.value = r.text(), r.text(), r.text()
	return r.end()
}

// below reads an octet that must be less than a bound.
func (r *definitionReader) below(bound byte) byte {
	b := r.octet()
	if r.err == nil && b >= bound {
		r.fail(fmt.Errorf("it has the scope %d, and this program knows those below %d", b, bound))
		return 0
	}
	return b
}

// varint reads a number that may be negative.
func (r *definitionReader) varint() int64 {
	n, size := binary.Varint(r.p)
	if size <= 0 {
		r.fail(errShort)
		return 0
	}
	r.p = r.p[size:]
	return n
}

// decodeJSON decodes one value with its numbers as they are.
func decodeJSON(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("its JSON does not decode: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("its JSON does not end")
	}
	return nil
}
