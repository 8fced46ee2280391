package server

import (
	"math"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/queue"
)

// tracer makes copies of messages for the trace exchange. They tell who has published
// or got the message, in RabbitMQ's headers.
type tracer struct {
	node, vhost, user, connection string
	channel                       uint16
}

func (ch *channel) tracer() *tracer {
	c := ch.conn
	return &tracer{c.srv.opts.NodeName, c.vhost.Name(), c.user.Name, c.name(), ch.number}
}

// byHand is the connection that a traced message names that came, or went, by an Actor,
// who has none.
const byHand = "direct"

func (a *Actor) tracer() *tracer {
	return &tracer{a.srv.opts.NodeName, a.vhost.Name(), a.user.Name, byHand, 1}
}

// publish copies a message that was published, and found these queues. It stands before
// the copies of its deliveries: at is what fx.Posts has said before.
func (t *tracer) publish(m *amqp.Message, queues []*queue.Queue, fx *queue.Effects, at int) {
	if m.Exchange == vhost.TraceExchange {
		return
	}
	routed := make(amqp.Array, len(queues))
	for i, q := range queues {
		routed[i] = q.Name()
	}
	t.copy(m, m.Properties, "publish."+m.Exchange, amqp.Table{
		{Name: "vhost", Value: t.vhost},
		{Name: "connection", Value: t.connection},
		{Name: "channel", Value: int32(t.channel)},
		{Name: "user", Value: t.user},
		{Name: "routed_queues", Value: routed},
	}, fx, at)
}

// deliver copies a message that a queue has delivered.
func (t *tracer) deliver(d *queue.Delivery, from string, fx *queue.Effects) {
	if d.Message.Exchange == vhost.TraceExchange {
		return
	}
	redelivered := int32(0)
	if d.Redelivered {
		redelivered = 1
	}
	t.copy(d.Message, propertiesOf(d), "deliver."+from, amqp.Table{
		{Name: "redelivered", Value: redelivered},
		{Name: "vhost", Value: t.vhost},
		{Name: "connection", Value: t.connection},
		{Name: "channel", Value: int32(t.channel)},
		{Name: "user", Value: t.user},
	}, fx, fx.Posts())
}

func (t *tracer) copy(m *amqp.Message, props amqp.Properties, key string, more amqp.Table, fx *queue.Effects, at int) {
	keys := amqp.Array{m.RoutingKey}
	for _, k := range m.ExtraKeys {
		keys = append(keys, k)
	}
	headers := append(amqp.Table{
		{Name: "exchange_name", Value: m.Exchange},
		{Name: "routing_keys", Value: keys},
		{Name: "properties", Value: propertyTable(props)},
		{Name: "node", Value: t.node},
	}, more...)
	list, err := amqp.Properties(nil).WithHeaders(headers)
	if err != nil {
		return // it has more headers than a table can hold: there is no copy of it
	}
	fx.Post(&amqp.Message{Exchange: vhost.TraceExchange, RoutingKey: key, Properties: list, HasHeaders: true,
		Body: m.Body, Expiration: amqp.NoExpiration}, at)
}

// propertyTable is a property list as RabbitMQ shows it in a table.
func propertyTable(p amqp.Properties) (t amqp.Table) {
	b, err := p.Decode()
	if err != nil {
		return nil // it was valid when it was published
	}
	for _, field := range []struct {
		has   amqp.PropertyFlags
		name  string
		value any
	}{
		{amqp.HasClusterID, "cluster_id", b.ClusterID},
		{amqp.HasAppID, "app_id", b.AppID},
		{amqp.HasUserID, "user_id", b.UserID},
		{amqp.HasType, "type", b.Type},
		{amqp.HasTimestamp, "timestamp", signed(uint64(b.Timestamp))},
		{amqp.HasMessageID, "message_id", b.MessageID},
		{amqp.HasExpiration, "expiration", b.Expiration},
		{amqp.HasReplyTo, "reply_to", b.ReplyTo},
		{amqp.HasCorrelationID, "correlation_id", b.CorrelationID},
		{amqp.HasPriority, "priority", int32(b.Priority)},
		{amqp.HasDeliveryMode, "delivery_mode", int32(b.DeliveryMode)},
		{amqp.HasHeaders, "headers", b.Headers},
		{amqp.HasContentEncoding, "content_encoding", b.ContentEncoding},
		{amqp.HasContentType, "content_type", b.ContentType},
	} {
		if b.Present.Has(field.has) {
			t = append(t, amqp.Field{Name: field.name, Value: field.value})
		}
	}
	return t
}

// signed is a number as RabbitMQ writes it, in 32 bits, if it fits there.
func signed(n uint64) any {
	if n <= math.MaxInt32 {
		return int32(n)
	}
	return int64(n)
}
