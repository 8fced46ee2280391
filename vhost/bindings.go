package vhost

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
)

// end names the destination of a binding.
type end struct {
	name       string
	isExchange bool
	conn       uint64 // who asks
	by         string // and whose user that is, for events
}

// BindQueue binds a queue to an exchange; a binding that exists is left as it
// is. One of a durable queue and a durable exchange is in the store when it
// returns. Errors: 403 for the default exchange, 404 if one of them does not exist
// (the exchange is looked for first), 405 if the queue is exclusive to another
// connection, 406 for arguments that the exchange cannot use.
func (v *VHost) BindQueue(queue, exchange, key string, args amqp.Table, conn uint64) error {
	return v.By("").BindQueue(queue, exchange, key, args, conn)
}

// UnbindQueue removes a binding, from the store too; if there is none, it does
// nothing. Errors: 403
// for the default exchange, 405 if the queue is exclusive to another connection.
func (v *VHost) UnbindQueue(queue, exchange, key string, args amqp.Table, conn uint64) error {
	return v.By("").UnbindQueue(queue, exchange, key, args, conn)
}

// BindExchange binds an exchange to another: what the source routes to it, it
// routes further. Errors as with BindQueue.
func (v *VHost) BindExchange(destination, source, key string, args amqp.Table) error {
	return v.By("").BindExchange(destination, source, key, args)
}

// UnbindExchange is UnbindQueue for a binding between exchanges.
func (v *VHost) UnbindExchange(destination, source, key string, args amqp.Table) error {
	return v.By("").UnbindExchange(destination, source, key, args)
}

func (v *VHost) bindTo(source string, to end, key string, args amqp.Table) error {
	source = CleanName(source)
	if err := checkEnds(source, to); err != nil {
		return err
	}
	// Clients that come back bind what is bound: no need to stop the publishers.
	v.mu.RLock()
	x, d, err := v.endsLocked(source, to)
	bound, stored := err == nil && x.Bound(d, key, args), v.defined.last
	v.mu.RUnlock()
	if err == nil && !bound {
		var h history
		stored, h, err = v.enterBinding(source, to, key, args)
		v.replay(h)
	}
	if err != nil {
		return err
	}
	return stored.await()
}

func (v *VHost) enterBinding(source string, to end, key string, args amqp.Table) (*commit, history, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	x, d, err := v.endsLocked(source, to)
	if err != nil {
		return nil, history{}, err
	}
	body, err := v.defined.encodeBinding(x, d, key, args)
	if err != nil {
		return nil, history{}, err
	}
	switch added, err := v.bind(x, d, key, args); {
	case err != nil:
		return nil, history{}, err
	case !added:
		return v.defined.last, history{}, nil
	}
	v.defined.addBinding(x, d, key, args, body)
	v.changedLocked()
	defer v.byLocked(to.by)()
	v.tellBindings("binding.created", x, v.authorLocked(), exchange.Binding{Destination: d, Key: key, Arguments: args})
	return v.defined.handOver(), history{d, x.History()}, nil
}

func (v *VHost) unbindFrom(source string, to end, key string, args amqp.Table) error {
	source = CleanName(source)
	if err := checkEnds(source, to); err != nil {
		return err
	}
	stored, err := v.takeBinding(source, to, key, args)
	if err != nil {
		return err
	}
	return stored.await()
}

func (v *VHost) takeBinding(source string, to end, key string, args amqp.Table) (*commit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	x := v.exchanges[source]
	d := v.destinationLocked(to)
	if x == nil || d == nil || !x.Bound(d, key, args) {
		return v.defined.last, nil
	}
	if err := v.checkEndOwnerLocked(to); err != nil {
		return nil, err
	}
	defer v.byLocked(to.by)()
	v.unbind(x, d, key, args)
	v.changedLocked()
	return v.defined.handOver(), nil
}

// checkEnds refuses the default exchange, to which nothing is bound but what is
// bound always.
func checkEnds(source string, to end) error {
	if err := checkNotDefault(source); err != nil || !to.isExchange {
		return err
	}
	return checkNotDefault(to.name)
}

// endsLocked finds both ends of a binding to be made.
func (v *VHost) endsLocked(source string, to end) (*exchange.Exchange, exchange.Destination, error) {
	x := v.exchanges[source]
	if x == nil {
		return nil, nil, v.noExchange(source)
	}
	d := v.destinationLocked(to)
	if d == nil {
		if to.isExchange {
			return nil, nil, v.noExchange(to.name)
		}
		return nil, nil, v.noQueue(to.name)
	}
	return x, d, v.checkEndOwnerLocked(to)
}

// destinationLocked returns nil if there is none of that name.
func (v *VHost) destinationLocked(to end) exchange.Destination {
	if to.isExchange {
		if x := v.exchanges[to.name]; x != nil {
			return x
		}
		return nil
	}
	if q := v.queues[to.name]; q != nil {
		return q
	}
	return nil
}

func (v *VHost) checkEndOwnerLocked(to end) error {
	if to.isExchange {
		return nil
	}
	return checkOwner(v.queues[to.name], to.conn)
}
