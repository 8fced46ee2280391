package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// mixed is a random graph of which some exchanges are delayed or keep a history,
// with a plain router over it.
type mixed struct {
	*testTopology
	exchanges []*Exchange
	by        map[*Exchange]string // direct, fanout or topic: how it routes
	bindings  map[*Exchange][]Binding
}

func randomMixed(t *testing.T, random *rand.Rand) *mixed {
	g := &mixed{newTopology(), nil, map[*Exchange]string{}, map[*Exchange][]Binding{}}
	size := 1 + random.IntN(20)
	for i := range size {
		by := []string{TypeDirect, TypeFanout, TypeTopic}[random.IntN(3)]
		kind, arguments := by, []any{}
		switch {
		case random.IntN(4) == 0:
			kind, arguments = TypeDelayed, []any{"x-delayed-type", by}
		case by == TypeFanout && random.IntN(2) == 0:
			kind = TypeRecentHistory
		}
		if random.IntN(2) == 0 {
			arguments = append(arguments, "alternate-exchange", fmt.Sprint("e", random.IntN(size)))
		}
		x := g.typed(t, fmt.Sprint("e", i), kind, arguments...)
		g.exchanges, g.by[x] = append(g.exchanges, x), by
	}
	for range random.IntN(6 * size) {
		x := g.exchanges[random.IntN(size)]
		b := Binding{Key: []string{"a", "b", "c", "", "*", "#"}[random.IntN(6)]}
		if b.Destination = g.queue(fmt.Sprint("q", random.IntN(50))); random.IntN(3) == 0 {
			b.Destination = g.exchanges[random.IntN(size)]
		}
		bind(t, x, b.Destination, b.Key, nil)
		g.bindings[x] = append(g.bindings[x], b)
	}
	return g
}

// outcome is what becomes of a message, by names.
type outcome struct{ visited, queues, held map[string]bool }

// route is routing as it is described, without indexes. release is not held.
func (g *mixed) route(x *Exchange, key string, delayed bool, release *Exchange, out outcome) {
	if out.visited[x.Name()] {
		return
	}
	out.visited[x.Name()] = true
	if delayed && x.Type() == TypeDelayed && x != release {
		out.held[x.Name()] = true
		return
	}
	matched := false
	for _, b := range g.bindings[x] {
		if !naiveMatch(g.by[x], b.Key, key) {
			continue
		}
		matched = true
		if next, ok := b.Destination.(*Exchange); ok {
			g.route(next, key, delayed, release, out)
		} else {
			out.queues[b.Destination.Name()] = true
		}
	}
	if name, ok := x.Alternate(); ok && !matched {
		g.route(g.Exchange(name), key, delayed, release, out)
	}
}

func sortedKeys(set map[string]bool) []string {
	out := []string{}
	for name := range set {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func heldNames(t *testing.T, r *Result) []string {
	set := map[string]bool{}
	for _, h := range r.Held() {
		if set[h.Exchange.Name()] || h.Due <= time.Now().UnixNano() {
			t.Errorf("%q holds twice, or till %d", h.Exchange.Name(), h.Due)
		}
		set[h.Exchange.Name()] = true
	}
	return sortedKeys(set)
}

func TestMixedAgainstDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(41, 42))
	var r Result
	held, kept := 0, 0
	for range 300 {
		g := randomMixed(t, random)
		history := map[string][]string{}
		for n := range 20 {
			key, x := []string{"a", "b", "c", "d", ""}[random.IntN(5)], g.exchanges[random.IntN(len(g.exchanges))]
			delayed, release := random.IntN(2) == 0, (*Exchange)(nil)
			m := headed(t, key, "n", int32(n))
			if delayed {
				m = headed(t, key, "n", int32(n), "x-delay", int32(60_000))
			}
			out := outcome{map[string]bool{}, map[string]bool{}, map[string]bool{}}
			if random.IntN(3) == 0 {
				release = x
				g.route(x, key, delayed, release, out)
				wantRelease(t, &r, g, x, m, sortedKeys(out.queues)...)
			} else {
				g.route(x, key, delayed, nil, out)
				wantRoute(t, &r, g, x, m, sortedKeys(out.queues)...)
			}
			if got := heldNames(t, &r); !slices.Equal(got, sortedKeys(out.held)) {
				t.Fatalf("held by %v, want %v", got, out.held)
			}
			held += len(out.held)
			for name := range out.visited {
				if x := g.Exchange(name); x.Delays() || x.Type() == TypeRecentHistory {
					if r.ByKey() {
						t.Fatalf("%s was visited, and the route may be remembered", x.Type())
					}
				}
				if g.Exchange(name).Type() == TypeRecentHistory {
					history[name] = append(history[name], key)
				}
			}
		}
		for _, x := range g.exchanges {
			if got := keys(x.History()); !slices.Equal(got, append([]string{}, history[x.Name()]...)) {
				t.Fatalf("%s kept %v, want %v", x.Type(), got, history[x.Name()])
			}
			kept += len(x.History())
		}
	}
	if held < 500 || kept < 500 {
		t.Errorf("only %d times held and %d kept", held, kept)
	}
}

// FuzzDelay reads any headers: whatever they say, a message is due later or at
// once, and once it is released only x-deliver-at can delay it.
func FuzzDelay(f *testing.F) {
	for _, headers := range []amqp.Table{
		nil, table("x-delay", int32(5000)), table("x-delay", "5000", "x-delay", int64(1)), table("x-delay", 1e300),
		table("x-deliver-at", amqp.Timestamp(1<<63), "a", nil), table("x-delay", amqp.Decimal{Scale: 255, Value: 1}),
		table("x-delay", []byte("-9"), "x-deliver-at", int64(1)<<60),
	} {
		raw, err := amqp.AppendTable(nil, headers)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		headers, _, err := amqp.DecodeTable(raw)
		if err != nil {
			t.Skip()
		}
		before := time.Now().UnixNano()
		at := due(headers)
		if at != 0 && at <= before {
			t.Fatalf("%v: due %d, and it is %d already", headers, at, before)
		}
		m := headed(t, "", pairs(headers)...)
		released, err := Released(m).Headers()
		if err != nil || len(released) != len(headers) {
			t.Fatalf("%v became %v, %v", headers, released, err)
		}
		if due(released.Without("x-deliver-at")) != 0 && due(headers.Without("x-deliver-at")) != 0 {
			t.Fatalf("%v is delayed again", released)
		}
		top, r := newTopology(), &Result{}
		x := top.typed(t, "x", "x-delayed-message", "x-delayed-type", "headers")
		bind(t, x, top.queue("q"), "", nil)
		if queues := r.Route(top, x, m); len(queues)+len(r.Held()) != 1 {
			t.Fatalf("%v: to %v, held %v", headers, names(queues), r.Held())
		}
		if queues := r.Release(top, x, m); len(queues) != 1 || len(r.Held()) != 0 {
			t.Fatalf("%v: released to %v, held %v", headers, names(queues), r.Held())
		}
	})
}
