package auth

import (
	"encoding/binary"
	"fmt"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/policy"
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
	b := persistence.AppendText([]byte{persistence.BodyVersion}, d.name, d.algorithm, d.salted)
	return seal(persistence.AppendText(binary.AppendUvarint(b, uint64(len(d.tags))), d.tags...))
}

func (d *userDefinition) decode(body []byte) error {
	r := persistence.OpenBody(body)
	d.name, d.algorithm, d.salted = r.Text(), r.Text(), r.Text()
	for n := r.Uvarint(); n > 0 && !r.Failed(); n-- {
		d.tags = append(d.tags, r.Text())
	}
	return r.End()
}

func (d *permissionDefinition) encode() ([]byte, error) {
	b := []byte{persistence.BodyVersion, 0}
	if d.ofTopic {
		b[1] = 1
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, d.user), d.vhost)
	if d.ofTopic {
		return seal(persistence.AppendText(b, d.exchange, d.write, d.read))
	}
	return seal(persistence.AppendText(b, d.configure, d.write, d.read))
}

func (d *permissionDefinition) decode(body []byte) error {
	r := persistence.OpenBody(body)
	switch sort := r.Octet(); sort {
	case 0, 1:
		d.ofTopic = sort == 1
	default:
		r.Fail(fmt.Errorf("it is of sort %d, and this program knows 0 and 1", sort))
	}
	d.user, d.vhost = r.Uvarint(), r.Uvarint()
	if d.ofTopic {
		d.exchange = r.Text()
	} else {
		d.configure = r.Text()
	}
	d.write, d.read = r.Text(), r.Text()
	return r.End()
}

// seal is the last step of an encoding.
func seal(body []byte) ([]byte, error) {
	if len(body) > persistence.MaxBody {
		return nil, policy.Refusef("the definition takes %d bytes, and the limit is %d", len(body), persistence.MaxBody)
	}
	return body, nil
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
