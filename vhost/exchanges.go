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
}

// DeclareExchange makes an exchange, or sees to it that the one of that name is
// what is asked for. Errors: 403 for the default exchange and for a new name
// with amq., 404 if a passive declare finds none, 406 for an unknown type, bad
// arguments or an exchange that differs.
func (v *VHost) DeclareExchange(d ExchangeDeclare) error {
	name := cleanName(d.Name)
	if !d.Passive {
		if err := exchange.CheckType(d.Type); err != nil {
			return err
		}
	}
	if err := checkNotDefault(name); err != nil {
		return err
	}
	v.mu.RLock()
	x := v.exchanges[name]
	v.mu.RUnlock()
	o := exchange.Options{
		VHost: v.name, Name: name, Type: d.Type, Durable: d.Durable,
		AutoDelete: d.AutoDelete, Internal: d.Internal, Arguments: d.Arguments,
	}
	switch {
	case x == nil && d.Passive:
		return v.noExchange(name)
	case x == nil:
		return v.createExchange(o)
	case d.Passive:
		return nil
	}
	return x.Equivalent(o)
}

func (v *VHost) createExchange(o exchange.Options) error {
	if strings.HasPrefix(o.Name, reserved) {
		return amqp.AccessRefused("exchange name '%s' contains reserved prefix 'amq.*'", o.Name)
	}
	x, err := exchange.New(o)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkOpenLocked(); err != nil {
		return err
	}
	if other := v.exchanges[o.Name]; other != nil {
		return other.Equivalent(o) // somebody else was faster
	}
	v.addExchange(x)
	v.changedLocked()
	return nil
}

// DeleteExchange deletes an exchange with its bindings, and the auto-delete
// exchanges that were bound to nothing else; if there is none of that name, it
// does nothing. Errors: 403 for the default exchange and names with amq., 406
// if it is used and ifUnused is set.
func (v *VHost) DeleteExchange(name string, ifUnused bool) error {
	name = cleanName(name)
	if err := checkNotDefault(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, reserved) {
		return amqp.AccessRefused("deletion of system exchange '%s' in vhost '%s' not allowed", name, v.name)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	x := v.exchanges[name]
	if x == nil {
		return nil
	}
	if ifUnused && x.BindingCount() > 0 {
		return amqp.PreconditionFailed("exchange '%s' in vhost '%s' in use", name, v.name)
	}
	v.removeExchange(x)
	v.changedLocked()
	return nil
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
