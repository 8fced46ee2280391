package mgmt

import (
	"net/http"

	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
)

var dryRunEndpoints = []endpoint{
	{http.MethodPost, "/api/leveret/operator-policies/{vhost}/{name}/dry-run", administrator, tryingPolicy(policy.Operator)},
	{http.MethodPost, "/api/leveret/policies/{vhost}/{name}/dry-run", policymaker, tryingPolicy(policy.User)},
}

// tryingPolicy says what setting or deleting a policy would change.
func tryingPolicy(scope policy.Scope) func(*API, http.ResponseWriter, *request) error {
	return func(_ *API, w http.ResponseWriter, r *request) error {
		name := r.names["name"]
		m, err := r.members()
		if err != nil {
			return err
		}
		ends, err := m.flag("delete")
		if err != nil {
			return err
		}
		var t vhost.PolicyTrial
		if ends {
			if !hasPolicy(r.vhost, scope, name) {
				return errNotFound
			}
			t, err = r.vhost.TryDeletePolicy(scope, name)
		} else {
			t, err = tryPolicy(r.vhost, scope, name, m)
		}
		if err != nil {
			return err
		}
		return respond(w, http.StatusOK, showTrial(t))
	}
}

func hasPolicy(v *vhost.VHost, scope policy.Scope, name string) bool {
	list := v.Policies()
	if scope == policy.Operator {
		list = v.OperatorPolicies()
	}
	for _, p := range list {
		if p.Name == name {
			return true
		}
	}
	return false
}

func tryPolicy(v *vhost.VHost, scope policy.Scope, name string, m members) (t vhost.PolicyTrial, err error) {
	if err := definitions.CheckName("policy", name); err != nil {
		return t, err
	}
	if err := m.need("pattern", "definition"); err != nil {
		return t, err
	}
	p, err := policyOf(name, m)
	if err != nil {
		return t, err
	}
	return v.TryPolicy(scope, p)
}

func showTrial(t vhost.PolicyTrial) object {
	changes := make([]object, len(t.Changes))
	for i, c := range t.Changes {
		kind := "queue"
		if c.IsExchange {
			kind = "exchange"
		}
		changes[i] = object{
			{"kind", kind}, {"name", c.Name}, {"type", c.Type},
			{"policy", object{{"before", nameOrNull(c.Before.Policy)}, {"after", nameOrNull(c.After.Policy)}}},
			{"operator_policy", object{{"before", nameOrNull(c.Before.OperatorPolicy)}, {"after", nameOrNull(c.After.OperatorPolicy)}}},
			{"definition", object{{"before", definitionOf(c.Before)}, {"after", definitionOf(c.After)}}},
		}
	}
	return object{{"changes", changes}, {"matched", t.Matched}, {"unchanged", t.Unchanged}}
}

func nameOrNull(name string) any {
	if name == "" {
		return nil
	}
	return name
}

func definitionOf(a queue.Applied) map[string]any {
	if a.Definition == nil {
		return map[string]any{}
	}
	return a.Definition
}
