package vhost

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
)

// Metadata is what is said about a vhost. The names are those of definitions.
type Metadata struct {
	// Description is for people.
	Description string `json:"description"`
	// Tags are for programs; the broker heeds none.
	Tags []string `json:"tags"`
	// DefaultQueueType is the type of queues that are declared durable, not exclusive,
	// and without a type: classic or quorum; classic if empty.
	DefaultQueueType string `json:"default_queue_type,omitempty"`
	// Protected keeps the vhost from being deleted until it is not any more.
	Protected bool `json:"protected_from_deletion,omitempty"`
}

// The parameter that holds the metadata in the store. It is not listed with the
// others.
const (
	componentMetadata = "vhost-metadata"
	nameMetadata      = "metadata"
)

// metadata is that of a vhost and the id of its definition.
type metadata struct {
	Metadata
	id uint64
}

// Metadata returns what is said about a vhost.
func (v *VHost) Metadata() Metadata {
	v.mu.RLock()
	defer v.mu.RUnlock()
	m := v.metadata.Metadata
	m.Tags = slices.Clone(m.Tags)
	return m
}

// SetMetadata says something else about a vhost, instead of all that was said before.
// It is in the store then. The error is a *policy.Refused, or the store's.
func (v *VHost) SetMetadata(m Metadata) error {
	if err := m.check(); err != nil {
		return err
	}
	m.Tags = slices.Clone(m.Tags)
	stored, err := v.enterMetadata(m)
	if err != nil {
		return err
	}
	return stored.await()
}

func (m *Metadata) check() error {
	switch m.DefaultQueueType {
	case "", queue.TypeClassic, queue.TypeQuorum:
		return nil
	}
	return policy.Refusef("default_queue_type '%s' is not supported: it should be classic or quorum", m.DefaultQueueType)
}

func (v *VHost) enterMetadata(m Metadata) (*commit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkOpenLocked(); err != nil {
		return nil, err
	}
	s := setting{id: v.metadata.id}
	if !reflect.DeepEqual(m, Metadata{}) {
		s.value, _ = json.Marshal(m) // of texts
	} else if reflect.DeepEqual(v.metadata.Metadata, Metadata{}) {
		return v.defined.last, nil
	}
	p := parameterDefinition{scope: inVHost, vhost: v.defined.vhost, component: componentMetadata, name: nameMetadata}
	if err := v.defined.setParameter(&s, p); err != nil {
		return nil, err
	}
	if s.value == nil {
		s.id = 0
	}
	v.metadata = metadata{m, s.id}
	return v.defined.handOver(), nil
}

// withDefaultType returns the arguments of a declare with the vhost's default type, if
// they name none and the queue can be of it [RabbitMQ: default_queue_type].
func (v *VHost) withDefaultType(d QueueDeclare) amqp.Table {
	v.mu.RLock()
	kind := v.metadata.DefaultQueueType
	v.mu.RUnlock()
	if _, typed := d.Arguments.Get("x-queue-type"); typed || kind == "" || kind == queue.TypeClassic || !d.Durable || d.Exclusive {
		return d.Arguments
	}
	return d.Arguments.With("x-queue-type", kind)
}

// recoverMetadata brings back what was said about a vhost.
func (v *VHost) recoverMetadata(s setting) error {
	m := metadata{id: s.id}
	if err := decodeJSON(string(s.value), &m.Metadata); err != nil {
		return err
	}
	v.metadata = m
	return m.check()
}
