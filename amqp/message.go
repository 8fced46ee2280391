package amqp

import "unsafe"

// NoExpiration is the Expiration of a message that has none.
const NoExpiration int64 = -1

// Message is one published message: where it was sent, its properties as they
// came off the wire, and its body. The session builds it, and from the moment
// it is published it is immutable and may be read by any goroutine: queues,
// consumers and the store share one copy.
type Message struct {
	// Exchange is the name the publisher used.
	Exchange string
	// RoutingKey is the key the publisher used.
	RoutingKey string
	// Properties is the property list as on the wire, flags first.
	Properties Properties
	// Body is the content. It may be empty.
	Body []byte
	// ExtraKeys are further routing keys, from the headers CC and BCC.
	ExtraKeys []string
	// Expiration is the expiration property in milliseconds, or NoExpiration.
	Expiration int64
	// Persistent says that delivery-mode is 2.
	Persistent bool
	// Redelivered says that the message may have been delivered before by other
	// ways than its queue's, as before a restart.
	Redelivered bool
	// HasHeaders says that the property list holds a headers table.
	HasHeaders bool
	// Priority is the priority property, 0 if absent.
	Priority uint8
}

// NewMessage starts a message. routingKey and properties are copied; room for
// bodyHint bytes of body is made in the same piece of memory, so that a message
// costs two allocations. The caller adds the body with AppendBody and fills in
// the other fields before it publishes.
func NewMessage(exchange string, routingKey []byte, properties Properties, bodyHint int) *Message {
	k, p := len(routingKey), len(routingKey)+len(properties)
	data := make([]byte, p, p+bodyHint)
	copy(data, routingKey)
	copy(data[k:], properties)
	m := &Message{
		Exchange:   exchange,
		Properties: Properties(data[k:p:p]),
		Body:       data[p:],
		Expiration: NoExpiration,
	}
	if k > 0 {
		// The bytes are never written again, so the key can share them with
		// the body instead of being a third allocation.
		m.RoutingKey = unsafe.String(&data[0], k)
	}
	return m
}

// AppendBody adds the next piece of the body, copying it. Not after publishing.
func (m *Message) AppendBody(piece []byte) { m.Body = append(m.Body, piece...) }

// Size is what the message counts for against byte limits: its body, as in
// RabbitMQ's x-max-length-bytes.
func (m *Message) Size() int64 { return int64(len(m.Body)) }

// Headers decodes the headers table; nil if there is none. Each call decodes
// anew: keep the result if it is needed twice.
func (m *Message) Headers() (Table, error) {
	if !m.HasHeaders {
		return nil, nil
	}
	return m.Properties.Headers()
}
