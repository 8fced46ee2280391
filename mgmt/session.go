package mgmt

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/vhost/auth"
)

var sessionEndpoints = []endpoint{
	{http.MethodGet, "/api/whoami", anyUser, (*API).whoami},
	{http.MethodPost, "/api/login", open, (*API).login},
	{http.MethodDelete, "/api/login", open, (*API).logout},
	{http.MethodGet, "/api/version", open, (*API).version},
	{http.MethodGet, "/api/auth", open, (*API).authMethods},
	{http.MethodGet, "/api/auth/attempts/{node}", monitor, (*API).loginAttempts},
	{http.MethodDelete, "/api/auth/attempts/{node}", monitor, (*API).forgetLogins},
	{http.MethodGet, "/api/auth/attempts/{node}/source", monitor, (*API).loginSources},
	{http.MethodDelete, "/api/auth/attempts/{node}/source", monitor, (*API).forgetLogins},
	{http.MethodPost, "/api/auth/hash_password", administrator, (*API).hashPasswordOfBody},
	{http.MethodGet, "/api/auth/hash_password/{password}", administrator, (*API).hashPassword},
}

// userShape is who has logged in.
var userShape = shape[auth.User]{
	{"name", func(u auth.User) any { return u.Name }},
	{"tags", func(u auth.User) any { return append([]string{}, u.Tags...) }},
	{"is_internal_user", func(auth.User) any { return true }},
}

func (a *API) whoami(w http.ResponseWriter, r *request) error {
	return respondOne(w, r, r.user, userShape)
}

// login takes name and password of a form and gives a token for them, to be sent with
// the scheme Bearer.
func (a *API) login(w http.ResponseWriter, r *request) error {
	text, err := r.text()
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		return badRequest("the request body is not a form")
	}
	name, password := form.Get("username"), form.Get("password")
	if err := a.enter(r, name, password); err != nil {
		return err
	}
	return respond(w, http.StatusOK, object{
		{"token", object{{"type", "basic"}, {"value", a.tokens.issue(name, password)}}},
		{"user", userShape.object(r.user)},
	})
}

// logout has nothing to do: a token is not remembered.
func (a *API) logout(w http.ResponseWriter, _ *request) error { return done(w) }

func (a *API) version(w http.ResponseWriter, _ *request) error {
	return respond(w, http.StatusOK, a.opts.Version)
}

// authMethods says that there is no other way to log in than by name and password.
func (a *API) authMethods(w http.ResponseWriter, _ *request) error {
	return respond(w, http.StatusOK, object{{"enable_uaa", false}, {"uaa_client_id", ""}, {"uaa_location", ""}, {"oauth_enabled", false}})
}

// forgotten are the log-ins that were counted when somebody had the counts reset.
type forgotten struct {
	mu sync.Mutex
	by map[string]server.LoginCounts // guarded by mu
}

// protocolNames are RabbitMQ's names for the ways to log in.
var protocolNames = map[string]string{"amqp": "amqp091"}

// loginAttempts counts who has tried to log in, by protocol.
func (a *API) loginAttempts(w http.ResponseWriter, r *request) error {
	if err := a.checkNode(r); err != nil {
		return err
	}
	a.forgotten.mu.Lock()
	defer a.forgotten.mu.Unlock()
	logins := a.broker.Totals().Logins
	list := []object{}
	for _, protocol := range slices.Sorted(maps.Keys(logins)) {
		n, old := logins[protocol], a.forgotten.by[protocol]
		if n == old {
			continue
		}
		list = append(list, object{
			{"protocol", cmp.Or(protocolNames[protocol], protocol)},
			{"auth_attempts", n.Attempts - old.Attempts},
			{"auth_attempts_failed", n.Failed - old.Failed},
			{"auth_attempts_succeeded", n.Succeeded - old.Succeeded},
		})
	}
	return respond(w, http.StatusOK, list)
}

// loginSources is empty, as in RabbitMQ unless it was told to count by address and
// user.
func (a *API) loginSources(w http.ResponseWriter, r *request) error {
	if err := a.checkNode(r); err != nil {
		return err
	}
	return respond(w, http.StatusOK, []object{})
}

// forgetLogins lets the counts begin anew.
func (a *API) forgetLogins(w http.ResponseWriter, r *request) error {
	if err := a.checkNode(r); err != nil {
		return err
	}
	a.forgotten.mu.Lock()
	defer a.forgotten.mu.Unlock()
	a.forgotten.by = a.broker.Totals().Logins
	return done(w)
}

// hashPassword hashes a password with a new salt.
func (a *API) hashPassword(w http.ResponseWriter, r *request) error {
	return respond(w, http.StatusOK, object{{"ok", auth.NewHash(r.names["password"]).String()}})
}

// hashPasswordOfBody is hashPassword for a password that no log of a path shall have.
func (a *API) hashPasswordOfBody(w http.ResponseWriter, r *request) error {
	password, err := r.textMember("password")
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, object{{"ok", auth.NewHash(password).String()}})
}
