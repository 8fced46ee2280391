package mgmt

import (
	"net/http"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/mgmt/definitions"
	"github.com/leveretmq/leveret/vhost/queue"
)

var consumerEndpoints = []endpoint{
	{http.MethodGet, "/api/consumers", anyUser, (*API).listConsumers},
	{http.MethodGet, "/api/consumers/{vhost}", visible, (*API).listConsumers},
}

// consumerItem is a consumer as it is listed.
type consumerItem struct {
	api        *API
	queue      *queueItem
	consumer   *queue.Consumer
	connection server.ConnectionRef // empty if it has just gone
}

// consumer is a consumer of a queue with whose it is.
func (a *API) consumer(of *queueItem, c *queue.Consumer) consumerItem {
	ref, _ := a.broker.ConnectionRef(c.Key.Connection)
	return consumerItem{a, of, c, ref}
}

// consumerShape is a consumer.
var consumerShape = shape[consumerItem]{
	{"arguments", func(i consumerItem) any { return definitions.TableObject(i.consumer.Arguments) }},
	{"ack_required", func(i consumerItem) any { return !i.consumer.NoAck }},
	{"active", func(i consumerItem) any { return i.consumer.Active() }},
	{"activity_status", consumerItem.activity},
	{"channel_details", consumerItem.channel},
	{"consumer_tag", func(i consumerItem) any { return i.consumer.Key.Tag }},
	{"consumer_timeout", consumerItem.timeout},
	{"exclusive", func(i consumerItem) any { return i.consumer.Exclusive }},
	{"prefetch_count", func(i consumerItem) any { return i.consumer.Prefetch }},
	{"queue", func(i consumerItem) any {
		return object{{"name", i.queue.queue.Name()}, {"vhost", i.queue.vhost}}
	}},
}

func (i consumerItem) activity() any {
	switch {
	case !i.queue.queue.Limits().SingleActive:
		return "up"
	case i.consumer.Active():
		return "single_active"
	}
	return "waiting"
}

// channel is empty for a consumer whose connection has just gone; RabbitMQ has a list
// there then, and so here.
func (i consumerItem) channel() any {
	c := i.connection
	if c.Name == "" {
		return []any{}
	}
	return object{
		{"connection_name", c.Name}, {"name", channelName(c.Name, i.consumer.Key.Channel)},
		{"node", i.api.opts.NodeName}, {"number", i.consumer.Key.Channel},
		{"peer_host", hostOf(c.Client)}, {"peer_port", portOf(c.Client)}, {"user", c.User},
	}
}

// timeout is how long it may leave a delivery unacked, in milliseconds; 0: for ever. It is
// always a number, because there are clients that read nothing else.
func (i consumerItem) timeout() any {
	after := i.consumer.Timeout
	if !i.consumer.HasTimeout {
		after = i.queue.queue.Limits().ConsumerTimeout
	}
	return int64(after / time.Millisecond)
}

// listConsumers lists the consumers that the user sees: of the vhosts that they see,
// their own or, for a monitor, all.
func (a *API) listConsumers(w http.ResponseWriter, r *request) error {
	var items []consumerItem
	for _, v := range a.visibleVHosts(r) {
		for _, q := range v.Queues() {
			of := &queueItem{api: a, request: r, vhost: v.Name(), queue: q}
			for _, c := range q.Consumers() {
				if item := a.consumer(of, c); r.owns(item.connection.User) {
					items = append(items, item)
				}
			}
		}
	}
	return respondList(w, r, items, consumerShape, func(i consumerItem) string { return i.consumer.Key.Tag })
}
