package perf

import (
	"context"
	"errors"
	"fmt"

	"github.com/leveretmq/leveret/amqp"
)

// errInterrupted ends a run that was told twice to stop, or told so before it
// had begun.
var errInterrupted = errors.New("interrupted")

// topology is what a run declares on the broker, and takes away again.
// Exclusive queues belong to the connections that consume them; the others and
// the exchange to the control connection.
type topology struct {
	plan    *plan
	kind    string // type of the exchange
	control *conn
	channel uint16 // of the control connection
	// What there is to delete; exclusive queues go with their connections.
	exchange bool
	queues   []string
}

// declare makes the exchange, the queues and the bindings. consumers have
// their channels open.
func (t *topology) declare(ctx context.Context, consumers []*consumer) error {
	if err := t.open(); err != nil {
		return err
	}
	if t.plan.exchange != "" {
		m := &amqp.ExchangeDeclare{Exchange: t.plan.exchange, Type: t.kind, AutoDelete: true}
		if _, err := t.control.call(t.channel, m); err != nil {
			return err
		}
		t.exchange = true
	}
	for _, q := range t.plan.queues {
		if ctx.Err() != nil {
			return errInterrupted
		}
		c, ch := t.control, t.channel
		if q.owner >= 0 {
			c, ch = consumers[q.owner].conn, 1
		} else {
			t.queues = append(t.queues, q.name)
		}
		m := &amqp.QueueDeclare{Queue: q.name, Durable: q.durable, Exclusive: q.exclusive, AutoDelete: true}
		if _, err := c.call(ch, m); err != nil {
			return err
		}
	}
	return t.bind(ctx, consumers)
}

// bind makes the bindings. An exclusive queue must be bound by its owner; each
// connection waits only for the answer to its last one.
func (t *topology) bind(ctx context.Context, consumers []*consumer) error {
	byOwner := make(map[int][]amqp.Method)
	for _, b := range t.plan.bindings {
		q := t.plan.queues[b.queue]
		byOwner[q.owner] = append(byOwner[q.owner], &amqp.QueueBind{
			Queue: q.name, Exchange: t.plan.exchange, RoutingKey: b.key, NoWait: true,
		})
	}
	for owner, binds := range byOwner {
		if ctx.Err() != nil {
			return errInterrupted
		}
		c, ch := t.control, t.channel
		if owner >= 0 {
			c, ch = consumers[owner].conn, 1
		}
		last := binds[len(binds)-1].(*amqp.QueueBind)
		last.NoWait = false
		if err := c.send(ch, binds[:len(binds)-1]...); err != nil {
			return fmt.Errorf("queue.bind: %w", err)
		}
		if _, err := c.call(ch, last); err != nil {
			return err
		}
	}
	return nil
}

func (t *topology) open() error {
	t.channel++
	_, err := t.control.call(t.channel, &amqp.ChannelOpen{})
	return err
}

// remove deletes what declare made, when the consumers have gone. Some of it
// may have deleted itself, which some brokers call an error.
func (t *topology) remove() error {
	var methods []amqp.Method
	for _, name := range t.queues {
		methods = append(methods, &amqp.QueueDelete{Queue: name})
	}
	if t.exchange {
		methods = append(methods, &amqp.ExchangeDelete{Exchange: t.plan.exchange})
	}
	for _, m := range methods {
		_, err := t.control.call(t.channel, m)
		var closed *closedError
		switch {
		case errors.As(err, &closed) && closed.method == "channel.close":
			if closed.code != amqp.CodeNotFound {
				return err
			}
			if err := t.open(); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	return nil
}
