package perf

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is what a latency is cut to.
const longest = 10 * time.Minute

// latency collects latencies. Messages that travel together have the same one,
// so a run of equal values costs one entry.
type latency struct {
	all  *hdrhistogram.Histogram
	last int64
	n    int64 // of last that are not in all yet
}

func newLatency() latency {
	return latency{all: hdrhistogram.New(1, int64(longest), 3)}
}

// record adds a latency in nanoseconds.
func (l *latency) record(ns int64) {
	if ns == l.last {
		l.n++
		return
	}
	l.flush()
	l.last, l.n = ns, 1
}

func (l *latency) flush() {
	if l.n > 0 {
		// It cannot fail: the value is in range.
		l.all.RecordValues(min(max(l.last, 0), int64(longest)), l.n)
		l.n = 0
	}
}

// merge adds all of another one, which must be at rest.
func (l *latency) merge(other *latency) {
	l.flush()
	other.flush()
	l.all.Merge(other.all)
}

// percentiles are the quantiles that are reported, in nanoseconds, with three
// significant digits.
type percentiles struct {
	P50  int64 `json:"p50_ns"`
	P95  int64 `json:"p95_ns"`
	P99  int64 `json:"p99_ns"`
	P999 int64 `json:"p999_ns"`
	Max  int64 `json:"max_ns"`
}

// percentiles returns nil if nothing was recorded.
func (l *latency) percentiles() *percentiles {
	l.flush()
	if l.all.TotalCount() == 0 {
		return nil
	}
	return &percentiles{
		P50:  l.all.ValueAtQuantile(50),
		P95:  l.all.ValueAtQuantile(95),
		P99:  l.all.ValueAtQuantile(99),
		P999: l.all.ValueAtQuantile(99.9),
		Max:  l.all.Max(),
	}
}

func (p *percentiles) String() string {
	return fmt.Sprintf("p50 %s  p95 %s  p99 %s  p99.9 %s  max %s",
		shortTime(p.P50), shortTime(p.P95), shortTime(p.P99), shortTime(p.P999), shortTime(p.Max))
}

// shortTime writes nanoseconds with three digits and the unit that fits.
func shortTime(ns int64) string {
	switch d := time.Duration(ns); {
	case d < time.Microsecond:
		return fmt.Sprintf("%dns", ns)
	case d < time.Millisecond:
		return fmt.Sprintf("%.3gµs", float64(ns)/1e3)
	case d < time.Second:
		return fmt.Sprintf("%.3gms", float64(ns)/1e6)
	default:
		return fmt.Sprintf("%.2fs", float64(ns)/1e9)
	}
}
