package vhost

import (
	"reflect"

	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
)

// policies are the policies of a vhost, by scope. They are guarded by its mu.
type policies struct {
	sets [2]policy.Set
	ids  [2]map[string]uint64 // of their definitions, if they are stored
	// merged is what pairs of policies come to, so that queues share it.
	merged map[rules]queue.Applied
}

// rules are what holds for one thing, nil where there is none.
type rules struct{ user, operator *policy.Rule }

// governed is a queue and what it is under now.
type governed struct {
	queue   *queue.Queue
	applied queue.Applied
}

// SetPolicy makes a policy, or changes the one of its name. All queues and exchanges
// that it concerns go by it when SetPolicy returns, but for messages over a new
// length: they are dropped bit by bit. It is in the store then. The error is a
// *policy.Refused, or the store's.
func (v *VHost) SetPolicy(p policy.Policy) error { return v.setPolicy(policy.User, p) }

// DeletePolicy deletes a policy, with effect as with SetPolicy. The error is a
// *policy.Refused if there is none of that name.
func (v *VHost) DeletePolicy(name string) error { return v.changePolicy(policy.User, name, nil) }

// Policies returns the policies, that which holds before others first.
func (v *VHost) Policies() []policy.Policy { return v.listPolicies(policy.User) }

// SetOperatorPolicy is SetPolicy for operator policies.
func (v *VHost) SetOperatorPolicy(p policy.Policy) error { return v.setPolicy(policy.Operator, p) }

// DeleteOperatorPolicy is DeletePolicy for operator policies.
func (v *VHost) DeleteOperatorPolicy(name string) error {
	return v.changePolicy(policy.Operator, name, nil)
}

// OperatorPolicies is Policies for operator policies.
func (v *VHost) OperatorPolicies() []policy.Policy { return v.listPolicies(policy.Operator) }

// EffectivePolicy returns which policies hold for a queue or an exchange of the
// vhost, and what they come to together.
func (v *VHost) EffectivePolicy(of exchange.Destination) queue.Applied {
	if q, ok := of.(*queue.Queue); ok {
		return q.Policy()
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.policies.match(policy.Exchanges, of.Name()).merge()
}

func (v *VHost) listPolicies(scope policy.Scope) []policy.Policy {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.policies.sets[scope].Policies()
}

func (v *VHost) setPolicy(scope policy.Scope, p policy.Policy) error {
	rule, err := policy.New(scope, p)
	if err != nil {
		return err
	}
	return v.changePolicy(scope, p.Name, rule)
}

// changePolicy puts a rule in the place of the one of its name; nil deletes that.
func (v *VHost) changePolicy(scope policy.Scope, name string, rule *policy.Rule) error {
	stored, err := v.applyPolicy(scope, name, rule)
	if err != nil {
		return err
	}
	return stored.await()
}

// applyPolicy tells the queues without the vhost's lock, for there may be many, and
// one change at a time, so that the last one is what they end with.
func (v *VHost) applyPolicy(scope policy.Scope, name string, rule *policy.Rule) (*commit, error) {
	v.governing.Lock()
	defer v.governing.Unlock()
	queues, stored, err := v.enterPolicy(scope, name, rule)
	if err != nil {
		return nil, err
	}
	v.govern(queues)
	return stored, nil
}

// govern puts queues under their policies.
func (v *VHost) govern(queues []governed) {
	var fx queue.Effects
	for _, g := range queues {
		g.queue.SetPolicy(g.applied, &fx)
		v.onClock(&fx)
	}
}

// enterPolicy makes a change known, and returns the queues that it concerns.
func (v *VHost) enterPolicy(scope policy.Scope, name string, rule *policy.Rule) ([]governed, *commit, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkOpenLocked(); err != nil {
		return nil, nil, err
	}
	set := &v.policies.sets[scope]
	old := set.Named(name)
	switch {
	case old == nil && rule == nil:
		return nil, nil, policy.Refusef("Parameter does not exist")
	case old != nil && rule != nil && reflect.DeepEqual(old.Policy(), rule.Policy()):
		return nil, v.defined.last, nil
	}
	if err := v.storePolicyLocked(scope, name, rule); err != nil {
		return nil, nil, err
	}
	if rule == nil {
		*set = set.Without(name)
	} else {
		*set = set.With(rule)
	}
	clear(v.policies.merged)
	queues := v.concernedLocked(func(k policy.Kind, name string) bool {
		return old != nil && old.Matches(k, name) || rule != nil && rule.Matches(k, name)
	})
	v.changedLocked()
	v.tellPolicy(scope, name, rule)
	return queues, v.defined.handOver(), nil
}

// concernedLocked returns the queues for which is is true, and puts the exchanges
// for which it is under their policies.
func (v *VHost) concernedLocked(is func(kind policy.Kind, name string) bool) []governed {
	var queues []governed
	for _, q := range v.queues {
		if kind := kindOf(q.Options()); is(kind, q.Name()) {
			queues = append(queues, governed{q, v.policies.applied(kind, q.Name())})
		}
	}
	for _, x := range v.exchanges {
		if is(policy.Exchanges, x.Name()) {
			v.governExchangeLocked(x)
		}
	}
	return queues
}

// governExchangeLocked puts an exchange under its policies.
func (v *VHost) governExchangeLocked(x *exchange.Exchange) {
	alternate, _ := v.policies.applied(policy.Exchanges, x.Name()).Definition["alternate-exchange"].(string)
	x.SetPolicyAlternate(alternate)
}

// kindOf returns the kind of a queue, for policies.
func kindOf(o queue.Options) policy.Kind {
	if queue.Type(o.Arguments) == queue.TypeQuorum {
		return policy.Quorum
	}
	return policy.Classic
}

func (p *policies) match(kind policy.Kind, name string) rules {
	return rules{p.sets[policy.User].Match(kind, name), p.sets[policy.Operator].Match(kind, name)}
}

// applied is what the policies of a thing come to; the vhost's lock is held for
// writing.
func (p *policies) applied(kind policy.Kind, name string) queue.Applied {
	r := p.match(kind, name)
	if r == (rules{}) {
		return queue.Applied{}
	}
	a, ok := p.merged[r]
	if !ok {
		a = r.merge()
		if p.merged == nil {
			p.merged = map[rules]queue.Applied{}
		}
		p.merged[r] = a
	}
	return a
}

func (r rules) merge() queue.Applied {
	a := queue.Applied{Definition: policy.Merge(r.user, r.operator)}
	if r.user != nil {
		a.Policy = r.user.Policy().Name
	}
	if r.operator != nil {
		a.OperatorPolicy = r.operator.Policy().Name
	}
	return a
}
