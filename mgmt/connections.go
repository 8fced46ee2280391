package mgmt

import (
	"net"
	"net/http"
	"strconv"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/leveretmq/leveret/vhost"
)

var connectionEndpoints = []endpoint{
	{http.MethodGet, "/api/connections", anyUser, (*API).listConnections},
	{http.MethodGet, "/api/vhosts/{vhost}/connections", visible, (*API).listConnections},
	{http.MethodGet, "/api/connections/username/{user}", anyUser, (*API).listConnectionsOf},
	{http.MethodDelete, "/api/connections/username/{user}", anyUser, (*API).closeConnectionsOf},
	{http.MethodGet, "/api/connections/{connection}", anyUser, (*API).showConnection},
	{http.MethodDelete, "/api/connections/{connection}", anyUser, (*API).closeConnection},
	{http.MethodGet, "/api/connections/{connection}/channels", anyUser, (*API).listChannelsOf},
}

// connectionItem is a connection as it is listed.
type connectionItem struct {
	api     *API
	request *request
	server.ConnectionInfo
}

func (i connectionItem) seen() observed { return i.api.observeConnection(i.request, i.ID) }

// connectionShape is a connection.
var connectionShape = shape[connectionItem]{
	{"auth_mechanism", func(i connectionItem) any { return i.AuthMechanism }},
	{"channel_max", func(i connectionItem) any { return i.ChannelMax }},
	{"channels", func(i connectionItem) any { return i.Channels }},
	{"client_properties", func(i connectionItem) any { return definitions.TableObject(i.ClientProperties) }},
	{"connected_at", func(i connectionItem) any { return i.ConnectedAt.UnixMilli() }},
	{"frame_max", func(i connectionItem) any { return i.FrameMax }},
	{"garbage_collection", func(connectionItem) any { return noGarbage }},
	{"host", func(i connectionItem) any { return hostOf(i.Server) }},
	{"name", func(i connectionItem) any { return i.Name }},
	{"node", func(i connectionItem) any { return i.api.opts.NodeName }},
	{"peer_cert_issuer", func(i connectionItem) any { return issuerOf(i.TLS) }},
	{"peer_cert_subject", func(i connectionItem) any { return subjectOf(i.TLS) }},
	{"peer_cert_validity", func(i connectionItem) any { return validityOf(i.TLS) }},
	{"peer_host", func(i connectionItem) any { return hostOf(i.Client) }},
	{"peer_port", func(i connectionItem) any { return portOf(i.Client) }},
	{"port", func(i connectionItem) any { return portOf(i.Server) }},
	{"protocol", func(i connectionItem) any { return i.Protocol }},
	{"recv_cnt", func(i connectionItem) any { return i.Traffic.RecvFrames }},
	{"recv_oct", func(i connectionItem) any { return i.Traffic.RecvBytes }},
	{"recv_oct_details", func(i connectionItem) any { return i.seen().details("recv_oct") }},
	{"reductions", func(connectionItem) any { return 0 }},
	{"reductions_details", func(i connectionItem) any { return i.seen().details("reductions") }},
	{"send_cnt", func(i connectionItem) any { return i.Traffic.SendFrames }},
	{"send_oct", func(i connectionItem) any { return i.Traffic.SendBytes }},
	{"send_oct_details", func(i connectionItem) any { return i.seen().details("send_oct") }},
	{"send_pend", func(i connectionItem) any { return i.SendPending }},
	{"ssl", func(i connectionItem) any { return i.TLS != nil }},
	{"ssl_cipher", func(i connectionItem) any { return suiteOf(i.TLS).cipher }},
	{"ssl_hash", func(i connectionItem) any { return suiteOf(i.TLS).hash }},
	{"ssl_key_exchange", func(i connectionItem) any { return suiteOf(i.TLS).exchange }},
	{"ssl_protocol", func(i connectionItem) any { return protocolOf(i.TLS) }},
	{"state", func(i connectionItem) any { return i.State }},
	{"timeout", func(i connectionItem) any { return int(i.Heartbeat.Seconds()) }},
	{"type", func(connectionItem) any { return "network" }},
	{"user", func(i connectionItem) any { return i.User }},
	{"user_provided_name", func(i connectionItem) any {
		if i.UserProvidedName == "" {
			return absent
		}
		return i.UserProvidedName
	}},
	{"user_who_performed_action", func(i connectionItem) any { return i.User }},
	{"vhost", func(i connectionItem) any { return i.VHost }},
}

