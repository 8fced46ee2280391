package server

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
)

// want is what a channel expects next.
type want uint8

const (
	wantMethod want = iota
	wantHeader
	wantBody
)

// content is a publish under way: its method has been seen, its header and body
// are coming [4.2.6].
type content struct {
	want      want
	exchange  *exchange.Exchange
	mandatory bool
	key       []byte // the routing key; the buffer is used again
	props     amqp.Properties
	info      amqp.PropertyInfo // refers to props
	size      uint64            // of the body
	// what checkPublish has read from the properties
	expiration int64
	extraKeys  []string
	message    *amqp.Message // once there is some of the body
}

// bodyAhead is how many times the bytes that have arrived are set aside for the
// rest of a body: what a header claims alone costs no memory.
const bodyAhead = 16

// contentFrame takes the header or the next piece of the body.
func (ch *channel) contentFrame(f amqp.Frame) error {
	c := &ch.content
	if c.want == wantHeader {
		if f.Type != amqp.FrameHeader {
			return amqp.UnexpectedFrame("expected content header for class 60, got non content header frame instead")
		}
		return ch.contentHeader(f.Payload)
	}
	if f.Type != amqp.FrameBody {
		return amqp.UnexpectedFrame("expected content body, got non content body frame instead")
	}
	return ch.contentBody(f.Payload)
}

func (ch *channel) contentHeader(payload []byte) error {
	h, err := amqp.ParseContentHeader(payload)
	if err != nil {
		return err
	}
	c := &ch.content
	switch most := uint64(ch.conn.srv.opts.MaxMessageSize); {
	case h.ClassID != amqp.ClassBasic:
		return amqp.UnexpectedFrame("expected content header for class 60, got one for class %d instead", h.ClassID)
	case h.BodySize > maxBody:
		return amqp.FrameError("content body size %d exceeds maximum allowed size %d", h.BodySize, maxBody)
	case h.BodySize > most:
		return amqp.PreconditionFailed("message size %d is larger than configured max size %d", h.BodySize, most)
	}
	c.props = append(c.props[:0], h.Properties...)
	if c.info, err = c.props.Scan(); err != nil {
		return err
	}
	c.size, c.message = h.BodySize, nil
	if err := ch.checkPublish(); err != nil {
		return err
	}
	if c.size == 0 {
		c.message = amqp.NewMessage(c.exchange.Name(), c.key, c.props, 0)
		return ch.contentDone()
	}
	c.want = wantBody
	return nil
}

func (ch *channel) contentBody(piece []byte) error {
	c := &ch.content
	if c.message == nil {
		room := min(c.size, uint64(bodyAhead*len(piece)))
		c.message = amqp.NewMessage(c.exchange.Name(), c.key, c.props, int(room))
	}
	have := uint64(len(c.message.Body))
	if have+uint64(len(piece)) > c.size {
		return amqp.FrameError("content body frame exceeds remaining content size")
	}
	c.message.AppendBody(piece)
	if have+uint64(len(piece)) < c.size {
		return nil
	}
	return ch.contentDone()
}

// contentDone publishes the message, which is whole.
func (ch *channel) contentDone() error {
	c := &ch.content
	c.want = wantMethod
	return ch.publish(c.exchange, c.take(), c.mandatory)
}

// take returns the message, with what its properties say of it.
func (c *content) take() *amqp.Message {
	m := c.message
	c.message = nil
	m.Persistent = c.info.DeliveryMode == 2
	m.Priority = c.info.Priority
	m.HasHeaders = c.info.HasHeaders
	m.Expiration, m.ExtraKeys = c.expiration, c.extraKeys
	return m
}
