package mgmt

import (
	"net/url"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	rabbithole "github.com/michaelklishin/rabbit-hole/v3"
)

// Another's client declares, lists, binds, purges and deletes.
func TestRabbitHoleQueuesExchangesAndBindings(t *testing.T) {
	c := hole(t)
	did(t, "queue", 201)(c.DeclareQueue("/", "a queue", rabbithole.QueueSettings{Durable: true, Type: "quorum"}))
	did(t, "queue again", 204)(c.DeclareQueue("/", "a queue", rabbithole.QueueSettings{Durable: true, Type: "quorum"}))
	_, err := c.DeclareQueue("/", "a queue", rabbithole.QueueSettings{Durable: true, AutoDelete: true, Type: "quorum"})
	if want := (rabbithole.ErrorResponse{StatusCode: 400, Message: "bad_request",
		Reason: "inequivalent arg 'auto_delete' for queue 'a queue' in vhost '/': received 'true' but current is 'false'"}); err != want {
		t.Errorf("another queue of that name: %v", err)
	}
	q, err := c.GetQueue("/", "a queue")
	if err != nil || q.Name != "a queue" || q.Vhost != "/" || !q.Durable || q.Type != "quorum" || q.Leader != "leveret@test" || len(q.Members) != 1 || q.Arguments["x-queue-type"] != "quorum" {
		t.Errorf("queue %+v, %v", q, err)
	}
	if list, err := c.ListQueues(); err != nil || len(list) != 1 || list[0].Status != "running" || list[0].Node != "leveret@test" {
		t.Errorf("queues %+v, %v", list, err)
	}
	params := url.Values{"page": {"1"}, "page_size": {"10"}, "name": {"queue"}, "lengths_age": {"60"}, "lengths_incr": {"30"}}
	if page, err := c.PagedListQueuesWithParametersIn("/", params); err != nil || page.TotalCount != 1 || page.Items[0].MessagesDetails == nil || len(page.Items[0].MessagesDetails.Samples) == 0 {
		t.Errorf("a page of queues %+v, %v", page, err)
	}
	did(t, "exchange", 201)(c.DeclareExchange("/", "an exchange", rabbithole.ExchangeSettings{Type: "fanout", Durable: true, Arguments: map[string]any{"alternate-exchange": "ae"}}))
	if x, err := c.GetExchange("/", "an exchange"); err != nil || x.Type != "fanout" || !x.Durable || x.Arguments["alternate-exchange"] != "ae" {
		t.Errorf("exchange %+v, %v", x, err)
	}
	if list, err := c.ListExchangesIn("/"); err != nil || len(list) < 7 {
		t.Errorf("exchanges %+v, %v", list, err)
	}
	toQueue := rabbithole.BindingInfo{Source: "an exchange", Vhost: "/", Destination: "a queue", DestinationType: "queue", RoutingKey: "#", Arguments: map[string]any{"one": "two"}}
	toExchange := rabbithole.BindingInfo{Source: "an exchange", Vhost: "/", Destination: "amq.topic", DestinationType: "exchange", RoutingKey: "#", Arguments: map[string]any{}}
	did(t, "binding", 201)(c.DeclareBinding("/", toQueue))
	did(t, "binding", 201)(c.DeclareBinding("/", toExchange))
	toExchange.PropertiesKey = "%23"
	got(t, "between exchanges", []rabbithole.BindingInfo{toExchange})(c.ListExchangeBindingsBetween("/", "an exchange", "amq.topic"))
	got(t, "to the exchange", []rabbithole.BindingInfo{toExchange})(c.ListExchangeBindingsWithDestination("/", "amq.topic"))
	between, err := c.ListQueueBindingsBetween("/", "an exchange", "a queue")
	if err != nil || len(between) != 1 {
		t.Fatalf("between exchange and queue: %+v, %v", between, err)
	}
	toQueue.PropertiesKey = between[0].PropertiesKey
	got(t, "between exchange and queue", toQueue)(between[0], nil)
	if list, err := c.ListQueueBindings("/", "a queue"); err != nil || len(list) != 2 {
		t.Errorf("of the queue: %+v, %v", list, err)
	}
	did(t, "unbind", 204)(c.DeleteBinding("/", toQueue))
	did(t, "unbind", 204)(c.DeleteBinding("/", toExchange))
	if list, err := c.ListBindingsIn("/"); err != nil || len(list) != 1 {
		t.Errorf("what is left: %+v, %v", list, err)
	}
	did(t, "purge", 204)(c.PurgeQueue("/", "a queue"))
	did(t, "delete", 204)(c.DeleteQueue("/", "a queue"))
	did(t, "delete", 204)(c.DeleteExchange("/", "an exchange"))
	if _, err := c.GetQueue("/", "a queue"); err != (rabbithole.ErrorResponse{StatusCode: 404, Message: "Object Not Found", Reason: "Not Found"}) {
		t.Errorf("after the delete: %v", err)
	}
}

