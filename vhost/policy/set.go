package policy

import (
	"cmp"
	"maps"
	"slices"
)

// Set is the rules of one scope. The zero value is empty. A Set does not change:
// With and Without make others.
type Set struct {
	rules []*Rule // that which comes first holds
}

// With returns the set with a rule, which takes the place of the one of its name.
func (s Set) With(r *Rule) Set {
	rules := append(slices.Clone(s.Without(r.policy.Name).rules), r)
	slices.SortFunc(rules, func(a, b *Rule) int {
		return cmp.Or(cmp.Compare(b.policy.Priority, a.policy.Priority), cmp.Compare(a.policy.Name, b.policy.Name))
	})
	return Set{rules}
}

// Without returns the set without the rule of a name.
func (s Set) Without(name string) Set {
	return Set{slices.DeleteFunc(slices.Clone(s.rules), func(r *Rule) bool { return r.policy.Name == name })}
}

// Named returns the rule of a name, nil if there is none.
func (s Set) Named(name string) *Rule {
	for _, r := range s.rules {
		if r.policy.Name == name {
			return r
		}
	}
	return nil
}

// Policies returns the policies, that which holds before others first.
func (s Set) Policies() []Policy {
	out := make([]Policy, len(s.rules))
	for i, r := range s.rules {
		out[i] = r.policy
	}
	return out
}

// Match returns the rule that holds for a thing, nil if none does.
func (s Set) Match(kind Kind, name string) *Rule {
	for _, r := range s.rules {
		if r.Matches(kind, name) {
			return r
		}
	}
	return nil
}

// Merge returns what a policy and an operator policy come to; either may be nil.
// Where both say something, the operator's limits what the user may have.
func Merge(user, operator *Rule) map[string]any {
	switch {
	case user == nil && operator == nil:
		return nil
	case user == nil:
		return operator.policy.Definition
	case operator == nil:
		return user.policy.Definition
	}
	out := maps.Clone(user.policy.Definition)
	for name, limit := range operator.policy.Definition {
		if said, ok := out[name]; ok {
			limit = keys[name].merge(said, limit)
		}
		out[name] = limit
	}
	return out
}
