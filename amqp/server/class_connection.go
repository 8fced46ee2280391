package server

import "github.com/leveretmq/leveret/amqp"

// frameZero carries out a frame on channel 0, the connection's own.
func (c *conn) frameZero(f amqp.Frame) error {
	if f.Type != amqp.FrameMethod {
		return amqp.UnexpectedFrame("%s", f.Snippet())
	}
	m, err := amqp.ParseMethod(f.Payload)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *amqp.ConnectionClose:
		return errClosed
	case *amqp.ConnectionUpdateSecret:
		c.connectionUpdateSecret(m)
		return nil
	default:
		return outOfOrder(m, "running")
	}
}

// connectionUpdateSecret takes a new password and has no use for it: a login by
// password does not expire [RabbitMQ: update-secret].
func (c *conn) connectionUpdateSecret(m *amqp.ConnectionUpdateSecret) {
	c.log.Info().Str("reason", m.Reason).Msg("client has a new secret")
	c.send(0, &amqp.ConnectionUpdateSecretOk{})
}

// pause is what the reader waits for between two reads: room for its answers
// and, if it has published, for the disk to keep pace. A publisher also hears
// here of an alarm.
func (c *conn) pause() error {
	c.out.awaitRoom()
	if err := c.awaitStore(); err != nil {
		return err
	}
	if c.published {
		c.published = false
		c.block()
	}
	return nil
}
