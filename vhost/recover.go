package vhost

import (
	"errors"
	"fmt"
	"time"

	"github.com/leveretmq/leveret/binding"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/queue"
)

// recovery makes a registry what it was. Nobody else has the registry yet, and
// what queues do by the clock waits, so that no lock is taken.
type recovery struct {
	*Registry
	vhosts    map[uint64]*VHost
	exchanges map[uint64]*exchange.Exchange
	queues    map[uint64]*queue.Queue
	schedules map[uint64]*queue.Queue // by their exchange
	keys      recoveredKeys
	bindings  int
	places    int
}

// recover brings back what is in the store: definitions first, then messages.
func (r *Registry) recover() error {
	start := time.Now()
	all, err := r.store.Definitions()
	if err != nil {
		return fmt.Errorf("read the definitions: %w", err)
	}
	v := &recovery{
		Registry: r, vhosts: map[uint64]*VHost{0: r.vhosts[DefaultName]},
		exchanges: map[uint64]*exchange.Exchange{}, queues: map[uint64]*queue.Queue{},
		schedules: map[uint64]*queue.Queue{},
	}
	if err := v.definitions(all); err != nil {
		return err
	}
	v.users.Recovered()
	v.govern()
	if err := v.messages(); err != nil {
		return err
	}
	v.keys.finish(r.store)
	r.log.Info().Int("vhosts", len(r.vhosts)).Int("exchanges", len(v.exchanges)).Int("queues", len(v.queues)).
		Int("bindings", v.bindings).Int("messages", v.places).Dur("took", time.Since(start)).Msg("recovered")
	return nil
}

// definitions makes what is defined, in the order of the kinds. What cannot be
// used is logged, each of it, and there is no start then: to leave it out would
// be to lose it, and its messages, without a word.
func (v *recovery) definitions(all []persistence.Definition) error {
	var (
		first error
		bad   int
	)
	for _, d := range all {
		err := v.definition(d)
		if err == nil {
			continue
		}
		bad++
		v.log.Error().Err(err).Str("kind", kindName(d.Kind)).Uint64("id", d.ID).Msg("definition cannot be used")
		if first == nil {
			first = fmt.Errorf("the definition of %s %d cannot be used: %w", kindName(d.Kind), d.ID, err)
		}
	}
	if bad > 1 {
		return fmt.Errorf("%d of %d definitions cannot be used; %w", bad, len(all), first)
	}
	return first
}

// definition makes one thing that is defined.
func (v *recovery) definition(d persistence.Definition) error {
	switch d.Kind {
	case persistence.KindVHost:
		return v.vhost(d)
	case persistence.KindExchange:
		return v.exchange(d)
	case persistence.KindQueue:
		return v.queue(d)
	case persistence.KindBinding:
		return v.binding(d)
	case persistence.KindUser, persistence.KindPermission:
		return v.user(d)
	case persistence.KindPolicy:
		return v.policy(d)
	case persistence.KindParameter:
		return v.parameter(d)
	case persistence.KindDuplicate:
		return v.keys.key(d)
	}
	return errors.New("this program does not know the kind")
}

func kindName(k persistence.Kind) string {
	switch k {
	case persistence.KindVHost:
		return "vhost"
	case persistence.KindExchange:
		return "exchange"
	case persistence.KindQueue:
		return "queue"
	case persistence.KindBinding:
		return "binding"
	case persistence.KindUser:
		return "user"
	case persistence.KindPermission:
		return "permission"
	case persistence.KindPolicy:
		return "policy"
	case persistence.KindParameter:
		return "parameter"
	case persistence.KindDuplicate:
		return "duplicate"
	}
	return fmt.Sprintf("unknown kind %d:", k)
}

func (v *recovery) vhost(from persistence.Definition) error {
	var d vhostDefinition
	if err := d.decode(from.Body); err != nil {
		return err
	}
	if v.Registry.vhosts[d.name] != nil {
		return fmt.Errorf("there is a vhost '%s' already", d.name)
	}
	made := v.newVHost(d.name, from.ID)
	v.vhosts[from.ID], v.Registry.vhosts[d.name] = made, made
	return nil
}

// in returns the vhost of a definition.
func (v *recovery) in(id uint64) (*VHost, error) {
	if in := v.vhosts[id]; in != nil {
		return in, nil
	}
	return nil, fmt.Errorf("it is in vhost %d, which is not defined", id)
}

