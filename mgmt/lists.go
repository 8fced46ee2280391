package mgmt

import (
	"net/http"
	"slices"

	"github.com/leveretmq/leveret/vhost"
)

// respondWhole is respondList for lists that RabbitMQ does not cut into pages,
// whatever the query says: those of what is configured.
func respondWhole[T any](w http.ResponseWriter, r *request, items []T, s shape[T]) error {
	q := r.URL.Query()
	if err := sortAsAsked(items, s, q); err != nil {
		return err
	}
	return respond(w, http.StatusOK, render(items, s, columns(q.Get("columns"))))
}

// ownVHosts are those that the user may log in to, whatever else they may see, and for
// administrators all. The path's is the only one if there is one.
func (a *API) ownVHosts(r *request) []*vhost.VHost {
	if r.vhost != nil {
		return []*vhost.VHost{r.vhost}
	}
	return slices.DeleteFunc(a.vhosts.VHosts(), func(v *vhost.VHost) bool { return !a.owns(r, v) })
}

func (a *API) owns(r *request, v *vhost.VHost) bool {
	return r.is("administrator") || a.mayEnter(r, v.Name())
}
