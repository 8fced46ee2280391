package vhost

import (
	"strings"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
)

// ExchangeDeclare is what exchange.declare asks for [1.6.2.1].
type ExchangeDeclare struct {
	Name, Type string
	// Passive only asks whether the exchange exists; the rest is then ignored.
	Passive, Durable, AutoDelete, Internal bool
	Arguments                              amqp.Table
	// Permit is as that of QueueDeclare.
	Permit func(name string, create bool) error
	// By names the user who declares, for events; empty for the broker.
	By string
}

// DeclareExchange makes an exchange, or sees to it that the one of that name is
// what is asked for; a durable one is in the store when it returns. Errors: 403 for the default exchange and for a new name
// with amq., 404 if a passive declare finds none, 406 for an unknown type, bad
// arguments or an exchange that differs.
func (v *VHost) DeclareExchange(d ExchangeDeclare) error {
	name := CleanName(d.Name)
	if !d.Passive {
		if err := exchange.CheckType(d.Type); err != nil {
			return err
		}
	}
	if err := checkNotDefault(name); err != nil {
		return err
	}
	if !d.Passive {
		if err := ask(d.Permit, name, false); err != nil {
			return err
		}
	}
	v.mu.RLock()
	x, last := v.exchanges[name], v.defined.last
	v.mu.RUnlock()
	o := exchange.Options{
		VHost: v.name, Name: name, Type: d.Type, Durable: d.Durable,
		AutoDelete: d.AutoDelete, Internal: d.Internal, Arguments: d.Arguments,
	}
	switch {
	case x == nil && d.Passive:
		return v.noExchange(name)
	case x == nil:
		return v.createExchange(o, d)
	case d.Passive:
		return awaitExchange(x, last)
	}
	if err := equivalent(x, o); err != nil {
		return err
	}
	return awaitExchange(x, last)
}

// awaitExchange waits until an exchange that was found is in the store, if it is
// to be: last is the change that was under way then.
func awaitExchange(x *exchange.Exchange, last *commit) error {
	if !x.Durable() {
		return nil
	}
	return last.await()
}

func (v *VHost) createExchange(o exchange.Options, d ExchangeDeclare) error {
	if strings.HasPrefix(o.Name, reserved) {
		return amqp.AccessRefused("exchange name '%s' contains reserved prefix 'amq.*'", o.Name)
	}
	if err := ask(d.Permit, o.Name, true); err != nil {
		return err
	}
	x, err := exchange.New(o)
	if err == nil {
		err = checkDuplicates(o)
	}
	if err != nil {
		return err
	}
	stored, err := v.enterExchange(x, o, d.By)
	if err != nil {
		return err
	}
	return stored.await()
}

// enterExchange makes a new exchange known.
func (v *VHost) enterExchange(x *exchange.Exchange, o exchange.Options, by string) (*commit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkOpenLocked(); err != nil {
		return nil, err
	}
	if other := v.exchanges[o.Name]; other != nil {
		return v.defined.last, equivalent(other, o) // somebody else was faster
	}
	body, err := v.defined.encodeExchange(o)
	if err != nil {
		return nil, err
	}
	v.addExchange(x)
	v.governExchangeLocked(x)
	id := v.defined.addExchange(x, body)
	v.addSchedule(x, id)
	v.duplicates.add(x, id, v.defined.store)
	v.changedLocked()
	defer v.byLocked(by)()
	v.tellExchangeCreated(x)
	return v.defined.handOver(), nil
}

// DeleteExchange deletes an exchange with its bindings, and the auto-delete
// exchanges that were bound to nothing else; if there is none of that name, it
// does nothing. All of it is in the store when it returns. Errors: 403 for the
// default exchange and names with amq., 406 if it is used and ifUnused is set.
func (v *VHost) DeleteExchange(name string, ifUnused bool) error {
	return v.deleteExchange(name, ifUnused, "")
}

func (v *VHost) deleteExchange(name string, ifUnused bool, by string) error {
	name = CleanName(name)
	if err := checkNotDefault(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, reserved) {
		return amqp.AccessRefused("deletion of system exchange '%s' in vhost '%s' not allowed", name, v.name)
	}
	stored, err := v.takeExchange(name, ifUnused, by)
	if err != nil {
		return err
	}
	return stored.await()
}

func (v *VHost) takeExchange(name string, ifUnused bool, by string) (*commit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	x := v.exchanges[name]
	if x == nil {
		return v.defined.last, nil
	}
	if ifUnused && x.BindingCount() > 0 {
		return nil, amqp.PreconditionFailed("exchange '%s' in vhost '%s' in use", name, v.name)
	}
	defer v.byLocked(by)()
	v.removeExchange(x)
	v.changedLocked()
	return v.defined.handOver(), nil
}

// ExchangeType returns the type of an exchange, empty if there is none of that name.
func (v *VHost) ExchangeType(name string) string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if x := v.exchanges[name]; x != nil {
		return x.Type()
	}
	return ""
}

func (v *VHost) noExchange(name string) error {
	return amqp.NotFound("no exchange '%s' in vhost '%s'", name, v.name)
}

// checkNotDefault returns 403 for the name of the default exchange.
func checkNotDefault(name string) error {
	if name == "" {
		return amqp.AccessRefused("operation not permitted on the default exchange")
	}
	return nil
}
