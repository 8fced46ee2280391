package definitions

import (
	"cmp"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
)

// Export is what a broker has, for MarshalJSON: all of it but what goes with a
// connection or comes with each broker. So exclusive queues, queues with a name of
// the broker's choice, exchanges that are predeclared and global parameters whose
// name begins with internal are not in it, nor are bindings to such a queue.
// RabbitMQ 4.3 leaves out internal exchanges too, but not their bindings; here, as
// in 3.10, they are in it, so that the file is whole.
func Export(r *vhost.Registry, about About) *File {
	f := &File{about: about}
	limits := map[string]vhost.Parameter{}
	for _, l := range r.AllUserLimits() {
		limits[l.Name] = l
	}
	for _, a := range r.Users() {
		f.users = append(f.users, user{a, limits[a.Name].Value})
	}
	for _, p := range r.Permissions() {
		f.permissions = append(f.permissions, permission(p))
	}
	for _, p := range r.TopicPermissions() {
		f.topics = append(f.topics, topicPermission(p))
	}
	for _, p := range r.GlobalParameters() {
		if !strings.HasPrefix(p.Name, internal) {
			f.globals = append(f.globals, globalParameter{p.Name, p.Value})
		}
	}
	for _, v := range r.VHosts() {
		f.rooms = append(f.rooms, roomOf(v))
		f.export(v)
	}
	return f
}

// internal is how the names of global parameters begin that are about this very
// broker [RabbitMQ].
const internal = "internal"

// ExportVHost is Export for one vhost: without users and their rights, and without
// its name in the entries, so that it can be imported into another.
func ExportVHost(v *vhost.VHost, about About) *File {
	f := &File{about: about, one: true, named: v.Name()}
	f.rooms = []room{roomOf(v)}
	f.export(v)
	return f
}

func roomOf(v *vhost.VHost) room {
	m := v.Metadata()
	of := room{name: v.Name(), description: &m.Description, tags: &m.Tags, kind: &m.DefaultQueueType, protected: &m.Protected}
	for _, p := range v.Parameters() {
		if p.Component == vhostLimits {
			of.limits = p.Value
		}
	}
	return of
}

// vhostLimits is the component of the parameter with the limits of a vhost.
const vhostLimits = "vhost-limits"

// export adds what is in a vhost.
func (f *File) export(v *vhost.VHost) {
	for _, p := range v.Parameters() {
		f.parameters = append(f.parameters, parameter{v.Name(), p})
	}
	policies := v.Policies()
	slices.SortFunc(policies, func(a, b policy.Policy) int { return cmp.Compare(a.Name, b.Name) })
	for _, p := range policies {
		f.policies = append(f.policies, rule{v.Name(), p})
	}
	for _, x := range v.Exchanges() {
		if x.Name() == "" || strings.HasPrefix(x.Name(), reserved) {
			continue
		}
		f.exchanges = append(f.exchanges, exchangeItem{v.Name(), x.Name(), x.Type(),
			x.Durable(), x.AutoDelete(), x.Internal(), x.Arguments()})
	}
	exported := map[string]bool{}
	for _, q := range v.Queues() {
		o := q.Options()
		if o.Owner != 0 || strings.HasPrefix(o.Name, reserved) {
			continue
		}
		exported[o.Name] = true
		f.queues = append(f.queues, queueItem{v.Name(), o.Name, queue.Type(o.Arguments), o.Durable, o.AutoDelete, o.Arguments})
	}
	from := len(f.bindings)
	for _, b := range v.Bindings() {
		if b.Source != "" && (b.ToExchange || exported[b.Destination]) {
			f.bindings = append(f.bindings, bindingItem{v.Name(), b})
		}
	}
	slices.SortFunc(f.bindings[from:], func(a, b bindingItem) int { return cmp.Compare(a.key(), b.key()) })
}
