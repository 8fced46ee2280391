package mgmt

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/policy"
)

var policyEndpoints = slices.Concat(
	userPolicies.endpoints("/api/policies", policymaker),
	operatorPolicies.endpoints("/api/operator-policies", administrator),
)

// policyKind is what policies and operator policies differ in.
type policyKind struct {
	list   func(*vhost.VHost) []policy.Policy
	set    func(*vhost.VHost, policy.Policy) error
	remove func(*vhost.VHost, string) error
	word   func(error) error // how a refusal is worded
}

var (
	userPolicies = policyKind{(*vhost.VHost).Policies, (*vhost.VHost).SetPolicy, (*vhost.VHost).DeletePolicy, escaped}
	// operatorPolicies are refused without escapes, as by RabbitMQ 3.10.
	operatorPolicies = policyKind{(*vhost.VHost).OperatorPolicies, (*vhost.VHost).SetOperatorPolicy,
		(*vhost.VHost).DeleteOperatorPolicy, func(err error) error { return err }}
)

// endpoints are those of a kind. Lists are for all, that of a vhost, "in", for who may
// log in there and for administrators, but not for other monitors.
func (k policyKind) endpoints(path string, change access) []endpoint {
	return []endpoint{
		{http.MethodGet, path, anyUser, k.answerList},
		{http.MethodGet, path + "/{in}", anyUser, k.answerListIn},
		{http.MethodGet, path + "/{vhost}/{name}", change, k.answerOne},
		{http.MethodPut, path + "/{vhost}/{name}", change, k.answerPut},
		{http.MethodDelete, path + "/{vhost}/{name}", change, k.answerDelete},
	}
}

// policyRow is a policy and its vhost.
type policyRow struct {
	vhost string
	policy.Policy
}

var policyShape = shape[policyRow]{
	{"vhost", func(p policyRow) any { return p.vhost }},
	{"name", func(p policyRow) any { return p.Name }},
	{"pattern", func(p policyRow) any { return p.Pattern }},
	{"apply-to", func(p policyRow) any { return p.ApplyTo }},
	{"definition", func(p policyRow) any { return p.Definition }},
	{"priority", func(p policyRow) any { return p.Priority }},
}

// answerList lists the policies of the vhosts that the user may log in to, by name.
func (k policyKind) answerList(a *API, w http.ResponseWriter, r *request) error {
	var rows []policyRow
	for _, v := range a.ownVHosts(r) {
		policies := k.list(v)
		slices.SortFunc(policies, func(a, b policy.Policy) int { return cmp.Compare(a.Name, b.Name) })
		for _, p := range policies {
			rows = append(rows, policyRow{v.Name(), p})
		}
	}
	return respondWhole(w, r, rows, policyShape)
}

// answerListIn is answerList for one vhost.
func (k policyKind) answerListIn(a *API, w http.ResponseWriter, r *request) error {
	v, err := a.vhostIn(r)
	switch {
	case err != nil:
		return err
	case !a.owns(r, v):
		return notAuthorised("User not authorised to access virtual host")
	}
	r.vhost = v
	return k.answerList(a, w, r)
}

// find returns the policy in the path.
func (k policyKind) find(r *request) (p policy.Policy, ok bool) {
	for _, p := range k.list(r.vhost) {
		if p.Name == r.names["name"] {
			return p, true
		}
	}
	return p, false
}

func (k policyKind) answerOne(_ *API, w http.ResponseWriter, r *request) error {
	p, ok := k.find(r)
	if !ok {
		return errNotFound
	}
	return respondOne(w, r, policyRow{r.vhost.Name(), p}, policyShape)
}

// answerPut sets a policy. Members that policies do not have are ignored, as by
// RabbitMQ: clients send vhost and name too.
func (k policyKind) answerPut(_ *API, w http.ResponseWriter, r *request) error {
	name := r.names["name"]
	if err := definitions.CheckName("policy", name); err != nil {
		return err
	}
	m, err := r.members()
	if err == nil {
		err = m.need("pattern", "definition")
	}
	if err != nil {
		return err
	}
	p, err := policyOf(name, m)
	if err != nil {
		return k.word(err)
	}
	_, there := k.find(r)
	if err := k.set(r.vhost, p); err != nil {
		return k.word(err)
	}
	return created(w, !there)
}

func (k policyKind) answerDelete(_ *API, w http.ResponseWriter, r *request) error {
	if _, ok := k.find(r); !ok {
		return errNotFound
	}
	if err := k.remove(r.vhost, r.names["name"]); err != nil {
		return err
	}
	return done(w)
}

// escaped is a refusal in whose reason no HTML can be, as RabbitMQ answers where it
// shows what a client said.
func escaped(err error) error {
	var refused *policy.Refused
	if !errors.As(err, &refused) {
		return err
	}
	return badRequest("%s", strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;").Replace(refused.Error()))
}

// policyOf is the policy that the members of a body describe.
func policyOf(name string, m members) (policy.Policy, error) {
	value := map[string]any{}
	for _, field := range []string{"pattern", "definition", "priority", "apply-to"} {
		if raw, ok := m[field]; ok {
			value[field] = definitions.Value(raw)
		}
	}
	return policy.Parse(name, value)
}
