package metrics

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// bed is a broker in memory and what it exports.
type bed struct {
	*testing.T
	srv     *server.Server
	address string
	handler http.Handler
}

func newBed(t *testing.T) *bed {
	t.Helper()
	srv, err := server.Open(server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return &bed{t, srv, l.Addr().String(), New(srv, Options{
		NodeName: "leveret@here", Started: time.Now().Add(-time.Minute),
		Resources: func() Resources { return Resources{MemoryLimit: 1 << 28, DiskFree: 1 << 40, DiskFreeLimit: 1 << 29} },
		Store:     func() persistence.Stats { return persistence.Stats{Groups: 3, Syncs: 4, DeadBytes: 5} },
	})}
}

func (b *bed) dial() *amqp091.Channel {
	b.Helper()
	conn, err := amqp091.Dial("amqp://guest:guest@" + b.address + "/")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		b.Fatal(err)
	}
	return ch
}

// get returns the body, which must be good for a scraper.
func (b *bed) get(path string) (string, map[string]*dto.MetricFamily) {
	b.Helper()
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		b.Fatalf("GET %s: %d %s", path, w.Code, w.Header())
	}
	body := w.Body.String()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		b.Fatalf("GET %s: %v\n%s", path, err, body)
	}
	return body, families
}

// work has one of each thing happen, and returns the channel that it happened on.
func (b *bed) work() *amqp091.Channel {
	b.Helper()
	ch := b.dial()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	_, err := ch.QueueDeclare("q", false, false, false, false, nil)
	must(err)
	must(ch.Confirm(false))
	for range 5 {
		d, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp091.Publishing{Body: make([]byte, 150), Timestamp: time.Unix(1000, 0)})
		must(err)
		d.Wait()
	}
	d, err := ch.PublishWithDeferredConfirm("amq.direct", "nowhere", false, false, amqp091.Publishing{Body: make([]byte, 50)})
	must(err)
	d.Wait()
	_, _, err = ch.Get("q", true)
	must(err)
	m, _, err := ch.Get("q", false)
	must(err)
	must(m.Nack(false, true))
	msgs, err := ch.Consume("q", "", false, false, false, false, nil)
	must(err)
	for range 2 {
		must((<-msgs).Ack(false))
	}
	<-msgs
	return ch
}

func value(f *dto.MetricFamily, labels ...string) (float64, bool) {
metrics:
	for _, m := range f.GetMetric() {
		for i := 0; i < len(labels); i += 2 {
			found := false
			for _, l := range m.GetLabel() {
				found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
			}
			if !found {
				continue metrics
			}
		}
		return m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue(), true
	}
	return 0, false
}

func (b *bed) want(families map[string]*dto.MetricFamily, name string, want float64, labels ...string) {
	b.Helper()
	got, ok := value(families[name], labels...)
	if !ok || got != want {
		b.Errorf("%s%v is %v (there: %v), want %v", name, labels, got, ok, want)
	}
}

