package auth

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/leveretmq/leveret/vhost/policy"
)

const (
	// definitionVersion is the first byte of each definition's body.
	definitionVersion = 1
	// maxDefinition is the longest body that a store takes.
	maxDefinition = 1 << 20
)

// userDefinition is a user.
type userDefinition struct {
	name              string
	algorithm, salted string // both empty without a password
	tags              []string
}

// permissionDefinition is what a user may do in a vhost, or with the keys of an
// exchange there. User and vhost are named by their ids, 0 for the vhost "/".
type permissionDefinition struct {
	user, vhost            uint64
	ofTopic                bool
	exchange               string // if ofTopic
	configure, write, read string // without configure if ofTopic
}

func (d *userDefinition) encode() ([]byte, error) {
	b := appendTexts([]byte{definitionVersion}, d.name, d.algorithm, d.salted)
	return seal(appendTexts(binary.AppendUvarint(b, uint64(len(d.tags))), d.tags...))
}

func (d *userDefinition) decode(body []byte) error {
	r := openDefinition(body)
	d.name, d.algorithm, d.salted = r.text(), r.text(), r.text()
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		d.tags = append(d.tags, r.text())
	}
	return r.end()
}

func (d *permissionDefinition) encode() ([]byte, error) {
	b := []byte{definitionVersion, 0}
	if d.ofTopic {
		b[1] = 1
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, d.user), d.vhost)
	if d.ofTopic {
		return seal(appendTexts(b, d.exchange, d.write, d.read))
	}
	return seal(appendTexts(b, d.configure, d.write, d.read))
}

func (d *permissionDefinition) decode(body []byte) error {
	r := openDefinition(body)
	switch sort := r.octet(); sort {
	case 0, 1:
		d.ofTopic = sort == 1
	default:
		r.fail(fmt.Errorf("it is of sort %d, and this program knows 0 and 1", sort))
	}
	d.user, d.vhost = r.uvarint(), r.uvarint()
	if d.ofTopic {
		d.exchange = r.text()
	} else {
		d.configure = r.text()
	}
	d.write, d.read = r.text(), r.text()
	return r.end()
}

func appendTexts(b []byte, texts ...string) []byte {
	for _, s := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// seal is the last step of an encoding.
func seal(body []byte) ([]byte, error) {
	if len(body) > maxDefinition {
		return nil, policy.Refusef("the definition takes %d bytes, and the limit is %d", len(body), maxDefinition)
	}
	return body, nil
}

// reader takes fields off the front of a body; after a failure all are zero.
type reader struct {
	p   []byte
	err error
}

var errShort = errors.New("it is cut short")

func openDefinition(body []byte) reader {
	r := reader{p: body}
	if v := r.octet(); r.err == nil && v != definitionVersion {
		r.fail(fmt.Errorf("its version is %d, and this program knows %d", v, definitionVersion))
	}
	return r
}

// fail keeps the first error, and leaves nothing to be read.
func (r *reader) fail(err error) {
	if r.err == nil {
		r.err, r.p = err, nil
	}
}

func (r *reader) octet() byte {
	if len(r.p) == 0 {
		r.fail(errShort)
		return 0
	}
	b := r.p[0]
	r.p = r.p[1:]
	return b
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.p)
	if size <= 0 {
		r.fail(errShort)
		return 0
	}
	r.p = r.p[size:]
	return n
}

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.p)) {
		r.fail(errShort)
		return ""
	}
	s := string(r.p[:n])
	r.p = r.p[n:]
	return s
}

// end returns what went wrong, if anything did.
func (r *reader) end() error {
	if r.err == nil && len(r.p) > 0 {
		r.fail(fmt.Errorf("%d bytes are left over", len(r.p)))
	}
	return r.err
}

// hash returns the hash of a definition's password.
func (d *userDefinition) hash() (Hash, error) {
	h := Hash{Algorithm(d.algorithm), d.salted}
	if h == (Hash{}) {
		return h, nil
	}
	if size := h.Algorithm.size(); size == 0 || len(h.salted) != saltSize+size {
		return h, fmt.Errorf("its password has %d bytes by '%s'", len(h.salted), h.Algorithm)
	}
	return h, nil
}
