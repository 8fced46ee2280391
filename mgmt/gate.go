package mgmt

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
)

// request is a request with what its path captured, and who asks.
type request struct {
	*http.Request
	// names are the captured segments, decoded, by the name in the braces.
	names map[string]string
	// user is who has logged in; nobody if the endpoint is open.
	user auth.User
	// vhost is the one in the path, nil if there is none in it.
	vhost *vhost.VHost
	// spans are of which times samples are asked for.
	spans *spans
}

// openBody is the largest body of a request by whoever comes, in bytes.
const openBody = 64 << 10

// serve is an endpoint as a handler: it lets the user in and answers, or says why
// not.
func (a *API) serve(e endpoint) handler {
	return func(w http.ResponseWriter, hr *http.Request, names map[string]string) {
		r := &request{Request: hr, names: names}
		most := a.opts.MaxBody
		if e.access == open {
			most = min(most, openBody)
		}
		r.Body = http.MaxBytesReader(w, hr.Body, most)
		err := a.admit(e.access, r)
		if err == nil {
			r.spans, err = readSpans(hr.URL.Query())
		}
		if err == nil {
			err = e.answer(a, w, r)
		}
		if err != nil {
			a.refuse(w, r, err)
		}
	}
}

// admit lets a request in, or returns why not. Who may not see a vhost is told so
// before they could learn whether it is there, unless they are nobody that the API
// serves at all.
func (a *API) admit(need access, r *request) error {
	if need == open {
		return a.findVHost(need, r)
	}
	name, password, err := a.credentials(r)
	if err != nil {
		return err
	}
	if err := a.enter(r, name, password); err != nil {
		return err
	}
	switch {
	case need == administrator && !r.is("administrator"):
		return notAuthorised("Not administrator user")
	case need == monitor && !r.isMonitor():
		return notAuthorised("Not monitor user")
	case need == policymaker && !r.is("policymaker", "administrator"):
		return notAuthorised("User not authorised to access object")
	}
	if err := a.findVHost(need, r); err != nil || r.vhost == nil {
		return err
	}
	return a.admitToVHost(need, r)
}

// admitToVHost is admit for the vhost in the path. An administrator gets everywhere,
// but cannot do there what takes permissions.
func (a *API) admitToVHost(need access, r *request) error {
	switch {
	case need == monitor, need == administrator, a.mayEnter(r, r.vhost.Name()):
		return nil
	case need == visible && r.isMonitor(), need == policymaker && r.is("administrator"):
		return nil
	case need == policymaker:
		return notAuthorised("User not authorised to access object")
	case need == entrant && r.is("administrator"):
		return notAuthorised("Access refused.")
	}
	return notAuthorised("User not authorised to access virtual host")
}

// credentials are the name and the password that a request shows, or the token that
// was given for them.
func (a *API) credentials(r *request) (name, password string, err error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", "", errNoCredentials
	}
	if name, password, ok := r.BasicAuth(); ok {
		return name, password, nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", "", badRequest("the header Authorization is neither Basic nor Bearer, or malformed")
	}
	name, password, ok := a.tokens.open(strings.TrimSpace(token))
	if !ok {
		return "", "", errBadCredentials
	}
	return name, password, nil
}

// enter logs a user in who may use the API.
func (a *API) enter(r *request, name, password string) error {
	user, err := a.broker.Login(r.Context(), name, password, remoteAddr(r.Request))
	if err != nil {
		a.log.Warn().Err(err).Str("user", name).Str("client", r.RemoteAddr).Msg("login refused")
		if errors.Is(err, auth.ErrElsewhere) {
			return notAuthorised("User can only log in via localhost")
		}
		return errBadCredentials
	}
	r.user = user
	if !r.is("management", "policymaker", "monitoring", "administrator") {
		return notAuthorised("Not management user")
	}
	return nil
}

// findVHost looks the vhost in the path up. RabbitMQ has other words for who would
// make something in one that there is not.
func (a *API) findVHost(need access, r *request) error {
	name, ok := r.names["vhost"]
	if !ok {
		return nil
	}
	v, err := a.vhosts.VHost(name)
	switch {
	case err == nil:
	case r.Method == http.MethodPut, r.Method == http.MethodPost && need == entrant:
		return notFound("vhost_not_found")
	default:
		return errNotFound
	}
	r.vhost = v
	return nil
}

// is reports whether the user has one of the tags.
func (r *request) is(tags ...string) bool {
	return slices.ContainsFunc(r.user.Tags, func(t string) bool { return slices.Contains(tags, t) })
}

// isMonitor reports whether the user may see everybody's connections, and all
// vhosts.
func (r *request) isMonitor() bool { return r.is("monitoring", "administrator") }

// mayEnter reports whether the user has permissions in a vhost.
func (a *API) mayEnter(r *request, vhost string) bool {
	return a.vhosts.Rights(r.user.Name, vhost) != nil
}

// visibleVHosts are those that the user may see: all if they are a monitor, else
// those they have permissions in. The path's, or that of the header X-Vhost, is the
// only one if there is one.
func (a *API) visibleVHosts(r *request) []*vhost.VHost {
	if r.vhost != nil {
		return []*vhost.VHost{r.vhost}
	}
	only := r.Header.Get("X-Vhost")
	return slices.DeleteFunc(a.vhosts.VHosts(), func(v *vhost.VHost) bool {
		return only != "" && v.Name() != only || !r.isMonitor() && !a.mayEnter(r, v.Name())
	})
}

// remoteAddr is the address that a request comes from, as a net.Addr.
func remoteAddr(r *http.Request) net.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return &net.UnixAddr{Name: r.RemoteAddr, Net: "pipe"}
	}
	return net.TCPAddrFromAddrPort(ap)
}