// wait has the broker count what it does after it has answered.
func (b *bed) wait(name string, want float64) map[string]*dto.MetricFamily {
	b.Helper()
	late := time.After(10 * time.Second)
	for {
		_, families := b.get("/metrics")
		if got, _ := value(families[name]); got == want {
			return families
		}
		select {
		case <-late:
			b.Fatalf("%s does not become %v", name, want)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestAggregated(t *testing.T) {
	b := newBed(t)
	ch := b.work()
	f := b.wait("rabbitmq_global_messages_acknowledged_total", 2)
	for name, want := range map[string]float64{
		"rabbitmq_connections": 1, "rabbitmq_channels": 1, "rabbitmq_queues": 1, "rabbitmq_consumers": 1,
		"rabbitmq_queue_messages_unacked": 2, "rabbitmq_queue_messages_ready": 0, "rabbitmq_queue_messages": 2,
		"rabbitmq_queue_messages_bytes": 300, "rabbitmq_queue_consumers": 1,
		"rabbitmq_global_messages_received_total": 6, "rabbitmq_global_messages_received_confirm_total": 6,
		"rabbitmq_global_messages_confirmed_total": 6, "rabbitmq_global_messages_routed_total": 5,
		"rabbitmq_global_messages_unroutable_dropped_total":           1,
		"rabbitmq_global_messages_delivered_get_auto_ack_total":       1,
		"rabbitmq_global_messages_delivered_get_manual_ack_total":     1,
		"rabbitmq_global_messages_delivered_consume_manual_ack_total": 4,
		"rabbitmq_global_messages_redelivered_total":                  1,
		"rabbitmq_connections_opened_total":                           1, "rabbitmq_channels_opened_total": 1, "rabbitmq_queues_created_total": 1,
		"rabbitmq_queues_declared_total": 1, "rabbitmq_alarms_memory_used_watermark": 0,
		"rabbitmq_resident_memory_limit_bytes": 1 << 28, "rabbitmq_disk_space_available_bytes": 1 << 40,
		"leveret_store_pinned_bytes": 5, "leveret_store_syncs_total": 4,
	} {
		b.want(f, name, want)
	}
	b.want(f, "rabbitmq_identity_info", 1, "rabbitmq_node", "leveret@here", "rabbitmq_cluster", "leveret@here", "rabbitmq_endpoint", "aggregated")
	b.want(f, "rabbitmq_auth_attempts_succeeded_total", 1, "protocol", "amqp091")
	if h := f["rabbitmq_message_size_bytes"].GetMetric()[0].GetHistogram(); h.GetSampleCount() != 6 || h.GetSampleSum() != 800 ||
		h.GetBucket()[0].GetCumulativeCount() != 1 || h.GetBucket()[1].GetCumulativeCount() != 6 {
		t.Errorf("sizes of messages: %v", h)
	}
	if body, _ := b.get("/metrics"); !strings.Contains(body, `rabbitmq_message_size_bytes_bucket{protocol="amqp091",le="100.0"} 1`) {
		t.Error("the bounds of sizes are not written as the dashboard asks for them")
	}

	// What is over counts on.
	if err := ch.Close(); err != nil {
		t.Fatal(err)
	}
	f = b.wait("rabbitmq_channels_closed_total", 1)
	b.want(f, "rabbitmq_channels", 0)
	b.want(f, "rabbitmq_global_messages_received_total", 6)
	b.want(f, "rabbitmq_global_messages_delivered_consume_manual_ack_total", 4)
	b.srv.SetAlarm(server.AlarmMemory, true)
	_, f = b.get("/metrics")
	b.want(f, "rabbitmq_alarms_memory_used_watermark", 1)
}

// TestDashboard: each name that the dashboard RabbitMQ-Overview asks for is there.
func TestDashboard(t *testing.T) {
	b := newBed(t)
	_, families := b.get("/metrics")
	names, err := os.ReadFile("testdata/dashboard.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(names)) {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total", "leveret_store_commit_seconds"} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestExposition: promtool's rules hold where the names are ours.
func TestExposition(t *testing.T) {
	b := newBed(t)
	b.work()
	for _, path := range []string{"/metrics", "/metrics/per-object", "/metrics/detailed?family=queue_metrics", "/metrics/memory-breakdown"} {
		body, families := b.get(path)
		for name, f := range families {
			if f.GetHelp() == "" {
				t.Errorf("%s: %s has no HELP", path, name)
			}
		}
		problems, err := promlint.New(bytes.NewReader([]byte(body))).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "leveret_") {
				t.Errorf("%s: %s: %s", path, p.Metric, p.Text)
			}
		}
	}
}

func TestPerObject(t *testing.T) {
	b := newBed(t)
	b.work()
	b.wait("rabbitmq_global_messages_acknowledged_total", 2)
	_, f := b.get("/metrics/per-object")
	b.want(f, "rabbitmq_queue_messages_unacked", 2, "vhost", "/", "queue", "q")
	b.want(f, "rabbitmq_queue_messages_published_total", 5, "queue", "q")
	b.want(f, "rabbitmq_queue_messages_delivered_ack_total", 4, "queue", "q")
	b.want(f, "rabbitmq_exchange_messages_published_total", 1, "exchange", "amq.direct")
	b.want(f, "rabbitmq_channel_consumers", 1)
	b.want(f, "rabbitmq_channel_messages_published_total", 6)
	b.want(f, "rabbitmq_connection_channels", 1)
	if n, _ := value(f["rabbitmq_connection_incoming_bytes_total"]); n < 100 {
		t.Errorf("%v bytes came in", n)
	}
}

func TestDetailed(t *testing.T) {
	b := newBed(t)
	v, err := b.srv.VHosts().AddVHost("other")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := v.DeclareQueue(vhost.QueueDeclare{Name: name}, 0); err != nil {
			t.Fatal(err)
		}
	}
	b.work()
	for _, c := range []struct {
		query string
		want  []string // families of rabbitmq_detailed_ and rabbitmq_cluster_, with how many metrics
	}{
		{"", nil},
		{"?family=nonsense", nil},
		{"?family=queue_coarse_metrics", []string{"queue_messages 3", "queue_messages_ready 3", "queue_messages_unacked 3"}},
		{"?family=queue_coarse_metrics&vhost=other", []string{"queue_messages 2", "queue_messages_ready 2", "queue_messages_unacked 2"}},
		{"?family=queue_coarse_metrics&queue=a&queue=q", []string{"queue_messages 2", "queue_messages_ready 2", "queue_messages_unacked 2"}},
		{"?family=queue_consumer_count&vhost=/", []string{"queue_consumers 1"}},
		{"?family=vhost_status", []string{"vhost_status 2"}},
		{"?family=exchange_names&vhost=other", []string{"exchange_name 7"}},
		{"?family=connection_coarse_metrics&vhost=other", nil},
	} {
		_, families := b.get("/metrics/detailed" + c.query)
		got := map[string]bool{}
		for name, f := range families {
			for _, prefix := range []string{"rabbitmq_detailed_", "rabbitmq_cluster_"} {
				if rest, ok := strings.CutPrefix(name, prefix); ok {
					got[fmt.Sprint(rest, " ", len(f.GetMetric()))] = true
				}
			}
		}
		for _, want := range c.want {
			if !got[want] {
				t.Errorf("%s: %s is missing in %v", c.query, want, got)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", c.query, got, c.want)
		}
	}
}

func BenchmarkScrape(b *testing.B) {
	srv, err := server.Open(server.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Shutdown(context.Background())
	v, err := srv.VHosts().VHost("/")
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		if _, err := v.DeclareQueue(vhost.QueueDeclare{Name: fmt.Sprint("queue", i)}, 0); err != nil {
			b.Fatal(err)
		}
	}
	h := New(srv, Options{})
	for _, path := range []string{"/metrics", "/metrics/per-object"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
			}
		})
	}
}
