package mgmt

import (
	"net/http"
	"slices"

	"github.com/leveretmq/leveret/vhost/auth"
)

// permissionEndpoints name the vhost "in", since one that is not there is for PUT no
// 404, and administrators need not be able to enter it.
var permissionEndpoints = []endpoint{
	{http.MethodGet, "/api/permissions", administrator, (*API).listPermissions},
	{http.MethodGet, "/api/permissions/{in}/{user}", administrator, (*API).showPermissions},
	{http.MethodPut, "/api/permissions/{in}/{user}", administrator, (*API).putPermissions},
	{http.MethodDelete, "/api/permissions/{in}/{user}", administrator, (*API).deletePermissions},
	{http.MethodGet, "/api/users/{user}/permissions", administrator, (*API).listPermissionsOfUser},
	{http.MethodGet, "/api/vhosts/{vhost}/permissions", administrator, (*API).listPermissionsInVHost},
	{http.MethodGet, "/api/topic-permissions", administrator, (*API).listTopicPermissions},
	{http.MethodGet, "/api/topic-permissions/{in}/{user}", administrator, (*API).showTopicPermissions},
	{http.MethodPut, "/api/topic-permissions/{in}/{user}", administrator, (*API).putTopicPermissions},
	{http.MethodDelete, "/api/topic-permissions/{in}/{user}", administrator, (*API).deleteTopicPermissions},
	{http.MethodGet, "/api/topic-permissions/{in}/{user}/{exchange}", administrator, (*API).showTopicPermissions},
	{http.MethodPut, "/api/topic-permissions/{in}/{user}/{exchange}", administrator, (*API).putTopicPermissions},
	{http.MethodDelete, "/api/topic-permissions/{in}/{user}/{exchange}", administrator, (*API).deleteTopicPermissions},
	{http.MethodGet, "/api/users/{user}/topic-permissions", administrator, (*API).listTopicPermissionsOfUser},
	{http.MethodGet, "/api/vhosts/{vhost}/topic-permissions", administrator, (*API).listTopicPermissionsInVHost},
}

var permissionShape = shape[auth.Permission]{
	{"user", func(p auth.Permission) any { return p.User }},
	{"vhost", func(p auth.Permission) any { return p.VHost }},
	{"configure", func(p auth.Permission) any { return p.Configure }},
	{"write", func(p auth.Permission) any { return p.Write }},
	{"read", func(p auth.Permission) any { return p.Read }},
}

var topicPermissionShape = shape[auth.TopicPermission]{
	{"user", func(p auth.TopicPermission) any { return p.User }},
	{"vhost", func(p auth.TopicPermission) any { return p.VHost }},
	{"exchange", func(p auth.TopicPermission) any { return p.Exchange }},
	{"write", func(p auth.TopicPermission) any { return p.Write }},
	{"read", func(p auth.TopicPermission) any { return p.Read }},
}

// permissionsFor returns the permissions of a user in a vhost; empty names stand for
// all.
func (a *API) permissionsFor(user, vhost string) []auth.Permission {
	return slices.DeleteFunc(a.vhosts.Permissions(), func(p auth.Permission) bool {
		return user != "" && p.User != user || vhost != "" && p.VHost != vhost
	})
}

// topicPermissionsFor is permissionsFor for topic permissions.
func (a *API) topicPermissionsFor(user, vhost string) []auth.TopicPermission {
	return slices.DeleteFunc(a.vhosts.TopicPermissions(), func(p auth.TopicPermission) bool {
		return user != "" && p.User != user || vhost != "" && p.VHost != vhost
	})
}

func (a *API) listPermissions(w http.ResponseWriter, r *request) error {
	return respondWhole(w, r, a.permissionsFor("", ""), permissionShape)
}

func (a *API) listPermissionsOfUser(w http.ResponseWriter, r *request) error {
	u, err := a.userOf(r)
	if err != nil {
		return err
	}
	return respondWhole(w, r, a.permissionsFor(u.Name, ""), permissionShape)
}

func (a *API) listPermissionsInVHost(w http.ResponseWriter, r *request) error {
	return respondWhole(w, r, a.permissionsFor("", r.vhost.Name()), permissionShape)
}

func (a *API) showPermissions(w http.ResponseWriter, r *request) error {
	found := a.permissionsFor(r.names["user"], r.names["in"])
	if len(found) == 0 {
		return errNotFound
	}
	return respondOne(w, r, found[0], permissionShape)
}

