package vhost

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// deadLetters makes a queue "dead" with messages that died in a and in b: they were
// published to x with the key that is the queue's name.
func (f *fixture) deadLetters(n int) {
	f.t.Helper()
	f.queue("dead")
	f.exchange("x", "direct")
	for _, name := range []string{"a", "b"} {
		f.queue(name, "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "dead")
		f.bind(name, "x", name)
	}
	for i := range n {
		name := []string{"a", "b"}[i%2]
		f.send("x", name, fmt.Sprint(i))
		f.reject(name)
	}
	f.wantReady("dead", n)
}

// redrive redrives "dead" and returns how far it came.
func (f *fixture) redrive(r Redrive) Redriven {
	f.t.Helper()
	r.Queue = "dead"
	var last Redriven
	f.must(f.Redrive(context.Background(), r, func(at *Redriven) { last = *at }))
	return last
}

func (f *fixture) wantRedriven(name string, got Redriven, counts Carried, noOrigin int, targets map[RedriveTarget]int) {
	f.t.Helper()
	if got.Carried != counts || got.NoOrigin != noOrigin || !reflect.DeepEqual(got.Targets, targets) {
		f.t.Errorf("%s:\n got %+v\nwant %+v, %d without origin, %v", name, got, counts, noOrigin, targets)
	}
}

func TestRedriveToQueues(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.deadLetters(5)
		targets := map[RedriveTarget]int{{"a", "x", "a"}: 3, {"b", "x", "b"}: 2}
		f.wantRedriven("dry run", f.redrive(Redrive{Selection: Selection{DryRun: true}}), Carried{Scanned: 5, Matched: 5, Done: 5}, 0, targets)
		f.wantReady("dead", 5)
		f.wantRedriven("redrive", f.redrive(Redrive{}), Carried{Scanned: 5, Matched: 5, Done: 5}, 0, targets)
		f.wantReady("dead", 0)
		headers, m := f.headersOf("a")
		if m.Exchange != "x" || m.RoutingKey != "a" || string(m.Body) != "0" {
			t.Errorf("redriven as %+v", m)
		}
		if n, _ := headers.Get("x-redriven"); n != int64(1) {
			t.Errorf("x-redriven is %v", n)
		}
		if _, ok := headers.Get("x-death"); !ok {
			t.Error("x-death has gone")
		}
		// It dies again, and is redriven again, without its past.
		f.reject("a")
		f.redrive(Redrive{Forget: true})
		f.take("a")
		headers, _ = f.headersOf("a")
		f.wantHeaders(headers, args("x-redriven", int64(2)))
	})
}

func TestRedriveByExchange(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.deadLetters(4)
		f.must(f.UnbindQueue("b", "x", "b", nil, me))
		got := f.redrive(Redrive{ByExchange: true})
		f.wantRedriven("b is bound no more", got, Carried{Scanned: 4, Matched: 4, Done: 2, Unroutable: 2}, 0, map[RedriveTarget]int{{"", "x", "a"}: 2})
		got = f.redrive(Redrive{ByExchange: true, Selection: Selection{Permit: func(x, key string) bool { return x != "x" || key != "b" }}})
		f.wantRedriven("forbidden", got, Carried{Scanned: 2, Matched: 2, Forbidden: 2}, 0, map[RedriveTarget]int{})
		f.must(f.DeleteExchange("x", false))
		f.wantRedriven("x is gone", f.redrive(Redrive{ByExchange: true}), Carried{Scanned: 2, Matched: 2}, 2, map[RedriveTarget]int{})
		if left := f.bodies("dead"); !slices.Equal(left, []string{"1", "3"}) {
			t.Errorf("left: %v", left)
		}
	})
}

func TestRedriveWithoutOrigin(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.deadLetters(2)
		f.send("", "dead", "never died")
		f.publish("", message("", "dead", "odd", args("x-death", amqp.Array{"no table"}, "x-first-death-queue", int32(7))))
		_, err := f.DeleteQueue("b", me, false, false, &f.fx)
		f.must(err)
		f.apply()
		f.queue("rest")
		got := f.redrive(Redrive{Fallback: nil})
		f.wantRedriven("no fallback", got, Carried{Scanned: 4, Matched: 4, Done: 1}, 3, map[RedriveTarget]int{{"a", "x", "a"}: 1})
		got = f.redrive(Redrive{Fallback: &Target{ToQueue: true, Queue: "rest"}})
		f.wantRedriven("fallback", got, Carried{Scanned: 3, Matched: 3, Done: 3}, 0, map[RedriveTarget]int{{"rest", "", "dead"}: 3})
		if all := f.bodies("rest"); !slices.Equal(all, []string{"1", "never died", "odd"}) {
			t.Errorf("fallback has %v", all)
		}
	})
}

// TestRedriveFirstAndLast: a message that died in a and then in the queue behind.
func TestRedriveFirstAndLast(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.queue("dead")
		f.queue("second", "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "dead")
		f.queue("first", "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "second")
		for range 2 {
			f.send("", "first", "m")
			f.reject("first")
			f.reject("second")
		}
		f.redrive(Redrive{Selection: Selection{Limit: 1}})
		f.wantReady("first", 1)
		f.redrive(Redrive{Latest: true})
		f.wantReady("second", 1)
		_, m := f.headersOf("second")
		if m.RoutingKey != "second" || m.Exchange != "" {
			t.Errorf("redriven as %+v", m)
		}
	})
}

// TestRedriveRate keeps to a rate, and ends when it is cancelled.
func TestRedriveRate(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.deadLetters(100)
		start := time.Now()
		got := f.redrive(Redrive{Rate: 20, Selection: Selection{Limit: 50}})
		if took := time.Since(start); got.Done != 50 || took < 2*time.Second || took > 3*time.Second {
			t.Errorf("%d in %v, want 50 in 2.5 s", got.Done, took)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var last Redriven
		err := f.Redrive(ctx, Redrive{Rate: 10, Selection: Selection{Queue: "dead"}}, func(r *Redriven) { last = *r })
		if !errors.Is(err, context.DeadlineExceeded) || last.Done < 9 || last.Done > 12 {
			t.Errorf("%d were redriven, %v", last.Done, err)
		}
		f.wantReady("dead", 50-last.Done)
	})
}

func TestDeathOf(t *testing.T) {
	death := func(queue, reason, exchange string, keys ...any) amqp.Table {
		return args("queue", queue, "reason", reason, "exchange", exchange, "routing-keys", amqp.Array(keys))
	}
	list := amqp.Array{death("q2", "expired", "x2", "k2", "k3"), death("q1", "rejected", "x1", "k1")}
	for name, c := range map[string]struct {
		headers amqp.Table
		latest  bool
		want    string
	}{
		"none":       {nil, false, "{  []} false"},
		"first":      {args("x-death", list), false, "{q1 x1 [k1]} true"},
		"last":       {args("x-death", list), true, "{q2 x2 [k2 k3]} true"},
		"named":      {args("x-death", list, "x-first-death-queue", "q2", "x-first-death-reason", "expired", "x-first-death-exchange", "y"), false, "{q2 y [k2 k3]} true"},
		"no entry":   {args("x-death", list, "x-first-death-queue", "q9"), false, "{q9  []} true"},
		"not a list": {args("x-death", "text"), false, "{  []} false"},
		"not tables": {args("x-death", amqp.Array{int32(1)}), true, "{  []} false"},
	} {
		died, ok := deathOf(c.headers, c.latest)
		if got := fmt.Sprint(died, " ", ok); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
