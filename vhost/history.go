package vhost

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/queue"
)

// history is what an exchange of type x-recent-history has kept for a destination
// that is newly bound. It is taken under the lock under which the binding is made:
// whatever is routed later comes by the binding, so nothing is missed or doubled.
type history struct {
	to       exchange.Destination
	messages []*amqp.Message // oldest first
}

// replay publishes a history to its destination; an exchange routes each message
// further. The caller holds no lock.
func (v *VHost) replay(h history) {
	if len(h.messages) == 0 {
		return
	}
	var fx queue.Effects
	r := v.routers.Get().(*Router)
	for _, m := range h.messages {
		switch to := h.to.(type) {
		case *queue.Queue:
			var rec *persistence.Record
			to.Publish(m, &rec, &fx)
			if rec != nil {
				fx.Append(rec, nil, 0)
			}
		case *exchange.Exchange:
			r.deliverAny(to, m, Ticket{}, &fx, nil) // it comes by a binding
		}
	}
	r.forget()
	v.routers.Put(r)
	v.Apply(&fx)
	fx.WakeAll()
}
