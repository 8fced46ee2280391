package vhost

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
)

// PolicyChange is what a change of a policy would mean for a queue or an exchange.
type PolicyChange struct {
	Name string
	// IsExchange says that it is one; else it is a queue.
	IsExchange bool
	// Type is that of the queue or the exchange.
	Type          string
	Before, After queue.Applied
}

// PolicyTrial is what a change of a policy would do.
type PolicyTrial struct {
	// Changes are by name, those of queues first.
	Changes []PolicyChange
	// Matched is for how many queues and exchanges the policy would hold, Unchanged
	// for how many of these nothing would change.
	Matched, Unchanged int
}

// TryPolicy says what SetPolicy, or with policy.Operator SetOperatorPolicy, would do. The
// error is that of these.
func (v *VHost) TryPolicy(scope policy.Scope, p policy.Policy) (PolicyTrial, error) {
	rule, err := policy.New(scope, p)
	if err != nil {
		return PolicyTrial{}, err
	}
	return v.tryPolicy(scope, p.Name, func(s policy.Set) policy.Set { return s.With(rule) }), nil
}

// TryDeletePolicy is TryPolicy for the end of a policy.
func (v *VHost) TryDeletePolicy(scope policy.Scope, name string) (PolicyTrial, error) {
	v.mu.RLock()
	there := v.policies.sets[scope].Named(name) != nil
	v.mu.RUnlock()
	if !there {
		return PolicyTrial{}, policy.Refusef("Parameter does not exist")
	}
	return v.tryPolicy(scope, name, func(s policy.Set) policy.Set { return s.Without(name) }), nil
}

// tryPolicy compares what policies come to without the vhost's lock.
func (v *VHost) tryPolicy(scope policy.Scope, name string, change func(policy.Set) policy.Set) (t PolicyTrial) {
	before := policies{}
	v.mu.RLock()
	before.sets = v.policies.sets
	queues := make([]*queue.Queue, 0, len(v.queues))
	for _, q := range v.queues {
		queues = append(queues, q)
	}
	exchanges := v.exchangesLocked()
	v.mu.RUnlock()
	after := policies{sets: before.sets}
	after.sets[scope] = change(before.sets[scope])

	holds := func(a queue.Applied) bool {
		if scope == policy.Operator {
			return a.OperatorPolicy == name
		}
		return a.Policy == name
	}
	look := func(kind policy.Kind, c PolicyChange) {
		c.Before, c.After = before.applied(kind, c.Name), after.applied(kind, c.Name)
		same := reflect.DeepEqual(c.Before, c.After)
		if holds(c.After) {
			t.Matched++
			if same {
				t.Unchanged++
			}
		}
		if !same {
			t.Changes = append(t.Changes, c)
		}
	}
	slices.SortFunc(queues, func(a, b *queue.Queue) int { return cmp.Compare(a.Name(), b.Name()) })
	for _, q := range queues {
		o := q.Options()
		look(kindOf(o), PolicyChange{Name: o.Name, Type: queue.Type(o.Arguments)})
	}
	for _, x := range exchanges {
		look(policy.Exchanges, PolicyChange{Name: x.Name(), IsExchange: true, Type: x.Type()})
	}
	return t
}
