package mgmt

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/leveretmq/leveret/vhost/auth"
)

var userEndpoints = []endpoint{
	{http.MethodGet, "/api/users", administrator, (*API).listUsers},
	{http.MethodGet, "/api/users/without-permissions", administrator, (*API).listUsersWithoutPermissions},
	{http.MethodPost, "/api/users/bulk-delete", administrator, (*API).deleteUsers},
	{http.MethodGet, "/api/users/{user}", administrator, (*API).showUser},
	{http.MethodPut, "/api/users/{user}", administrator, (*API).putUser},
	{http.MethodDelete, "/api/users/{user}", administrator, (*API).deleteUser},
}

// userRow is a user with the limits that were set.
type userRow struct {
	auth.Account
	limits json.RawMessage
}

var accountShape = shape[userRow]{
	{"name", func(u userRow) any { return u.Name }},
	{"password_hash", func(u userRow) any { return u.Hash.String() }},
	{"hashing_algorithm", func(u userRow) any { return cmp.Or(u.Hash.Algorithm, auth.SHA256) }},
	{"tags", func(u userRow) any { return notNil(u.Tags) }},
	{"limits", func(u userRow) any { return u.limits }},
}

// notNil is a list that is [] in JSON if there is nothing in it.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// userRows adds to users what is beside their accounts.
func (a *API) userRows(accounts []auth.Account) []userRow {
	limits := map[string]json.RawMessage{}
	for _, l := range a.vhosts.AllUserLimits() {
		limits[l.Name] = l.Value
	}
	rows := make([]userRow, len(accounts))
	for i, u := range accounts {
		rows[i] = userRow{u, limits[u.Name]}
		if rows[i].limits == nil {
			rows[i].limits = json.RawMessage("{}")
		}
	}
	return rows
}

func (a *API) listUsers(w http.ResponseWriter, r *request) error {
	return respondWhole(w, r, a.userRows(a.vhosts.Users()), accountShape)
}

// listUsersWithoutPermissions lists the users who may not log in to any vhost.
func (a *API) listUsersWithoutPermissions(w http.ResponseWriter, r *request) error {
	has := map[string]bool{}
	for _, p := range a.vhosts.Permissions() {
		has[p.User] = true
	}
	var without []auth.Account
	for _, u := range a.vhosts.Users() {
		if !has[u.Name] {
			without = append(without, u)
		}
	}
	return respondWhole(w, r, a.userRows(without), accountShape)
}

// userOf finds the user in the path.
func (a *API) userOf(r *request) (auth.Account, error) {
	u, ok := a.vhosts.User(r.names["user"])
	if !ok {
		return u, errNotFound
	}
	return u, nil
}

func (a *API) showUser(w http.ResponseWriter, r *request) error {
	u, err := a.userOf(r)
	if err != nil {
		return err
	}
	return respondOne(w, r, a.userRows([]auth.Account{u})[0], accountShape)
}

// putUser makes a user, or changes all of one. A body without a password takes the
// password away.
func (a *API) putUser(w http.ResponseWriter, r *request) error {
	name := r.names["user"]
	if err := definitions.CheckName("user", name); err != nil {
		return err
	}
	m, err := r.members()
	if err != nil {
		return err
	}
	account := auth.Account{User: auth.User{Name: name}}
	if account.Tags, err = m.userTags(); err != nil {
		return err
	}
	if err := m.password(&account); err != nil {
		return err
	}
	_, there := a.vhosts.User(name)
	var rights map[string]auth.Permissions
	if !there { // as in RabbitMQ: for new users only
		if rights, err = m.firstPermissions(a); err != nil {
			return err
		}
	}
	if err := a.vhosts.PutUser(account); err != nil {
		return err
	}
	for in, p := range rights {
		if err := a.vhosts.SetPermissions(name, in, p); err != nil {
			return err
		}
	}
	return created(w, !there)
}

// userTags reads tags, or the member administrator of old clients, one of which must
// be there.
func (m members) userTags() ([]string, error) {
	raw, ok := m["tags"]
	if !ok {
		if _, ok := m["administrator"]; !ok {
			return nil, badRequest("tags_not_present")
		}
		if is, err := m.flag("administrator"); !is || err != nil {
			return nil, err
		}
		return []string{"administrator"}, nil
	}
	tags, err := definitions.ParseTags(raw)
	if err != nil {
		return nil, badRequest("tags %s", err)
	}
	kept := tags[:0]
	for _, tag := range tags {
		if tag != "" {
			kept = append(kept, tag)
		}
	}
	return kept, nil
}

// password reads a password or the hash of one, of which at most one may be there.
func (m members) password(to *auth.Account) (err error) {
	hash, hashed := m.value("password_hash").(string)
	if to.Password, err = m.text("password"); err != nil {
		return err
	}
	if _, err := m.text("password_hash"); err != nil {
		return err
	}
	if _, both := m.value("password").(string); both && hashed {
		return badRequest("both_password_and_password_hash_are_provided")
	}
	algorithm, err := m.text("hashing_algorithm")
	if err != nil {
		return err
	}
	if _, err := base64.StdEncoding.DecodeString(hash); err != nil {
		return wrong("not_base64", hash)
	}
	to.Hash, err = auth.ParseHash(cmp.Or(auth.Algorithm(algorithm), auth.SHA256), hash)
	return err
}

// firstPermissions reads the permissions that a new user is to have, by vhost.
func (m members) firstPermissions(a *API) (map[string]auth.Permissions, error) {
	if _, ok := m["permissions"]; !ok {
		return nil, nil
	}
	var all map[string]members
	if err := json.Unmarshal(m["permissions"], &all); err != nil {
		return nil, badRequest("permissions should be an object of objects")
	}
	rights := make(map[string]auth.Permissions, len(all))
	for name, p := range all {
		if _, err := a.vhosts.VHost(name); err != nil {
			return nil, wrong("no_such_vhost", name)
		}
		var err error
		if rights[name], err = p.permissions(); err != nil {
			return nil, err
		}
	}
	return rights, nil
}

func (a *API) deleteUser(w http.ResponseWriter, r *request) error {
	if err := a.vhosts.DeleteUser(r.names["user"]); err != nil {
		return err
	}
	return done(w)
}

// deleteUsers deletes several users, or none if one of them does not exist.
func (a *API) deleteUsers(w http.ResponseWriter, r *request) error {
	m, err := r.members()
	if err == nil {
		err = m.need("users")
	}
	if err != nil {
		return err
	}
	var names []string
	if err := json.Unmarshal(m["users"], &names); err != nil {
		return badRequest("users should be a list of names")
	}
	for _, name := range names {
		if _, ok := a.vhosts.User(name); !ok {
			return wrong("no_such_user", name)
		}
	}
	for _, name := range names {
		if err := a.vhosts.DeleteUser(name); err != nil && !errors.Is(err, auth.ErrNoUser) {
			return err
		}
	}
	return done(w)
}
