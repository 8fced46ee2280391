package queue

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/dedup"
)

// parseDedup is the rule of an argument of package dedup.
func parseDedup(name string) func(any, amqp.Table, *Limits) string {
	return func(v any, _ amqp.Table, l *Limits) string {
		if l.Dedup == nil {
			l.Dedup = new(dedup.Options)
		}
		return l.Dedup.Set(name, v)
	}
}

// newSeen makes the window of a queue that deduplicates, else nil.
func (q *Queue) newSeen() *dedup.Window {
	o := q.opts.Limits.Dedup
	if o == nil || !o.Enabled {
		return nil
	}
	return dedup.New(dedup.Config{
		Options: *o, Kind: persistence.KindQueue, Name: q.opts.Name,
		Owner: uint64(q.core.id), Store: q.core.store,
	})
}

// duplicate reports whether a message is one that the queue has seen. If it is
// not, its key is noted in fx, to be stored with the message.
func (c *core) duplicate(m *amqp.Message, fx *Effects) bool {
	s, ok := c.seen.Of(m)
	if !ok {
		return false
	}
	e, duplicate := c.seen.Enter(s)
	if duplicate {
		c.counts.Deduplicated++
		return true
	}
	e.Keep(fx)
	return false
}

// hasSeen is duplicate for a message that the queue has no room for: it is
// refused if it is new, and its key stays unknown.
func (c *core) hasSeen(m *amqp.Message) bool {
	if s, ok := c.seen.Of(m); !ok || !c.seen.Seen(s) {
		return false
	}
	c.counts.Deduplicated++
	return true
}

// Keys returns the window of a queue that deduplicates, else nil.
func (q *Queue) Keys() *dedup.Window { return q.core.seen }

// AwaitOriginal lets somebody wait for the message of which m is a duplicate, as
// Publish has said: it is told when that is in the store, or with the error if it
// never will be, perhaps before AwaitOriginal returns. False: there is nothing to
// wait for.
func (q *Queue) AwaitOriginal(m *amqp.Message, by persistence.Waiter, number uint64) bool {
	if q.core.seen == nil {
		return false
	}
	s, ok := q.core.seen.Of(m)
	return ok && q.core.seen.Await(s.Key, by, number)
}