// briefConnectionShape is what is said of a user's connections.
var briefConnectionShape = shape[connectionItem]{
	{"name", func(i connectionItem) any { return i.Name }},
	{"vhost", func(i connectionItem) any { return i.VHost }},
	{"user", func(i connectionItem) any { return i.User }},
	{"node", func(i connectionItem) any { return i.api.opts.NodeName }},
}

// hostOf is the host of an address; that of a socket without one is its name.
func hostOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// portOf is the port of an address, 0 if it has none.
func portOf(a net.Addr) int {
	if a == nil {
		return 0
	}
	_, text, _ := net.SplitHostPort(a.String())
	port, _ := strconv.Atoi(text)
	return port
}

// connectionDetails are what other objects say of their connection.
func connectionDetails(c server.ConnectionRef) object {
	return object{{"name", c.Name}, {"peer_host", hostOf(c.Client)}, {"peer_port", portOf(c.Client)}}
}

// owns reports whether the user sees what belongs to somebody: it is theirs, or they
// are a monitor.
func (r *request) owns(user string) bool { return r.user.Name == user || r.isMonitor() }

// scope says which vhosts a list is of.
func scope(v *vhost.VHost, r *request) string {
	if v != nil {
		return v.Name()
	}
	return r.Header.Get("X-Vhost")
}

// connections are those that are open, in the vhost of the path if there is one, and
// that a filter lets through.
func (a *API) connections(r *request, filter func(*server.ConnectionInfo) bool) (items []connectionItem) {
	only := scope(r.vhost, r)
	for _, c := range a.broker.ConnectionInfos() {
		isOpen := c.VHost != ""
		if isOpen && (only == "" || c.VHost == only) && filter(&c) {
			items = append(items, connectionItem{a, r, c})
		}
	}
	return items
}

// listConnections lists the connections that the user sees.
func (a *API) listConnections(w http.ResponseWriter, r *request) error {
	items := a.connections(r, func(c *server.ConnectionInfo) bool { return r.owns(c.User) })
	return respondList(w, r, items, connectionShape, func(i connectionItem) string { return i.Name })
}

// listConnectionsOf lists the connections of the user in the path.
func (a *API) listConnectionsOf(w http.ResponseWriter, r *request) error {
	items := a.connections(r, func(c *server.ConnectionInfo) bool { return c.User == r.names["user"] && r.owns(c.User) })
	return respondList(w, r, items, briefConnectionShape, func(i connectionItem) string { return i.Name })
}

// findConnection finds the connection in the path, if the user may see it.
func (a *API) findConnection(r *request) (connectionItem, error) {
	found := a.connections(r, func(c *server.ConnectionInfo) bool { return c.Name == r.names["connection"] })
	switch {
	case len(found) == 0:
		return connectionItem{}, errNotFound
	case !r.owns(found[0].User):
		return connectionItem{}, errNotYours
	}
	return found[0], nil
}

// errNotYours is what is said of somebody else's connection.
var errNotYours = notAuthorised("User not authorised to access object")

// showConnection shows one connection.
func (a *API) showConnection(w http.ResponseWriter, r *request) error {
	item, err := a.findConnection(r)
	if err != nil {
		return err
	}
	return respondOne(w, r, item, connectionShape)
}

// mayClose reports whether the user may close somebody's connections: to see them is
// not enough.
func (r *request) mayClose(user string) bool { return r.user.Name == user || r.is("administrator") }

// closeReason is what clients are told whose connection is closed.
func (r *request) closeReason() string {
	if reason := r.Header.Get("X-Reason"); reason != "" {
		return reason
	}
	return "Closed via management plugin"
}

// closeConnection closes a connection.
func (a *API) closeConnection(w http.ResponseWriter, r *request) error {
	item, err := a.findConnection(r)
	if err != nil {
		return err
	}
	if !r.mayClose(item.User) {
		return errNotYours
	}
	a.broker.CloseConnection(item.ID, r.closeReason())
	return done(w)
}

// closeConnectionsOf closes all connections of a user.
func (a *API) closeConnectionsOf(w http.ResponseWriter, r *request) error {
	if !r.mayClose(r.names["user"]) {
		return errNotYours
	}
	for _, item := range a.connections(r, func(c *server.ConnectionInfo) bool { return c.User == r.names["user"] }) {
		a.broker.CloseConnection(item.ID, r.closeReason())
	}
	return done(w)
}
