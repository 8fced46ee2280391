package definitions

import (
	"errors"
	"reflect"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
)

// room makes a vhost, or changes what the file says about the one that there is.
func (b *broker) room(i room) (effect, error) {
	_, err := b.VHost(i.name)
	there := err == nil
	v, err := b.AddVHost(i.name)
	if err != nil {
		return 0, err
	}
	old := v.Metadata()
	m := i.over(old)
	differs := !reflect.DeepEqual(m, old)
	if differs {
		err = v.SetMetadata(m)
	}
	if on := i.tracing; err == nil && on != nil && *on != v.Tracing() {
		differs = true
		err = v.SetTracing(*on)
	}
	if !there {
		return made, err
	}
	return changedIf(differs), err
}

// over puts what is said about a vhost in the place of what was said before.
func (v room) over(m vhost.Metadata) vhost.Metadata {
	if v.description != nil {
		m.Description = *v.description
	}
	if v.tags != nil && !sameTags(*v.tags, m.Tags) {
		m.Tags = *v.tags
	}
	if v.kind != nil {
		m.DefaultQueueType = *v.kind
	}
	if v.protected != nil {
		m.Protected = *v.protected
	}
	return m
}

func (b *broker) policy(p rule) (effect, error) {
	v, err := b.in(p.in)
	if err != nil {
		return 0, err
	}
	return setPolicy(policy.User, p.Policy, v.Policies(), v.SetPolicy)
}

// setPolicy makes a policy or changes it, unless it is among those that there are.
func setPolicy(scope policy.Scope, p policy.Policy, old []policy.Policy, set func(policy.Policy) error) (effect, error) {
	does := made
	for _, is := range old {
		if is.Name != p.Name {
			continue
		}
		does = changed
		if r, err := policy.New(scope, p); err == nil && reflect.DeepEqual(r.Policy(), is) {
			return unchanged, nil
		}
	}
	return does, set(p)
}

func (b *broker) parameter(p parameter) (effect, error) {
	v, err := b.in(p.in)
	if err != nil {
		return 0, err
	}
	does := made
	for _, is := range v.Parameters() {
		if is.Component != p.Component || is.Name != p.Name {
			continue
		}
		does = changed
		if sameJSON(is.Value, p.Value) {
			return unchanged, nil
		}
	}
	return does, v.SetParameter(p.Component, p.Name, p.Value)
}

// exchange makes an exchange. One that is there is as the file says: Check has seen
// to it.
func (b *broker) exchange(x exchangeItem) (effect, error) {
	v, err := b.in(x.in)
	if err != nil {
		return 0, err
	}
	does := made
	if v.ExchangeNamed(x.name) != nil {
		does = unchanged
	}
	return does, v.DeclareExchange(vhost.ExchangeDeclare{Name: x.name, Type: x.kind, Durable: x.durable,
		AutoDelete: x.autoDelete, Internal: x.private, Arguments: x.arguments})
}

// queue makes a queue. The term of one that is there does not begin anew.
func (b *broker) queue(q queueItem) (effect, error) {
	v, err := b.in(q.in)
	if err != nil {
		return 0, err
	}
	if _, there := b.queues[q.key()]; there && !b.strict {
		return unchanged, nil
	}
	_, err = v.DeclareQueue(q.declare(v.Metadata().DefaultQueueType), 0)
	return made, err
}

// declare is how the queue is declared in a vhost with a default type: a type that
// the file names beside the arguments counts, too.
func (q queueItem) declare(defaultType string) vhost.QueueDeclare {
	args := q.arguments
	if _, typed := args.Get("x-queue-type"); !typed && q.kind != "" && (q.kind != queue.TypeClassic || defaultType != "") {
		args = args.With("x-queue-type", q.kind)
	}
	return vhost.QueueDeclare{Name: q.name, Durable: q.durable, AutoDelete: q.autoDelete, Arguments: args}
}

// binding makes a binding. One end of it may have gone since the file was checked,
// by its own term or by somebody's hand: there is nothing to bind then.
func (b *broker) binding(i bindingItem) (effect, error) {
	if b.bindings[i.key()] {
		return unchanged, nil
	}
	v, err := b.in(i.in)
	if err != nil {
		return 0, err
	}
	if i.ToExchange {
		err = v.BindExchange(i.Destination, i.Source, i.Key, i.Arguments)
	} else {
		err = v.BindQueue(i.Destination, i.Source, i.Key, i.Arguments, 0)
	}
	var gone *amqp.Error
	if errors.As(err, &gone) && gone.Code == amqp.CodeNotFound {
		return unchanged, nil
	}
	return made, err
}
