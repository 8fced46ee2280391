package metrics

import (
	"math"
	"strconv"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/amqp/server"
	"github.com/prometheus/client_golang/prometheus"
)

// ofQueues tells a family of each queue, or the sum of all.
func (s *scrape) ofQueues(family string, kind prometheus.ValueType, value func(*queueStats) float64) {
	sum := 0.0
	for i := range s.queues {
		q := &s.queues[i]
		if s.each {
			s.tell(s.name(family), help[family], kind, value(q), "vhost", q.vhost, "queue", q.name)
			continue
		}
		sum += value(q)
	}
	if !s.each {
		s.tell(s.name(family), help[family], kind, sum)
	}
}

func (s *scrape) tellQueuesCoarse() {
	const kind = prometheus.GaugeValue
	s.ofQueues("queue_messages_ready", kind, func(q *queueStats) float64 { return float64(q.stats.Ready) })
	s.ofQueues("queue_messages_unacked", kind, func(q *queueStats) float64 { return float64(q.stats.Unacked) })
	s.ofQueues("queue_messages", kind, func(q *queueStats) float64 { return float64(q.stats.Ready + q.stats.Unacked) })
}

func (s *scrape) tellQueueConsumers() {
	s.ofQueues("queue_consumers", prometheus.GaugeValue, func(q *queueStats) float64 { return float64(q.stats.Consumers) })
}

func (s *scrape) tellQueues() {
	if s.families != nil && !s.families["queue_consumer_count"] {
		s.tellQueueConsumers()
	}
	for family, value := range map[string]func(*queueStats) float64{
		"queue_process_memory_bytes": func(q *queueStats) float64 { return float64(q.stats.Memory) },
		"queue_messages_ram":         func(q *queueStats) float64 { return float64(q.stats.Ready - q.stats.PagedOut + q.stats.Unacked) },
		"queue_messages_ready_ram":   func(q *queueStats) float64 { return float64(q.stats.Ready - q.stats.PagedOut) },
		"queue_messages_unacked_ram": func(q *queueStats) float64 { return float64(q.stats.Unacked) },
		"queue_messages_persistent":  func(q *queueStats) float64 { return float64(q.stats.Persistent) },
		"queue_messages_persistent_bytes": func(q *queueStats) float64 {
			return float64(q.stats.PersistentBytes)
		},
		"queue_messages_bytes":       func(q *queueStats) float64 { return float64(q.stats.ReadyBytes + q.stats.UnackedBytes) },
		"queue_messages_ready_bytes": func(q *queueStats) float64 { return float64(q.stats.ReadyBytes) },
		"queue_messages_unacked_bytes": func(q *queueStats) float64 {
			return float64(q.stats.UnackedBytes)
		},
		"queue_messages_paged_out":   func(q *queueStats) float64 { return float64(q.stats.PagedOut) },
		"queue_consumer_capacity":    consumerCapacity,
		"queue_consumer_utilisation": consumerCapacity,
	} {
		s.ofQueues(family, prometheus.GaugeValue, value)
	}
	if s.each {
		s.ofQueues("queue_head_message_timestamp", prometheus.GaugeValue, headTimestamp)
	}
}

// consumerCapacity is the share of the time in which consumers took what came at once.
func consumerCapacity(q *queueStats) float64 { return q.stats.ConsumerCapacity }

// headTimestamp is the property timestamp of the next message, NaN if it has none, as
// in RabbitMQ.
func headTimestamp(q *queueStats) float64 {
	if m := q.queue.Head(); m != nil {
		if d, err := m.Properties.Decode(); err == nil && d.Present.Has(amqp.HasTimestamp) {
			return float64(d.Timestamp)
		}
	}
	return math.NaN()
}

func (s *scrape) tellQueueDeliveries() {
	for family, value := range map[string]func(*queueStats) float64{
		"queue_messages_published_total":     func(q *queueStats) float64 { return float64(q.stats.Published) },
		"queue_get_ack_total":                func(q *queueStats) float64 { return float64(q.stats.Got) },
		"queue_get_total":                    func(q *queueStats) float64 { return float64(q.stats.GotNoAck) },
		"queue_get_empty_total":              func(q *queueStats) float64 { return float64(q.stats.GotEmpty) },
		"queue_messages_delivered_ack_total": func(q *queueStats) float64 { return float64(q.stats.Delivered) },
		"queue_messages_delivered_total":     func(q *queueStats) float64 { return float64(q.stats.DeliveredNoAck) },
		"queue_messages_redelivered_total":   func(q *queueStats) float64 { return float64(q.stats.Redelivered) },
		"queue_messages_acked_total":         func(q *queueStats) float64 { return float64(q.stats.Acked) },
	} {
		if s.each { // all together they would shrink when a queue is deleted
			s.ofQueues(family, prometheus.CounterValue, value)
		}
	}
}

