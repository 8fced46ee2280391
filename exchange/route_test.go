package exchange

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// names returns the sorted names of the queues, which a double would show in.
func names(queues []Queue) []string {
	out := []string{}
	for _, q := range queues {
		out = append(out, q.Name())
	}
	slices.Sort(out)
	return out
}

func message(key string, extra ...string) *amqp.Message {
	m := amqp.NewMessage("", []byte(key), nil, 0)
	m.ExtraKeys = extra
	return m
}

func wantRoute(t *testing.T, r *Result, top Topology, x *Exchange, m *amqp.Message, want ...string) {
	t.Helper()
	if got := names(r.Route(top, x, m)); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%q with %q routed to %v, want %v", x.Name(), append([]string{m.RoutingKey}, m.ExtraKeys...), got, want)
	}
}

func TestRouteDefaultExchange(t *testing.T) {
	top, r := newTopology(), &Result{}
	top.queue("a")
	top.queue("b")
	x := top.Exchange("")
	wantRoute(t, r, top, x, message("a"), "a")
	wantRoute(t, r, top, x, message("c"))
	wantRoute(t, r, top, x, message("a", "b", "a", "c"), "a", "b")
}

func TestRouteExtraKeys(t *testing.T) {
	for _, kind := range []string{"direct", "topic"} {
		top, r := newTopology(), &Result{}
		x := top.exchange(t, "x", kind, "-")
		bind(t, x, top.queue("1"), "a", nil)
		bind(t, x, top.queue("2"), "b", nil)
		bind(t, x, top.queue("12"), "a", nil)
		bind(t, x, top.queue("12"), "b", nil)
		wantRoute(t, r, top, x, message("a", "b"), "1", "12", "2")
		wantRoute(t, r, top, x, message("c", "b", "b"), "12", "2")
		wantRoute(t, r, top, x, message("c", "d"))
	}
}

func TestRouteAlternate(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := top.exchange(t, "x", "direct", "y")
	y := top.exchange(t, "y", "direct", "z")
	z := top.exchange(t, "z", "direct", "x")
	bind(t, x, top.queue("qx"), "x", nil)
	bind(t, y, top.queue("qy"), "y", nil)
	bind(t, z, top.queue("qz"), "z", nil)
	wantRoute(t, r, top, x, message("x"), "qx")
	wantRoute(t, r, top, x, message("y"), "qy")
	wantRoute(t, r, top, x, message("z"), "qz")
	wantRoute(t, r, top, z, message("y"), "qy")
	wantRoute(t, r, top, x, message("nobody")) // all the way round
	wantRoute(t, r, top, x, message("x", "y"), "qx")

	dead := top.exchange(t, "dead", "direct", "-")
	bind(t, x, dead, "into", nil)
	wantRoute(t, r, top, x, message("into")) // a match, though a useless one

	missing := top.exchange(t, "missing", "direct", "no such")
	wantRoute(t, r, top, missing, message("x"))
	top.queue("byname")
	toDefault := top.exchange(t, "to default", "direct", "")
	wantRoute(t, r, top, toDefault, message("byname"))
}

func TestRouteHeaders(t *testing.T) {
	top, r := newTopology(), &Result{}
	x, y := top.exchange(t, "x", "headers", "-"), top.exchange(t, "y", "headers", "-")
	bind(t, x, top.queue("1"), "", amqp.Table{{Name: "a", Value: int32(1)}})
	bind(t, x, y, "", nil)
	bind(t, y, top.queue("2"), "", amqp.Table{{Name: "b", Value: int32(2)}})
	bind(t, y, top.queue("1"), "", amqp.Table{{Name: "b", Value: int32(2)}})
	with := func(table amqp.Table) *amqp.Message {
		p, err := amqp.Properties(nil).WithHeaders(table)
		if err != nil {
			t.Fatal(err)
		}
		m := amqp.NewMessage("", nil, p, 0)
		m.HasHeaders = true
		return m
	}
	a, b := amqp.Field{Name: "a", Value: int64(1)}, amqp.Field{Name: "b", Value: int64(2)}
	wantRoute(t, r, top, x, with(amqp.Table{a}), "1")
	wantRoute(t, r, top, x, with(amqp.Table{b}), "1", "2")
	wantRoute(t, r, top, x, with(amqp.Table{a, b}), "1", "2")
	wantRoute(t, r, top, x, message("a"))
	broken := with(amqp.Table{a})
	broken.Properties = broken.Properties[:len(broken.Properties)-1]
	wantRoute(t, r, top, x, broken)
}

