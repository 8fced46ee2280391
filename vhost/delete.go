package vhost

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
)

// deleteStep is how many queues or exchanges are deleted in one step, which holds
// the vhost's lock and is one batch of the store.
const deleteStep = 100

// DeleteVHost deletes a vhost with all that is in it, and everybody's rights there.
// Nobody can enter it any more once it begins, and Options.VHostGone is told so; it
// is done, in the store too, when it returns. It goes by steps: what a crash leaves is
// a vhost with less in it, to be deleted again. The error is 530 if there is none of
// that name, a *policy.Refused for the vhost "/", without which there is no broker, or one that is protected,
// or the store's.
func (r *Registry) DeleteVHost(name string) error {
	v, err := r.beginDelete(name)
	if err != nil {
		return err
	}
	if r.vhostGone != nil {
		r.vhostGone(v)
	}
	err = v.deleteAll()
	if err == nil {
		err = r.endDelete(v)
	}
	r.events.tellIf(err, "vhost.deleted", func() amqp.Table { return amqp.Table{field("name", name)} })
	if err != nil {
		r.mu.Lock()
		v.deleting = false // it can be tried again
		r.mu.Unlock()
	}
	return err
}

// beginDelete makes a vhost one that nobody finds.
func (r *Registry) beginDelete(name string) (*VHost, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed()
	}
	v, err := r.vhostLocked(name)
	switch {
	case err != nil:
		return nil, err
	case name == DefaultName:
		return nil, policy.Refusef("vhost '%s' cannot be deleted", name)
	case v.Metadata().Protected:
		return nil, policy.Refusef("vhost '%s' is protected from deletion", name)
	}
	v.deleting = true
	return v, nil
}

// vhostLocked finds a vhost that is not being deleted.
func (r *Registry) vhostLocked(name string) (*VHost, error) {
	if v := r.vhosts[name]; v != nil && !v.deleting {
		return v, nil
	}
	return nil, amqp.NotAllowed("vhost %s not found", name)
}

// deleteAll deletes queues and exchanges, and lets nobody make new ones.
func (v *VHost) deleteAll() error {
	v.mu.Lock()
	v.gone = true
	v.mu.Unlock()
	for _, step := range []func(*queue.Effects) bool{v.deleteQueuesLocked, v.deleteExchangesLocked} {
		for more := true; more; {
			var fx queue.Effects
			v.mu.Lock()
			if v.closed {
				v.mu.Unlock()
				return errClosed()
			}
			more = step(&fx)
			v.changedLocked()
			stored := v.defined.handOver()
			v.mu.Unlock()
			v.Apply(&fx)
			fx.WakeAll()
			if err := stored.await(); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteQueuesLocked deletes some queues and reports whether there are more.
func (v *VHost) deleteQueuesLocked(fx *queue.Effects) bool {
	n := 0
	for _, q := range v.queues {
		if n++; n > deleteStep {
			return true
		}
		// Without conditions Delete does not fail.
		_, _ = q.Delete(false, false, fx)
		v.removeQueue(q)
		v.activity.deleted.Add(1)
	}
	return false
}

// deleteExchangesLocked is deleteQueuesLocked for exchanges. The default exchange
// stays: it has nothing of its own.
func (v *VHost) deleteExchangesLocked(*queue.Effects) bool {
	var some []*exchange.Exchange
	for _, x := range v.exchanges {
		if x.IsDefault() {
			continue
		}
		if len(some) == deleteStep {
			break
		}
		some = append(some, x)
	}
	for _, x := range some {
		v.removeExchange(x)
	}
	return len(some) == deleteStep
}

// endDelete drops what the vhost has besides, and the vhost.
func (r *Registry) endDelete(v *VHost) error {
	return r.changeUsers(func(d *definitions) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.closed {
			return errClosed()
		}
		r.users.DeleteVHost(v.name)
		if d.store != nil {
			for _, ids := range v.policies.ids {
				for _, id := range ids {
					d.drop(persistence.KindPolicy, id)
				}
			}
			for _, id := range []uint64{v.limits.id, v.metadata.id} {
				if id != 0 {
					d.drop(persistence.KindParameter, id)
				}
			}
			d.drop(persistence.KindVHost, v.defined.vhost)
		}
		delete(r.vhosts, v.name)
		return nil
	})
}
