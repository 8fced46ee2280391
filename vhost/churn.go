package vhost

import (
	"sync/atomic"

	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/queue"
)

// Churn is how many queues there were, all vhosts together, since the broker was
// started.
type Churn struct {
	// Declared counts each declare that was not passive, Created those that made a
	// queue.
	Declared, Created, Deleted uint64
}

// activity counts what happens in all vhosts.
type activity struct {
	declared, created, deleted          atomic.Uint64
	rejected, expired, maxLen, delivery atomic.Uint64 // dead letters
}

// Churn returns how many queues were declared, made and deleted.
func (r *Registry) Churn() Churn {
	a := &r.activity
	return Churn{a.declared.Load(), a.created.Load(), a.deleted.Load()}
}

// DeadLettered returns how many messages were dead-lettered, by the reasons of
// RabbitMQ's x-death.
func (r *Registry) DeadLettered() map[string]uint64 {
	a := &r.activity
	return map[string]uint64{
		string(queue.Rejected): a.rejected.Load(), string(queue.Expired): a.expired.Load(),
		string(queue.MaxLen): a.maxLen.Load(), string(queue.DeliveryLimit): a.delivery.Load(),
	}
}

func (a *activity) dead(why queue.Reason) {
	switch why {
	case queue.Rejected:
		a.rejected.Add(1)
	case queue.Expired:
		a.expired.Add(1)
	case queue.MaxLen:
		a.maxLen.Add(1)
	case queue.DeliveryLimit:
		a.delivery.Add(1)
	}
}

// throughput is what a Router has published by one exchange since it was counted
// there last.
type throughput struct {
	by      *exchange.Exchange
	in, out uint64
}

// CountPublish counts what Publish has just done at the exchange, when ShowCounts is
// called. It is for what clients publish: dead letters, and what was held, are not
// published once more in that sense, as in RabbitMQ.
func (r *Router) CountPublish(x *exchange.Exchange) {
	t := &r.throughput
	if t.by != x {
		r.countFor(x)
	}
	t.in++
	t.out += uint64(r.routed)
}

func (r *Router) countFor(x *exchange.Exchange) {
	r.ShowCounts()
	r.throughput.by = x
}

// ShowCounts adds what was counted to the counts of the exchange. Who publishes calls it
// once a batch.
func (r *Router) ShowCounts() {
	if t := &r.throughput; t.in > 0 {
		t.by.Count(t.in, t.out)
		t.in, t.out = 0, 0
	}
}
