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

// note counts a message that went to some queues.
func (t *throughput) note(x *exchange.Exchange, queues int) {
	if t.by != x {
		t.show()
		t.by = x
	}
	t.in++
	t.out += uint64(queues)
}

func (t *throughput) show() {
	if t.in > 0 {
		t.by.Count(t.in, t.out)
		t.in, t.out = 0, 0
	}
}

// ShowCounts adds what was published since it was called last to the counts of the
// exchanges. Who publishes for clients calls it once a batch. Dead letters, and what
// was held, are not published once more in that sense, as in RabbitMQ.
func (r *Router) ShowCounts() { r.throughput.show() }
