package mgmt

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/vhost"
)

var clusterEndpoints = []endpoint{
	{http.MethodGet, "/api/cluster-name", anyUser, (*API).showClusterName},
	{http.MethodPut, "/api/cluster-name", administrator, (*API).setClusterName},
	{http.MethodGet, "/api/extensions", anyUser, (*API).listExtensions},
	{http.MethodGet, "/api/aliveness-test/{vhost}", entrant, (*API).testAliveness},
	{http.MethodGet, "/api/config/effective", administrator, (*API).showConfig},
	{http.MethodDelete, "/api/reset", administrator, (*API).nothingToDo},
	{http.MethodDelete, "/api/reset/{node}", administrator, (*API).nothingToDo},
	{http.MethodPost, "/api/rebalance/queues", administrator, (*API).nothingToDo},
}

// clusterName is what the broker calls itself.
func (a *API) clusterName() string { return cmp.Or(a.vhosts.ClusterName(), a.opts.ClusterName) }

var clusterNameShape = shape[string]{{"name", func(name string) any { return name }}}

func (a *API) showClusterName(w http.ResponseWriter, r *request) error {
	return respondOne(w, r, a.clusterName(), clusterNameShape)
}

// setClusterName names the broker, by a global parameter.
func (a *API) setClusterName(w http.ResponseWriter, r *request) error {
	name, err := r.textMember("name")
	if err != nil {
		return err
	}
	value, _ := json.Marshal(name) // a string
	if err := a.vhosts.SetGlobalParameter("cluster_name", value); err != nil {
		return err
	}
	return done(w)
}

// listExtensions lists the parts of the web UI that plugins bring: none.
func (a *API) listExtensions(w http.ResponseWriter, _ *request) error {
	return respond(w, http.StatusOK, []object{})
}

// alivenessQueue is the queue of testAliveness, with RabbitMQ's name. It stays.
const alivenessQueue = "aliveness-test"

// testAliveness sends a message through a queue and takes it out again, with the rights
// of who asks.
func (a *API) testAliveness(w http.ResponseWriter, r *request) error {
	actor, err := a.actor(r)
	if err != nil {
		return err
	}
	if _, err := actor.DeclareQueue(vhost.QueueDeclare{Name: alivenessQueue}); err != nil {
		return err
	}
	if _, err := actor.Publish(r.Context(), server.Publishing{Key: alivenessQueue, Body: []byte("test_message")}); err != nil {
		return err
	}
	got, err := actor.Get(alivenessQueue, 1, server.GetAck)
	switch {
	case err != nil:
		return err
	case len(got) == 0: // somebody else has taken it
		return unhealthy(w, "the message that was sent through the queue aliveness-test was not there")
	}
	return healthy(w)
}

// showConfig shows what the broker was started with.
func (a *API) showConfig(w http.ResponseWriter, _ *request) error {
	if a.opts.Effective == nil {
		return respond(w, http.StatusOK, object{})
	}
	return respond(w, http.StatusOK, a.opts.Effective)
}

// nothingToDo is for what RabbitMQ does to its database of statistics, and to spread
// queues over nodes.
func (a *API) nothingToDo(w http.ResponseWriter, r *request) error {
	if err := a.checkNode(r); err != nil {
		return err
	}
	return done(w)
}

// checkNode returns 404 if the path names a node that is not this one.
func (a *API) checkNode(r *request) error {
	if name, ok := r.names["node"]; ok && name != a.opts.NodeName {
		return errNotFound
	}
	return nil
}
