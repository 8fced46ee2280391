package metrics

import (
	"bytes"
	"fmt"
	"runtime"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/prometheus/client_golang/prometheus"
)

// memoryFamily is the only family of /metrics/memory-breakdown.
const memoryFamily = "memory_breakdown_metrics"

// protocol is the only one that there is, as RabbitMQ's labels call it.
const protocol = "amqp091"

func (s *scrape) tellIdentity() {
	o := &s.exporter.opts
	cluster := s.exporter.broker.VHosts().ClusterName()
	if cluster == "" {
		cluster = o.ClusterName
	}
	s.tell("rabbitmq_identity_info", help["identity_info"], prometheus.GaugeValue, 1,
		"rabbitmq_node", o.NodeName, "rabbitmq_cluster", cluster, "rabbitmq_cluster_permanent_id", o.NodeName, "rabbitmq_endpoint", s.endpoint)
	s.tell("rabbitmq_build_info", help["build_info"], prometheus.GaugeValue, 1,
		"rabbitmq_version", server.ProtocolVersion, "prometheus_plugin_version", o.Version, "prometheus_client_version", "",
		"erlang_version", runtime.Version(), "product_name", o.Product, "product_version", o.Version)
	if s.families[memoryFamily] {
		s.tellMemory()
	}
}

// tellMemory tells what memory is used for, as far as the Go runtime knows.
func (s *scrape) tellMemory() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	for kind, n := range map[string]uint64{
		"heap_in_use": m.HeapInuse, "heap_idle": m.HeapIdle - m.HeapReleased, "stacks": m.StackSys,
		"gc": m.GCSys, "other": m.OtherSys + m.MSpanSys + m.MCacheSys + m.BuckHashSys,
	} {
		s.tell("leveret_memory_breakdown_bytes", "Memory by what the runtime uses it for", prometheus.GaugeValue, float64(n), "kind", kind)
	}
}

func (s *scrape) tellChurn() {
	t := &s.totals
	s.counter("connections_opened_total", float64(t.ConnectionsOpened))
	s.counter("connections_closed_total", float64(t.ConnectionsClosed))
	s.counter("channels_opened_total", float64(t.ChannelsOpened))
	s.counter("channels_closed_total", float64(t.ChannelsClosed))
	s.counter("queues_declared_total", float64(t.QueuesDeclared))
	s.counter("queues_created_total", float64(t.QueuesCreated))
	s.counter("queues_deleted_total", float64(t.QueuesDeleted))
}

func (s *scrape) resources() (r Resources) {
	if look := s.exporter.opts.Resources; look != nil {
		r = look()
	}
	return r
}

func (s *scrape) tellNodeCoarse() {
	s.gauge("process_open_fds", s.process["process_open_fds"])
	s.gauge("process_open_tcp_sockets", float64(s.totals.Connections))
	s.gauge("process_resident_memory_bytes", s.process["process_resident_memory_bytes"])
	s.gauge("disk_space_available_bytes", float64(s.resources().DiskFree))
}

func (s *scrape) tellNode() {
	r := s.resources()
	s.gauge("process_max_fds", s.process["process_max_fds"])
	s.gauge("resident_memory_limit_bytes", float64(r.MemoryLimit))
	s.gauge("disk_space_available_limit_bytes", float64(r.DiskFreeLimit))
	s.gauge("erlang_uptime_seconds", s.uptime.Seconds())
}

// tellLogins tells attempts to log in, in RabbitMQ's words of protocols.
func (s *scrape) tellLogins() {
	for name, label := range map[string]string{"amqp": protocol, "http": "http"} {
		n := s.totals.Logins[name]
		s.counter("auth_attempts_total", float64(n.Attempts), "protocol", label)
		s.counter("auth_attempts_succeeded_total", float64(n.Succeeded), "protocol", label)
		s.counter("auth_attempts_failed_total", float64(n.Failed), "protocol", label)
	}
}

func (s *scrape) tellAlarms() {
	raised := func(a server.Alarm) float64 {
		if s.alarms&a != 0 {
			return 1
		}
		return 0
	}
	s.gauge("alarms_memory_used_watermark", raised(server.AlarmMemory))
	s.gauge("alarms_free_disk_space_watermark", raised(server.AlarmDisk))
}