// channelName is RabbitMQ's name of a channel. Its plugin has the Erlang process there.
func channelName(c *server.ChannelInfo) string {
	return c.Connection.Name + " (" + strconv.Itoa(int(c.Number)) + ")"
}

// ofChannels tells a family of each channel.
func (s *scrape) ofChannels(family string, kind prometheus.ValueType, value func(*server.ChannelInfo) float64) {
	for i := range s.channels {
		c := &s.channels[i]
		s.tell(s.name(family), help[family], kind, value(c), "channel", channelName(c))
	}
}

func (s *scrape) tellChannels() {
	for family, value := range map[string]func(*server.ChannelInfo) float64{
		"channel_consumers":            func(c *server.ChannelInfo) float64 { return float64(c.Consumers) },
		"channel_messages_unacked":     func(c *server.ChannelInfo) float64 { return float64(c.Unacked) },
		"channel_messages_unconfirmed": func(c *server.ChannelInfo) float64 { return float64(c.Unconfirmed) },
		"channel_messages_uncommitted": func(c *server.ChannelInfo) float64 { return float64(c.Uncommitted) },
		"channel_acks_uncommitted":     func(c *server.ChannelInfo) float64 { return float64(c.AcksUncommitted) },
		"consumer_prefetch":            func(c *server.ChannelInfo) float64 { return float64(c.Prefetch) },
		"channel_prefetch":             func(c *server.ChannelInfo) float64 { return float64(c.GlobalPrefetch) },
	} {
		s.ofChannels(family, prometheus.GaugeValue, value)
	}
}

// count is one of the numbers of messages.
type count func(*server.MessageCounts) uint64

// ofMessages tells numbers of messages of each channel, or of all that there were.
func (s *scrape) ofMessages(counts map[string]count) {
	for family, n := range counts {
		if s.each {
			s.ofChannels(family, prometheus.CounterValue, func(c *server.ChannelInfo) float64 { return float64(n(&c.Messages)) })
			continue
		}
		s.counter(family, float64(n(&s.totals.Messages)))
	}
}

func (s *scrape) tellChannelPublishes() {
	s.ofMessages(map[string]count{
		"channel_messages_published_total":           func(m *server.MessageCounts) uint64 { return m.Publish },
		"channel_messages_confirmed_total":           func(m *server.MessageCounts) uint64 { return m.Confirm },
		"channel_messages_unroutable_returned_total": func(m *server.MessageCounts) uint64 { return m.ReturnUnroutable },
		"channel_messages_unroutable_dropped_total":  func(m *server.MessageCounts) uint64 { return m.DropUnroutable },
	})
}

func (s *scrape) tellChannelDeliveries() {
	s.ofMessages(map[string]count{
		"channel_get_ack_total":                func(m *server.MessageCounts) uint64 { return m.Get },
		"channel_get_total":                    func(m *server.MessageCounts) uint64 { return m.GetNoAck },
		"channel_get_empty_total":              func(m *server.MessageCounts) uint64 { return m.GetEmpty },
		"channel_messages_delivered_ack_total": func(m *server.MessageCounts) uint64 { return m.Deliver },
		"channel_messages_delivered_total":     func(m *server.MessageCounts) uint64 { return m.DeliverNoAck },
		"channel_messages_redelivered_total":   func(m *server.MessageCounts) uint64 { return m.Redeliver },
		"channel_messages_acked_total":         func(m *server.MessageCounts) uint64 { return m.Ack },
	})
}

// ofTraffic tells what went over each connection, or over all that there were.
func (s *scrape) ofTraffic(family string, value func(*server.Traffic) uint64) {
	if !s.each {
		s.counter(family, float64(value(&s.totals.Traffic)))
		return
	}
	for i := range s.connections {
		c := &s.connections[i]
		s.counter(family, float64(value(&c.Traffic)), "connection", c.Name)
	}
}

func (s *scrape) tellConnectionBytes() {
	s.ofTraffic("connection_incoming_bytes_total", func(t *server.Traffic) uint64 { return t.RecvBytes })
	s.ofTraffic("connection_outgoing_bytes_total", func(t *server.Traffic) uint64 { return t.SendBytes })
}

func (s *scrape) tellConnections() {
	s.ofTraffic("connection_incoming_packets_total", func(t *server.Traffic) uint64 { return t.RecvFrames })
	s.ofTraffic("connection_outgoing_packets_total", func(t *server.Traffic) uint64 { return t.SendFrames })
	if !s.each {
		s.gauge("connection_channels", float64(s.totals.Channels))
		return
	}
	for i := range s.connections {
		c := &s.connections[i]
		s.gauge("connection_channels", float64(c.Channels), "connection", c.Name)
	}
}

func (s *scrape) tellExchanges() {
	for i := range s.exchanges {
		x := &s.exchanges[i]
		s.counter("exchange_messages_published_total", float64(x.in), "vhost", x.vhost, "exchange", x.name)
	}
}
