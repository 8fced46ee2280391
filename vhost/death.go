package vhost

import (
	"math"
	"strconv"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// maxDeaths bounds the list of a message's deaths, which grows by what clients
// send and by queues whose names are new each time. The oldest are forgotten.
const maxDeaths = 128

// deaths is the value of the header x-death: one table for each queue and
// reason, the most recent first. Clients may have sent it, so that anything can
// be in it.
type deaths amqp.Array

// death is one death of a message.
type death struct {
	reason   queue.Reason
	queue    string
	at       time.Time
	exchange string // that the message was published to
	key      string // its first routing key
	// expiration is the message's own, in milliseconds, or amqp.NoExpiration.
	expiration int64
}

// recordDeath returns the headers with the death in them, in RabbitMQ's form:
// x-death; x-last-death-…, the latest; x-first-death-…, which are set if the
// message has no x-death at all. A header x-death that is not a list is replaced.
func recordDeath(headers amqp.Table, d death) (amqp.Table, deaths) {
	was, had := headers.Get("x-death")
	list, _ := was.(amqp.Array) // empty if it is anything else
	updated := deaths(list).with(d, headers)
	if !had {
		headers = d.name(headers, "x-first-death-")
	}
	headers = headers.With("x-death", amqp.Array(updated))
	return d.name(headers, "x-last-death-"), updated
}

// name sets the three headers that say where a message died and why.
func (d *death) name(headers amqp.Table, prefix string) amqp.Table {
	return headers.
		With(prefix+"reason", string(d.reason)).
		With(prefix+"queue", d.queue).
		With(prefix+"exchange", d.exchange)
}

// with returns the list with the death in front. A death of the same queue and
// reason is counted there, and otherwise left as it was.
func (list deaths) with(d death, headers amqp.Table) deaths {
	var known amqp.Table
	count := int64(0)
	out := make(deaths, 1, len(list)+1)
	for _, e := range list {
		t, ok := e.(amqp.Table)
		if !ok || !d.is(t) {
			out = append(out, e)
			continue
		}
		if known == nil {
			known = t
		}
		count = addCount(count, t)
	}
	if known == nil {
		out[0] = d.table(headers)
	} else {
		out[0] = known.With("count", addOne(count))
	}
	return out[:min(len(out), maxDeaths)]
}

// is reports whether the table is about the same queue and reason.
func (d *death) is(t amqp.Table) bool {
	q, _ := t.Get("queue")
	reason, _ := t.Get("reason")
	return q == d.queue && reason == string(d.reason)
}

// table is the first record of a death: newest RabbitMQ's fields in its order.
func (d *death) table(headers amqp.Table) amqp.Table {
	t := make(amqp.Table, 0, 7)
	if d.expiration >= 0 {
		t = append(t, amqp.Field{Name: "original-expiration", Value: strconv.FormatInt(d.expiration, 10)})
	}
	return append(t,
		amqp.Field{Name: "count", Value: int64(1)},
		amqp.Field{Name: "reason", Value: string(d.reason)},
		amqp.Field{Name: "queue", Value: d.queue},
		amqp.Field{Name: "time", Value: amqp.Timestamp(d.at.Unix())},
		amqp.Field{Name: "exchange", Value: d.exchange},
		amqp.Field{Name: "routing-keys", Value: d.keys(headers)},
	)
}

// keys are the routing keys that may be seen: BCC is not among them, since it
// is not in the headers any more.
func (d *death) keys(headers amqp.Table) amqp.Array {
	keys := amqp.Array{d.key}
	cc, _ := headers.Get("CC")
	list, _ := cc.(amqp.Array)
	for _, k := range list {
		if s, ok := k.(string); ok {
			keys = append(keys, s)
		}
	}
	return keys
}

// addCount adds the count of a table; one that is absent or makes no sense is 1.
func addCount(sum int64, t amqp.Table) int64 {
	v, _ := t.Get("count")
	n, ok := amqp.Int(v)
	if !ok || n < 1 {
		n = 1
	}
	if sum > math.MaxInt64-n {
		return math.MaxInt64
	}
	return sum + n
}

func addOne(n int64) int64 {
	if n == math.MaxInt64 {
		return n
	}
	return n + 1
}

// isCycle reports whether a message that goes to this queue now has been there
// before and came back without anybody doing anything: of all its deaths since,
// none was a reject. What is not a death was made by a client, so somebody did
// something.
func (list deaths) isCycle(name string) bool {
	for _, e := range list {
		t, ok := e.(amqp.Table)
		if !ok {
			return false
		}
		if reason, _ := t.Get("reason"); reason == string(queue.Rejected) {
			return false
		}
		if q, _ := t.Get("queue"); q == name {
			return true
		}
	}
	return false
}
