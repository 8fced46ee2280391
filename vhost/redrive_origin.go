package vhost

import (
	"strings"

	"github.com/leveretmq/leveret/amqp"
)

// origins are where a message died: in which queue, and the exchange that it was in and
// the keys that it had then.
type origins struct {
	queue, exchange string
	keys            []string
}

// deathOf reads from the headers where a message died first, or last. Clients may have
// made them, so that anything can be in them; false if they do not say.
func deathOf(headers amqp.Table, latest bool) (origins, bool) {
	v, _ := headers.Get("x-death")
	list, _ := v.(amqp.Array)
	prefix, fallback := "x-first-death-", len(list)-1
	if latest {
		prefix, fallback = "x-last-death-", 0
	}
	name, named := textHeader(headers, prefix+"queue")
	reason, _ := textHeader(headers, prefix+"reason")
	if named {
		o := origins{queue: name}
		o.exchange, _ = textHeader(headers, prefix+"exchange")
		for _, e := range list {
			if t, ok := e.(amqp.Table); ok && isDeath(t, name, reason) {
				o.keys = deathKeys(t)
				break
			}
		}
		return o, true
	}
	if len(list) == 0 {
		return origins{}, false
	}
	t, _ := list[fallback].(amqp.Table)
	o := origins{keys: deathKeys(t)}
	o.queue, named = textHeader(t, "queue")
	o.exchange, _ = textHeader(t, "exchange")
	return o, named
}

func isDeath(t amqp.Table, name, reason string) bool {
	q, _ := textHeader(t, "queue")
	r, _ := textHeader(t, "reason")
	return q == name && r == reason
}

func deathKeys(t amqp.Table) (keys []string) {
	v, _ := t.Get("routing-keys")
	list, _ := v.(amqp.Array)
	for _, k := range list {
		if s, ok := k.(string); ok {
			keys = append(keys, s)
		}
	}
	return keys
}

func textHeader(t amqp.Table, name string) (string, bool) {
	v, _ := t.Get(name)
	s, ok := v.(string)
	return s, ok
}

// withoutDeaths is the headers without what deaths have left in them.
func withoutDeaths(headers amqp.Table) amqp.Table {
	var out amqp.Table
	for _, f := range headers {
		switch {
		case f.Name == "x-death", f.Name == "x-attempts",
			strings.HasPrefix(f.Name, "x-first-death-"), strings.HasPrefix(f.Name, "x-last-death-"):
		default:
			out = append(out, f)
		}
	}
	return out
}
