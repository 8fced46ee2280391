package vhost

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/policy"
)

// Parameter is a runtime parameter: a value of JSON with a name.
type Parameter struct {
	// Component is what the parameter is about; empty for a global one.
	Component, Name string
	Value           json.RawMessage
}

// The components of parameters that there are.
const (
	componentLimits   = "vhost-limits"
	componentPolicy   = "policy"
	componentOperator = "operator_policy"
	nameLimits        = "limits" // the only parameter of vhost-limits
)

// setting is a parameter's value, and the id of its definition, 0 if it is not
// stored.
type setting struct {
	value json.RawMessage
	id    uint64
}

// SetParameter makes a runtime parameter of a vhost, or changes it; it is in the
// store then. There are those of the component vhost-limits, see SetLimits, and
// operator_policy, by which definitions bring operator policies. The error is a
// *policy.Refused, or the store's.
func (v *VHost) SetParameter(component, name string, value json.RawMessage) error {
	switch component {
	case componentLimits:
		if name != nameLimits {
			return policy.Invalid("name of " + componentLimits + " should be '" + nameLimits + "', actually was '" + name + "'")
		}
		return v.SetLimits(value)
	case componentOperator:
		object, err := parseObject(name, value)
		if err != nil {
			return err
		}
		p, err := policy.Parse(name, object)
		if err != nil {
			return err
		}
		return v.SetOperatorPolicy(p)
	case componentPolicy:
		return policy.Refusef("policies may not be set using this method")
	}
	return policy.Invalid("component " + component + " not found")
}

// DeleteParameter deletes a runtime parameter; what it did ends. The error is a
// *policy.Refused if there is none of that name, or the store's.
func (v *VHost) DeleteParameter(component, name string) error {
	switch {
	case component == componentOperator:
		return v.DeleteOperatorPolicy(name)
	case component == componentPolicy:
		return policy.Refusef("policies may not be cleared using this method")
	case component == componentLimits && name == nameLimits:
		return v.ClearLimits()
	}
	return noParameter()
}

// Parameters returns the runtime parameters of a vhost by component and name;
// policies are none of them, operator policies are.
func (v *VHost) Parameters() []Parameter {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var out []Parameter
	for _, p := range v.policies.sets[policy.Operator].Policies() {
		value, _ := json.Marshal(map[string]any{ // it was JSON before
			"pattern": p.Pattern, "apply-to": p.ApplyTo, "priority": p.Priority, "definition": p.Definition})
		out = append(out, Parameter{componentOperator, p.Name, value})
	}
	if v.limits.value != nil {
		out = append(out, Parameter{componentLimits, nameLimits, v.limits.value})
	}
	slices.SortFunc(out, func(a, b Parameter) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// SetGlobalParameter makes a parameter of the broker, or changes it: any value,
// which is in the store then. The broker itself heeds cluster_name. The error is a
// *policy.Refused, or the store's.
func (r *Registry) SetGlobalParameter(name string, value json.RawMessage) error {
	value, err := compact(value)
	if err != nil {
		return err
	}
	return r.setParameter(global, "", name, func(json.RawMessage) (json.RawMessage, error) { return value, nil })
}

// DeleteGlobalParameter deletes a parameter of the broker. The error is a
// *policy.Refused if there is none of that name, or the store's.
func (r *Registry) DeleteGlobalParameter(name string) error {
	return r.setParameter(global, "", name, func(old json.RawMessage) (json.RawMessage, error) {
		if old == nil {
			return nil, noParameter()
		}
		return nil, nil
	})
}

// GlobalParameters returns the parameters of the broker by name.
func (r *Registry) GlobalParameters() []Parameter {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]Parameter, 0, len(r.settings[global]))
	for name, s := range r.settings[global] {
		out = append(out, Parameter{Name: name, Value: s.value})
	}
	slices.SortFunc(out, func(a, b Parameter) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// ClusterName returns the global parameter cluster_name, empty if it is not set.
func (r *Registry) ClusterName() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var name string
	_ = json.Unmarshal(r.settings[global]["cluster_name"].value, &name) // or it is no text
	return name
}

// setParameter changes a parameter of the broker to what change makes of its value,
// which is nil if it is not there, or not to be there.
func (r *Registry) setParameter(scope parameterScope, component, name string,
	change func(json.RawMessage) (json.RawMessage, error)) error {
	stored, err := r.enterParameter(scope, component, name, change)
	if err != nil {
		return err
	}
	return stored.await()
}

func (r *Registry) enterParameter(scope parameterScope, component, name string,
	change func(json.RawMessage) (json.RawMessage, error)) (*commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed()
	}
	s := r.settings[scope][name]
	value, err := change(s.value)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(value, s.value) {
		return r.last, nil
	}
	d := newDefinitions(r.store, 0)
	s.value = value
	if err := d.setParameter(&s, parameterDefinition{scope: scope, component: component, name: name}); err != nil {
		return nil, err
	}
	if value == nil {
		delete(r.settings[scope], name)
	} else {
		r.settings[scope][name] = s
	}
	r.events.tellSetting(scope, name, value)
	if c := d.handOver(); c != nil {
		r.last = c
	}
	return r.last, nil
}

