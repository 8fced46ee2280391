package mgmt

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/queue"
)

// filterBody is a filter as requests have it.
type filterBody struct {
	Exchange          *string                    `json:"exchange"`
	RoutingKey        *string                    `json:"routing_key"`
	RoutingKeyPattern *string                    `json:"routing_key_pattern"`
	Headers           map[string]json.RawMessage `json:"headers"`
	Properties        map[string]any             `json:"properties"`
	PriorityMin       *uint8                     `json:"priority_min"`
	PriorityMax       *uint8                     `json:"priority_max"`
	SizeMin           *int                       `json:"size_min"`
	SizeMax           *int                       `json:"size_max"`
	AgeMin            *int64                     `json:"age_min_ms"`
	AgeMax            *int64                     `json:"age_max_ms"`
	Redelivered       *bool                      `json:"redelivered"`
	State             *string                    `json:"state"`
}

// filterQueries are the names by which a query has a filter.
var filterQueries = []string{"exchange", "routing_key", "routing_key_pattern", "header", "property", "priority_min", "priority_max",
	"size_min", "size_max", "age_min_ms", "age_max_ms", "redelivered", "state"}

// maxPattern is how long a regular expression may be.
const maxPattern = 1000

// filter is what it says; the error is a refusal that names the member.
func (b *filterBody) filter() (f vhost.Filter, err error) {
	f = vhost.Filter{Exchange: b.Exchange, RoutingKey: b.RoutingKey, MinPriority: b.PriorityMin, MaxPriority: b.PriorityMax,
		MinSize: b.SizeMin, MaxSize: b.SizeMax, Redelivered: b.Redelivered}
	if b.RoutingKeyPattern != nil {
		if len(*b.RoutingKeyPattern) > maxPattern {
			return f, badRequest("routing_key_pattern is longer than %d bytes", maxPattern)
		}
		if f.KeyPattern, err = regexp.Compile(*b.RoutingKeyPattern); err != nil {
			return f, badRequest("routing_key_pattern: %s", err)
		}
	}
	if f.MinAge, err = ageOf("age_min_ms", b.AgeMin); err != nil {
		return f, err
	}
	if f.MaxAge, err = ageOf("age_max_ms", b.AgeMax); err != nil {
		return f, err
	}
	if b.State != nil {
		if f.States, err = statesOf(*b.State); err != nil {
			return f, err
		}
	}
	if err := headerFilters(&f, b.Headers); err != nil {
		return f, err
	}
	return f, propertyFilters(&f, b.Properties)
}

func ageOf(name string, ms *int64) (*time.Duration, error) {
	const most = 100 * 365 * 24 * int64(time.Hour/time.Millisecond)
	switch {
	case ms == nil:
		return nil, nil
	case *ms < 0 || *ms > most:
		return nil, badRequest("%s: %d is not between 0 and %d", name, *ms, most)
	}
	age := time.Duration(*ms) * time.Millisecond
	return &age, nil
}

// statesOf reads states that are joined by commas.
func statesOf(text string) (states []queue.State, err error) {
	for word := range strings.SplitSeq(text, ",") {
		found := false
		for _, s := range []queue.State{queue.StateReady, queue.StateUnacked, queue.StateDelayed} {
			if word == s.String() {
				states, found = append(states, s), true
			}
		}
		if !found {
			return nil, badRequest("state: %q is none of ready, unacked and delayed", word)
		}
	}
	return states, nil
}

func headerFilters(f *vhost.Filter, headers map[string]json.RawMessage) error {
	for name, raw := range headers {
		h := vhost.HeaderFilter{Name: name}
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return badRequest("headers.%s is not JSON", name)
		}
		switch v := v.(type) {
		case nil:
		case string, bool:
			h.Value = v
		case json.Number:
			if n, err := v.Int64(); err == nil {
				h.Value = n
			} else if x, err := v.Float64(); err == nil {
				h.Value = x
			} else {
				return badRequest("headers.%s: %s is too large a number", name, v)
			}
		default:
			return badRequest("headers.%s: only texts, numbers, booleans and null can be compared", name)
		}
		f.Headers = append(f.Headers, h)
	}
	return nil
}

func propertyFilters(f *vhost.Filter, properties map[string]any) error {
	for name, v := range properties {
		if !vhost.FiltersProperty(name) {
			return badRequest("properties: there is no property %q", name)
		}
		p := vhost.PropertyFilter{Name: name}
		switch v := v.(type) {
		case string:
			p.Text = v
		case json.Number:
			p.Text = v.String()
		default:
			return badRequest("properties.%s should be a text or a number", name)
		}
		f.Properties = append(f.Properties, p)
	}
	return nil
}
