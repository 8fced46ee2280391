package server

import (
	"strings"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
)

// replyTo is the pseudo-queue whose consumers get replies directly.
const replyTo = "amq.rabbitmq.reply-to"

func (ch *channel) classQueue(m amqp.Method) error {
	switch m := m.(type) {
	case *amqp.QueueDeclare:
		return ch.queueDeclare(m)
	case *amqp.QueueBind:
		return ch.queueBind(m)
	case *amqp.QueueUnbind:
		return ch.queueUnbind(m)
	case *amqp.QueuePurge:
		return ch.queuePurge(m)
	case *amqp.QueueDelete:
		return ch.queueDelete(m)
	}
	return unimplemented()
}

// queueName is the queue that a method means: an empty name is the queue that
// was declared last on the channel [1.7.2.3.2 and others].
func (ch *channel) queueName(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if ch.lastQueue == "" {
		return "", amqp.NotFound("no previously declared queue")
	}
	return ch.lastQueue, nil
}

func (ch *channel) queueDeclare(m *amqp.QueueDeclare) error {
	ch.conn.beforeStored()
	q, err := ch.conn.vhost.DeclareQueue(vhost.QueueDeclare{
		Name: m.Queue, Passive: m.Passive, Durable: m.Durable, Exclusive: m.Exclusive,
		AutoDelete: m.AutoDelete, Arguments: m.Arguments,
		Permit: ch.permit(true, m.Arguments, "x-dead-letter-exchange"), By: ch.conn.user.Name,
	}, ch.conn.id)
	if err != nil {
		return err
	}
	ch.lastQueue = q.Name()
	if !m.NoWait {
		stats := q.Stats()
		ch.send(&amqp.QueueDeclareOk{Queue: q.Name(), MessageCount: uint32(stats.Ready),
			ConsumerCount: uint32(stats.Consumers)})
	}
	return nil
}

func (ch *channel) queueBind(m *amqp.QueueBind) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	key := m.RoutingKey
	if m.Queue == "" && key == "" {
		key = name // [1.7.2.3.3]
	}
	if err := ch.mayBind(m.Exchange, name, true, key); err != nil {
		return err
	}
	ch.conn.beforeStored()
	if err := ch.who.author().BindQueue(name, m.Exchange, key, m.Arguments, ch.conn.id); err != nil {
		return err
	}
	ch.answer(m.NoWait, &amqp.QueueBindOk{})
	return nil
}

func (ch *channel) queueUnbind(m *amqp.QueueUnbind) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	key := m.RoutingKey
	if m.Queue == "" && key == "" {
		key = name
	}
	if err := ch.mayBind(m.Exchange, name, true, key); err != nil {
		return err
	}
	ch.conn.beforeStored()
	if err := ch.who.author().UnbindQueue(name, m.Exchange, key, m.Arguments, ch.conn.id); err != nil {
		return err
	}
	ch.send(&amqp.QueueUnbindOk{})
	return nil
}

func (ch *channel) queuePurge(m *amqp.QueuePurge) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	if err := ch.mayQueue(auth.Read, name); err != nil {
		return err
	}
	n, err := ch.conn.vhost.PurgeQueue(name, ch.conn.id, &ch.conn.fx)
	if err != nil {
		return err
	}
	ch.answer(m.NoWait, &amqp.QueuePurgeOk{MessageCount: uint32(n)})
	return nil
}

func (ch *channel) queueDelete(m *amqp.QueueDelete) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	if err := ch.mayQueue(auth.Configure, vhost.CleanName(name)); err != nil {
		return err
	}
	ch.conn.beforeStored()
	n, err := ch.who.author().DeleteQueue(name, ch.conn.id, m.IfUnused, m.IfEmpty, &ch.conn.fx)
	if err != nil {
		return err
	}
	// The answer comes before the cancels of the client's own consumers.
	ch.answer(m.NoWait, &amqp.QueueDeleteOk{MessageCount: uint32(n)})
	return nil
}

// isReplyTo reports whether a queue name is the pseudo-queue of direct reply-to.
func isReplyTo(name string) bool { return strings.TrimRight(name, "\r\n") == replyTo }
