package mgmt

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/vhost"
)

// details is X_details.
type details struct {
	Rate    float64
	Samples []struct{ Sample, Timestamp int64 }
	Avg     float64
	AvgRate float64 `json:"avg_rate"`
}

type counted struct {
	Messages        int
	MessagesDetails details `json:"messages_details"`
	MessageStats    *struct {
		Publish        int
		PublishDetails details `json:"publish_details"`
		Get            int     `json:"get_no_ack"`
		GetDetails     details `json:"get_no_ack_details"`
	} `json:"message_stats"`
}

const publishToQ = `{"properties":{},"routing_key":"q","payload":"hello","payload_encoding":"string"}`

// What is done shows as a rate, everywhere, from the next sample on; at rest it is 0.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newQuietBed(t)
		b.want(201, "PUT", "/api/queues/%2F/q", "guest", `{}`)
		var q counted
		if b.get("/api/queues/%2F/q", &q); q.MessageStats != nil || q.MessagesDetails.Rate != 0 {
			t.Errorf("before the first message: %+v", q)
		}
		time.Sleep(11 * time.Second)
		for range 50 {
			b.want(200, "POST", "/api/exchanges/%2F/amq.default/publish", "guest", publishToQ)
		}
		for range 5 {
			b.want(200, "POST", "/api/queues/%2F/q/get", "guest", `{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}`)
		}
		if b.get("/api/queues/%2F/q", &q); q.MessageStats.Publish != 50 || q.Messages != 45 {
			t.Errorf("counts are not of now: %+v", q)
		}
		time.Sleep(5 * time.Second)
		for path, inList := range map[string]bool{"/api/queues/%2F/q": false, "/api/queues": true, "/api/vhosts/%2F": false} {
			var q counted
			var list []counted
			if inList {
				b.get(path, &list)
				q = list[0]
			} else {
				b.get(path, &q)
			}
			if q.MessageStats.PublishDetails.Rate != 10 || q.MessageStats.GetDetails.Rate != 1 || q.MessagesDetails.Rate != 9 {
				t.Errorf("%s: %+v %+v", path, q, q.MessageStats)
			}
		}
		var over struct {
			counted
			QueueTotals counted `json:"queue_totals"`
		}
		if b.get("/api/overview", &over); over.MessageStats.PublishDetails.Rate != 10 || over.QueueTotals.MessagesDetails.Rate != 9 {
			t.Errorf("overview: %+v %+v", over.MessageStats, over.QueueTotals)
		}
		var x struct {
			MessageStats struct {
				In  details `json:"publish_in_details"`
				Out details `json:"publish_out_details"`
			} `json:"message_stats"`
		}
		if b.get("/api/exchanges/%2F/amq.default", &x); x.MessageStats.In.Rate != 10 || x.MessageStats.Out.Rate != 10 {
			t.Errorf("exchange: %+v", x)
		}
		time.Sleep(5 * time.Second)
		if b.get("/api/queues/%2F/q", &q); q.MessageStats.PublishDetails.Rate != 0 || q.MessagesDetails.Rate != 0 || q.MessageStats.Publish != 50 {
			t.Errorf("at rest: %+v", q)
		}
	})
}

// Samples as RabbitMQ 3.10.8 has them: one each step, newest first, avg over them, and
// avg_rate from the oldest to the newest.
func TestSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newQuietBed(t)
		b.want(201, "PUT", "/api/queues/%2F/q", "guest", `{}`)
		time.Sleep(21 * time.Second)
		for range 10 {
			b.want(200, "POST", "/api/exchanges/%2F/amq.default/publish", "guest", publishToQ)
		}
		time.Sleep(5 * time.Second)
		const query = "?lengths_age=20&lengths_incr=5&msg_rates_age=20&msg_rates_incr=10"
		var over struct {
			QueueTotals  counted `json:"queue_totals"`
			MessageStats struct {
				Publish details `json:"publish_details"`
			} `json:"message_stats"`
		}
		b.get("/api/overview"+query, &over)
		var q counted
		b.get("/api/queues/%2F/q"+query, &q)
		for name, lengths := range map[string]details{"queue": q.MessagesDetails, "overview": over.QueueTotals.MessagesDetails} {
			checkSamples(t, name, lengths, 5*time.Second, 2, 0.5, 10, 0, 0, 0, 0)
		}
		// The sample is of 25 s, the newest that 10 s divide of 20 s.
		for name, publishes := range map[string]details{"queue": q.MessageStats.PublishDetails, "overview": over.MessageStats.Publish} {
			checkSamples(t, name, publishes, 10*time.Second, 0, 0, 0, 0, 0)
			if publishes.Rate != 2 {
				t.Errorf("%s: rate %v", name, publishes.Rate)
			}
		}
		var node struct {
			Declared details `json:"queue_declared_details"`
			Memory   details `json:"mem_used_details"`
		}
		b.get("/api/nodes/leveret@test?node_stats_age=60&node_stats_incr=30", &node)
		if len(node.Declared.Samples) != 3 || len(node.Memory.Samples) != 3 || node.Memory.Samples[0].Sample == 0 {
			t.Errorf("node: %+v", node)
		}
	})
}

