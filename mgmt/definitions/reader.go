package definitions

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/policy"
)

// reader reads the fields of one entry. The first that cannot be used ends it:
// what is read afterwards is empty.
type reader struct {
	where  string // what the entry is about, as far as that is known
	fields map[string]json.RawMessage
	err    error
	// foreign says what the entry needs that the broker has not; empty: nothing.
	foreign string
}

// newReader makes the reader of an entry of a section.
func newReader(section string, i int, raw json.RawMessage) *reader {
	r := &reader{where: fmt.Sprintf("%s[%d]", section, i)}
	if err := json.Unmarshal(raw, &r.fields); err != nil || r.fields == nil {
		r.err = policy.Refusef("%s should be an object, actually was %s", r.where, shown(raw))
	}
	return r
}

// fail notes what is wrong with a field.
func (r *reader) fail(field, format string, args ...any) {
	if r.err == nil {
		r.err = policy.Refusef("%s: %s %s", r.where, field, fmt.Sprintf(format, args...))
	}
}

// has reports whether a field is there. RabbitMQ writes null for some that are not.
func (r *reader) has(field string) bool {
	raw, ok := r.fields[field]
	return ok && string(raw) != "null"
}

// text reads a field that must be there.
func (r *reader) text(field string) (s string) {
	if !r.has(field) {
		r.fail(field, "is missing")
		return ""
	}
	return r.textOr(field, "")
}

func (r *reader) textOr(field, without string) (s string) {
	if r.err != nil || !r.has(field) {
		return without
	}
	if err := json.Unmarshal(r.fields[field], &s); err != nil {
		r.fail(field, "should be a text, actually was %s", shown(r.fields[field]))
	}
	return s
}

// maybe reads a field, nil if it is not there.
func (r *reader) maybe(field string) *string {
	if !r.has(field) {
		return nil
	}
	s := r.text(field)
	return &s
}

// flag reads a field that must be there.
func (r *reader) flag(field string) bool {
	if !r.has(field) {
		r.fail(field, "is missing")
		return false
	}
	return r.flagOr(field, false)
}

func (r *reader) flagOr(field string, without bool) (b bool) {
	if r.err != nil || !r.has(field) {
		return without
	}
	if err := json.Unmarshal(r.fields[field], &b); err != nil {
		r.fail(field, "should be true or false, actually was %s", shown(r.fields[field]))
	}
	return b
}

// tags reads a list of texts, or one text with commas in it, as RabbitMQ does.
func (r *reader) tags(field string) []string {
	if r.err != nil || !r.has(field) {
		return nil
	}
	tags, err := ParseTags(r.fields[field])
	if err != nil {
		r.fail(field, "%s", err)
	}
	return tags
}

// ParseTags reads tags as RabbitMQ has them: a list of texts, or one text with
// commas between.
func ParseTags(raw json.RawMessage) ([]string, error) {
	tags := []string{}
	if err := json.Unmarshal(raw, &tags); err == nil && tags != nil {
		return tags, nil
	}
	var one *string
	if err := json.Unmarshal(raw, &one); err != nil || one == nil {
		return nil, fmt.Errorf("should be a text or a list of texts, actually was %s", shown(raw))
	}
	if *one == "" {
		return []string{}, nil
	}
	tags = strings.Split(*one, ",")
	for i := range tags {
		tags[i] = strings.TrimSpace(tags[i])
	}
	return tags, nil
}

func (r *reader) table(field string) amqp.Table {
	t, err := ParseTable(r.fields[field])
	if err != nil {
		r.fail(field, "%s", err)
	}
	return t
}

// value reads any value that must be there, without spaces.
func (r *reader) value(field string) json.RawMessage {
	raw, ok := r.fields[field]
	if !ok {
		r.fail(field, "is missing")
		return nil
	}
	return compact(raw)
}

// settings reads an object, or an empty list, which RabbitMQ takes for an empty
// one, with the names sorted; nil if it is empty.
func (r *reader) settings(field string) json.RawMessage {
	if r.err != nil || !r.has(field) {
		return nil
	}
	var object map[string]json.RawMessage
	var list []json.RawMessage
	raw := r.fields[field]
	if json.Unmarshal(raw, &object) != nil && (json.Unmarshal(raw, &list) != nil || len(list) > 0) {
		r.fail(field, "should be an object, actually was %s", shown(raw))
	}
	if len(object) == 0 {
		return nil
	}
	return compact(raw)
}

// object returns the fields of those names that are there.
func (r *reader) object(names ...string) map[string]any {
	object := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(r.fields)) {
		if !slices.Contains(names, name) {
			continue
		}
		v, err := decodeValue(r.fields[name])
		if err != nil {
			r.fail(name, "cannot be read: %s", err)
		}
		object[name] = v
	}
	return object
}

// inner is the reader of an object in a field, whose fields are as if they were
// absent if it is not there.
func (r *reader) inner(field string) *reader {
	in := &reader{where: r.where + ": " + field}
	if r.err == nil && r.has(field) {
		if err := json.Unmarshal(r.fields[field], &in.fields); err != nil {
			r.fail(field, "should be an object, actually was %s", shown(r.fields[field]))
		}
	}
	return in
}

// compact returns a value, which is valid, without spaces and with sorted names.
func compact(raw json.RawMessage) json.RawMessage {
	v, err := decodeValue(raw)
	if err != nil {
		return raw
	}
	sorted, _ := json.Marshal(v) // it came from JSON
	return sorted
}
