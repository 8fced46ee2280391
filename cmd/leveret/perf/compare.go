package perf

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// metric is something that two brokers are compared in.
type metric struct {
	name  string
	value func(*result) float64 // 0: not measured
	text  func(float64) string
}

func metrics() []metric {
	duration := func(ns float64) string { return shortTime(int64(ns)) }
	seconds := func(s float64) string { return fmt.Sprintf("%.2fs", s) }
	quantile := func(of func(*result) *percentiles, which func(*percentiles) int64) func(*result) float64 {
		return func(r *result) float64 {
			if p := of(r); p != nil {
				return float64(which(p))
			}
			return 0
		}
	}
	latency := func(r *result) *percentiles { return r.Latency }
	confirm := func(r *result) *percentiles { return r.ConfirmLatency }
	p50 := func(p *percentiles) int64 { return p.P50 }
	p99 := func(p *percentiles) int64 { return p.P99 }
	return []metric{
		{"published/s", func(r *result) float64 { return r.PublishRate }, thousands},
		{"delivered/s", func(r *result) float64 { return r.DeliverRate }, thousands},
		{"p50", quantile(latency, p50), duration},
		{"p99", quantile(latency, p99), duration},
		{"confirm p50", quantile(confirm, p50), duration},
		{"confirm p99", quantile(confirm, p99), duration},
		{"CPU/million", func(r *result) float64 { return r.BrokerCPU }, seconds},
		{"resident", func(r *result) float64 { return float64(r.BrokerRSS) }, func(f float64) string { return mebibytes(int64(f)) }},
	}
}

// comparison is what leveret perf compare tells.
type comparison struct {
	Rounds []round `json:"rounds"`
	// Medians are the medians of the rounds' ratios a/b, by metric.
	Medians map[string]float64 `json:"median_ratios"`
}

// round is one run of each.
type round struct {
	A *result `json:"a"`
	B *result `json:"b"`
	// Ratios are a/b by metric, as far as both have it.
	Ratios map[string]float64 `json:"ratios"`
}

func newRound(a, b *result) round {
	r := round{A: a, B: b, Ratios: make(map[string]float64)}
	for _, m := range metrics() {
		if va, vb := m.value(a), m.value(b); va > 0 && vb > 0 {
			r.Ratios[m.name] = va / vb
		}
	}
	return r
}

// runner is execute, bound to all but the workload.
type runner func(config) (*result, error)

// compare runs a and b in turn, and calls each after each round. It ends early
// when stop is closed: then the rounds that it has are the comparison. The
// comparison is nil with an error.
func compare(ctx context.Context, stop <-chan struct{}, a, b config, rounds int, run runner, each func(round)) (*comparison, error) {
	c := &comparison{}
	for n := range rounds {
		var both [2]*result
		for i, conf := range []config{a, b} {
			res, err := run(conf)
			if err != nil {
				return nil, fmt.Errorf("round %d, %s: %w", n+1, []string{"a", "b"}[i], err)
			}
			both[i] = res
			if stopped(ctx, stop) {
				return c.finish()
			}
		}
		r := newRound(both[0], both[1])
		c.Rounds = append(c.Rounds, r)
		each(r)
	}
	return c.finish()
}

func stopped(ctx context.Context, stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// finish takes the medians.
func (c *comparison) finish() (*comparison, error) {
	if len(c.Rounds) == 0 {
		return nil, errInterrupted
	}
	c.Medians = make(map[string]float64)
	for _, m := range metrics() {
		var ratios []float64
		for _, r := range c.Rounds {
			if ratio, ok := r.Ratios[m.name]; ok {
				ratios = append(ratios, ratio)
			}
		}
		if len(ratios) > 0 {
			c.Medians[m.name] = median(ratios)
		}
	}
	return c, nil
}

// median is the middle one, or the mean of the two in the middle; values must
// not be empty.
func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	mid := len(values) / 2
	if len(values)%2 == 1 {
		return values[mid]
	}
	return (values[mid-1] + values[mid]) / 2
}

// writeText writes a row a round, each metric as "a : b = a/b", and the
// medians of the ratios.
func (c *comparison) writeText(w io.Writer) error {
	first := c.Rounds[0]
	fmt.Fprintf(w, "a  %s at %s\nb  %s at %s\n\n", first.A.Broker, first.A.URI, first.B.Broker, first.B.URI)
	var shown []metric
	heads := []string{"round"}
	for _, m := range metrics() {
		if _, ok := c.Medians[m.name]; ok {
			shown = append(shown, m)
			heads = append(heads, m.name+" a : b = a/b")
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, strings.Join(heads, "\t"))
	for i, r := range c.Rounds {
		cells := []string{fmt.Sprint(i + 1)}
		for _, m := range shown {
			cell := "-"
			if ratio, ok := r.Ratios[m.name]; ok {
				cell = fmt.Sprintf("%s : %s = %.3f", m.text(m.value(r.A)), m.text(m.value(r.B)), ratio)
			}
			cells = append(cells, cell)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	cells := []string{"median"}
	for _, m := range shown {
		cells = append(cells, fmt.Sprintf("%.3f", c.Medians[m.name]))
	}
	fmt.Fprintln(t, strings.Join(cells, "\t"))
	return t.Flush()
}
