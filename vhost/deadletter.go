package vhost

import (
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// deadLetterOne publishes one message to the dead-letter exchange of the queue
// that gave it up. The message is dropped if there is no such exchange now, and
// does not enter a queue to which it comes back in a circle without anybody
// having rejected it on the way.
func (v *VHost) deadLetterOne(r *Router, d queue.DeadLetter, now time.Time, fx *queue.Effects) {
	limits := d.Queue.Options().Limits
	v.mu.RLock()
	x := v.exchanges[limits.DeadLetterExchange]
	v.mu.RUnlock()
	if x == nil {
		return
	}
	m, deaths, err := makeDeadLetter(d, limits, now)
	if err != nil {
		v.log.Error().Err(err).Str("queue", d.Queue.Name()).Msg("dead letter dropped: its headers cannot be encoded")
		return
	}
	var skip func(*queue.Queue) bool
	if d.Reason != queue.Rejected {
		skip = func(q *queue.Queue) bool {
			if !deaths.isCycle(q.Name()) {
				return false
			}
			v.log.Debug().Str("from", d.Queue.Name()).Str("to", q.Name()).
				Msg("dead letter dropped: it has been there and died by itself each time")
			return true
		}
	}
	r.deliver(x, m, Ticket{}, fx, skip)
}

// makeDeadLetter returns the message that goes to the dead-letter exchange: the
// old one with a record of its death and without its expiration. Its routing
// keys are the old ones, unless the queue has one of its own for dead letters.
func makeDeadLetter(d queue.DeadLetter, l queue.Limits, now time.Time) (*amqp.Message, deaths, error) {
	old := d.Message
	headers, err := old.Headers()
	if err != nil {
		headers = nil // whoever took the message from a client has checked them
	}
	headers, deaths := recordDeath(headers, death{
		reason: d.Reason, queue: d.Queue.Name(), at: now,
		exchange: old.Exchange, key: old.RoutingKey, expiration: old.Expiration,
	})
	m := *old
	m.Exchange = l.DeadLetterExchange
	m.Expiration = amqp.NoExpiration
	m.HasHeaders = true
	if l.HasDeadLetterKey {
		m.RoutingKey, m.ExtraKeys = l.DeadLetterKey, nil
		headers = headers.Without("CC")
	}
	if m.Properties, err = old.Properties.WithoutExpiration().WithHeaders(headers); err != nil {
		return nil, nil, err
	}
	return &m, deaths, nil
}