func checkSamples(t *testing.T, name string, d details, step time.Duration, avg, rate float64, want ...int64) {
	t.Helper()
	if len(d.Samples) != len(want) || d.Avg != avg || d.AvgRate != rate {
		t.Errorf("%s: %+v, want %v, avg %v, rate %v", name, d, want, avg, rate)
		return
	}
	for i, s := range d.Samples {
		if s.Sample != want[i] || s.Timestamp%step.Milliseconds() != 0 || i > 0 && d.Samples[i-1].Timestamp-s.Timestamp != step.Milliseconds() {
			t.Errorf("%s: sample %d is %+v, want %d", name, i, s, want[i])
		}
	}
}

func TestConventions_Spans(t *testing.T) {
	b := newBed(t)
	for query, want := range map[string]string{
		"lengths_age=60&lengths_incr=0":                         "age 60, incr 0",
		"lengths_age=60&lengths_incr=-5":                        "age 60, incr -5",
		"lengths_age=-5&lengths_incr=5":                         "age -5, incr 5",
		"lengths_age=0&lengths_incr=5":                          "age 0, incr 5",
		"msg_rates_age=2505&msg_rates_incr=5":                   "age 2505, incr 5",
		"node_stats_age=99999999999&node_stats_incr=9999999999": "age 99999999999, incr 9999999999",
		"lengths_age=2500&lengths_incr=5":                       "",
		"data_rates_age=86400&data_rates_incr=1800":             "",
		"lengths_age=abc&lengths_incr=5":                        "",
		"lengths_age=60":                                        "",
	} {
		status, body := b.ask("GET", "/api/overview?"+query, "guest", "")
		if want == "" && status != 200 || want != "" && body != `{"error":"bad_request","reason":"Invalid range parameters: `+want+`"}` {
			t.Errorf("%s: %d %.200s", query, status, body)
		}
	}
}

// Without numbers, as RabbitMQ leaves them out.
func TestConventions_DisableStats(t *testing.T) {
	b := newBed(t)
	b.want(201, "PUT", "/api/queues/%2F/q", "guest", `{}`)
	b.want(200, "POST", "/api/exchanges/%2F/amq.default/publish", "guest", publishToQ)
	for path, want := range map[string]string{
		"/api/queues?disable_stats=true": `[{"arguments":{},"auto_delete":false,"durable":false,"exclusive":false,"name":"q","node":"leveret@test","state":"running","type":"classic","vhost":"/"}]`,
		"/api/queues?disable_stats=true&enable_queue_totals=true&columns=name,messages,messages_ready":                                      `[{"messages":1,"messages_ready":1,"name":"q"}]`,
		"/api/vhosts/%2F?disable_stats=true&columns=name,message_stats,messages":                                                            `{"name":"/"}`,
		"/api/overview?disable_stats=true&columns=disable_stats,message_stats,queue_totals,churn_rates,listeners,node,object_totals.queues": `{"disable_stats":true,"object_totals":{"queues":1},"node":"leveret@test"}`,
	} {
		if body := b.want(200, "GET", path, "guest", ""); body != want {
			t.Errorf("%s:\n%s, want\n%s", path, body, want)
		}
	}
}

// fill declares n queues, of which some are busy all the time.
func fill(b *testing.B, bed *bed, n int) {
	v, err := bed.server.VHosts().VHost("/")
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		if _, err := v.DeclareQueue(vhost.QueueDeclare{Name: fmt.Sprintf("queue-%05d", i), Durable: true}, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// 10,000 queues: pages of them, and what a sample takes of the 5 s until the next.
func BenchmarkTenThousandQueues(b *testing.B) {
	bed := newQuietBed(b)
	fill(b, bed, 10_000)
	for name, path := range map[string]string{
		"page":         "/api/queues?page=1&page_size=100",
		"page-of-500":  "/api/queues?page=20&page_size=500",
		"page-by-name": "/api/queues?page=1&page_size=100&name=99&use_regex=true&sort=name",
		"page-by-rate": "/api/queues?page=1&page_size=100&sort=message_stats.publish_details.rate&sort_reverse=true",
		"overview":     "/api/overview",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				req := httptest.NewRequest("GET", path, nil)
				req.RemoteAddr = "127.0.0.1:1"
				req.SetBasicAuth("guest", "guest")
				w := httptest.NewRecorder()
				if bed.api.ServeHTTP(w, req); w.Code != 200 || !json.Valid(w.Body.Bytes()) || !strings.Contains(w.Body.String(), `"`) {
					b.Fatal(w.Code)
				}
			}
		})
	}
	b.Run("sample", func(b *testing.B) {
		now := time.Now()
		for b.Loop() {
			now = now.Add(5 * time.Second)
			bed.api.sample(now)
		}
		b.ReportMetric(100*float64(b.Elapsed())/float64(b.N)/float64(5*time.Second), "%core")
		b.ReportMetric(float64(bed.api.sampler.queues.Tracked()), "tracked")
	})
}
