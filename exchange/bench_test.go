package exchange

import (
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// scene is a topology, an exchange of it and a message that it routes.
type scene struct {
	top    *testTopology
	x      *Exchange
	msg    *amqp.Message
	queues int
	allocs float64 // bound on the allocations of a route
}

func scenes(tb testing.TB) map[string]scene {
	top := newTopology()
	direct := top.exchange(tb, "direct", "direct", "-")
	for i := range 1000 {
		bind(tb, direct, top.queue(fmt.Sprint("q", i)), fmt.Sprint("key", i), nil)
	}
	fanout := top.exchange(tb, "fanout", "fanout", "-")
	for i := range 10 {
		bind(tb, fanout, top.queue(fmt.Sprint("q", i)), "", nil)
	}
	topic := top.exchange(tb, "topic", "topic", "-")
	for i := range 10_000 {
		p := fmt.Sprintf([]string{"eu.*.s%d.#", "#.s%d", "*.k.s%d", "eu.k.s%d.*"}[i%4], i/4)
		bind(tb, topic, top.queue(fmt.Sprint("q", i%100)), p, nil)
	}
	headers := top.exchange(tb, "headers", "headers", "-")
	for i := range 1000 {
		args := amqp.Table{{Name: "format", Value: "pdf"}, {Name: "id", Value: int64(i)}}
		bind(tb, headers, top.queue(fmt.Sprint("q", i%100)), "", args)
	}
	chain := top.exchange(tb, "chain", "fanout", "-")
	for _, x := range []*Exchange{direct, fanout, topic} {
		bind(tb, chain, x, "", nil)
	}
	wide := top.exchange(tb, "wide", "fanout", "-")
	for i := range 1000 {
		bind(tb, wide, top.queue(fmt.Sprint("q", i)), "", nil)
	}
	bind(tb, wide, fanout, "", nil)
	consistent := top.exchange(tb, "consistent", "x-consistent-hash", "-")
	modulus, random := top.exchange(tb, "modulus", "x-modulus-hash", "-"), top.exchange(tb, "random", "x-random", "-")
	history := top.exchange(tb, "history", "x-recent-history", "-")
	for i := range 10 {
		for _, x := range []*Exchange{consistent, modulus, random, history} {
			bind(tb, x, top.queue(fmt.Sprint("q", i)), "10", nil)
		}
	}
	delayed := top.typed(tb, "delayed", "x-delayed-message", "x-delayed-type", "direct")
	bind(tb, delayed, top.queue("q1"), "key42", nil)
	p, err := amqp.Properties(nil).WithHeaders(amqp.Table{{Name: "format", Value: "pdf"}, {Name: "id", Value: int32(42)}})
	if err != nil {
		tb.Fatal(err)
	}
	withHeaders := amqp.NewMessage("", nil, p, 0)
	withHeaders.HasHeaders = true
	return map[string]scene{
		"default":         {top, top.Exchange(""), message("q42"), 1, 0},
		"direct1000":      {top, direct, message("key42"), 1, 0},
		"directExtraKeys": {top, direct, message("key42", "key1", "key2"), 3, 0},
		"fanout10":        {top, fanout, message(""), 10, 0},
		"topic10000":      {top, topic, message("eu.k.s42"), 3, 0},
		"topicNone":       {top, topic, message("us.no.such.key"), 0, 0},
		"headers1000":     {top, headers, withHeaders, 1, 8}, // to decode the table
		"consistent10":    {top, consistent, message("key42"), 1, 0},
		"modulus10":       {top, modulus, message("key42"), 1, 0},
		"random10":        {top, random, message("key42"), 1, 0},
		"history10":       {top, history, message("key42"), 10, 0},
		"notDelayed":      {top, delayed, message("key42"), 1, 0},
		"delayed":         {top, delayed, headed(tb, "key42", "x-delay", int32(1000)), 0, 4}, // to decode the table
		"exchanges4":      {top, chain, message("key42"), 11, 0},
		"wide1000":        {top, wide, message(""), 1000, 0},
	}
}

func TestRouteAllocations(t *testing.T) {
	var r Result
	for name, s := range scenes(t) {
		if got := len(r.Route(s.top, s.x, s.msg)); got != s.queues {
			t.Errorf("%s: %d queues, want %d", name, got, s.queues)
		}
		// One Result for all scenes, so a narrow one follows the wide one.
		if n := testing.AllocsPerRun(100, func() { r.Route(s.top, s.x, s.msg) }); n > s.allocs {
			t.Errorf("%s: %v allocations a route, want at most %v", name, n, s.allocs)
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	for name, s := range scenes(b) {
		b.Run(name, func(b *testing.B) {
			var r Result
			b.ReportAllocs()
			for b.Loop() {
				r.Route(s.top, s.x, s.msg)
			}
		})
	}
}
