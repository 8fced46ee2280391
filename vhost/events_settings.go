package vhost

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
)

// What happens to vhosts, users, rights, policies and parameters is told in the headers
// of RabbitMQ's plugin, but for who has done it: this room does not know.

func field(name string, value any) amqp.Field { return amqp.Field{Name: name, Value: value} }

// fieldOf is a value of JSON as one of a field table, objects by name.
func fieldOf(v any) any {
	switch v := policy.Plain(v).(type) {
	case map[string]any:
		t := make(amqp.Table, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			t = append(t, field(name, fieldOf(v[name])))
		}
		return t
	case []any:
		list := make(amqp.Array, len(v))
		for i := range v {
			list[i] = fieldOf(v[i])
		}
		return list
	case json.Number: // it is no whole number, or too large for one
		f, _ := v.Float64()
		return f
	default:
		return v
	}
}

// fieldOfJSON is fieldOf for what is not decoded yet, nil for what cannot be.
func fieldOfJSON(value json.RawMessage) any {
	var v any
	if err := decodeJSON(string(value), &v); err != nil {
		return nil
	}
	return fieldOf(v)
}

func textArray(list []string) amqp.Array {
	out := make(amqp.Array, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// tellIf tells about what has been done, if it has been and anybody listens.
func (e *events) tellIf(err error, what string, about func() amqp.Table) {
	if err == nil && e.heard.Load() {
		e.tell(what, about())
	}
}

// tellVHostCreated tells of a vhost and of the exchanges that it has from the start.
func (e *events) tellVHostCreated(v *VHost) {
	if !e.heard.Load() {
		return
	}
	for _, x := range v.Exchanges() {
		v.tellExchangeCreated(x)
	}
	m := v.Metadata()
	e.tell("vhost.created", amqp.Table{field("name", v.name), field("description", m.Description),
		field("tags", textArray(m.Tags)), field("tracing", v.Tracing())})
}

// tellUser tells of a user who was put.
func (e *events) tellUser(a auth.Account, known bool) {
	if !e.heard.Load() {
		return
	}
	what := "user.created"
	if known {
		what = "user.password.changed"
	}
	e.tell(what, amqp.Table{field("name", a.Name)})
	e.tell("user.tags.set", amqp.Table{field("name", a.Name), field("tags", textArray(a.Tags))})
}

// tellPolicy tells of a policy that was set, or cleared if there is no rule.
func (v *VHost) tellPolicy(scope policy.Scope, name string, rule *policy.Rule) {
	e := v.events
	if !e.heard.Load() {
		return
	}
	who := amqp.Table{field("name", name), field("vhost", v.name)}
	parameter := append(amqp.Table{field("component", componentOperator)}, who...)
	if rule == nil {
		what := "policy.cleared"
		if scope == policy.Operator {
			e.tell("parameter.cleared", parameter)
			what = "operator.policy.cleared"
		}
		e.tell(what, who)
		return
	}
	p := rule.Policy()
	value := amqp.Table{field("pattern", p.Pattern), field("apply-to", p.ApplyTo),
		field("definition", fieldOf(p.Definition)), field("priority", p.Priority)}
	if scope == policy.Operator {
		e.tell("parameter.set", append(parameter, field("value", value)))
	}
	e.tell("policy.set", append(who, value...))
}

// tellLimits tells of limits of a vhost that were set, or cleared if there is no value.
func (v *VHost) tellLimits(value json.RawMessage) {
	e := v.events
	if !e.heard.Load() {
		return
	}
	parameter := amqp.Table{field("component", componentLimits), field("name", nameLimits), field("vhost", v.name)}
	if value == nil {
		e.tell("parameter.cleared", parameter)
		e.tell("vhost.limits.cleared", amqp.Table{field("name", nameLimits), field("vhost", v.name)})
		return
	}
	object := fieldOfJSON(value)
	e.tell("parameter.set", append(parameter, field("value", object)))
	limits, _ := object.(amqp.Table)
	e.tell("vhost.limits.set", append(amqp.Table{field("name", nameLimits), field("vhost", v.name)}, limits...))
}

// tellSetting tells of a parameter of the broker, or the limits of a user, that was set,
// or cleared if there is no value.
func (e *events) tellSetting(scope parameterScope, name string, value json.RawMessage) {
	if !e.heard.Load() {
		return
	}
	set := value != nil
	switch {
	case scope == ofUser && set:
		limits, _ := fieldOfJSON(value).(amqp.Table)
		e.tell("user.limits.set", append(amqp.Table{field("name", nameLimits), field("username", name)}, limits...))
	case scope == ofUser:
		e.tell("user.limits.cleared", amqp.Table{field("name", nameLimits), field("username", name)})
	case set:
		e.tell("parameter.set", amqp.Table{field("component", "global"), field("name", name), field("value", fieldOfJSON(value))})
	default:
		e.tell("parameter.cleared", amqp.Table{field("component", "global"), field("name", name)})
	}
}
