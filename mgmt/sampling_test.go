package mgmt

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
)

// rateDetails is X_details.
type rateDetails struct {
	Rate    float64
	Samples []struct{ Sample, Timestamp int64 }
	Avg     float64
	AvgRate float64 `json:"avg_rate"`
}

type counted struct {
	Messages        int
	MessagesDetails rateDetails `json:"messages_details"`
	MessageStats    *struct {
		Publish        int
		PublishDetails rateDetails `json:"publish_details"`
		Get            int         `json:"get_no_ack"`
		GetDetails     rateDetails `json:"get_no_ack_details"`
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
				In  rateDetails `json:"publish_in_details"`
				Out rateDetails `json:"publish_out_details"`
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
				Publish rateDetails `json:"publish_details"`
			} `json:"message_stats"`
		}
		b.get("/api/overview"+query, &over)
		var q counted
		b.get("/api/queues/%2F/q"+query, &q)
		for name, lengths := range map[string]rateDetails{"queue": q.MessagesDetails, "overview": over.QueueTotals.MessagesDetails} {
			checkSamples(t, name, lengths, 5*time.Second, 2, 0.5, 10, 0, 0, 0, 0)
		}
		// The sample is of 25 s, the newest that 10 s divide of 20 s.
		for name, publishes := range map[string]rateDetails{"queue": q.MessageStats.PublishDetails, "overview": over.MessageStats.Publish} {
			checkSamples(t, name, publishes, 10*time.Second, 0, 0, 0, 0, 0)
			if publishes.Rate != 2 {
				t.Errorf("%s: rate %v", name, publishes.Rate)
			}
		}
		var node struct {
			Declared rateDetails `json:"queue_declared_details"`
			Memory   rateDetails `json:"mem_used_details"`
		}
		b.get("/api/nodes/leveret@test?node_stats_age=60&node_stats_incr=30", &node)
		if len(node.Declared.Samples) != 3 || len(node.Memory.Samples) != 3 || node.Memory.Samples[0].Sample == 0 {
			t.Errorf("node: %+v", node)
		}
	})
}

func checkSamples(t *testing.T, name string, d rateDetails, step time.Duration, avg, rate float64, want ...int64) {
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

// thousands is a bed with n queues that each have had a message; busy publishes one
// more to each.
func thousands(b *testing.B, n int) (bed *bed, busy func()) {
	bed = newQuietBed(b)
	v, err := bed.server.VHosts().VHost("/")
	if err != nil {
		b.Fatal(err)
	}
	actor, err := bed.server.As(auth.User{Name: "guest"}, v)
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		if _, err := actor.DeclareQueue(vhost.QueueDeclare{Name: fmt.Sprintf("queue-%05d", i)}); err != nil {
			b.Fatal(err)
		}
	}
	busy = func() {
		for i := range n {
			if _, err := actor.Publish(b.Context(), server.Publishing{Key: fmt.Sprintf("queue-%05d", i)}); err != nil {
				b.Fatal(err)
			}
		}
	}
	busy()
	return bed, busy
}

// 10,000 queues: pages of them.
func BenchmarkPages(b *testing.B) {
	bed, busy := thousands(b, 10_000)
	bed.api.sample(time.Now())
	busy()
	bed.api.sample(time.Now().Add(5 * time.Second))
	for _, c := range [][2]string{
		{"page", "/api/queues?page=1&page_size=100"},
		{"page-of-500", "/api/queues?page=20&page_size=500"},
		{"by-name", "/api/queues?page=1&page_size=100&name=99&use_regex=true&sort=name"},
		{"by-rate", "/api/queues?page=1&page_size=100&sort=message_stats.publish_details.rate&sort_reverse=true"},
		{"overview", "/api/overview?lengths_age=60&lengths_incr=5&msg_rates_age=60&msg_rates_incr=5"},
	} {
		b.Run(c[0], func(b *testing.B) {
			for b.Loop() {
				req := httptest.NewRequest("GET", c[1], nil)
				req.RemoteAddr = "127.0.0.1:1"
				req.SetBasicAuth("guest", "guest")
				w := httptest.NewRecorder()
				if bed.api.ServeHTTP(w, req); w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}

// 10,000 queues: what a sample takes of the 5 s until the next, and leaves behind.
func BenchmarkSample(b *testing.B) {
	for _, busy := range []bool{false, true} {
		b.Run(fmt.Sprintf("busy=%v", busy), func(b *testing.B) {
			bed, publish := thousands(b, 10_000)
			now := time.Now()
			for b.Loop() {
				if busy {
					b.StopTimer()
					publish()
					b.StartTimer()
				}
				now = now.Add(5 * time.Second)
				bed.api.sample(now)
			}
			b.ReportMetric(100*float64(b.Elapsed())/float64(b.N)/float64(5*time.Second), "%core")
		})
	}
}

// After Close no more samples are taken, and Close may be called again.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newQuietBed(t)
		b.api.Close()
		b.api.Close()
		b.want(200, "POST", "/api/exchanges/%2F/amq.fanout/publish", "guest", `{"properties":{},"routing_key":"","payload":"","payload_encoding":"string"}`)
		time.Sleep(time.Minute)
		if n := b.api.sampler.exchanges.Tracked(); n != 0 {
			t.Errorf("%d exchanges were sampled after Close", n)
		}
	})
}
