package metrics

import (
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/queue"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// scrape is the broker as one scrape has seen it. It is a prometheus.Collector of its
// own for each.
type scrape struct {
	plan
	exporter    *exporter
	totals      server.Totals
	alarms      server.Alarm
	process     map[string]float64 // of process_* by name
	uptime      time.Duration
	queues      []queueStats
	allQueues   int
	connections []server.ConnectionInfo
	channels    []server.ChannelInfo
	exchanges   []exchangeStats
	vhosts      []string

	metrics chan<- prometheus.Metric // while Collect runs
	descs   map[string]*prometheus.Desc
}

type queueStats struct {
	vhost, name string
	quorum      bool
	stats       queue.Stats
	queue       *queue.Queue
}

type exchangeStats struct {
	vhost, name, kind string
	in, out           uint64
	bindings          int
}

// look looks at all that the plan needs.
func (e *exporter) look(p plan, runtime []*dto.MetricFamily) *scrape {
	s := &scrape{
		plan: p, exporter: e, totals: e.broker.Totals(), alarms: e.broker.Alarms(),
		uptime: time.Since(e.opts.Started), process: processNumbers(runtime), descs: map[string]*prometheus.Desc{},
	}
	for _, v := range e.broker.VHosts().VHosts() {
		s.vhosts = append(s.vhosts, v.Name())
		all := v.Queues()
		s.allQueues += len(all)
		if p.vhosts != nil && !p.vhosts[v.Name()] {
			continue
		}
		for _, q := range all {
			if p.queues != nil && !p.queues[q.Name()] {
				continue
			}
			quorum := queue.Type(q.Options().Arguments) == "quorum"
			s.queues = append(s.queues, queueStats{v.Name(), q.Name(), quorum, q.Stats(), q})
		}
		if p.each {
			s.lookAtExchanges(v)
		}
	}
	if p.each {
		s.connections, s.channels = e.broker.ConnectionInfos(), e.broker.ChannelInfos()
		s.leaveOut()
	}
	return s
}

func (s *scrape) lookAtExchanges(v *vhost.VHost) {
	bindings := map[string]int{}
	if s.families["exchange_bindings"] {
		for _, b := range v.Bindings() {
			bindings[b.Source]++
		}
	}
	for _, x := range v.Exchanges() {
		in, out := x.Counts()
		s.exchanges = append(s.exchanges, exchangeStats{v.Name(), x.Name(), x.Type(), in, out, bindings[x.Name()]})
	}
}

// leaveOut leaves out the connections and channels to vhosts that are not asked for.
func (s *scrape) leaveOut() {
	if s.plan.vhosts == nil {
		return
	}
	connections := s.connections[:0]
	for _, c := range s.connections {
		if s.plan.vhosts[c.VHost] {
			connections = append(connections, c)
		}
	}
	s.connections = connections
	channels := s.channels[:0]
	for _, c := range s.channels {
		if s.plan.vhosts[c.Connection.VHost] {
			channels = append(channels, c)
		}
	}
	s.channels = channels
}

// processNumbers are the numbers of process_*, for RabbitMQ's names of them.
func processNumbers(runtime []*dto.MetricFamily) map[string]float64 {
	numbers := map[string]float64{}
	for _, f := range runtime {
		if m := f.GetMetric(); len(m) == 1 && m[0].GetGauge() != nil {
			numbers[f.GetName()] = m[0].GetGauge().GetValue()
		}
	}
	return numbers
}

// Describe says nothing: which families there are depends on what is asked for.
func (s *scrape) Describe(chan<- *prometheus.Desc) {}

// Collect tells what was seen.
func (s *scrape) Collect(metrics chan<- prometheus.Metric) {
	s.metrics = metrics
	s.tellIdentity()
	for _, subject := range []struct {
		family string
		tell   func(*scrape)
	}{
		{"connection_churn_metrics", (*scrape).tellChurn},
		{"node_coarse_metrics", (*scrape).tellNodeCoarse},
		{"node_metrics", (*scrape).tellNode},
		{"auth_attempt_metrics", (*scrape).tellLogins},
		{"queue_coarse_metrics", (*scrape).tellQueuesCoarse},
		{"queue_consumer_count", (*scrape).tellQueueConsumers},
		{"queue_metrics", (*scrape).tellQueues},
		{"queue_delivery_metrics", (*scrape).tellQueueDeliveries},
		{"channel_metrics", (*scrape).tellChannels},
		{"channel_exchange_metrics", (*scrape).tellChannelPublishes},
		{"channel_queue_metrics", (*scrape).tellChannelDeliveries},
		{"connection_coarse_metrics", (*scrape).tellConnectionBytes},
		{"connection_metrics", (*scrape).tellConnections},
		{"exchange_metrics", (*scrape).tellExchanges},
	} {
		if s.wants(subject.family) {
			subject.tell(s)
		}
	}
	if s.families == nil {
		s.tellAlarms()
		s.tellTotals()
		s.tellGlobals()
		s.tellOurs()
		return
	}
	s.tellCluster()
}

// name is what a family of RabbitMQ's is called here.
func (s *scrape) name(family string) string {
	if s.detailed {
		return "rabbitmq_detailed_" + family
	}
	return "rabbitmq_" + family
}

// tell tells one number of a family. labels are names and values in turn.
func (s *scrape) tell(name, help string, kind prometheus.ValueType, value float64, labels ...string) {
	names, values := make([]string, 0, len(labels)/2), make([]string, 0, len(labels)/2)
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	d := s.descs[name]
	if d == nil {
		d = prometheus.NewDesc(name, help, names, nil)
		s.descs[name] = d
	}
	s.metrics <- prometheus.MustNewConstMetric(d, kind, value, values...)
}

func (s *scrape) gauge(family string, value float64, labels ...string) {
	s.tell(s.name(family), help[family], prometheus.GaugeValue, value, labels...)
}

func (s *scrape) counter(family string, value float64, labels ...string) {
	s.tell(s.name(family), help[family], prometheus.CounterValue, value, labels...)
}
