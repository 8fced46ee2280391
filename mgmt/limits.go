package mgmt

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/leveretmq/leveret/vhost"
)

var limitEndpoints = []endpoint{
	{http.MethodGet, "/api/vhost-limits", anyUser, (*API).listVHostLimits},
	{http.MethodGet, "/api/vhost-limits/{vhost}", visible, (*API).listVHostLimits},
	{http.MethodPut, "/api/vhost-limits/{vhost}/{name}", administrator, (*API).putVHostLimit},
	{http.MethodDelete, "/api/vhost-limits/{vhost}/{name}", administrator, (*API).deleteVHostLimit},
	{http.MethodGet, "/api/user-limits", anyUser, (*API).listUserLimits},
	{http.MethodGet, "/api/user-limits/{user}", anyUser, (*API).listLimitsOfUser},
	{http.MethodPut, "/api/user-limits/{user}/{name}", administrator, (*API).putUserLimit},
	{http.MethodDelete, "/api/user-limits/{user}/{name}", administrator, (*API).deleteUserLimit},
}

var vhostLimitShape = shape[parameterRow]{
	{"vhost", func(p parameterRow) any { return p.vhost }},
	{"value", func(p parameterRow) any { return p.Value }},
}

var userLimitShape = shape[vhost.Parameter]{
	{"user", func(p vhost.Parameter) any { return p.Name }},
	{"value", func(p vhost.Parameter) any { return p.Value }},
}

// componentLimits is the component of the limits of vhosts.
const componentLimits = "vhost-limits"

// listVHostLimits lists the vhosts that have limits, and their limits.
func (a *API) listVHostLimits(w http.ResponseWriter, r *request) error {
	var rows []parameterRow
	for _, v := range a.visibleVHosts(r) {
		rows = append(rows, parametersOf(v, componentLimits)...)
	}
	return respondWhole(w, r, rows, vhostLimitShape)
}

// limitsOf are the limits of a vhost by name, as they were set.
func limitsOf(v *vhost.VHost) map[string]json.RawMessage {
	limits := map[string]json.RawMessage{}
	for _, p := range parametersOf(v, componentLimits) {
		_ = json.Unmarshal(p.Value, &limits) // it was set as an object
	}
	return limits
}

func (a *API) putVHostLimit(w http.ResponseWriter, r *request) error {
	value, err := r.value()
	if err != nil {
		return err
	}
	a.limiting.Lock()
	defer a.limiting.Unlock()
	limits := limitsOf(r.vhost)
	limits[r.names["name"]] = value
	return a.setVHostLimits(w, r, limits)
}

func (a *API) setVHostLimits(w http.ResponseWriter, r *request, limits map[string]json.RawMessage) error {
	value, _ := json.Marshal(limits) // of JSON
	if err := r.vhost.SetLimits(value); err != nil {
		return err
	}
	return done(w)
}

// deleteVHostLimit takes a limit away, if it is there.
func (a *API) deleteVHostLimit(w http.ResponseWriter, r *request) error {
	a.limiting.Lock()
	defer a.limiting.Unlock()
	limits := limitsOf(r.vhost)
	left := maps.Clone(limits)
	delete(left, r.names["name"])
	switch {
	case len(left) == len(limits):
		return done(w)
	case len(left) > 0:
		return a.setVHostLimits(w, r, left)
	}
	if err := r.vhost.ClearLimits(); err != nil {
		return err
	}
	return done(w)
}

func (a *API) listUserLimits(w http.ResponseWriter, r *request) error {
	return respondWhole(w, r, a.vhosts.AllUserLimits(), userLimitShape)
}

// listLimitsOfUser lists the limits of one user, if they have some.
func (a *API) listLimitsOfUser(w http.ResponseWriter, r *request) error {
	u, err := a.userOf(r)
	if err != nil {
		return err
	}
	limits := slices.DeleteFunc(a.vhosts.AllUserLimits(), func(p vhost.Parameter) bool { return p.Name != u.Name })
	return respondWhole(w, r, limits, userLimitShape)
}

func (a *API) putUserLimit(w http.ResponseWriter, r *request) error {
	user := r.names["user"]
	value, err := r.value()
	if err != nil {
		return err
	}
	if _, ok := a.vhosts.User(user); !ok {
		return wrong("no_such_user", user)
	}
	limit, _ := json.Marshal(map[string]json.RawMessage{r.names["name"]: value}) // of JSON
	if err := a.vhosts.SetUserLimits(user, limit); err != nil {
		return err
	}
	return done(w)
}

func (a *API) deleteUserLimit(w http.ResponseWriter, r *request) error {
	u, err := a.userOf(r)
	if err != nil {
		return err
	}
	if err := a.vhosts.ClearUserLimits(u.Name, r.names["name"]); err != nil {
		return err
	}
	return done(w)
}
