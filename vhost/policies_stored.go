package vhost

import (
	"encoding/json"
	"fmt"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
)

// storePolicyLocked adds a policy to the change under way, or its end if rule is
// nil.
func (v *VHost) storePolicyLocked(scope policy.Scope, name string, rule *policy.Rule) error {
	if v.defined.store == nil {
		return nil
	}
	ids := v.policies.ids[scope]
	id, stored := ids[name]
	if rule == nil {
		delete(ids, name)
		v.defined.drop(persistence.KindPolicy, id)
		return nil
	}
	body, err := encodePolicy(v.defined.vhost, scope, rule.Policy())
	if err != nil {
		return err
	}
	if !stored {
		id = v.defined.store.NewID()
		v.policies.know(scope, name, id)
	}
	v.defined.define(persistence.KindPolicy, id, body)
	return nil
}

// know notes the id of a policy that is stored.
func (p *policies) know(scope policy.Scope, name string, id uint64) {
	if p.ids[scope] == nil {
		p.ids[scope] = map[string]uint64{}
	}
	p.ids[scope][name] = id
}

func encodePolicy(vhost uint64, scope policy.Scope, p policy.Policy) ([]byte, error) {
	definition, err := json.Marshal(p.Definition)
	if err != nil {
		return nil, fmt.Errorf("encode a policy: %w", err) // it was checked, so this is not reached
	}
	d := policyDefinition{vhost, scope, p.Name, p.Pattern, p.ApplyTo, p.Priority, string(definition)}
	return d.encode()
}

// policy makes a policy that is defined; govern applies it later.
func (v *recovery) policy(from persistence.Definition) error {
	var d policyDefinition
	if err := d.decode(from.Body); err != nil {
		return err
	}
	in, err := v.in(d.vhost)
	if err != nil {
		return err
	}
	p := policy.Policy{Name: d.name, Pattern: d.pattern, ApplyTo: d.applyTo, Priority: d.priority}
	if err := decodeJSON(d.definition, &p.Definition); err != nil {
		return err
	}
	rule, err := policy.New(d.scope, p)
	if err != nil {
		return err
	}
	set := &in.policies.sets[d.scope]
	if set.Named(d.name) != nil {
		return fmt.Errorf("there is a policy '%s' in vhost '%s' already", d.name, in.name)
	}
	*set = set.With(rule)
	in.policies.know(d.scope, d.name, from.ID)
	return nil
}

// govern puts all queues and exchanges under their policies, before there are any
// messages: what dies in a queue must find its dead-letter exchange.
func (v *recovery) govern() {
	for _, in := range v.Registry.vhosts {
		var fx queue.Effects // of empty queues there are none
		for _, g := range in.concernedLocked(in.policies.govern) {
			g.queue.SetPolicy(g.applied, &fx)
		}
	}
}

// govern reports whether any policy is for a thing.
func (p *policies) govern(kind policy.Kind, name string) bool { return p.match(kind, name) != rules{} }

// trimRecovered has queues drop what they are over their policies' limits: a crash
// may have come between the policy and the end of the messages.
func (v *VHost) trimRecovered() {
	v.governing.Lock()
	defer v.governing.Unlock()
	v.mu.Lock()
	queues := v.concernedLocked(v.policies.govern)
	v.mu.Unlock()
	v.govern(queues)
}
