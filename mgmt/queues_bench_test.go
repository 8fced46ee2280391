package mgmt

import (
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/vhost"
)

// BenchmarkQueuesPage is how long the pages of a web UI take with 10,000 queues.
func BenchmarkQueuesPage(b *testing.B) {
	bed := newBed(b)
	v, err := bed.server.VHosts().VHost("/")
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		if _, err := v.DeclareQueue(vhost.QueueDeclare{Name: fmt.Sprintf("queue-%05d", i), Durable: true}, 1); err != nil {
			b.Fatal(err)
		}
	}
	for _, query := range []string{
		"?page=1&page_size=100", "?page=100&page_size=100&name=queue&use_regex=true", "?page=1&page_size=100&sort=messages&sort_reverse=true", "",
	} {
		b.Run("queues"+query, func(b *testing.B) {
			b.ReportAllocs()
			bytes := 0
			for b.Loop() {
				w := bed.serve("GET", "/api/queues"+query, "")
				if w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
				bytes = w.Body.Len()
			}
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/page")
			b.ReportMetric(float64(bytes), "bytes/page")
		})
	}
}
