package definitions

import (
	"encoding/json"
	"fmt"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
)

// item is one entry of a file.
type item interface {
	// where names it, as errors do.
	where() string
	// key is the same for two entries that are about the same thing.
	key() string
}

// keyOf makes a key of names, which may have anything in them.
func keyOf(names ...string) string { return fmt.Sprintf("%q", names) }

type user struct {
	auth.Account
	limits json.RawMessage // nil: none are said
}

func (u user) where() string { return fmt.Sprintf("user '%s'", u.Name) }
func (u user) key() string   { return keyOf(u.Name) }

// room is a vhost. What is not said of it, nil, stays as it is.
type room struct {
	name              string
	description, kind *string // kind is the default queue type
	tags              *[]string
	protected         *bool
	tracing           *bool
	limits            json.RawMessage
}

func (v room) where() string { return fmt.Sprintf("vhost '%s'", v.name) }
func (v room) key() string   { return keyOf(v.name) }

type permission auth.Permission

func (p permission) where() string {
	return fmt.Sprintf("permissions of user '%s' in vhost '%s'", p.User, p.VHost)
}
func (p permission) key() string { return keyOf(p.User, p.VHost) }

type topicPermission auth.TopicPermission

func (p topicPermission) where() string {
	return fmt.Sprintf("topic permissions of user '%s' for exchange '%s' in vhost '%s'", p.User, p.Exchange, p.VHost)
}
func (p topicPermission) key() string { return keyOf(p.User, p.Exchange, p.VHost) }

type parameter struct {
	in string // the vhost
	vhost.Parameter
}

func (p parameter) where() string {
	return fmt.Sprintf("parameter '%s' of component '%s' in vhost '%s'", p.Name, p.Component, p.in)
}
func (p parameter) key() string { return keyOf(p.Name, p.Component, p.in) }

type globalParameter struct {
	name  string
	value json.RawMessage
}

func (p globalParameter) where() string { return fmt.Sprintf("global parameter '%s'", p.name) }
func (p globalParameter) key() string   { return keyOf(p.name) }

type rule struct {
	in string
	policy.Policy
}

func (p rule) where() string { return fmt.Sprintf("policy '%s' in vhost '%s'", p.Name, p.in) }
func (p rule) key() string   { return keyOf(p.Name, p.in) }

type exchangeItem struct {
	in                           string
	name, kind                   string
	durable, autoDelete, private bool // private is RabbitMQ's internal
	arguments                    amqp.Table
}

func (x exchangeItem) where() string { return fmt.Sprintf("exchange '%s' in vhost '%s'", x.name, x.in) }
func (x exchangeItem) key() string   { return keyOf(x.name, x.in) }

type queueItem struct {
	in                  string
	name                string
	kind                string // of the field type; empty if it is not there
	durable, autoDelete bool
	arguments           amqp.Table
}

func (q queueItem) where() string { return fmt.Sprintf("queue '%s' in vhost '%s'", q.name, q.in) }
func (q queueItem) key() string   { return keyOf(q.name, q.in) }

type bindingItem struct {
	in string
	vhost.Binding
}

func (b bindingItem) where() string {
	return fmt.Sprintf("binding from exchange '%s' to %s '%s' with key '%s' in vhost '%s'",
		b.Source, b.destinationType(), b.Destination, b.Key, b.in)
}

// key has the arguments, by which bindings differ too.
func (b bindingItem) key() string {
	arguments, _ := json.Marshal(TableObject(b.Arguments)) // of a table
	return keyOf(b.Source, b.destinationType(), b.Destination, b.Key, b.in) + string(arguments)
}

func (b bindingItem) destinationType() string {
	if b.ToExchange {
		return "exchange"
	}
	return "queue"
}
