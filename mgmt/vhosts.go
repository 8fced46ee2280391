package mgmt

import (
	"net/http"
	"reflect"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/queue"
)

// vhostEndpoints name the vhost "in" where it need not be there.
var vhostEndpoints = []endpoint{
	{http.MethodGet, "/api/vhosts", anyUser, (*API).listVHosts},
	{http.MethodGet, "/api/vhosts/{in}", administrator, (*API).showVHost},
	{http.MethodPut, "/api/vhosts/{in}", administrator, (*API).putVHost},
	{http.MethodDelete, "/api/vhosts/{in}", administrator, (*API).deleteVHost},
	{http.MethodPost, "/api/vhosts/{vhost}/deletion/protection", administrator, (*API).protectVHost},
	{http.MethodDelete, "/api/vhosts/{vhost}/deletion/protection", administrator, (*API).unprotectVHost},
	{http.MethodPost, "/api/vhosts/{in}/start/{node}", administrator, (*API).startVHost},
}

// vhostRow is a vhost with its numbers, which are worked out when the first of them is
// asked for.
type vhostRow struct {
	*vhost.VHost
	vhost.Metadata
	api     *API
	request *request
	seen    observed
	numbers *vhostStats
	traffic func(vhost string) server.Traffic
}

type vhostStats struct {
	counts  server.MessageCounts
	lengths []int64
}

func (v *vhostRow) stats() *vhostStats {
	if v.numbers == nil {
		counts, lengths := vhostNumbers(v.VHost)
		v.numbers = &vhostStats{counts, lengths}
	}
	return v.numbers
}

// number is a field that is absent if the query wants no numbers.
func number(of func(*vhostRow) any) func(*vhostRow) any {
	return func(v *vhostRow) any {
		if v.request.statsDisabled() {
			return absent
		}
		return of(v)
	}
}

func details(name string) func(*vhostRow) any {
	return func(v *vhostRow) any { return v.seen.details(name) }
}

var vhostShape = shape[*vhostRow]{
	{"cluster_state", func(v *vhostRow) any { return object{{v.api.opts.NodeName, "running"}} }},
	{"default_queue_type", func(v *vhostRow) any {
		if v.DefaultQueueType == "" {
			return "undefined" // RabbitMQ's word for none
		}
		return v.DefaultQueueType
	}},
	{"description", func(v *vhostRow) any { return v.Description }},
	{"message_stats", number(func(v *vhostRow) any { return messageStats(v.stats().counts, v.seen, vhostMessageNames...) })},
	{"messages", number(func(v *vhostRow) any { return v.stats().lengths[0] })},
	{"messages_details", details("messages")},
	{"messages_ready", number(func(v *vhostRow) any { return v.stats().lengths[1] })},
	{"messages_ready_details", details("messages_ready")},
	{"messages_unacknowledged", number(func(v *vhostRow) any { return v.stats().lengths[2] })},
	{"messages_unacknowledged_details", details("messages_unacknowledged")},
	{"metadata", vhostMetadata},
	{"name", func(v *vhostRow) any { return v.Name() }},
	{"protected_from_deletion", func(v *vhostRow) any { return v.Protected }},
	{"recv_oct", number(func(v *vhostRow) any { return v.traffic(v.Name()).RecvBytes })},
	{"recv_oct_details", details("recv_oct")},
	{"send_oct", number(func(v *vhostRow) any { return v.traffic(v.Name()).SendBytes })},
	{"send_oct_details", details("send_oct")},
	{"tags", func(v *vhostRow) any { return notNil(v.Tags) }},
	{"tracing", func(v *vhostRow) any { return v.Tracing() }},
}

// vhostMetadata is what was said about a vhost, as one object.
func vhostMetadata(v *vhostRow) any {
	of := object{{"description", v.Description}, {"tags", notNil(v.Tags)}}
	if v.DefaultQueueType != "" {
		of = append(of, member{"default_queue_type", v.DefaultQueueType})
	}
	if v.Protected {
		of = append(of, member{"protected_from_deletion", true})
	}
	return of
}

func (a *API) vhostRows(r *request, vhosts []*vhost.VHost) []*vhostRow {
	rows := make([]*vhostRow, len(vhosts))
	traffic := a.trafficByVHost()
	for i, v := range vhosts {
		rows[i] = &vhostRow{VHost: v, Metadata: v.Metadata(), api: a, request: r, seen: a.observeVHost(r, v), traffic: traffic}
	}
	return rows
}

// trafficByVHost tells what went over the connections that are open in a vhost. They
// are looked at once, if at all.
func (a *API) trafficByVHost() func(string) server.Traffic {
	var all map[string]server.Traffic
	return func(name string) server.Traffic {
		if all == nil {
			all = map[string]server.Traffic{}
			for _, c := range a.broker.ConnectionInfos() {
				sum := all[c.VHost]
				sum.RecvBytes += c.Traffic.RecvBytes
				sum.SendBytes += c.Traffic.SendBytes
				all[c.VHost] = sum
			}
		}
		return all[name]
	}
}

