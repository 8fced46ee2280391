package server

import "github.com/leveretmq/leveret/amqp"

// consumeReply starts the channel's direct reply-to consumer: replies come to a
// queue that only this channel has and whose name goes out as reply-to.
func (ch *channel) consumeReply(m *amqp.BasicConsume) error {
	switch {
	case !m.NoAck:
		return amqp.PreconditionFailed("reply consumer cannot acknowledge")
	case ch.reply != nil:
		return amqp.PreconditionFailed("reply consumer already set")
	}
	q, err := ch.conn.vhost.OpenReply(ch.conn.id)
	if err != nil {
		return err
	}
	ch.reply, ch.replyTag = q, m.ConsumerTag
	plain := *m
	plain.Exclusive, plain.Arguments = false, nil
	return ch.consume(q, &plain)
}

// closeReply ends the direct reply-to consumer, if there is one.
func (ch *channel) closeReply() {
	if ch.reply == nil {
		return
	}
	out := &ch.conn.out
	out.mu.Lock()
	if con := ch.consumers[ch.replyTag]; con != nil {
		con.cancelled = true
		delete(ch.consumers, ch.replyTag)
	}
	out.mu.Unlock()
	ch.conn.vhost.CloseReply(ch.reply, &ch.conn.fx)
	ch.reply, ch.replyTag = nil, ""
}

// rewriteReplyTo puts the name of the channel's reply queue into the message
// under way.
func (ch *channel) rewriteReplyTo() error {
	if ch.reply == nil {
		return amqp.PreconditionFailed("fast reply consumer does not exist")
	}
	return ch.content.replaceProps(ch.content.props.WithReplyTo(ch.reply.Name()))
}
