package mgmt

import (
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/vhost"
)

// filterQuery reads the filter of a query into a filterBody; err is the first fault.
type filterQuery struct {
	values map[string][]string
	err    error
}

// filterOfQuery is the filter that a query has.
func filterOfQuery(values map[string][]string) (f vhost.Filter, err error) {
	q := filterQuery{values: values}
	b := filterBody{
		Exchange: q.text("exchange"), RoutingKey: q.text("routing_key"), RoutingKeyPattern: q.text("routing_key_pattern"),
		PriorityMin: q.octet("priority_min"), PriorityMax: q.octet("priority_max"),
		SizeMin: q.size("size_min"), SizeMax: q.size("size_max"),
		AgeMin: q.number("age_min_ms", 63), AgeMax: q.number("age_max_ms", 63),
		Redelivered: q.flag("redelivered"), State: q.text("state"),
	}
	if q.err != nil {
		return f, q.err
	}
	if f, err = b.filter(); err != nil {
		return f, err
	}
	for _, text := range values["header"] {
		name, value, has := strings.Cut(text, ":")
		h := vhost.HeaderFilter{Name: name}
		if has {
			h.Text = &value
		}
		f.Headers = append(f.Headers, h)
	}
	for _, text := range values["property"] {
		name, value, has := strings.Cut(text, ":")
		if !has || !vhost.FiltersProperty(name) {
			return f, badRequest("property: %q is not NAME:VALUE with the name of a property", text)
		}
		f.Properties = append(f.Properties, vhost.PropertyFilter{Name: name, Text: value})
	}
	return f, nil
}

// text is a value, nil if there is none.
func (q *filterQuery) text(name string) *string {
	if v := q.values[name]; v != nil {
		return &v[0]
	}
	return nil
}

func (q *filterQuery) fault(format string, args ...any) {
	if q.err == nil {
		q.err = badRequest(format, args...)
	}
}

// number is a whole number of so many bits, nil if there is none.
func (q *filterQuery) number(name string, bits int) *int64 {
	text := q.text(name)
	if text == nil {
		return nil
	}
	n, err := strconv.ParseUint(*text, 10, bits)
	if err != nil {
		q.fault("%s: %q is not an integer that it can have", name, *text)
		return nil
	}
	m := int64(n)
	return &m
}

func (q *filterQuery) octet(name string) *uint8 {
	n := q.number(name, 8)
	if n == nil {
		return nil
	}
	o := uint8(*n)
	return &o
}

func (q *filterQuery) size(name string) *int {
	n := q.number(name, 48)
	if n == nil {
		return nil
	}
	s := int(*n)
	return &s
}

func (q *filterQuery) flag(name string) *bool {
	text := q.text(name)
	if text == nil {
		return nil
	}
	is := *text == "true"
	if !is && *text != "false" {
		q.fault("%s: %q is neither true nor false", name, *text)
	}
	return &is
}
