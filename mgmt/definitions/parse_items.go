package definitions

import (
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
)

// named reads the name of an entry and notes what it is about.
func (r *reader) named(where func(name string) string) string {
	name := r.text("name")
	if r.err == nil {
		r.where = where(name)
	}
	return name
}

func (p *parser) user(r *reader) (u user, ok bool) {
	u.Name = r.named(func(name string) string { u.Name = name; return u.where() })
	u.Tags = r.tags("tags")
	u.limits = r.settings("limits")
	u.Password = r.textOr("password", "")
	if r.has("password_hash") {
		var err error
		if u.Hash, err = auth.ParseHash(p.algorithm(r), r.text("password_hash")); err != nil && r.err == nil {
			r.err = policy.Refusef("%s: %s", r.where, err)
		}
	}
	if err := CheckName("user", u.Name); err != nil && r.err == nil {
		r.err = err
	}
	return u, true
}

// algorithm is how a password was hashed. Before 3.6 RabbitMQ did not say it, and
// it was MD5; null is a user of those days.
func (p *parser) algorithm(r *reader) auth.Algorithm {
	_, said := r.fields["hashing_algorithm"]
	switch {
	case r.has("hashing_algorithm"):
		return auth.Algorithm(r.text("hashing_algorithm"))
	case said || before36(p.version):
		return auth.MD5
	}
	return auth.SHA256
}

func before36(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	return errA == nil && errB == nil && (a < 3 || a == 3 && b < 6)
}

func (p *parser) room(r *reader) (v room, ok bool) {
	v.name = r.named(func(name string) string { v.name = name; return v.where() })
	metadata := r.inner("metadata")
	v.description, v.kind, v.tags = metadata.maybe("description"), metadata.maybe("default_queue_type"), metadata.maybeTags()
	v.protected, v.tracing = metadata.maybeFlag("protected_from_deletion"), r.maybeFlag("tracing")
	if d := r.maybe("description"); d != nil {
		v.description = d
	}
	if t := r.maybeTags(); t != nil {
		v.tags = t
	}
	if k := r.maybe("default_queue_type"); k != nil {
		v.kind = k
	}
	if f := r.maybeFlag("protected_from_deletion"); f != nil {
		v.protected = f
	}
	v.limits = r.settings("limits")
	if r.err == nil {
		r.err = metadata.err
	}
	if err := CheckName("vhost", v.name); err != nil && r.err == nil {
		r.err = err
	}
	if v.kind != nil && *v.kind == "undefined" {
		*v.kind = "" // RabbitMQ's word for none
	}
	if v.kind != nil && *v.kind == streams {
		r.foreign = "default_queue_type stream"
	}
	return v, true
}

func (r *reader) maybeTags() *[]string {
	if !r.has("tags") {
		return nil
	}
	tags := r.tags("tags")
	return &tags
}

func (r *reader) maybeFlag(field string) *bool {
	if !r.has(field) {
		return nil
	}
	b := r.flag(field)
	return &b
}

func (p *parser) permission(r *reader) (g permission, ok bool) {
	g.User, g.VHost = r.text("user"), r.text("vhost")
	if r.err == nil {
		r.where = g.where()
	}
	g.Configure, g.Write, g.Read = r.text("configure"), r.text("write"), r.text("read")
	return g, true
}

func (p *parser) topic(r *reader) (g topicPermission, ok bool) {
	g.User, g.VHost, g.Exchange = r.text("user"), r.text("vhost"), r.text("exchange")
	if r.err == nil {
		r.where = g.where()
	}
	g.Write, g.Read = r.text("write"), r.text("read")
	return g, true
}

func (p *parser) parameter(r *reader) (g parameter, ok bool) {
	g.in, g.Component, g.Name = r.textOr("vhost", ""), r.text("component"), r.text("name")
	if r.err == nil {
		r.where = g.where()
		r.foreign = foreignComponent(g.Component)
	}
	g.Value = r.value("value")
	return g, true
}

func (p *parser) global(r *reader) (g globalParameter, ok bool) {
	g.name = r.named(func(name string) string { g.name = name; return g.where() })
	g.value = r.value("value")
	return g, true
}

func (p *parser) policy(r *reader) (g rule, ok bool) {
	g.in = r.textOr("vhost", "")
	name := r.named(func(name string) string { g.Name = name; return g.where() })
	if r.err != nil {
		return g, false
	}
	value, err := policy.Parse(name, r.object("pattern", "definition", "priority", "apply-to"))
	if err != nil {
		r.err = policy.Refusef("%s: %s", r.where, err)
	}
	g.Policy = value
	r.foreign = foreignSettings(value.Definition)
	return g, true
}

func (p *parser) exchange(r *reader) (x exchangeItem, ok bool) {
	x.in = r.textOr("vhost", "")
	r.named(func(name string) string { x.name = vhost.CleanName(name); return x.where() })
	x.kind = r.text("type")
	x.durable, x.autoDelete, x.private = r.flag("durable"), r.flagOr("auto_delete", false), r.flagOr("internal", false)
	x.arguments = r.table("arguments")
	switch {
	case r.err != nil:
	case x.name == "" || strings.HasPrefix(x.name, reserved):
		p.pass(x)
		return x, false
	case isForeignType(x.kind):
		r.foreign = "type " + x.kind
	}
	return x, true
}

func (p *parser) queue(r *reader) (q queueItem, ok bool) {
	q.in = r.textOr("vhost", "")
	r.named(func(name string) string { q.name = vhost.CleanName(name); return q.where() })
	q.kind = r.textOr("type", "")
	q.durable, q.autoDelete = r.flag("durable"), r.flagOr("auto_delete", false)
	q.arguments = r.table("arguments")
	switch {
	case r.err != nil:
	case q.name == "":
		r.fail("name", "must not be empty")
	case len(q.name) > maxName:
		r.fail("name", "has at most 255 bytes")
	case strings.HasPrefix(q.name, reserved):
		p.pass(q)
		return q, false
	}
	if q.kind == streams || queue.Type(q.arguments) == streams {
		r.foreign = "type stream"
	}
	return q, true
}

func (p *parser) binding(r *reader) (b bindingItem, ok bool) {
	b.in = r.textOr("vhost", "")
	b.Source, b.Destination = vhost.CleanName(r.text("source")), vhost.CleanName(r.text("destination"))
	b.Key = r.textOr("routing_key", "")
	switch kind := r.text("destination_type"); kind {
	case "queue":
	case "exchange":
		b.ToExchange = true
	default:
		r.fail("destination_type", "should be queue or exchange, actually was '%s'", kind)
	}
	if r.err == nil {
		r.where = b.where()
	}
	b.Arguments = r.table("arguments")
	if len(b.Key) > maxName {
		r.fail("routing_key", "has at most 255 bytes")
	}
	return b, true
}

// pass notes what is not imported, by RabbitMQ neither.
func (p *parser) pass(i item) {
	p.skipped = append(p.skipped, i.where()+": names that begin with amq. are the broker's")
}

// reserved is how the names begin that the broker gives.
const reserved = "amq."

const streams = "stream"

// isForeignType reports whether a type of exchange is that of a plugin that the
// broker has not. RabbitMQ's own have names that it knows.
func isForeignType(kind string) bool {
	return strings.HasPrefix(kind, "x-") && exchange.CheckType(kind) != nil
}
