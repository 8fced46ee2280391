package definitions

import (
	"bytes"
	"cmp"
	"encoding/json"

	"github.com/leveretmq/leveret/vhost/auth"
)

// The forms of files [RabbitMQ 4].
const (
	formWhole = "cluster"
	formOne   = "single_virtual_host"
)

// member is a member of a JSON object, in its place.
type member struct {
	name  string
	value any
}

// MarshalJSON writes a file in RabbitMQ's form.
func (f *File) MarshalJSON() ([]byte, error) {
	version := cmp.Or(f.about.RabbitMQ, "3.10.0")
	all := []member{
		{"rabbit_version", version}, {"rabbitmq_version", version},
		{"product_name", f.about.Product}, {"product_version", f.about.Version},
	}
	if f.one {
		all = append(all, member{"rabbitmq_definition_format", formOne}, member{"original_vhost_name", f.named},
			member{"explanation", "Definitions of virtual host '" + f.named + "'"})
		if len(f.rooms) == 1 {
			metadata := f.rooms[0].metadata()
			all = append(all, member{"metadata", metadata}, member{"description", metadata.Description},
				member{"limits", settings(f.rooms[0].limits)})
		}
	} else {
		all = append(all, member{"rabbitmq_definition_format", formWhole}, member{"original_cluster_name", f.about.Cluster},
			member{"explanation", "Definitions of cluster '" + f.about.Cluster + "'"},
			member{"users", list(f.users)}, member{"vhosts", list(f.rooms)},
			member{"permissions", list(f.permissions)}, member{"topic_permissions", list(f.topics)})
	}
	all = append(all, member{"parameters", entries(f, f.parameters, parameter.entry)})
	if !f.one {
		all = append(all, member{"global_parameters", list(f.globals)})
	}
	return encode(append(all,
		member{"policies", entries(f, f.policies, rule.entry)},
		member{"queues", entries(f, f.queues, queueItem.entry)},
		member{"exchanges", entries(f, f.exchanges, exchangeItem.entry)},
		member{"bindings", entries(f, f.bindings, bindingItem.entry)},
	))
}

func encode(members []member) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i, m := range members {
		b.WriteByte("{,"[min(i, 1)])
		if err := e.Encode(m.name); err != nil {
			return nil, err
		}
		b.Truncate(b.Len() - 1) // the line's end
		b.WriteByte(':')
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// object is an entry of a file.
type object []member

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) { return encode(o) }

// list is a list that is never null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// entries are those of a section, without the vhost if the file is of one.
func entries[T any](f *File, items []T, entry func(T) object) []object {
	out := make([]object, len(items))
	for i, item := range items {
		out[i] = entry(item)
		if f.one {
			out[i] = out[i].without("vhost")
		}
	}
	return out
}

func (o object) without(name string) object {
	out := make(object, 0, len(o))
	for _, m := range o {
		if m.name != name {
			out = append(out, m)
		}
	}
	return out
}

// settings is an object that is never null.
func settings(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("{}")
	}
	return raw
}

// MarshalJSON writes the entry of a user.
func (u user) MarshalJSON() ([]byte, error) {
	return encode([]member{{"name", u.Name}, {"password_hash", u.Hash.String()},
		{"hashing_algorithm", cmp.Or(u.Hash.Algorithm, auth.SHA256)}, {"tags", list(u.Tags)}, {"limits", settings(u.limits)}})
}

// roomMetadata is the metadata of a vhost as a file has it.
type roomMetadata struct {
	Description      string   `json:"description"`
	Tags             []string `json:"tags"`
	DefaultQueueType string   `json:"default_queue_type,omitempty"`
	Protected        bool     `json:"protected_from_deletion,omitempty"`
}

func (v room) metadata() roomMetadata {
	return roomMetadata{*v.description, list(*v.tags), *v.kind, *v.protected}
}

// MarshalJSON writes the entry of a vhost that is exported. RabbitMQ has looked for
// description and tags at the top until 4.2, and in the metadata since 4.0. Whether it
// is traced is not exported, there neither.
func (v room) MarshalJSON() ([]byte, error) {
	m := v.metadata()
	entry := []member{{"name", v.name}, {"description", m.Description}, {"tags", m.Tags}}
	if m.DefaultQueueType != "" {
		entry = append(entry, member{"default_queue_type", m.DefaultQueueType})
	}
	return encode(append(entry, member{"metadata", m}, member{"limits", settings(v.limits)}))
}

// MarshalJSON writes the entry of permissions.
func (p permission) MarshalJSON() ([]byte, error) {
	return encode([]member{{"user", p.User}, {"vhost", p.VHost}, {"configure", p.Configure}, {"write", p.Write}, {"read", p.Read}})
}

// MarshalJSON writes the entry of topic permissions.
func (p topicPermission) MarshalJSON() ([]byte, error) {
	return encode([]member{{"user", p.User}, {"vhost", p.VHost}, {"exchange", p.Exchange}, {"write", p.Write}, {"read", p.Read}})
}

// MarshalJSON writes the entry of a global parameter.
func (p globalParameter) MarshalJSON() ([]byte, error) {
	return encode([]member{{"name", p.name}, {"value", p.value}})
}

func (p parameter) entry() object {
	return object{{"value", p.Value}, {"vhost", p.in}, {"component", p.Component}, {"name", p.Name}}
}

func (p rule) entry() object {
	return object{{"vhost", p.in}, {"name", p.Name}, {"pattern", p.Pattern}, {"apply-to", p.ApplyTo},
		{"definition", p.Definition}, {"priority", p.Priority}}
}

func (q queueItem) entry() object {
	return object{{"name", q.name}, {"vhost", q.in}, {"type", q.kind}, {"durable", q.durable},
		{"auto_delete", q.autoDelete}, {"arguments", TableObject(q.arguments)}}
}

func (x exchangeItem) entry() object {
	return object{{"name", x.name}, {"vhost", x.in}, {"type", x.kind}, {"durable", x.durable},
		{"auto_delete", x.autoDelete}, {"internal", x.private}, {"arguments", TableObject(x.arguments)}}
}

func (b bindingItem) entry() object {
	return object{{"source", b.Source}, {"vhost", b.in}, {"destination", b.Destination},
		{"destination_type", b.destinationType()}, {"routing_key", b.Key}, {"arguments", TableObject(b.Arguments)}}
}