func (v *recovery) exchange(from persistence.Definition) error {
	var d exchangeDefinition
	if err := d.decode(from.Body); err != nil {
		return err
	}
	in, err := v.in(d.vhost)
	if err != nil {
		return err
	}
	if in.exchanges[d.name] != nil {
		return fmt.Errorf("there is an exchange '%s' in vhost '%s' already", d.name, in.name)
	}
	o := exchange.Options{
		VHost: in.name, Name: d.name, Type: d.kind, Durable: true,
		AutoDelete: d.autoDelete, Internal: d.internal, Arguments: d.arguments,
	}
	x, err := exchange.New(o)
	if err == nil {
		err = checkDuplicates(o)
	}
	if err != nil {
		return err
	}
	in.addExchange(x)
	v.keys.own(from.ID, in.duplicates.add(x, from.ID, v.store))
	in.addSchedule(x, from.ID)
	if q := in.schedules[x]; q != nil {
		v.schedules[from.ID] = q
	}
	in.defined.exchanges[x], v.exchanges[from.ID] = from.ID, x
	return nil
}

// queue makes a queue. The term of one with x-expires begins now.
func (v *recovery) queue(from persistence.Definition) error {
	var d queueDefinition
	if err := d.decode(from.Body); err != nil {
		return err
	}
	in, err := v.in(d.vhost)
	if err != nil {
		return err
	}
	if in.queues[d.name] != nil {
		return fmt.Errorf("there is a queue '%s' in vhost '%s' already", d.name, in.name)
	}
	o := in.queueOptions(d.name, true, d.autoDelete, d.arguments)
	o.ID = persistence.QueueID(from.ID)
	if o.Limits, err = queue.ParseArguments(o); err != nil {
		return err
	}
	q := queue.New(o)
	in.addQueue(q, 0)
	v.keys.own(from.ID, q.Keys())
	v.queues[from.ID] = q
	return nil
}

func (v *recovery) binding(from persistence.Definition) error {
	var d bindingDefinition
	if err := d.decode(from.Body); err != nil {
		return err
	}
	in, err := v.in(d.vhost)
	if err != nil {
		return err
	}
	source, err := v.end(in, d.source)
	if err != nil {
		return err
	}
	x, ok := source.(*exchange.Exchange)
	if !ok {
		return fmt.Errorf("its source is the queue '%s'", source.Name())
	}
	to, err := v.end(in, d.destination)
	if err != nil {
		return err
	}
	switch added, err := in.bind(x, to, d.key, d.arguments); {
	case err != nil:
		return err
	case !added:
		return fmt.Errorf("'%s' is bound to '%s' by it already", to.Name(), x.Name())
	}
	in.defined.bindings[boundKey{x, to, d.key, binding.Identity(d.arguments)}] = from.ID
	v.bindings++
	return nil
}

// end finds an end of a binding.
func (v *recovery) end(in *VHost, e definedEnd) (exchange.Destination, error) {
	switch {
	case e.kind == persistence.KindQueue:
		if q := v.queues[e.id]; q != nil && q.Options().VHost == in.name {
			return q, nil
		}
	case e.kind != persistence.KindExchange:
	case e.id == 0:
		// Of those that are not defined only the predeclared are here yet.
		if x := in.exchanges[e.name]; x != nil && in.defined.exchanges[x] == 0 && !x.IsDefault() {
			return x, nil
		}
		return nil, fmt.Errorf("it needs exchange '%s', which is not predeclared", e.name)
	default:
		if x := v.exchanges[e.id]; x != nil && x.VHost() == in.name {
			return x, nil
		}
	}
	return nil, fmt.Errorf("it needs %s %d, which is not defined in vhost '%s'", kindName(e.kind), e.id, in.name)
}

// messages brings back the messages, in no order in particular; the queues see
// to theirs.
func (v *recovery) messages() error {
	err := v.store.Recover(func(r persistence.Recovered) bool {
		q := v.queues[uint64(r.Queue)]
		if q == nil {
			q = v.schedules[uint64(r.Queue)]
		}
		if q != nil {
			q.Recover(r)
			v.places++
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("read the messages: %w", err)
	}
	for _, all := range []map[uint64]*queue.Queue{v.queues, v.schedules} {
		for _, q := range all {
			if err := q.Recovered(); err != nil {
				return fmt.Errorf("read the messages of '%s' in vhost '%s': %w", q.Name(), q.Options().VHost, err)
			}
		}
	}
	return nil
}
