package mgmt

import (
	"context"
	"net/http"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/vhost"
)

var redriveEndpoints = []endpoint{
	{http.MethodPost, "/api/leveret/queues/{vhost}/{queue}/redrive", entrant, (*API).startRedrive},
	{http.MethodGet, "/api/leveret/redrives", anyUser, (*API).listRedrives},
	{http.MethodDelete, "/api/leveret/redrives/{id}", anyUser, (*API).cancelRedrive},
	{http.MethodGet, "/api/leveret/redrives/{id}", anyUser, (*API).showRedrive},
}

// redriveBody is the body of a redrive.
type redriveBody struct {
	Filter   *filterBody `json:"filter"`
	Limit    *int        `json:"limit"`
	DryRun   bool        `json:"dry_run"`
	Rate     float64     `json:"rate"`
	Death    string      `json:"death"`
	By       string      `json:"by"`
	Fallback *targetBody `json:"fallback"`
	Forget   bool        `json:"forget_deaths"`
}

// maxRate is the highest rate, in messages a second.
const maxRate = 1e6

// redrive is what it says, of the queue in the path.
func (b *redriveBody) redrive(r *request, actor *server.Actor) (out vhost.Redrive, err error) {
	sel := selectionBody{Filter: b.Filter, Limit: b.Limit, DryRun: b.DryRun}
	if out.Selection, err = sel.selection(r, actor); err != nil {
		return out, err
	}
	out.Rate, out.Forget = b.Rate, b.Forget
	if b.Rate < 0 || b.Rate > maxRate {
		return out, badRequest("rate: %v is not between 0 and %v", b.Rate, maxRate)
	}
	switch b.Death {
	case "", "first":
	case "last":
		out.Latest = true
	default:
		return out, badRequest("death: %q is neither first nor last", b.Death)
	}
	switch b.By {
	case "", "queue":
		err = actor.MayWriteExchange("")
	case "exchange":
		out.ByExchange = true
	default:
		err = badRequest("by: %q is neither queue nor exchange", b.By)
	}
	if err != nil || b.Fallback == nil {
		return out, err
	}
	to, err := b.Fallback.target("fallback", actor)
	out.Fallback = &to
	return out, err
}

// startRedrive starts a job, and answers with it.
func (a *API) startRedrive(w http.ResponseWriter, r *request) error {
	var b redriveBody
	if err := r.strictly(&b); err != nil {
		return err
	}
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	spec, err := b.redrive(r, actor)
	if err != nil {
		return err
	}
	q, err := r.vhost.Queue(spec.Queue, 0)
	if err != nil {
		return err
	}
	s := q.Stats()
	v := r.vhost
	j, err := a.redrives.start(redriveJob{vhost: v.Name(), queue: spec.Queue, user: r.user.Name, rate: spec.Rate,
		dryRun: spec.DryRun, total: s.Ready + s.Held},
		func(ctx context.Context, progress func(*vhost.Redriven)) error { return v.Redrive(ctx, spec, progress) })
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/leveret/redrives/"+j.id)
	return respond(w, http.StatusAccepted, j.show())
}

// listRedrives lists the jobs of the vhosts that the user may see, the latest first.
func (a *API) listRedrives(w http.ResponseWriter, r *request) error {
	visible := map[string]bool{}
	for _, v := range a.visibleVHosts(r) {
		visible[v.Name()] = true
	}
	out := []object{}
	for _, j := range a.redrives.list() {
		if visible[j.vhost] {
			out = append(out, j.show())
		}
	}
	return respond(w, http.StatusOK, out)
}

// findRedrive is the job in the path, if the user may see its vhost, or to act may enter
// it, as who has started it may.
func (a *API) findRedrive(r *request, act bool) (redriveJob, error) {
	j, ok := a.redrives.find(r.names["id"])
	if !ok || !a.mayEnter(r, j.vhost) && !r.isMonitor() {
		return j, errNotFound
	}
	if act && j.user != r.user.Name && !r.is("administrator") {
		return j, notAuthorised("Only who has started it, or an administrator, can cancel it")
	}
	return j, nil
}

func (a *API) showRedrive(w http.ResponseWriter, r *request) error {
	j, err := a.findRedrive(r, false)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, j.show())
}

// cancelRedrive cancels a job that runs, and forgets one that has ended.
func (a *API) cancelRedrive(w http.ResponseWriter, r *request) error {
	j, err := a.findRedrive(r, true)
	if err != nil {
		return err
	}
	a.redrives.end(j.id)
	return done(w)
}
