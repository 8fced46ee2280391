package vhost

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

var someDeath = death{reason: queue.Rejected, queue: "q", at: time.Unix(1000, 0), exchange: "x", key: "k", expiration: amqp.NoExpiration}

// What clients send as x-death is taken as far as it makes sense, as RabbitMQ
// before 4.0 does.
func TestRecordDeathForeign(t *testing.T) {
	fresh := entry(1, "rejected", "q", 1000, "x", "k")
	other := entry(3, "expired", "q", 5, "", "a")
	for _, c := range []struct {
		name string
		was  any
		want amqp.Array
	}{
		{"string", "mine", amqp.Array{fresh}},
		{"void", nil, amqp.Array{fresh}},
		{"table", amqp.Table{}, amqp.Array{fresh}},
		{"empty", amqp.Array{}, amqp.Array{fresh}},
		{"another reason", amqp.Array{other}, amqp.Array{fresh, other}},
		{"junk is kept behind", amqp.Array{int32(1), amqp.Array{}, amqp.Table{}}, amqp.Array{fresh, int32(1), amqp.Array{}, amqp.Table{}}},
		{"the same", amqp.Array{other, args("queue", "q", "reason", "rejected", "count", int32(7))},
			amqp.Array{args("queue", "q", "reason", "rejected", "count", int64(8)), other}},
		{"the same twice", amqp.Array{
			args("queue", "q", "reason", "rejected", "count", int64(2), "n", int32(1)),
			args("queue", "q", "reason", "rejected", "count", int64(3)),
		}, amqp.Array{args("queue", "q", "reason", "rejected", "count", int64(6), "n", int32(1))}},
		{"no count", amqp.Array{args("queue", "q", "reason", "rejected")},
			amqp.Array{args("queue", "q", "reason", "rejected", "count", int64(2))}},
		{"bad counts", amqp.Array{args("queue", "q", "reason", "rejected", "count", "a"), args("queue", "q", "reason", "rejected", "count", int64(-5))},
			amqp.Array{args("queue", "q", "reason", "rejected", "count", int64(3))}},
		{"greatest count", amqp.Array{args("queue", "q", "reason", "rejected", "count", int64(math.MaxInt64)), args("queue", "q", "reason", "rejected")},
			amqp.Array{args("queue", "q", "reason", "rejected", "count", int64(math.MaxInt64))}},
		{"names that are no strings", amqp.Array{args("queue", []byte("q"), "reason", amqp.Table{})},
			amqp.Array{fresh, args("queue", []byte("q"), "reason", amqp.Table{})}},
	} {
		was := args("x-death", c.was, "x-first-death-queue", "f")
		headers, list := recordDeath(was, someDeath)
		if !reflect.DeepEqual(amqp.Array(list), c.want) {
			t.Errorf("%s:\n got %v\nwant %v", c.name, list, c.want)
		}
		if got, _ := headers.Get("x-death"); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: the header is %v", c.name, got)
		}
		// The first death was another broker's: it stays as it was.
		if got, _ := headers.Get("x-first-death-queue"); got != "f" {
			t.Errorf("%s: x-first-death-queue is %v", c.name, got)
		}
		if _, ok := headers.Get("x-first-death-reason"); ok {
			t.Errorf("%s: x-first-death-reason was added", c.name)
		}
		if got, _ := headers.Get("x-last-death-queue"); got != "q" {
			t.Errorf("%s: x-last-death-queue is %v", c.name, got)
		}
	}
}

func TestIsCycle(t *testing.T) {
	at := func(queue, reason string) amqp.Table { return args("queue", queue, "reason", reason) }
	for _, c := range []struct {
		name string
		list deaths
		want bool
	}{
		{"none", nil, false},
		{"elsewhere", deaths{at("p", "expired")}, false},
		{"here", deaths{at("q", "expired")}, true},
		{"here and elsewhere", deaths{at("p", "maxlen"), at("q", "delivery_limit")}, true},
		{"rejected here", deaths{at("q", "rejected")}, false},
		{"rejected since", deaths{at("p", "rejected"), at("q", "expired")}, false},
		{"rejected before", deaths{at("q", "expired"), at("p", "rejected")}, true},
		{"a client's in between", deaths{"junk", at("q", "expired")}, false},
		{"a client's before", deaths{at("q", "expired"), "junk"}, true},
		{"names that are no strings", deaths{args("queue", amqp.Table{}, "reason", amqp.Array{}), at("q", "expired")}, true},
	} {
		if got := c.list.isCycle("q"); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}

func FuzzDeath(f *testing.F) {
	for _, t := range []amqp.Table{
		args("x-death", amqp.Array{entry(1, "rejected", "q", 1, "x", "k"), "junk", entry(9, "expired", "q", 1, "x")}),
		args("x-death", "mine", "CC", amqp.Array{"a", int32(1)}),
		args("x-death", amqp.Array{}, "CC", "a", "CC", amqp.Array{}),
	} {
		raw, err := amqp.AppendTable(nil, t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		headers, _, err := amqp.DecodeTable(raw)
		if err != nil {
			return
		}
		const times = 3
		var list deaths
		before := int64(0)
		for range times {
			headers, list = recordDeath(headers, someDeath)
			list.isCycle("other")
			first := list[0].(amqp.Table)
			if !someDeath.is(first) {
				t.Fatalf("the latest death is not in front: %v", list)
			}
			v, _ := first.Get("count")
			count, ok := v.(int64)
			if !ok || count < 1 || count <= before && count != math.MaxInt64 {
				t.Fatalf("count is %v after %d", v, before)
			}
			before = count
		}
		if len(list) > maxDeaths {
			t.Fatalf("%d deaths", len(list))
		}
		if _, err := amqp.AppendTable(nil, headers); err != nil {
			t.Fatalf("what was decoded and recorded cannot be encoded: %v", err)
		}
	})
}
