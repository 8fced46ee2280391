package vhost

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/leveretmq/leveret/persistence"
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
	b := binary.AppendUvarint([]byte{persistence.BodyVersion}, d.vhost)
	b = append(b, byte(d.scope))
	b = persistence.AppendText(b, d.name, d.pattern, d.applyTo)
	b = binary.AppendVarint(b, d.priority)
	return seal(persistence.AppendText(b, d.definition), nil)
}

func (d *policyDefinition) decode(body []byte) error {
	r := persistence.OpenBody(body)
	d.vhost = r.Uvarint()
	d.scope = policy.Scope(scopeBelow(&r, byte(policy.Operator)+1))
	d.name, d.pattern, d.applyTo = r.Text(), r.Text(), r.Text()
	d.priority = r.Varint()
	d.definition = r.Text()
	return r.End()
}

func (d *parameterDefinition) encode() ([]byte, error) {
	b := binary.AppendUvarint([]byte{persistence.BodyVersion, byte(d.scope)}, d.vhost)
	return seal(persistence.AppendText(b, d.component, d.name, d.value), nil)
}

func (d *parameterDefinition) decode(body []byte) error {
	r := persistence.OpenBody(body)
	d.scope = parameterScope(scopeBelow(&r, byte(parameterScopes)))
	d.vhost = r.Uvarint()
	d.component, d.name, d.value = r.Text(), r.Text(), r.Text()
	return r.End()
}

// scopeBelow reads the number of a scope, which must be less than a bound.
func scopeBelow(r *persistence.BodyReader, bound byte) byte {
	b := r.Octet()
	if !r.Failed() && b >= bound {
		r.Fail(fmt.Errorf("it has the scope %d, and this program knows those below %d", b, bound))
		return 0
	}
	return b
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