// Another's client sees connections, channels and consumers, and closes them.
func TestRabbitHoleConnections(t *testing.T) {
	b, conn := busy(t)
	c, err := rabbithole.NewClient(b.url, "guest", "guest")
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.ListConnections()
	if err != nil || len(list) != 1 {
		t.Fatalf("connections %+v, %v", list, err)
	}
	if i := list[0]; i.Name != nameOf(conn) || i.User != "guest" || i.Vhost != "/" || i.Channels != 2 || i.Protocol != "AMQP 0-9-1" || i.Type != "network" ||
		i.ConnectedAt == 0 || i.RecvOct == 0 || i.SendOct == 0 || i.ClientProperties["connection_name"] != "of guest" || i.UsesTLS || i.FrameMax == 0 {
		t.Errorf("connection %+v", i)
	}
	if page, err := c.PagedListConnectionsWithParameters(url.Values{"page": {"1"}}); err != nil || page.ItemCount != 1 {
		t.Errorf("a page of connections %+v, %v", page, err)
	}
	got(t, "of a user", []rabbithole.UserConnectionInfo{{Name: nameOf(conn), Node: "leveret@test", User: "guest", Vhost: "/"}})(c.ListConnectionsOfUser("guest"))
	if list, err := c.ListVhostConnections("/"); err != nil || len(list) != 1 {
		t.Errorf("of a vhost %+v, %v", list, err)
	}
	ch, err := c.GetChannel(nameOf(conn) + " (2)")
	if err != nil || ch.Number != 2 || !ch.UsesPublisherConfirms || ch.ConnectionDetails.Name != nameOf(conn) || ch.User != "guest" {
		t.Errorf("channel %+v, %v", ch, err)
	}
	if list, err := c.ListChannels(); err != nil || len(list) != 2 || list[0].PrefetchCount != 7 || list[0].ConsumerCount != 4 || list[0].UnacknowledgedMessageCount != 7 {
		t.Errorf("channels %+v, %v", list, err)
	}
	consumers, err := c.ListConsumersIn("/")
	if err != nil || len(consumers) != 4 || consumers[0].ConsumerTag != "tag1" || consumers[0].PrefetchCount != 7 || consumers[0].Queue.Name != "cq" ||
		consumers[0].ChannelDetails.Number != 1 || consumers[0].AcknowledgementMode != rabbithole.ManualAcknowledgement {
		t.Errorf("consumers %+v, %v", consumers, err)
	}
	if q, err := c.GetQueue("/", "cq"); err != nil || q.ConsumerDetails == nil || (*q.ConsumerDetails)[0].ChannelDetails.ConnectionName != nameOf(conn) || q.MessageStats.Publish != 12 {
		t.Errorf("queue %+v, %v", q, err)
	}
	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	did(t, "close", 204)(c.CloseConnection(nameOf(conn)))
	if err := <-closed; err == nil || err.Code != 320 {
		t.Errorf("closed with %v", err)
	}
}