// setParameter adds the new value of a parameter to the change under way, or its
// end, and gives it an id.
func (d *definitions) setParameter(s *setting, p parameterDefinition) error {
	switch {
	case d.store == nil:
		return nil
	case s.value == nil:
		d.drop(persistence.KindParameter, s.id)
		return nil
	}
	p.value = string(s.value)
	body, err := p.encode()
	if err != nil {
		return err
	}
	if s.id == 0 {
		s.id = d.store.NewID()
	}
	d.define(persistence.KindParameter, s.id, body)
	return nil
}

func noParameter() error { return policy.Refusef("Parameter does not exist") }

// compact returns a value without spaces between.
func compact(value json.RawMessage) (json.RawMessage, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return nil, policy.Refusef("Could not parse JSON document: %s", err)
	}
	if depthOf(b.Bytes()) > mostNested {
		return nil, policy.Refusef("Could not parse JSON document: it is nested too deeply")
	}
	return b.Bytes(), nil
}

// mostNested is how deeply a value may be nested. Package encoding/json has a bound for
// whole documents, and a value is shown in others, definitions for example.
const mostNested = 1000

// depthOf is how deeply a value is nested, which is JSON.
func depthOf(value json.RawMessage) (most int) {
	depth, inText := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\': // in a text only
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '[' || c == '{':
			depth++
			most = max(most, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return most
}

// parseObject decodes the value of a parameter that must be an object. An empty
// list is taken for an empty one, as RabbitMQ takes it.
func parseObject(name string, value json.RawMessage) (map[string]any, error) {
	var v any
	if err := decodeJSON(string(value), &v); err != nil {
		return nil, policy.Refusef("Could not parse JSON document: %s", err)
	}
	if list, ok := v.([]any); ok && len(list) == 0 {
		return map[string]any{}, nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, policy.Invalid(name + " not a list " + policy.Term(policy.Plain(v)))
	}
	return object, nil
}

// parameter makes a parameter that is defined.
func (v *recovery) parameter(from persistence.Definition) error {
	var d parameterDefinition
	if err := d.decode(from.Body); err != nil {
		return err
	}
	s := setting{json.RawMessage(d.value), from.ID}
	if !json.Valid(s.value) {
		return errors.New("its value is not JSON")
	}
	if d.scope != inVHost {
		if _, ok := v.settings[d.scope][d.name]; ok {
			return fmt.Errorf("there is a parameter '%s' already", d.name)
		}
		v.settings[d.scope][d.name] = s
		return nil
	}
	in, err := v.in(d.vhost)
	switch {
	case err != nil:
		return err
	case d.component == componentMetadata && in.metadata.id == 0:
		return in.recoverMetadata(s)
	case d.component != componentLimits || d.name != nameLimits:
		return fmt.Errorf("this program does not know %s '%s'", d.component, d.name)
	case in.limits.id != 0:
		return fmt.Errorf("there are limits of vhost '%s' already", in.name)
	}
	in.limits = vhostLimits{s, limitsOf(s.value)}
	return nil
}
