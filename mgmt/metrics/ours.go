package metrics

import (
	"time"

	"github.com/leveretmq/leveret/persistence"
	"github.com/prometheus/client_golang/prometheus"
)

// tellOurs tells what RabbitMQ has no name for.
func (s *scrape) tellOurs() {
	gauge := func(name, help string, value float64) { s.tell("leveret_"+name, help, prometheus.GaugeValue, value) }
	counter := func(name, help string, value float64) {
		s.tell("leveret_"+name, help, prometheus.CounterValue, value)
	}
	gauge("blocked_connections", "Connections that an alarm makes wait", float64(s.totals.Blocked))
	held := 0
	for i := range s.queues {
		held += s.queues[i].stats.Held
	}
	gauge("queue_messages_held", "Messages that wait for their time: delayed or to be tried again", float64(held))
	ready, unacked := s.oldest()
	gauge("oldest_ready_age_seconds", "How long the message has waited that has waited longest in its queue, to a seventh", ready)
	gauge("oldest_unacked_age_seconds", "How long the delivery is unacked that is unacked longest", unacked)
	look := s.exporter.opts.Store
	if look == nil {
		return
	}
	st := look()
	counter("store_groups_total", "Groups of messages that were written together", float64(st.Groups))
	counter("store_records_total", "Messages that were written", float64(st.Records))
	counter("store_elided_total", "Messages that were settled before they needed to be written", float64(st.Elided))
	counter("store_syncs_total", "Syncs that were asked of the disk", float64(st.Syncs))
	s.counter("io_sync_ops_total", float64(st.Syncs))
	counter("store_damaged_total", "Messages that were found damaged", float64(st.Damaged))
	gauge("store_live_bytes", "Size of stored messages that are needed", float64(st.LiveBytes))
	gauge("store_pinned_bytes", "Size of stored messages that are not needed, but share a chunk with some that are", float64(st.DeadBytes))
	gauge("store_disk_bytes", "What the store takes on disk", float64(st.DiskBytes))
	gauge("store_pending_bytes", "Size of messages that wait to be written", float64(st.PendingBytes))
	s.histogram("leveret_store_commit_seconds", "How long groups of messages took until they were safe", &st.CommitTimes, persistence.CommitBounds[:])
	s.histogram("leveret_store_group_records", "How many messages a group had", &st.GroupSizes, persistence.SizeBounds[:])
}

// oldest returns the ages, in seconds, of the oldest message that is ready and of the
// oldest delivery that is unacked; 0 if there is none.
func (s *scrape) oldest() (ready, unacked float64) {
	now := time.Now()
	age := func(since time.Time) float64 {
		if since.IsZero() {
			return 0
		}
		return now.Sub(since).Seconds()
	}
	for i := range s.queues {
		r, u := s.queues[i].queue.Oldest()
		ready, unacked = max(ready, age(r)), max(unacked, age(u))
	}
	return ready, unacked
}

func (s *scrape) histogram(name, help string, h *persistence.Histogram, bounds []float64) {
	buckets, sum := make(map[float64]uint64, len(bounds)), uint64(0)
	for i, bound := range bounds {
		sum += h.Counts[i]
		buckets[bound] = sum
	}
	sum += h.Counts[len(bounds)]
	s.metrics <- prometheus.MustNewConstHistogram(prometheus.NewDesc(name, help, nil, nil), sum, h.Sum, buckets)
}
