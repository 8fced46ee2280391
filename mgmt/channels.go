package mgmt

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
)

var channelEndpoints = []endpoint{
	{http.MethodGet, "/api/channels", anyUser, (*API).listChannels},
	{http.MethodGet, "/api/channels/{channel}", anyUser, (*API).showChannel},
	{http.MethodGet, "/api/vhosts/{vhost}/channels", visible, (*API).listChannels},
}

// channelItem is a channel as it is listed.
type channelItem struct {
	api     *API
	request *request
	server.ChannelInfo
}

func (i channelItem) name() string { return channelName(i.Connection.Name, i.Number) }

// channelName is what a channel is called.
func channelName(connection string, number uint16) string {
	return fmt.Sprintf("%s (%d)", connection, number)
}

// channelShape is a channel in a list.
var channelShape = shape[channelItem]{
	{"acks_uncommitted", func(i channelItem) any { return i.AcksUncommitted }},
	{"client_flow_blocked", func(channelItem) any { return false }},
	{"confirm", func(i channelItem) any { return i.Confirm }},
	{"connection_details", func(i channelItem) any { return connectionDetails(i.Connection) }},
	{"consumer_count", func(i channelItem) any { return i.Consumers }},
	{"garbage_collection", func(channelItem) any { return noGarbage }},
	{"global_prefetch_count", func(i channelItem) any { return i.GlobalPrefetch }},
	{"idle_since", func(i channelItem) any { return moment(i.IdleSince) }},
	{"message_stats", channelItem.messageStats},
	{"messages_unacknowledged", func(i channelItem) any { return i.Unacked }},
	{"messages_uncommitted", func(i channelItem) any { return i.Uncommitted }},
	{"messages_unconfirmed", func(i channelItem) any { return i.Unconfirmed }},
	{"name", func(i channelItem) any { return i.name() }},
	{"node", func(i channelItem) any { return i.api.opts.NodeName }},
	{"number", func(i channelItem) any { return i.Number }},
	{"pending_raft_commands", func(channelItem) any { return 0 }},
	{"prefetch_count", func(i channelItem) any { return i.Prefetch }},
	{"reductions", func(channelItem) any { return 0 }},
	{"reductions_details", func(i channelItem) any { return i.seen().details("reductions") }},
	{"state", func(i channelItem) any { return i.State }},
	{"transactional", func(i channelItem) any { return i.Transactional }},
	{"user", func(i channelItem) any { return i.Connection.User }},
	{"user_who_performed_action", func(i channelItem) any { return i.Connection.User }},
	{"vhost", func(i channelItem) any { return i.Connection.VHost }},
}

// oneChannelShape is a channel that was asked for by name.
var oneChannelShape = slices.Concat(channelShape, shape[channelItem]{
	{"consumer_details", channelItem.consumerDetails},
	{"deliveries", func(channelItem) any { return []any{} }},
	{"publishes", func(channelItem) any { return []any{} }},
})

// moment is a time as RabbitMQ writes it; absent if there is none.
func moment(t time.Time) any {
	if t.IsZero() {
		return absent
	}
	return t.UTC().Format("2006-01-02T15:04:05.000-07:00")
}

func (i channelItem) seen() observed {
	return i.api.observeChannel(i.request, i.Connection.ID, i.Number)
}

func (i channelItem) messageStats() any {
	return messageStats(i.Messages, i.seen(), channelMessageNames...)
}

// consumerDetails are the consumers of the channel, which are looked for in all queues
// of the vhost.
func (i channelItem) consumerDetails() any {
	list := []object{}
	v, err := i.api.vhosts.VHost(i.Connection.VHost)
	if err != nil {
		return list
	}
	for _, q := range v.Queues() {
		for _, c := range q.Consumers() {
			if c.Key.Connection == i.Connection.ID && c.Key.Channel == i.Number {
				item := &queueItem{api: i.api, request: i.request, vhost: v.Name(), queue: q}
				list = append(list, consumerShape.object(i.api.consumer(item, c)))
			}
		}
	}
	return list
}

// channels are those of open connections, in the vhost of the path if there is one,
// that a filter lets through.
func (a *API) channels(r *request, filter func(*server.ChannelInfo) bool) (items []channelItem) {
	only := scope(r.vhost, r)
	for _, c := range a.broker.ChannelInfos() {
		if (only == "" || c.Connection.VHost == only) && filter(&c) {
			items = append(items, channelItem{a, r, c})
		}
	}
	return items
}

func respondChannels(w http.ResponseWriter, r *request, items []channelItem) error {
	return respondList(w, r, items, channelShape, channelItem.name)
}

// listChannels lists the channels that the user sees.
func (a *API) listChannels(w http.ResponseWriter, r *request) error {
	return respondChannels(w, r, a.channels(r, func(c *server.ChannelInfo) bool { return r.owns(c.Connection.User) }))
}

// listChannelsOf lists the channels of the connection in the path.
func (a *API) listChannelsOf(w http.ResponseWriter, r *request) error {
	item, err := a.findConnection(r)
	if err != nil {
		return err
	}
	return respondChannels(w, r, a.channels(r, func(c *server.ChannelInfo) bool { return c.Connection.ID == item.ID }))
}

// showChannel shows one channel, with its consumers.
func (a *API) showChannel(w http.ResponseWriter, r *request) error {
	found := a.channels(r, func(c *server.ChannelInfo) bool {
		return channelName(c.Connection.Name, c.Number) == r.names["channel"]
	})
	switch {
	case len(found) == 0:
		return errNotFound
	case !r.owns(found[0].Connection.User):
		return errNotYours
	}
	return respondOne(w, r, found[0], oneChannelShape)
}
