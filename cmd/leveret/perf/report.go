package perf

import (
	"fmt"
	"io"
	"math"
	"strconv"
)

// thousands writes a number without a fraction, with commas.
func thousands(f float64) string {
	s := strconv.FormatFloat(math.Round(f), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func mebibytes(n int64) string { return thousands(float64(n)/(1<<20)) + " MiB" }

// writeText writes a result for people.
func (r *result) writeText(w io.Writer) error {
	p := &lines{w: w}
	p.line("preset", "%s: producers %d, consumers %d, queues %d, size %d B", r.Preset, r.Producers, r.Consumers, r.Queues, r.Size)
	p.line("broker", "%s at %s", r.Broker, r.URI)
	p.line("published", "%s msg/s over %.1f s", thousands(r.PublishRate), r.PublishSeconds)
	if r.Consumers > 0 {
		p.line("delivered", "%s msg/s over %.1f s", thousands(r.DeliverRate), r.DeliverSeconds)
	}
	if r.Latency != nil {
		p.line("latency", "%s", r.Latency)
	}
	if r.ConfirmLatency != nil {
		p.line("confirms", "%s", r.ConfirmLatency)
	}
	if r.Blocked {
		p.line("note", "the broker blocked the publishing for a while")
	}
	if r.BrokerRSS > 0 {
		p.line("broker CPU", "%.2f s a million messages", r.BrokerCPU)
		p.line("broker mem", "%s resident, %s anonymous, when publishing ended", mebibytes(r.BrokerRSS), mebibytes(r.BrokerAnonymous))
	}
	if r.GeneratorCPU > 0 {
		p.line("own CPU", "%.2f s a million messages", r.GeneratorCPU)
	}
	p.line("check", "%s published, %s delivered: %s", thousands(float64(r.Published)), thousands(float64(r.Delivered)), r.Faults)
	return p.err
}

// lines writes lines of a name and a text, until one fails.
type lines struct {
	w   io.Writer
	err error
}

func (l *lines) line(name, format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, "%-10s  %s\n", name, fmt.Sprintf(format, args...))
	}
}