func (s *scrape) tellTotals() {
	s.gauge("connections", float64(s.totals.Connections))
	s.gauge("channels", float64(s.totals.Channels))
	s.gauge("consumers", float64(s.totals.Consumers))
	s.gauge("queues", float64(s.allQueues))
}

// tellGlobals tells RabbitMQ's global counters. Those with a queue_type are told of
// classic queues, as nobody counts by type here.
func (s *scrape) tellGlobals() {
	t, m := &s.totals, &s.totals.Messages
	s.gauge("global_consumers", float64(t.Consumers), "protocol", protocol)
	s.gauge("global_publishers", float64(t.Publishers), "protocol", protocol)
	for family, n := range map[string]uint64{
		"global_messages_received_total":            m.Publish,
		"global_messages_received_confirm_total":    t.ReceivedConfirm,
		"global_messages_routed_total":              t.Routed,
		"global_messages_confirmed_total":           m.Confirm,
		"global_messages_unroutable_dropped_total":  m.DropUnroutable,
		"global_messages_unroutable_returned_total": m.ReturnUnroutable,
	} {
		s.counter(family, float64(n), "protocol", protocol)
	}
	for family, n := range map[string]uint64{
		"global_messages_delivered_total":                    m.Deliver + m.DeliverNoAck + m.Get + m.GetNoAck,
		"global_messages_delivered_consume_manual_ack_total": m.Deliver,
		"global_messages_delivered_consume_auto_ack_total":   m.DeliverNoAck,
		"global_messages_delivered_get_manual_ack_total":     m.Get,
		"global_messages_delivered_get_auto_ack_total":       m.GetNoAck,
		"global_messages_get_empty_total":                    m.GetEmpty,
		"global_messages_redelivered_total":                  m.Redeliver,
		"global_messages_acknowledged_total":                 m.Ack,
	} {
		s.counter(family, float64(n), "protocol", protocol, "queue_type", "rabbit_classic_queue")
	}
	for _, reason := range []string{"maxlen", "expired", "rejected", "delivery_limit"} {
		s.counter("global_messages_dead_lettered_"+reason+"_total", float64(t.DeadLettered[reason]),
			"queue_type", "rabbit_classic_queue", "dead_letter_strategy", "at_most_once")
	}
}

// tellCluster tells what /metrics/detailed has of the cluster.
func (s *scrape) tellCluster() {
	tell := func(family string, value float64, labels ...string) {
		s.tell("rabbitmq_"+family, help[family], prometheus.GaugeValue, value, labels...)
	}
	if s.families["vhost_status"] {
		for _, v := range s.vhosts {
			if s.plan.vhosts == nil || s.plan.vhosts[v] {
				tell("cluster_vhost_status", 1, "vhost", v)
			}
		}
	}
	for i := range s.exchanges {
		x := &s.exchanges[i]
		if s.families["exchange_bindings"] {
			tell("cluster_exchange_bindings", float64(x.bindings), "vhost", x.vhost, "exchange", x.name, "type", x.kind)
		}
		if s.families["exchange_names"] {
			tell("cluster_exchange_name", 1, "vhost", x.vhost, "exchange", x.name, "type", x.kind)
		}
	}
}

// sizeBounds are those of message sizes as RabbitMQ writes them, which is how its
// dashboard asks for them; the text format would have it 100, not 100.0.
var sizeBounds = [...]string{"100.0", "1000.0", "10000.0", "100000.0", "1e+06", "1e+07", "5e+07", "1e+08", "+Inf"}

// appendMessageSizes appends the histogram of message sizes.
func (s *scrape) appendMessageSizes(b *bytes.Buffer) {
	const name = "rabbitmq_message_size_bytes"
	fmt.Fprintf(b, "# HELP %s Size of messages received from publishers\n# TYPE %s histogram\n", name, name)
	sum := uint64(0)
	for i, n := range s.totals.MessageSizes {
		sum += n
		fmt.Fprintf(b, "%s_bucket{protocol=%q,le=%q} %d\n", name, protocol, sizeBounds[i], sum)
	}
	fmt.Fprintf(b, "%s_sum{protocol=%q} %d\n%s_count{protocol=%q} %d\n", name, protocol, s.totals.MessageBytes, name, protocol, sum)
}
