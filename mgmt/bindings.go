package mgmt

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/leveretmq/leveret/vhost"
)

var bindingEndpoints = []endpoint{
	{http.MethodGet, "/api/bindings", anyUser, listBindings(anyBinding)},
	{http.MethodGet, "/api/bindings/{vhost}", visible, listBindings(anyBinding)},
	{http.MethodGet, "/api/bindings/{vhost}/e/{exchange}/q/{queue}", visible, listBindings(between)},
	{http.MethodPost, "/api/bindings/{vhost}/e/{exchange}/q/{queue}", entrant, (*API).bind},
	{http.MethodGet, "/api/bindings/{vhost}/e/{exchange}/q/{queue}/{props}", visible, (*API).showBinding},
	{http.MethodDelete, "/api/bindings/{vhost}/e/{exchange}/q/{queue}/{props}", entrant, (*API).unbind},
	{http.MethodGet, "/api/bindings/{vhost}/e/{exchange}/e/{destination}", visible, listBindings(between)},
	{http.MethodPost, "/api/bindings/{vhost}/e/{exchange}/e/{destination}", entrant, (*API).bind},
	{http.MethodGet, "/api/bindings/{vhost}/e/{exchange}/e/{destination}/{props}", visible, (*API).showBinding},
	{http.MethodDelete, "/api/bindings/{vhost}/e/{exchange}/e/{destination}/{props}", entrant, (*API).unbind},
	{http.MethodGet, "/api/queues/{vhost}/{queue}/bindings", visible, listBindings(toQueue)},
	{http.MethodGet, "/api/exchanges/{vhost}/{exchange}/bindings/source", visible, listBindings(fromExchange)},
	{http.MethodGet, "/api/exchanges/{vhost}/{exchange}/bindings/destination", visible, listBindings(toExchange)},
}

// bindingItem is a binding as it is listed.
type bindingItem struct {
	vhost string
	vhost.Binding
}

// bindingShape is a binding.
var bindingShape = shape[bindingItem]{
	{"source", func(i bindingItem) any { return i.Source }},
	{"vhost", func(i bindingItem) any { return i.vhost }},
	{"destination", func(i bindingItem) any { return i.Destination }},
	{"destination_type", func(i bindingItem) any {
		if i.ToExchange {
			return "exchange"
		}
		return "queue"
	}},
	{"routing_key", func(i bindingItem) any { return i.Key }},
	{"arguments", func(i bindingItem) any { return definitions.TableObject(i.Arguments) }},
	{"properties_key", func(i bindingItem) any { return propertiesKey(i.Key, i.Arguments) }},
}

// compare orders bindings as RabbitMQ lists those of a vhost.
func (i bindingItem) compare(o bindingItem) int {
	if c := cmp.Or(cmp.Compare(i.Source, o.Source), cmp.Compare(i.Destination, o.Destination), cmp.Compare(i.Key, o.Key)); c != 0 {
		return c
	}
	return cmp.Compare(propertiesKey(i.Key, i.Arguments), propertiesKey(o.Key, o.Arguments))
}

// bindingFilter says which bindings a path means.
type bindingFilter func(r *request, b *vhost.Binding) bool

func anyBinding(*request, *vhost.Binding) bool { return true }

func toQueue(r *request, b *vhost.Binding) bool {
	return !b.ToExchange && b.Destination == r.names["queue"]
}

func fromExchange(r *request, b *vhost.Binding) bool {
	return b.Source == exchangeName(r.names["exchange"])
}

func toExchange(r *request, b *vhost.Binding) bool {
	return b.ToExchange && b.Destination == exchangeName(r.names["exchange"])
}

// between is for the paths that name both ends.
func between(r *request, b *vhost.Binding) bool {
	ends := bindingOf(r)
	return b.Source == ends.Source && b.Destination == ends.Destination && b.ToExchange == ends.ToExchange
}

// bindingOf are the ends of a binding that a path names.
func bindingOf(r *request) vhost.Binding {
	b := vhost.Binding{Source: exchangeName(r.names["exchange"])}
	if queue, ok := r.names["queue"]; ok {
		b.Destination = queue
	} else {
		b.Destination, b.ToExchange = exchangeName(r.names["destination"]), true
	}
	return b
}

// listBindings lists the bindings that a filter lets through. There need not be what
// the path names: then the list is empty, as in RabbitMQ.
func listBindings(filter bindingFilter) func(*API, http.ResponseWriter, *request) error {
	return func(a *API, w http.ResponseWriter, r *request) error {
		var items []bindingItem
		for _, v := range a.visibleVHosts(r) {
			from := len(items)
			for _, b := range v.Bindings() {
				if filter(r, &b) {
					items = append(items, bindingItem{v.Name(), b})
				}
			}
			slices.SortFunc(items[from:], bindingItem.compare)
		}
		return respondList(w, r, items, bindingShape, func(i bindingItem) string { return i.Source })
	}
}

// findBinding finds the binding that a path names.
func (a *API) findBinding(r *request) (bindingItem, error) {
	wanted := parsePropertiesKey(r.names["props"])
	for _, b := range r.vhost.Bindings() {
		if between(r, &b) && wanted.fits(b.Key, b.Arguments) {
			return bindingItem{r.vhost.Name(), b}, nil
		}
	}
	return bindingItem{}, errNotFound
}

// showBinding shows one binding.
func (a *API) showBinding(w http.ResponseWriter, r *request) error {
	item, err := a.findBinding(r)
	if err != nil {
		return err
	}
	return respondOne(w, r, item, bindingShape)
}

// bind makes a binding, or finds it there, and says where it is now: relative to the
// path without its last segment, and as a segment.
func (a *API) bind(w http.ResponseWriter, r *request) error {
	m, err := r.members()
	if err != nil {
		return err
	}
	b := bindingOf(r)
	if b.Key, err = m.text("routing_key"); err != nil {
		return err
	}
	if err := checkLength("routing_key", b.Key); err != nil {
		return err
	}
	if b.Arguments, err = m.table("arguments"); err != nil {
		return err
	}
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	if err := actor.Bind(b); err != nil {
		return err
	}
	w.Header().Set("Location", url.QueryEscape(b.Destination)+"/"+url.QueryEscape(propertiesKey(b.Key, b.Arguments)))
	w.WriteHeader(http.StatusCreated)
	return nil
}

// unbind removes a binding.
func (a *API) unbind(w http.ResponseWriter, r *request) error {
	item, err := a.findBinding(r)
	if err != nil {
		return err
	}
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	if err := actor.Unbind(item.Binding); err != nil {
		return err
	}
	return done(w)
}