func (a *API) listVHosts(w http.ResponseWriter, r *request) error {
	return respondList(w, r, a.vhostRows(r, a.visibleVHosts(r)), vhostShape, func(v *vhostRow) string { return v.Name() })
}

// vhostIn finds the vhost in the path.
func (a *API) vhostIn(r *request) (*vhost.VHost, error) {
	v, err := a.vhosts.VHost(r.names["in"])
	if err != nil {
		return nil, errNotFound
	}
	return v, nil
}

func (a *API) showVHost(w http.ResponseWriter, r *request) error {
	v, err := a.vhostIn(r)
	if err != nil {
		return err
	}
	return respondOne(w, r, a.vhostRows(r, []*vhost.VHost{v})[0], vhostShape)
}

// putVHost makes a vhost, in which whoever makes it may do everything, or says
// something else about one. A body that does not name description or tags takes them
// away; the other members stay as they are then.
func (a *API) putVHost(w http.ResponseWriter, r *request) error {
	name := r.names["in"]
	if err := definitions.CheckName("vhost", name); err != nil {
		return err
	}
	m, err := r.members()
	if err != nil {
		return err
	}
	tracing, err := m.maybeFlag("tracing")
	if err != nil {
		return err
	}
	v, missing := a.vhosts.VHost(name)
	var old vhost.Metadata
	if missing == nil {
		old = v.Metadata()
	}
	metadata, err := m.vhostMetadata(old)
	if err != nil {
		return err
	}
	if v, err = a.vhosts.AddVHost(name); err != nil {
		return err
	}
	if !reflect.DeepEqual(metadata, old) {
		err = v.SetMetadata(metadata)
	}
	if err == nil && tracing != nil {
		err = v.SetTracing(*tracing)
	}
	if err == nil && missing != nil {
		err = a.vhosts.SetPermissions(r.user.Name, name, auth.All)
	}
	if err != nil {
		return err
	}
	return created(w, missing != nil)
}

// maybeFlag is a member that is a boolean, or the name of one; nil if it is not there.
func (m members) maybeFlag(name string) (*bool, error) {
	raw, ok := m[name]
	switch {
	case !ok:
		return nil, nil
	case string(raw) == "null":
		return nil, wrong("not_boolean", nil)
	}
	is, err := m.flag(name)
	return &is, err
}

// vhostMetadata reads what a body says about a vhost.
func (m members) vhostMetadata(old vhost.Metadata) (to vhost.Metadata, err error) {
	to = old
	if to.Description, err = m.text("description"); err != nil {
		return to, err
	}
	to.Tags = nil
	if raw, ok := m["tags"]; ok && string(raw) != "null" {
		if to.Tags, err = definitions.ParseTags(raw); err != nil {
			return to, badRequest("tags %s", err)
		}
	}
	if len(to.Tags) == 0 && len(old.Tags) == 0 {
		to.Tags = old.Tags
	}
	kind, err := m.text("default_queue_type")
	if err != nil {
		return to, err
	}
	switch kind {
	case "":
	case queue.TypeClassic, queue.TypeQuorum:
		to.DefaultQueueType = kind
	case "undefined":
		to.DefaultQueueType = ""
	default:
		return to, badRequest("default_queue_type '%s' is not supported: it should be classic or quorum", kind)
	}
	protected, err := m.maybeFlag("protected_from_deletion")
	if protected != nil {
		to.Protected = *protected
	}
	return to, err
}

func (a *API) deleteVHost(w http.ResponseWriter, r *request) error {
	v, err := a.vhostIn(r)
	if err != nil {
		return err
	}
	if v.Metadata().Protected {
		return &refusal{http.StatusPreconditionFailed, "precondition_failed",
			"Refusing to delete virtual host '" + v.Name() + "' because it is protected from deletion"}
	}
	if err := a.vhosts.DeleteVHost(v.Name()); err != nil {
		return err
	}
	return done(w)
}

func (a *API) protectVHost(w http.ResponseWriter, r *request) error { return protect(w, r.vhost, true) }

func (a *API) unprotectVHost(w http.ResponseWriter, r *request) error {
	return protect(w, r.vhost, false)
}

func protect(w http.ResponseWriter, v *vhost.VHost, on bool) error {
	m := v.Metadata()
	m.Protected = on
	if err := v.SetMetadata(m); err != nil {
		return err
	}
	return done(w)
}

// startVHost finds that a vhost runs on this node, as all do.
func (a *API) startVHost(w http.ResponseWriter, r *request) error {
	if node := r.names["node"]; node != a.opts.NodeName {
		return badRequest("Request to node %s failed with nodedown", node)
	}
	if _, err := a.vhostIn(r); err != nil {
		return err
	}
	return done(w)
}
