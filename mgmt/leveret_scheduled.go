package mgmt

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/leveretmq/leveret/vhost/queue"
)

var scheduledEndpoints = []endpoint{
	{http.MethodGet, "/api/leveret/exchanges/{vhost}/{exchange}/scheduled", entrant, (*API).listScheduled},
	{http.MethodDelete, "/api/leveret/exchanges/{vhost}/{exchange}/scheduled/{id}", entrant, (*API).cancelScheduled},
}

// listScheduled lists what an exchange delays, by the time at which it is due.
func (a *API) listScheduled(w http.ResponseWriter, r *request) error {
	if _, err := r.queryOf("offset", "limit", "truncate"); err != nil {
		return err
	}
	offset, err := r.integer("offset", 0, 0, 1<<30)
	if err != nil {
		return err
	}
	limit, err := r.integer("limit", browseDefault, 1, browseMost)
	if err != nil {
		return err
	}
	truncate, err := r.integer("truncate", browseTruncate, 0, browseBytesMost)
	if err != nil {
		return err
	}
	name := r.names["exchange"]
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	if err := actor.MayReadExchange(name); err != nil {
		return err
	}
	list, total, err := r.vhost.Scheduled(name, offset, limit)
	if err != nil {
		return err
	}
	messages := make([]object, len(list))
	left := browseBytesMost
	for i := range list {
		if messages[i], err = showHeld(&list[i], min(truncate, left)); err != nil {
			return err
		}
		left -= min(truncate, left, len(list[i].Message.Body))
	}
	return respond(w, http.StatusOK, object{{"total", total}, {"messages", messages}})
}

func showHeld(h *queue.Held, truncate int) (object, error) {
	o, err := showMessage(h.Message, truncate, false)
	if err != nil {
		return nil, err
	}
	return slices.Insert(o, 0, member{"id", h.Number}, member{"due", timeOrAbsent(h.Due)}), nil
}

// cancelScheduled drops a message that an exchange delays.
func (a *API) cancelScheduled(w http.ResponseWriter, r *request) error {
	id, err := strconv.ParseUint(r.names["id"], 10, 64)
	if err != nil {
		return badRequest("%q is no id of a message", r.names["id"])
	}
	name := r.names["exchange"]
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	if err := actor.MayReadExchange(name); err != nil {
		return err
	}
	if err := actor.MayWriteExchange(name); err != nil {
		return err
	}
	found, err := r.vhost.CancelScheduled(name, id)
	switch {
	case err != nil:
		return err
	case !found:
		return errNotFound
	}
	return done(w)
}
