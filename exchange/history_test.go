package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

func sized(key string, size int) *amqp.Message {
	m := message(key)
	m.Body = make([]byte, size)
	return m
}

func keys(messages []*amqp.Message) []string {
	out := []string{}
	for _, m := range messages {
		out = append(out, m.RoutingKey)
	}
	return out
}

func TestHistoryKeepsTheLast(t *testing.T) {
	top, r := newTopology(), &Result{}
	few := top.typed(t, "few", "x-recent-history", "x-recent-history-length", int64(3))
	usual := top.typed(t, "usual", "x-recent-history")
	delayed := top.typed(t, "delayed", "x-delayed-message", "x-delayed-type", "x-recent-history", "x-recent-history-length", int8(3))
	bind(t, few, top.queue("q"), "ignored", nil)
	if got := few.History(); len(got) != 0 {
		t.Errorf("at first: %v", keys(got))
	}
	for i := range 50 {
		for _, x := range []*Exchange{few, usual, delayed} {
			r.Route(top, x, message(fmt.Sprint(i)))
			if r.ByKey() {
				t.Fatal("each message must be seen")
			}
		}
	}
	for _, x := range []*Exchange{few, delayed} {
		if got := keys(x.History()); !slices.Equal(got, []string{"47", "48", "49"}) {
			t.Errorf("%s keeps %v", x.Name(), got)
		}
	}
	if got := keys(usual.History()); len(got) != 20 || got[0] != "30" || got[19] != "49" {
		t.Errorf("kept %v, want 30 to 49", got)
	}
	if got := top.Exchange("amq.fanout").History(); got != nil {
		t.Errorf("fanout keeps %v", keys(got))
	}
	wantRoute(t, r, top, few, message("x"), "q")
}

func TestHistoryLeavesOut(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := top.typed(t, "x", "x-recent-history")
	y := top.exchange(t, "y", "fanout", "-")
	bind(t, x, top.queue("q"), "", nil)
	bind(t, y, x, "", nil)
	wantRoute(t, r, top, x, headed(t, "no", "x-recent-history-no-store", true), "q")
	for _, other := range []any{false, int32(1), "true", nil, amqp.Table{}} {
		r.Route(top, x, headed(t, fmt.Sprint(other), "x-recent-history-no-store", other))
	}
	wantRoute(t, r, top, y, message("by exchange"), "q")
	m := message("once")
	r.Route(top, x, m)
	r.Route(top, x, message("between"))
	r.Route(top, x, m) // as when a queue was deleted after it was found
	want := []string{"false", "1", "true", "<nil>", "[]", "by exchange", "once", "between"}
	if got := keys(x.History()); !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
}

// Random sizes against a plain list: the last messages that fit, and no more.
func TestHistoryAgainstList(t *testing.T) {
	random := rand.New(rand.NewPCG(31, 32))
	for _, limit := range []int{1, 7, 100} {
		top, r := newTopology(), &Result{}
		x := top.typed(t, "x", "x-recent-history", "x-recent-history-length", int32(limit))
		var list []string
		var sizes []int
		for i := range 2000 {
			size := random.IntN(100)
			switch random.IntN(20) {
			case 0:
				size = random.IntN(maxHistory / 2)
			case 1:
				size = maxHistory // too large with what it takes besides
			}
			m := sized(fmt.Sprint(i), 0)
			m.Body = huge[:size]
			r.Route(top, x, m)
			list, sizes = append(list, m.RoutingKey), append(sizes, historySize(m))
			total, fit := 0, 0
			for fit < min(limit, len(list)) && total+sizes[len(sizes)-1-fit] <= maxHistory {
				total += sizes[len(sizes)-1-fit]
				fit++
			}
			if got := keys(x.History()); !slices.Equal(got, list[len(list)-fit:]) {
				t.Fatalf("kept %v, want the last %d of %v", got, fit, list)
			}
		}
	}
}

// huge is shared by the messages of a test, so that it needs no memory.
var huge = make([]byte, maxHistory)

// However many come by, memory is for those that are kept.
func TestHistoryStaysSmall(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := top.typed(t, "x", "x-recent-history", "x-recent-history-length", int32(10))
	for range 10_000 {
		r.Route(top, x, message(""))
	}
	k := x.kind.(*historyKind)
	if cap(k.messages) > 64 || k.bytes != 10*historyOverhead {
		t.Errorf("room for %d, %d bytes", cap(k.messages), k.bytes)
	}
	for _, m := range k.messages[:k.first] {
		if m != nil {
			t.Fatal("a message that is not kept is still referenced")
		}
	}
}

func TestHistoryConcurrently(t *testing.T) {
	top := newTopology()
	x := top.typed(t, "x", "x-recent-history")
	bind(t, x, top.queue("q"), "", nil)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			var r Result
			for i := range 500 {
				r.Route(top, x, message(fmt.Sprint(n, " ", i)))
				x.History()
			}
		})
	}
	wg.Wait()
	if got := x.History(); len(got) != 20 {
		t.Errorf("kept %d", len(got))
	}
}
