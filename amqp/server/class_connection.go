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

// pause is what the reader waits for between two reads: room for its answers,
// and, if it has published, the end of an alarm.
func (c *conn) pause() error {
	c.out.awaitRoom()
	if !c.published {
		return nil
	}
	c.published = false
	reason, cleared := c.srv.alarm.raised()
	if reason == "" {
		return nil
	}
	if c.caps.blocked {
		c.send(0, &amqp.ConnectionBlocked{Reason: reason})
		c.fx.WakeAll()
	}
	c.log.Warn().Str("reason", reason).Msg("publisher blocked")
	c.heart.paused.Store(true)
	defer c.heart.paused.Store(false)
	select {
	case <-cleared:
	case <-c.written: // the socket is gone
		return nil
	case e := <-c.kicked:
		return e
	}
	c.log.Info().Msg("publisher unblocked")
	if c.caps.blocked {
		c.send(0, &amqp.ConnectionUnblocked{})
		c.fx.WakeAll()
	}
	return nil
}