func TestByKey(t *testing.T) {
	top, r := newTopology(), &Result{}
	x, h := top.exchange(t, "x", "direct", "h"), top.exchange(t, "h", "headers", "-")
	bind(t, x, top.queue("q"), "q", nil)
	bind(t, x, h, "to headers", nil)
	for _, c := range []struct {
		x    *Exchange
		m    *amqp.Message
		want bool
	}{
		{x, message("q"), true}, {x, message("q", "cc"), false}, {x, message("to headers"), false},
		{x, message("alternate"), false}, {h, message("q"), false}, {top.Exchange(""), message("q"), true},
	} {
		r.Route(top, c.x, c.m)
		if r.ByKey() != c.want {
			t.Errorf("%q, key %q: ByKey() = %t", c.x.Name(), c.m.RoutingKey, r.ByKey())
		}
	}
}

// Many queues over several exchanges: past where distinct searches its list.
func TestRouteManyQueuesOnce(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := top.exchange(t, "x", "fanout", "-")
	for i := range 5 {
		y := top.exchange(t, fmt.Sprint("y", i), "fanout", "-")
		bind(t, x, y, "", nil)
		for q := range 1000 {
			if q%(i+1) == 0 {
				bind(t, y, top.queue(fmt.Sprint(q)), "", nil)
			}
		}
	}
	small := top.exchange(t, "small", "fanout", "-")
	bind(t, small, top.queue("0"), "", nil)
	for range 3 {
		got := names(r.Route(top, x, message("")))
		if len(got) != 1000 || len(slices.Compact(got)) != 1000 {
			t.Fatalf("%d queues, want 1000 distinct ones", len(got))
		}
		wantRoute(t, r, top, small, message(""), "0")
	}
}

func TestResetLetsGo(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := top.exchange(t, "x", "fanout", "-")
	for i := range 40 {
		bind(t, x, top.queue(fmt.Sprint(i)), "", nil)
		bind(t, x, top.exchange(t, fmt.Sprint("y", i), "fanout", "-"), "", nil)
	}
	r.Route(top, x, message(""))
	r.Reset()
	for _, q := range r.queues.list[:cap(r.queues.list)] {
		if q != nil {
			t.Fatal("a queue is still referenced")
		}
	}
	for _, x := range r.exchanges.list[:cap(r.exchanges.list)] {
		if x != nil {
			t.Fatal("an exchange is still referenced")
		}
	}
	if len(r.queues.members)+len(r.exchanges.members) > 0 {
		t.Fatal("a map is not empty")
	}
	wantRoute(t, r, top, top.Exchange(""), message("7"), "7")
}

// graph is random exchanges e0 … with bindings, and a plain router over it.
type graph struct {
	*testTopology
	exchanges []*Exchange
	bindings  [][]Binding
}

func (g *graph) add(tb testing.TB, source int, to Destination, key string) {
	bind(tb, g.exchanges[source], to, key, nil)
	g.bindings[source] = append(g.bindings[source], Binding{Destination: to, Key: key})
}

// naive is routing as RabbitMQ describes it, without indexes.
func (g *graph) naive(x *Exchange, keys []string, seen map[*Exchange]bool, found map[string]bool) {
	if seen[x] {
		return
	}
	seen[x] = true
	matched := false
	for _, b := range g.bindings[slices.Index(g.exchanges, x)] {
		if !slices.ContainsFunc(keys, func(key string) bool { return naiveMatch(x.Type(), b.Key, key) }) {
			continue
		}
		matched = true
		if next, ok := b.Destination.(*Exchange); ok {
			g.naive(next, keys, seen, found)
		} else {
			found[b.Destination.Name()] = true
		}
	}
	if name, ok := x.Alternate(); ok && !matched {
		g.naive(g.Exchange(name), keys, seen, found)
	}
}

