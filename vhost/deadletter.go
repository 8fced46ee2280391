package vhost

import (
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// deadLetterOne publishes one message to the dead-letter exchange of the queue
// that gave it up, and reports whether it has come to its end with that. The
// message is not taken if there is no such exchange now, or if none or not all of
// the queues take it. It does not enter a queue to which it comes back in a circle
// without anybody having rejected it on the way: that is an end, too.
func (v *VHost) deadLetterOne(r *Router, d *queue.DeadLetter, now time.Time, fx *queue.Effects) (taken bool) {
	v.mu.RLock()
	x := v.exchanges[d.Exchange]
	v.mu.RUnlock()
	if x == nil {
		return false
	}
	m, deaths, err := makeDeadLetter(d, now)
	if err != nil {
		v.log.Error().Err(err).Str("queue", d.Queue.Name()).Msg("dead letter dropped: its headers cannot be encoded")
		return true
	}
	circles := false
	var skip func(*queue.Queue) bool
	if d.Reason != queue.Rejected {
		skip = func(q *queue.Queue) bool {
			if !deaths.isCycle(q.Name()) {
				return false
			}
			v.log.Debug().Str("from", d.Queue.Name()).Str("to", q.Name()).
				Msg("dead letter dropped: it has been there and died by itself each time")
			circles = true
			return true
		}
	}
	p := r.deliver(x, m, Ticket{}, fx, skip)
	return p.Routed && !p.Refused || circles
}

// makeDeadLetter returns the message that goes to the dead-letter exchange: the
// old one with a record of its death and without its expiration. Its routing
// keys are the old ones, unless the queue has one of its own for dead letters.
func makeDeadLetter(d *queue.DeadLetter, now time.Time) (*amqp.Message, deaths, error) {
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
	m.Exchange = d.Exchange
	m.Redelivered = d.Again
	m.Expiration = amqp.NoExpiration
	m.HasHeaders = true
	if d.Attempts > 0 {
		headers = headers.With("x-attempts", int64(d.Attempts))
	}
	if d.HasKey {
		m.RoutingKey, m.ExtraKeys = d.Key, nil
		headers = headers.Without("CC")
	}
	if m.Properties, err = old.Properties.WithoutExpiration().WithHeaders(headers); err != nil {
		return nil, nil, err
	}
	return &m, deaths, nil
}
