package mgmt

import (
	"net/url"
	"strconv"
	"time"
)

// spans are of which times a query wants samples, by kind.
type spans struct {
	byKind map[string]span
	// disabled: the query wants no numbers at all.
	disabled bool
}

// span is a time up to now, and the distance of samples in it.
type span struct{ age, step time.Duration }

const (
	// mostSamples is how many times its step an age may be, as in RabbitMQ.
	mostSamples = 500
	// longestSpan keeps spans within what a Duration can be, in seconds.
	longestSpan = 1 << 32
)

var spanKinds = []string{"lengths", "msg_rates", "data_rates", "node_stats"}

// readSpans reads a query like lengths_age=60&lengths_incr=5, in seconds. What is no
// integer is as good as not there, as in RabbitMQ.
func readSpans(q url.Values) (*spans, error) {
	s := &spans{disabled: q.Get("disable_stats") == "true"}
	for _, kind := range spanKinds {
		age, err := strconv.Atoi(q.Get(kind + "_age"))
		if err != nil {
			continue
		}
		step, err := strconv.Atoi(q.Get(kind + "_incr"))
		if err != nil {
			continue
		}
		if age <= 0 || step <= 0 || age > longestSpan || step > longestSpan || age/step > mostSamples {
			return nil, badRequest("Invalid range parameters: age %d, incr %d", age, step)
		}
		if s.byKind == nil {
			s.byKind = map[string]span{}
		}
		s.byKind[kind] = span{time.Duration(age) * time.Second, time.Duration(step) * time.Second}
	}
	return s, nil
}

// of is the span for a member; the zero span if there is none.
func (s *spans) of(name string) span {
	if s == nil || s.byKind == nil {
		return span{}
	}
	return s.byKind[kindOf(name)]
}

// hidden reports whether numbers are to be left out.
func (s *spans) hidden() bool { return s != nil && s.disabled }

// statsDisabled reports whether the query wants nothing that is counted.
func (r *request) statsDisabled() bool { return r.spans.hidden() }

// wantsTotals reports whether lists of queues have their lengths even then.
func (r *request) wantsTotals() bool { return r.URL.Query().Get("enable_queue_totals") == "true" }
