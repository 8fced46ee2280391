package mgmt

import (
	"net/http"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/vhost"
)

var queueEndpoints = []endpoint{
	{http.MethodGet, "/api/queues", anyUser, (*API).listQueues},
	{http.MethodGet, "/api/queues/detailed", anyUser, (*API).listQueues},
	{http.MethodGet, "/api/queues/{vhost}", visible, (*API).listQueues},
	{http.MethodGet, "/api/queues/{vhost}/{queue}", visible, (*API).showQueue},
	{http.MethodPut, "/api/queues/{vhost}/{queue}", entrant, (*API).putQueue},
	{http.MethodDelete, "/api/queues/{vhost}/{queue}", entrant, (*API).deleteQueue},
	{http.MethodDelete, "/api/queues/{vhost}/{queue}/contents", entrant, (*API).purgeQueue},
	{http.MethodPost, "/api/queues/{vhost}/{queue}/actions", administrator, (*API).actOnQueue},
}

// actor does in the vhost of a request what its user may do there.
func (a *API) actor(r *request) (*server.Actor, error) {
	actor, err := a.broker.As(r.user, r.vhost)
	if err != nil { // rights were taken away since the gate looked
		return nil, notAuthorised("User not authorised to access virtual host")
	}
	return actor, nil
}

// listQueues lists the queues of all vhosts that the user sees, or of one.
func (a *API) listQueues(w http.ResponseWriter, r *request) error {
	var items []*queueItem
	for _, v := range a.visibleVHosts(r) {
		queues := v.Queues()
		made := make([]queueItem, len(queues))
		for i, q := range queues {
			made[i] = queueItem{api: a, request: r, vhost: v.Name(), queue: q}
			items = append(items, &made[i])
		}
	}
	return respondList(w, r, items, queueShapeFor(r), func(i *queueItem) string { return i.queue.Name() })
}

// queueOf finds the queue in the path.
func (a *API) queueOf(r *request) (*queueItem, error) {
	q := r.vhost.QueueNamed(r.names["queue"])
	if q == nil {
		return nil, errNotFound
	}
	return &queueItem{api: a, request: r, vhost: r.vhost.Name(), queue: q}, nil
}

// showQueue shows one queue, with its consumers.
func (a *API) showQueue(w http.ResponseWriter, r *request) error {
	item, err := a.queueOf(r)
	if err != nil {
		return err
	}
	return respondOne(w, r, item, oneQueueShape)
}

// putQueue declares a queue. What the body has besides is ignored, as by RabbitMQ:
// a queue that is exclusive, for one, would have no connection to belong to.
func (a *API) putQueue(w http.ResponseWriter, r *request) error {
	name := r.names["queue"]
	if err := checkName("queue", name); err != nil {
		return err
	}
	m, err := r.members()
	if err != nil {
		return err
	}
	d := vhost.QueueDeclare{Name: name}
	if d.Durable, err = m.flag("durable"); err != nil {
		return err
	}
	if d.AutoDelete, err = m.flag("auto_delete"); err != nil {
		return err
	}
	if d.Arguments, err = m.table("arguments"); err != nil {
		return err
	}
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	isNew := r.vhost.QueueNamed(vhost.CleanName(name)) == nil
	if _, err := actor.DeclareQueue(d); err != nil {
		return err
	}
	return created(w, isNew)
}

// deleteQueue deletes a queue, with if-unused=true or if-empty=true only if it is.
func (a *API) deleteQueue(w http.ResponseWriter, r *request) error {
	if _, err := a.queueOf(r); err != nil {
		return err
	}
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if _, err := actor.DeleteQueue(r.names["queue"], q.Get("if-unused") == "true", q.Get("if-empty") == "true"); err != nil {
		return err
	}
	return done(w)
}

// purgeQueue drops what is ready in a queue.
func (a *API) purgeQueue(w http.ResponseWriter, r *request) error {
	if _, err := a.queueOf(r); err != nil {
		return err
	}
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	if _, err := actor.PurgeQueue(r.names["queue"]); err != nil {
		return err
	}
	return done(w)
}

// actOnQueue does what can be done to a queue by name: to bring mirrors up to date, or
// to stop that. There are none here, so all is done already, as in RabbitMQ for a
// queue without mirrors.
func (a *API) actOnQueue(w http.ResponseWriter, r *request) error {
	if _, err := a.queueOf(r); err != nil {
		return err
	}
	m, err := r.members()
	if err != nil {
		return err
	}
	if err := m.need("action"); err != nil {
		return err
	}
	switch action := m.value("action"); action {
	case "sync", "cancel_sync":
		return done(w)
	default:
		return wrong("unknown", action)
	}
}
