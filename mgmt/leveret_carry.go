package mgmt

import (
	"context"
	"net/http"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/vhost"
)

var carryEndpoints = []endpoint{
	{http.MethodPost, "/api/leveret/queues/{vhost}/{queue}/messages/copy", entrant, carrying("copied", (*vhost.VHost).CopyMessages)},
	{http.MethodPost, "/api/leveret/queues/{vhost}/{queue}/messages/delete", entrant, (*API).deleteMessages},
	{http.MethodPost, "/api/leveret/queues/{vhost}/{queue}/messages/move", entrant, carrying("moved", (*vhost.VHost).MoveMessages)},
}

// targetBody is where messages are to go.
type targetBody struct {
	Queue      *string `json:"queue"`
	Exchange   *string `json:"exchange"`
	RoutingKey *string `json:"routing_key"`
}

// target is what it says, if the user may publish there.
func (b *targetBody) target(member string, actor *server.Actor) (t vhost.Target, err error) {
	switch {
	case b == nil, (b.Queue == nil) == (b.Exchange == nil):
		return t, badRequest("%s should have either a queue or an exchange", member)
	case b.Queue != nil && b.RoutingKey != nil:
		return t, badRequest("%s: a routing key is for an exchange", member)
	case b.Queue != nil:
		return vhost.Target{ToQueue: true, Queue: *b.Queue}, actor.MayWriteExchange("")
	}
	t.Exchange = exchangeName(*b.Exchange)
	if b.RoutingKey != nil {
		t.Key, t.HasKey = *b.RoutingKey, true
		if err := checkLength(member+".routing_key", t.Key); err != nil {
			return t, err
		}
	}
	return t, actor.MayWriteExchange(t.Exchange)
}

// selectionBody is which messages are meant.
type selectionBody struct {
	Filter *filterBody `json:"filter"`
	IDs    []uint64    `json:"ids"`
	All    bool        `json:"all"`
	Limit  *int        `json:"limit"`
	DryRun bool        `json:"dry_run"`
}

// selection is what it says, of the queue in the path.
func (b *selectionBody) selection(r *request, actor *server.Actor) (s vhost.Selection, err error) {
	s = vhost.Selection{Queue: r.names["queue"], DryRun: b.DryRun, Permit: actor.MayPublish}
	if b.Filter != nil {
		if s.Filter, err = b.Filter.filter(); err != nil {
			return s, err
		}
	}
	if b.IDs != nil {
		s.Filter.IDs = make(map[uint64]struct{}, len(b.IDs))
		for _, id := range b.IDs {
			s.Filter.IDs[id] = struct{}{}
		}
	}
	if b.Limit != nil {
		if s.Limit = *b.Limit; s.Limit < 1 {
			return s, badRequest("limit: %d is less than 1", s.Limit)
		}
	}
	return s, actor.MayReadQueue(s.Queue)
}

// carryBody is the body of a move, a copy or a delete.
type carryBody struct {
	selectionBody
	To *targetBody `json:"to"`
}

// readCarry reads the body, and checks what may be checked.
func (a *API) readCarry(r *request, hasTarget bool) (s vhost.Selection, to vhost.Target, err error) {
	var b carryBody
	if err := r.strictly(&b); err != nil {
		return s, to, err
	}
	if b.Filter == nil && b.IDs == nil && !b.All {
		return s, to, badRequest("which messages are meant? say it by filter, by ids or by all")
	}
	actor, err := a.actor(r)
	if err != nil {
		return s, to, err
	}
	if s, err = b.selection(r, actor); err != nil {
		return s, to, err
	}
	if hasTarget {
		to, err = b.To.target("to", actor)
	} else if b.To != nil {
		err = badRequest("to: what is deleted goes nowhere")
	}
	return s, to, err
}

// carryFunc is MoveMessages or CopyMessages.
type carryFunc func(*vhost.VHost, context.Context, vhost.Selection, vhost.Target) (vhost.Carried, error)

// carrying is a move or a copy.
func carrying(word string, do carryFunc) func(*API, http.ResponseWriter, *request) error {
	return func(a *API, w http.ResponseWriter, r *request) error {
		s, to, err := a.readCarry(r, true)
		if err != nil {
			return err
		}
		c, err := do(r.vhost, r.Context(), s, to)
		if err != nil && r.Context().Err() == nil {
			return err
		}
		patiently(w)
		return respond(w, http.StatusOK, shownCarried(word, c))
	}
}

func (a *API) deleteMessages(w http.ResponseWriter, r *request) error {
	s, _, err := a.readCarry(r, false)
	if err != nil {
		return err
	}
	c, err := r.vhost.DeleteMessages(r.Context(), s)
	if err != nil && r.Context().Err() == nil {
		return err
	}
	patiently(w)
	return respond(w, http.StatusOK, shownCarried("deleted", c))
}

// shownCarried is what became of messages, with a word for those that it was done with.
func shownCarried(word string, c vhost.Carried) object {
	return object{
		{"matched", c.Matched}, {word, c.Done}, {"unroutable", c.Unroutable}, {"refused", c.Refused},
		{"duplicates", c.Duplicates}, {"forbidden", c.Forbidden}, {"gone", c.Gone}, {"scanned", c.Scanned},
	}
}
