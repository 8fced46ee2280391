package vhost

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/queue"
)

// An exchange of type x-delayed-message has a queue beside it, its schedule,
// which clients do not see: it holds what is not due yet. In the store its
// places belong to the exchange.

// heldBy is a schedule that a message goes to.
type heldBy struct {
	queue *queue.Queue
	due   int64 // Unix nanoseconds
}

// addSchedule makes the schedule of an exchange that delays. id is that of the
// exchange's definition, 0 if it is not stored.
func (v *VHost) addSchedule(x *exchange.Exchange, id uint64) {
	if !x.Delays() {
		return
	}
	v.schedules[x] = queue.New(queue.Options{
		VHost: v.name, Name: x.Name(), Durable: x.Durable(), Limits: queue.NoLimits(), PassesOn: true,
		ID: persistence.QueueID(id), Store: v.defined.store, Pager: v.pager, Apply: v.onClock,
	})
}

// removeSchedule drops what an exchange that is gone has delayed.
func (t *topology) removeSchedule(x *exchange.Exchange) {
	q := t.schedules[x]
	if q == nil {
		return
	}
	delete(t.schedules, x)
	t.defined.dropSchedule(q)
}

// dropSchedule deletes a schedule, with what it holds, as part of the change
// under way.
func (d *definitions) dropSchedule(q *queue.Queue) {
	var fx queue.Effects
	_, _ = q.Delete(false, false, &fx) // without conditions there is no error
	fx.WakeAll()
}

// heldLocked finds the schedules of those exchanges that hold the last message.
func (r *Router) heldLocked() {
	for _, h := range r.result.Held() {
		if q := r.v.schedules[h.Exchange]; q != nil {
			r.held = append(r.held, heldBy{q, h.Due})
		}
	}
}

// passOn routes messages that are due, each from the exchange that delayed it.
// Where that is stored, it is with the end of the message's place there.
func (v *VHost) passOn(due []queue.Due, fx *queue.Effects) {
	r := v.routers.Get().(*Router)
	r.releases = true
	for i := range due {
		d := &due[i]
		x := v.exchangeOf(d.Queue)
		if x == nil {
			continue // it was deleted, and what it held with it
		}
		m := exchange.Released(d.Message)
		m.Redelivered = d.Again
		r.from = nil
		r.deliver(x, m, Ticket{}, fx, nil)
	}
	r.releases = false
	r.forget()
	v.routers.Put(r)
}

// exchangeOf returns the exchange of a schedule, nil if it is gone.
func (v *VHost) exchangeOf(schedule *queue.Queue) *exchange.Exchange {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if x := v.exchanges[schedule.Name()]; x != nil && v.schedules[x] == schedule {
		return x
	}
	return nil
}

// Scheduled lists what an exchange of type x-delayed-message holds, by the time
// at which it is due: at most limit messages, without the first offset, and how
// many there are. Their bodies are read from the store where they are there only.
// The error is 404, or the store's.
func (v *VHost) Scheduled(name string, offset, limit int) ([]queue.Held, int, error) {
	q, err := v.schedule(name)
	if err != nil {
		return nil, 0, err
	}
	return q.Held(offset, limit)
}

// CancelScheduled drops a message that an exchange of type x-delayed-message
// holds, by its number of Held; false if it is not there any more. What is stored
// is settled in the store when it returns. The error is 404, or the store's.
func (v *VHost) CancelScheduled(name string, number uint64) (bool, error) {
	q, err := v.schedule(name)
	if err != nil {
		return false, err
	}
	var fx queue.Effects
	found := q.CancelHeld(number, &fx)
	store := q.Options().Store
	if !found || store == nil {
		return found, nil
	}
	fx.Use(store)
	done := persistence.NewOutcome()
	fx.Wait(done, 0)
	fx.WakeAll()
	return found, done.Await()
}

// schedule finds the schedule of an exchange; 404 if it has none.
func (v *VHost) schedule(name string) (*queue.Queue, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	x := v.exchanges[name]
	if x == nil {
		return nil, v.noExchange(name)
	}
	if q := v.schedules[x]; q != nil {
		return q, nil
	}
	return nil, amqp.NotFound("exchange '%s' in vhost '%s' delays nothing", name, v.name)
}
