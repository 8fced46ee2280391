package vhost

import (
	"strconv"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/queue"
)

// What happens to exchanges, queues and bindings is told in the headers of RabbitMQ's
// plugin.

// listening reports whether anybody wants to hear what happens.
func (t *topology) listening() bool { return t.events != nil && t.events.heard.Load() }

// authorLocked is who does what is done under the lock of the topology.
func (t *topology) authorLocked() amqp.Field {
	return amqp.Field{Name: fieldAuthor, Value: orInternal(t.author)}
}

const fieldAuthor = "user_who_performed_action"

func orInternal(user string) string {
	if user == "" {
		return internalUser
	}
	return user
}

// byLocked says who does what follows under the lock, until done is called.
func (t *topology) byLocked(user string) (done func()) {
	t.author = user
	return func() { t.author = "" }
}

func (t *topology) tellQueueCreated(q *queue.Queue) {
	if !t.listening() {
		return
	}
	o := q.Options()
	t.events.tell("queue.created", amqp.Table{
		{Name: "name", Value: o.Name},
		{Name: "vhost", Value: o.VHost},
		{Name: "durable", Value: o.Durable},
		{Name: "auto_delete", Value: o.AutoDelete},
		{Name: "arguments", Value: Terms(o.Arguments)},
		{Name: "owner_pid", Value: t.events.pid(o.Owner)},
		{Name: "exclusive", Value: o.Owner != 0},
		t.authorLocked(),
	})
}

func (t *topology) tellQueueDeleted(q *queue.Queue) {
	if t.listening() {
		o := q.Options()
		t.events.tell("queue.deleted", amqp.Table{{Name: "name", Value: o.Name}, {Name: "vhost", Value: o.VHost}, t.authorLocked()})
	}
}

func (t *topology) tellExchangeCreated(x *exchange.Exchange) {
	if t.listening() {
		t.events.tell("exchange.created", amqp.Table{
			{Name: "name", Value: x.Name()},
			{Name: "vhost", Value: x.VHost()},
			{Name: "type", Value: x.Type()},
			{Name: "durable", Value: x.Durable()},
			{Name: "auto_delete", Value: x.AutoDelete()},
			{Name: "internal", Value: x.Internal()},
			{Name: "arguments", Value: Terms(x.Arguments())},
			{Name: "policy", Value: ""},
			t.authorLocked(),
		})
	}
}

func (t *topology) tellExchangeDeleted(x *exchange.Exchange) {
	if t.listening() {
		t.events.tell("exchange.deleted", amqp.Table{{Name: "name", Value: x.Name()}, {Name: "vhost", Value: x.VHost()}, t.authorLocked()})
	}
}

// tellBindings tells of bindings from an exchange: binding.created or binding.deleted.
func (t *topology) tellBindings(what string, x *exchange.Exchange, author amqp.Field, bindings ...exchange.Binding) {
	if !t.listening() {
		return
	}
	for _, b := range bindings {
		kind := "queue"
		if _, ok := b.Destination.(*exchange.Exchange); ok {
			kind = "exchange"
		}
		t.events.tell(what, amqp.Table{
			{Name: "source_name", Value: x.Name()},
			{Name: "source_kind", Value: "exchange"},
			{Name: "destination_name", Value: b.Destination.Name()},
			{Name: "destination_kind", Value: kind},
			{Name: "routing_key", Value: b.Key},
			{Name: "arguments", Value: Terms(b.Arguments)},
			{Name: "vhost", Value: x.VHost()},
			author,
		})
	}
}

// internally is the author of what follows from what others do.
var internally = amqp.Field{Name: fieldAuthor, Value: internalUser}

// Terms is a table as RabbitMQ shows arguments in events: each as an Erlang term.
func Terms(t amqp.Table) amqp.Array {
	list := make(amqp.Array, len(t))
	for i, f := range t {
		list[i] = `{<<"` + f.Name + `">>,` + amqp.TypeName(f.Value) + "," + amqp.Term(f.Value) + "}"
	}
	return list
}

// pid is what stands for a connection where RabbitMQ has the id of its process; empty
// for none.
func (e *events) pid(conn uint64) string {
	if conn == 0 {
		return ""
	}
	return ProcessName(e.node, conn, 0)
}

// ProcessName is what stands for a connection, or for one of its channels, where
// RabbitMQ tells the id of a process.
func ProcessName(node string, conn uint64, channel uint16) string {
	return "<" + node + "." + strconv.FormatUint(conn, 10) + "." + strconv.Itoa(int(channel)) + ">"
}