// checkGrant refuses rights of a user, or in a vhost, that there is not.
func (a *API) checkGrant(r *request) error {
	_, ok := a.vhosts.User(r.names["user"])
	if _, err := a.vhosts.VHost(r.names["in"]); err != nil || !ok {
		return badRequest("vhost_or_user_not_found")
	}
	return nil
}

// permissions reads the three expressions, all of which must be there.
func (m members) permissions() (p auth.Permissions, err error) {
	if err = m.need("configure", "write", "read"); err != nil {
		return p, err
	}
	if p.Configure, err = m.expression("configure"); err != nil {
		return p, err
	}
	if p.Write, err = m.expression("write"); err != nil {
		return p, err
	}
	if p.Read, err = m.expression("read"); err != nil {
		return p, err
	}
	_, err = auth.NewRights(p)
	return p, err
}

// expression is a member that is a text.
func (m members) expression(name string) (string, error) {
	if s, ok := m.value(name).(string); ok {
		return s, nil
	}
	return "", wrong("not_string", name)
}

func (a *API) putPermissions(w http.ResponseWriter, r *request) error {
	if err := a.checkGrant(r); err != nil {
		return err
	}
	m, err := r.members()
	if err != nil {
		return err
	}
	p, err := m.permissions()
	if err != nil {
		return err
	}
	user, in := r.names["user"], r.names["in"]
	isNew := len(a.permissionsFor(user, in)) == 0
	if err := a.vhosts.SetPermissions(user, in, p); err != nil {
		return err
	}
	return created(w, isNew)
}

func (a *API) deletePermissions(w http.ResponseWriter, r *request) error {
	user, in := r.names["user"], r.names["in"]
	if len(a.permissionsFor(user, in)) == 0 {
		return errNotFound
	}
	if err := a.vhosts.DeletePermissions(user, in); err != nil {
		return err
	}
	return done(w)
}

func (a *API) listTopicPermissions(w http.ResponseWriter, r *request) error {
	return respondWhole(w, r, a.topicPermissionsFor("", ""), topicPermissionShape)
}

func (a *API) listTopicPermissionsOfUser(w http.ResponseWriter, r *request) error {
	u, err := a.userOf(r)
	if err != nil {
		return err
	}
	return respondWhole(w, r, a.topicPermissionsFor(u.Name, ""), topicPermissionShape)
}

func (a *API) listTopicPermissionsInVHost(w http.ResponseWriter, r *request) error {
	return respondWhole(w, r, a.topicPermissionsFor("", r.vhost.Name()), topicPermissionShape)
}

// showTopicPermissions lists those of a user in a vhost, of all exchanges: as in
// RabbitMQ also if the path names one.
func (a *API) showTopicPermissions(w http.ResponseWriter, r *request) error {
	found := a.topicPermissionsFor(r.names["user"], r.names["in"])
	if len(found) == 0 {
		return errNotFound
	}
	return respondWhole(w, r, found, topicPermissionShape)
}

// putTopicPermissions sets those for the exchange in the body: 201 if they are the
// user's first in that vhost.
func (a *API) putTopicPermissions(w http.ResponseWriter, r *request) error {
	if err := a.checkGrant(r); err != nil {
		return err
	}
	m, err := r.members()
	if err == nil {
		err = m.need("exchange", "write", "read")
	}
	if err != nil {
		return err
	}
	exchange, err := m.expression("exchange")
	if err != nil {
		return err
	}
	var p auth.TopicPermissions
	if p.Write, err = m.expression("write"); err != nil {
		return err
	}
	if p.Read, err = m.expression("read"); err != nil {
		return err
	}
	user, in := r.names["user"], r.names["in"]
	isNew := len(a.topicPermissionsFor(user, in)) == 0
	if err := a.vhosts.SetTopicPermissions(user, in, exchange, p); err != nil {
		return err
	}
	return created(w, isNew)
}

// deleteTopicPermissions takes those for the exchange in the path from a user, or all
// that they have in the vhost.
func (a *API) deleteTopicPermissions(w http.ResponseWriter, r *request) error {
	user, in := r.names["user"], r.names["in"]
	if len(a.topicPermissionsFor(user, in)) == 0 {
		return errNotFound
	}
	if err := a.vhosts.DeleteTopicPermissions(user, in, r.names["exchange"]); err != nil {
		return err
	}
	return done(w)
}
