package mgmt

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/leveretmq/leveret/vhost"
)

var parameterEndpoints = []endpoint{
	{http.MethodGet, "/api/parameters", policymaker, (*API).listParameters},
	{http.MethodGet, "/api/parameters/{component}", policymaker, (*API).listParameters},
	{http.MethodGet, "/api/parameters/{component}/{vhost}", policymaker, (*API).listParameters},
	{http.MethodGet, "/api/parameters/{component}/{vhost}/{name}", policymaker, (*API).showParameter},
	{http.MethodPut, "/api/parameters/{component}/{vhost}/{name}", policymaker, (*API).putParameter},
	{http.MethodDelete, "/api/parameters/{component}/{vhost}/{name}", policymaker, (*API).deleteParameter},
	{http.MethodGet, "/api/global-parameters", policymaker, (*API).listGlobalParameters},
	{http.MethodGet, "/api/global-parameters/{name}", policymaker, (*API).showGlobalParameter},
	{http.MethodPut, "/api/global-parameters/{name}", policymaker, (*API).putGlobalParameter},
	{http.MethodDelete, "/api/global-parameters/{name}", policymaker, (*API).deleteGlobalParameter},
}

// parameterRow is a parameter and its vhost.
type parameterRow struct {
	vhost string
	vhost.Parameter
}

var parameterShape = shape[parameterRow]{
	{"value", func(p parameterRow) any { return p.Value }},
	{"vhost", func(p parameterRow) any { return p.vhost }},
	{"component", func(p parameterRow) any { return p.Component }},
	{"name", func(p parameterRow) any { return p.Name }},
}

var globalParameterShape = shape[vhost.Parameter]{
	{"name", func(p vhost.Parameter) any { return p.Name }},
	{"value", func(p vhost.Parameter) any { return p.Value }},
}

// componentPolicy is that of policies, which are parameters too, but are only shown
// where it is asked for them.
const componentPolicy = "policy"

// parametersOf returns the parameters of a component, or with an empty name those of
// all but policies.
func parametersOf(v *vhost.VHost, component string) (rows []parameterRow) {
	if component == componentPolicy {
		for _, p := range v.Policies() {
			value, _ := json.Marshal(map[string]any{ // it came from JSON
				"pattern": p.Pattern, "definition": p.Definition, "priority": p.Priority, "apply-to": p.ApplyTo})
			rows = append(rows, parameterRow{v.Name(), vhost.Parameter{Component: componentPolicy, Name: p.Name, Value: value}})
		}
		return rows
	}
	for _, p := range v.Parameters() {
		if component == "" || p.Component == component {
			rows = append(rows, parameterRow{v.Name(), p})
		}
	}
	return rows
}

func (a *API) listParameters(w http.ResponseWriter, r *request) error {
	var rows []parameterRow
	for _, v := range a.ownVHosts(r) {
		rows = append(rows, parametersOf(v, r.names["component"])...)
	}
	return respondWhole(w, r, rows, parameterShape)
}

// parameter returns the parameter in the path.
func (r *request) parameter() (row parameterRow, ok bool) {
	for _, p := range parametersOf(r.vhost, r.names["component"]) {
		if p.Name == r.names["name"] {
			return p, true
		}
	}
	return row, false
}

func (a *API) showParameter(w http.ResponseWriter, r *request) error {
	p, ok := r.parameter()
	if !ok {
		return errNotFound
	}
	return respondOne(w, r, p, parameterShape)
}

// value reads the member value, which must be there.
func (r *request) value() (json.RawMessage, error) {
	m, err := r.members()
	if err == nil {
		err = m.need("value")
	}
	return m["value"], err
}

func (a *API) putParameter(w http.ResponseWriter, r *request) error {
	name := r.names["name"]
	if err := definitions.CheckName("parameter", name); err != nil {
		return err
	}
	value, err := r.value()
	if err != nil {
		return err
	}
	_, there := r.parameter()
	if err := r.vhost.SetParameter(r.names["component"], name, value); err != nil {
		return escaped(err)
	}
	return created(w, !there)
}

func (a *API) deleteParameter(w http.ResponseWriter, r *request) error {
	if _, ok := r.parameter(); !ok {
		return errNotFound
	}
	if err := r.vhost.DeleteParameter(r.names["component"], r.names["name"]); err != nil {
		return err
	}
	return done(w)
}

// brokerID is what RabbitMQ has for telling brokers apart, made of the node's name.
func (a *API) brokerID() json.RawMessage {
	sum := sha256.Sum256([]byte(a.opts.NodeName))
	id, _ := json.Marshal("rabbitmq-cluster-id-" + base64.RawURLEncoding.EncodeToString(sum[:16])) // a text
	return id
}

// globalParameters are those that were set, and the one by which RabbitMQ tells
// brokers apart.
func (a *API) globalParameters() []vhost.Parameter {
	all := a.vhosts.GlobalParameters()
	own := vhost.Parameter{Name: "internal_cluster_id", Value: a.brokerID()}
	at, there := slices.BinarySearchFunc(all, own.Name, func(p vhost.Parameter, name string) int {
		return strings.Compare(p.Name, name)
	})
	if there {
		return all
	}
	return slices.Insert(all, at, own)
}

func (a *API) listGlobalParameters(w http.ResponseWriter, r *request) error {
	return respondWhole(w, r, a.globalParameters(), globalParameterShape)
}

// globalParameter returns the global parameter in the path.
func (a *API) globalParameter(r *request) (p vhost.Parameter, ok bool) {
	for _, p := range a.globalParameters() {
		if p.Name == r.names["name"] {
			return p, true
		}
	}
	return p, false
}

func (a *API) showGlobalParameter(w http.ResponseWriter, r *request) error {
	p, ok := a.globalParameter(r)
	if !ok {
		return errNotFound
	}
	return respondOne(w, r, p, globalParameterShape)
}

func (a *API) putGlobalParameter(w http.ResponseWriter, r *request) error {
	name := r.names["name"]
	if err := definitions.CheckName("global parameter", name); err != nil {
		return err
	}
	value, err := r.value()
	if err != nil {
		return err
	}
	_, there := a.globalParameter(r)
	if err := a.vhosts.SetGlobalParameter(name, value); err != nil {
		return err
	}
	return created(w, !there)
}

func (a *API) deleteGlobalParameter(w http.ResponseWriter, r *request) error {
	name := r.names["name"]
	there := slices.ContainsFunc(a.vhosts.GlobalParameters(), func(p vhost.Parameter) bool { return p.Name == name })
	if !there {
		return errNotFound
	}
	if err := a.vhosts.DeleteGlobalParameter(name); err != nil {
		return err
	}
	return done(w)
}
