package vhost

import (
	"context"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/queue"
)

// now is the time, for filters.
func now() time.Time { return time.Now() }

// Target is where messages are to go.
type Target struct {
	// Queue gets them straight, if ToQueue: they keep the exchange and the keys that
	// they have.
	Queue   string
	ToQueue bool
	// Exchange gets them otherwise: they are published to it, with Key if HasKey, else
	// with the keys that they have.
	Exchange string
	Key      string
	HasKey   bool
}

// Selection is messages of a queue.
type Selection struct {
	Queue  string
	Filter Filter
	// Limit is how many at most, from the first on; 0 for all.
	Limit int
	// DryRun only counts what would be done. What a queue would refuse is not known
	// then.
	DryRun bool
	// Permit says whether a message may be published to an exchange with its first key;
	// nil: always. It is not asked for what goes straight to a queue.
	Permit func(exchange, key string) bool
}

// MoveMessages moves messages of a queue, in the order in which they are there, to where
// they are to go: those that were ready or delayed when it began. One that nobody takes
// stays. Each is moved or not, whatever happens, and is in the store when MoveMessages
// returns. The error is 404 or 405, that of the context, or the store's; what is counted
// was done.
func (v *VHost) MoveMessages(ctx context.Context, s Selection, to Target) (Carried, error) {
	return v.carryTo(ctx, s, to, false)
}

// CopyMessages is MoveMessages that leaves the messages where they are, and copies those
// that are unacked too.
func (v *VHost) CopyMessages(ctx context.Context, s Selection, to Target) (Carried, error) {
	return v.carryTo(ctx, s, to, true)
}

// DeleteMessages is MoveMessages to nowhere: they are not dead-lettered.
func (v *VHost) DeleteMessages(ctx context.Context, s Selection) (Carried, error) {
	c, err := v.carrierOf(s)
	if err != nil {
		return Carried{}, err
	}
	err = c.run(ctx)
	return c.counts, err
}

// carrierOf returns a carrier that deletes.
func (v *VHost) carrierOf(s Selection) (*carrier, error) {
	q, err := v.Queue(s.Queue, nobody)
	if err != nil {
		return nil, err
	}
	return &carrier{v: v, from: q, filter: s.Filter, limit: s.Limit, dryRun: s.DryRun, permit: s.Permit}, nil
}

// nobody is the connection of those who have none.
const nobody = 0

func (v *VHost) carryTo(ctx context.Context, s Selection, to Target, copies bool) (Carried, error) {
	c, err := v.carrierOf(s)
	if err != nil {
		return Carried{}, err
	}
	x, q, err := v.targetOf(to)
	if err != nil {
		return Carried{}, err
	}
	c.copies = copies
	c.plan = func(b *queue.Browsed) (delivery, bool) {
		d := delivery{to: x, queue: q}
		d.message = readdressed(b, to)
		return c.permitted(d)
	}
	err = c.run(ctx)
	return c.counts, err
}

// targetOf finds where messages are to go: 404, or 405 for somebody's exclusive queue, or
// 403 for an internal exchange.
func (v *VHost) targetOf(to Target) (*exchange.Exchange, *queue.Queue, error) {
	if to.ToQueue {
		q, err := v.Queue(to.Queue, nobody)
		return nil, q, err
	}
	x, err := v.NewRouter().Exchange([]byte(to.Exchange))
	return x, nil, err
}

// readdressed is a message as it goes to its target.
func readdressed(b *queue.Browsed, to Target) *amqp.Message {
	m := *b.Message
	m.Redelivered = b.Again
	if to.ToQueue {
		return &m
	}
	m.Exchange = to.Exchange
	if !to.HasKey {
		return &m
	}
	m.RoutingKey, m.ExtraKeys = to.Key, nil
	if headers, err := m.Headers(); err == nil {
		if p, err := m.Properties.WithHeaders(headers.Without("CC")); err == nil && len(headers) > 0 {
			m.Properties = p
		}
	}
	return &m
}