func naiveMatch(kind, pattern, key string) bool {
	switch kind {
	case "direct":
		return pattern == key
	case "topic": // the patterns of these tests are words, "*" and "#" alone
		return pattern == key || pattern == "#" || pattern == "*" && key != ""
	}
	return true
}

func randomGraph(t *testing.T, random *rand.Rand) *graph {
	g := &graph{testTopology: newTopology()}
	size := 1 + random.IntN(30)
	for i := range size {
		alternate := "-"
		if random.IntN(2) == 0 {
			alternate = fmt.Sprint("e", random.IntN(size))
		}
		kind := []string{"direct", "fanout", "topic"}[random.IntN(3)]
		g.exchanges = append(g.exchanges, g.exchange(t, fmt.Sprint("e", i), kind, alternate))
	}
	g.bindings = make([][]Binding, size)
	for range random.IntN(6 * size) {
		key := []string{"a", "b", "c", "", "*", "#"}[random.IntN(6)]
		if random.IntN(3) == 0 {
			g.add(t, random.IntN(size), g.exchanges[random.IntN(size)], key)
		} else {
			g.add(t, random.IntN(size), g.queue(fmt.Sprint("q", random.IntN(50))), key)
		}
	}
	return g
}

func TestRouteAgainstDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	var r Result
	for range 300 {
		g := randomGraph(t, random)
		for range 10 {
			keys := []string{"a", "b", "c", "d", ""}
			random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			keys = keys[:1+random.IntN(3)]
			x, found := g.exchanges[random.IntN(len(g.exchanges))], map[string]bool{}
			g.naive(x, keys, map[*Exchange]bool{}, found)
			want := []string{}
			for name := range found {
				want = append(want, name)
			}
			slices.Sort(want)
			wantRoute(t, &r, g, x, message(keys[0], keys[1:]...), want...)
		}
	}
}

// TestRouteAsRabbitMQ replays testdata/routes.txt.
func TestRouteAsRabbitMQ(t *testing.T) {
	file, err := os.Open("testdata/routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var g *graph
	var r Result
	graphs := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "graph":
			graphs++
			g = &graph{testTopology: newTopology()}
		case "exchange":
			kind, alternate, ok := strings.Cut(rest, " ")
			if alternate = "e" + alternate; !ok {
				alternate = "-"
			}
			name := fmt.Sprint("e", len(g.exchanges))
			g.exchanges = append(g.exchanges, g.exchange(t, name, kind, alternate))
			g.bindings = append(g.bindings, nil)
		case "bind":
			var source, number int
			var kind, key string
			if _, err := fmt.Sscanf(rest, "%d %s %d %q", &source, &kind, &number, &key); err != nil {
				t.Fatalf("%s: %v", lines.Text(), err)
			}
			if kind == "exchange" {
				g.add(t, source, g.exchanges[number], key)
			} else {
				g.add(t, source, g.queue(fmt.Sprint(number)), key)
			}
		case "publish":
			replay(t, g, &r, rest)
		}
	}
	if graphs < 40 {
		t.Errorf("only %d graphs read", graphs)
	}
}

func replay(t *testing.T, g *graph, r *Result, line string) {
	var source int
	var keys []string
	var queues []int
	parts := strings.SplitN(line, " ", 2)
	in := json.NewDecoder(strings.NewReader(parts[1]))
	if _, err := fmt.Sscan(parts[0], &source); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if err := in.Decode(&keys); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if err := in.Decode(&queues); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	want := []string{}
	for _, q := range queues {
		want = append(want, fmt.Sprint(q))
	}
	wantRoute(t, r, g, g.exchanges[source], message(keys[0], keys[1:]...), want...)
}

func TestRouteConcurrently(t *testing.T) {
	top := newTopology()
	x := top.exchange(t, "x", "topic", "-")
	for i := range 100 {
		bind(t, x, top.queue(fmt.Sprint(i)), fmt.Sprintf("#.%d.#", i%10), nil)
		bind(t, x, top.queue(fmt.Sprint(i)), "a.*", nil)
	}
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			var r Result
			for range 200 {
				if got := len(r.Route(top, x, message(fmt.Sprintf("b.%d.c", n)))); got != 10 {
					t.Errorf("%d queues, want 10", got)
				}
			}
		})
	}
	wg.Wait()
}
