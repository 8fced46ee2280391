package definitions

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"

	"github.com/leveretmq/leveret/vhost/policy"
)

// ParseOptions say how a file is to be understood. The zero value is usable.
type ParseOptions struct {
	// SkipUnsupported leaves out what the broker has not, instead of refusing the
	// file: streams, parameters and policies of shovel, federation and other
	// plugins, exchanges of types of plugins; and bindings to what is not there.
	// Warnings says what that was.
	SkipUnsupported bool
}

// mark is the byte order mark that some editors put before a text.
const mark = "\ufeff"

// Parse understands a file as it is written by RabbitMQ or by Export, whole or of
// one vhost. Members and sections that it does not know it passes over, as
// RabbitMQ does. The error is a *policy.Refused that names entry and field.
func Parse(data []byte, o ParseOptions) (*File, error) {
	data = bytes.TrimPrefix(data, []byte(mark))
	var sections map[string]json.RawMessage
	if err := json.Unmarshal(data, &sections); err != nil || sections == nil {
		return nil, policy.Refusef("failed_to_parse_json")
	}
	head := &reader{where: "definitions", fields: sections}
	f := &File{lenient: o.SkipUnsupported, sum: sha256.Sum256(compact(data))}
	f.about = About{
		Product: head.textOr("product_name", ""), Version: head.textOr("product_version", ""),
		RabbitMQ: head.textOr("rabbitmq_version", head.textOr("rabbit_version", "")),
		Cluster:  head.textOr("original_cluster_name", ""),
	}
	p := parser{sections: sections, version: f.about.RabbitMQ, err: head.err}
	f.users = section(&p, "users", p.user)
	f.rooms = section(&p, "vhosts", p.room)
	f.permissions = section(&p, "permissions", p.permission)
	f.topics = section(&p, "topic_permissions", p.topic)
	f.parameters = section(&p, "parameters", p.parameter)
	f.globals = section(&p, "global_parameters", p.global)
	f.policies = section(&p, "policies", p.policy)
	f.exchanges = section(&p, "exchanges", p.exchange)
	f.queues = section(&p, "queues", p.queue)
	f.bindings = section(&p, "bindings", p.binding)
	switch {
	case p.err != nil:
		return nil, p.err
	case len(p.foreign) > 0 && !o.SkipUnsupported:
		return nil, policy.Refusef("not supported: %s", strings.Join(p.foreign, "; "))
	}
	f.skipped = append(p.foreign, p.skipped...)
	return f, nil
}

// parser is a file while it is understood.
type parser struct {
	sections map[string]json.RawMessage
	version  string // of RabbitMQ
	err      error  // the first
	foreign  []string
	skipped  []string // what RabbitMQ passes over too
}

// section reads the entries of a section.
func section[T any](p *parser, name string, read func(*reader) (T, bool)) []T {
	raw, ok := p.sections[name]
	if p.err != nil || !ok {
		return nil
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		p.err = policy.Refusef("%s should be a list, actually was %s", name, shown(raw))
		return nil
	}
	items := make([]T, 0, len(entries))
	for i, entry := range entries {
		r := newReader(name, i, entry)
		if r.err == nil {
			item, wanted := read(r)
			if wanted && r.foreign == "" {
				items = append(items, item)
			}
		}
		if p.err = r.err; p.err != nil {
			return nil
		}
		if r.foreign != "" {
			p.foreign = append(p.foreign, r.where+": "+r.foreign)
		}
	}
	return items
}
