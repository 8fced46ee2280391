package server

import "github.com/leveretmq/leveret/amqp"

// channelOpen handles channel.open on a number that is free [1.5.2.1].
func (c *conn) channelOpen(number uint16) error {
	if c.open >= int(c.tuned.channelMax) {
		return amqp.NotAllowed("number of channels opened (%d) has reached the negotiated channel_max (%d)",
			c.open, c.tuned.channelMax)
	}
	if err := c.srv.census.openChannel(c.user.Name, c.srv.vhosts.UserLimits(c.user.Name).Channels); err != nil {
		return err
	}
	for len(c.channels) <= int(number) {
		c.channels = append(c.channels, nil)
	}
	c.channels[number] = &channel{conn: c, number: number, checker: checker{who: &c.who}, router: c.vhost.NewRouter(), consumers: map[string]*consumer{}}
	c.channels[number].enlist()
	c.open++
	c.send(number, &amqp.ChannelOpenOk{})
	return nil
}

func (ch *channel) classChannel(m amqp.Method) error {
	switch m := m.(type) {
	case *amqp.ChannelOpen:
		return amqp.ChannelError("second 'channel.open' seen")
	case *amqp.ChannelFlow:
		return ch.channelFlow(m)
	case *amqp.ChannelClose:
		return ch.channelClose()
	}
	return unimplemented()
}

// channelFlow accepts that deliveries flow; it cannot stop them, nor can
// RabbitMQ: that is what prefetch is for [1.5.2.3].
func (ch *channel) channelFlow(m *amqp.ChannelFlow) error {
	if !m.Active {
		return amqp.NotImplemented("active=false")
	}
	ch.send(&amqp.ChannelFlowOk{Active: true})
	return nil
}

// channelClose ends the channel at the client's wish [1.5.2.5].
func (ch *channel) channelClose() error {
	ch.conn.sendConfirms()
	ch.release()
	ch.closing = true // nothing more is sent but the answer
	ch.send(&amqp.ChannelCloseOk{})
	ch.conn.forget(ch)
	return nil
}
