package vhost

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// model is the topology of a vhost done the obvious way: lists, and a search
// through all of them for everything.
type model struct {
	exchanges map[string]modelExchange
	queues    map[string]bool
	bindings  []modelBinding
}

type modelExchange struct {
	kind, alternate string
	autoDelete      bool
}

type modelBinding struct {
	source, destination string
	toExchange          bool
	key                 string
}

func newModel() *model {
	return &model{queues: map[string]bool{}, exchanges: map[string]modelExchange{
		"amq.direct": {kind: "direct"}, "amq.fanout": {kind: "fanout"}, "amq.topic": {kind: "topic"},
	}}
}

func (m *model) exists(b modelBinding) bool {
	_, source := m.exchanges[b.source]
	_, destination := m.exchanges[b.destination]
	return source && (b.toExchange && destination || !b.toExchange && m.queues[b.destination])
}

// remove takes out the bindings of which gone is true, and then the auto-delete
// exchanges that have lost their last one, and so on.
func (m *model) remove(gone func(modelBinding) bool) {
	lost := map[string]bool{}
	m.bindings = slices.DeleteFunc(m.bindings, func(b modelBinding) bool {
		lost[b.source] = lost[b.source] || gone(b)
		return gone(b)
	})
	for name := range lost {
		if lost[name] && m.exchanges[name].autoDelete && !m.used(name) {
			m.deleteExchange(name)
		}
	}
}

func (m *model) used(exchange string) bool {
	return slices.ContainsFunc(m.bindings, func(b modelBinding) bool { return b.source == exchange })
}

func (m *model) deleteExchange(name string) {
	delete(m.exchanges, name)
	m.remove(func(b modelBinding) bool {
		return b.source == name || b.toExchange && b.destination == name
	})
}

func (m *model) deleteQueue(name string) {
	delete(m.queues, name)
	m.remove(func(b modelBinding) bool { return !b.toExchange && b.destination == name })
}

// route adds the queues that a key reaches from an exchange.
func (m *model) route(exchange, key string, seen, out map[string]bool) {
	if exchange == "" {
		if m.queues[key] {
			out[key] = true
		}
		return
	}
	x, ok := m.exchanges[exchange]
	if !ok || seen[exchange] {
		return
	}
	seen[exchange] = true
	matched := false
	for _, b := range m.bindings {
		if b.source != exchange || !matches(x.kind, b.key, key) {
			continue
		}
		matched = true
		if b.toExchange {
			m.route(b.destination, key, seen, out)
		} else {
			out[b.destination] = true
		}
	}
	if !matched && x.alternate != "" {
		m.route(x.alternate, key, seen, out)
	}
}

func matches(kind, pattern, key string) bool {
	switch kind {
	case "fanout":
		return true
	case "direct":
		return pattern == key
	}
	return matchWords(strings.Split(pattern, "."), strings.Split(key, "."))
}

func matchWords(pattern, key []string) bool {
	switch {
	case len(pattern) == 0:
		return len(key) == 0
	case pattern[0] == "#":
		return matchWords(pattern[1:], key) || len(key) > 0 && matchWords(pattern, key[1:])
	case len(key) == 0:
		return false
	}
	return (pattern[0] == "*" || pattern[0] == key[0]) && matchWords(pattern[1:], key[1:])
}

// twin does the same things to a vhost and to the model and compares them.
type twin struct {
	*fixture
	model *model
	next  func(n int) int // the next choice, from 0 to n-1
	log   []string
}

var (
	someKeys     = []string{"a", "b", "a.b", "b.a.b"}
	somePatterns = []string{"a", "b", "a.b", "*", "#", "*.b", "a.#", "#.b", "b.*.#"}
	someKinds    = []string{"direct", "fanout", "topic"}
)

func pick(w *twin, list []string) string { return list[w.next(len(list))] }

func (w *twin) anyExchange() string {
	if w.next(3) == 0 {
		return pick(w, []string{"amq.direct", "amq.fanout", "amq.topic"})
	}
	return fmt.Sprint("x", w.next(6))
}

func (w *twin) anyQueue() string { return fmt.Sprint("q", w.next(6)) }

func (w *twin) step() {
	w.t.Helper()
	switch w.next(12) {
	case 0, 1:
		w.declareExchange()
	case 2:
		name := fmt.Sprint("x", w.next(6))
		ifUnused := w.next(2) == 0
		w.say("delete exchange %s, if unused: %v", name, ifUnused)
		err := w.DeleteExchange(name, ifUnused)
		if refused := ifUnused && w.model.used(name); refused != (err != nil) {
			w.fail("delete says %v", err)
		} else if !refused {
			w.model.deleteExchange(name)
		}
	case 3, 4:
		name := w.anyQueue()
		w.say("declare queue %s", name)
		w.queue(name)
		w.model.queues[name] = true
	case 5:
		name := w.anyQueue()
		w.say("delete queue %s", name)
		_, err := w.DeleteQueue(name, me, false, false, &w.fx)
		w.must(err)
		w.model.deleteQueue(name)
	case 6, 7, 8:
		w.bindOrUnbind()
	default:
		w.publishOne()
	}
}

func (w *twin) declareExchange() {
	name := fmt.Sprint("x", w.next(6))
	x := modelExchange{kind: pick(w, someKinds), autoDelete: w.next(2) == 0}
	d := ExchangeDeclare{Name: name, Type: x.kind, AutoDelete: x.autoDelete}
	if w.next(3) == 0 {
		x.alternate = w.anyExchange()
		d.Arguments = args("alternate-exchange", x.alternate)
	}
	w.say("declare exchange %s %+v", name, x)
	err := w.DeclareExchange(d)
	old, exists := w.model.exchanges[name]
	if same := !exists || old == x; same != (err == nil) {
		w.fail("declare says %v", err)
	}
	if !exists {
		w.model.exchanges[name] = x
	}
}

func (w *twin) bindOrUnbind() {
	b := modelBinding{source: w.anyExchange(), key: pick(w, somePatterns)}
	to, from := w.BindQueue, w.UnbindQueue
	if b.toExchange = w.next(3) == 0; b.toExchange {
		b.destination = w.anyExchange()
		to = func(d, s, key string, args amqp.Table, _ uint64) error { return w.BindExchange(d, s, key, args) }
		from = func(d, s, key string, args amqp.Table, _ uint64) error { return w.UnbindExchange(d, s, key, args) }
	} else {
		b.destination = w.anyQueue()
	}
	if w.next(3) > 0 {
		w.say("bind %+v", b)
		err := to(b.destination, b.source, b.key, nil, me)
		if w.model.exists(b) != (err == nil) {
			w.fail("bind says %v", err)
		}
		if err == nil && !slices.Contains(w.model.bindings, b) {
			w.model.bindings = append(w.model.bindings, b)
		}
		return
	}
	w.say("unbind %+v", b)
	w.must(from(b.destination, b.source, b.key, nil, me))
	w.model.remove(func(other modelBinding) bool { return other == b })
}

func (w *twin) publishOne() {
	exchange, key := w.anyExchange(), pick(w, someKeys)
	if w.next(4) == 0 {
		exchange, key = "", w.anyQueue()
	}
	w.say("publish to %q with key %s", exchange, key)
	x, err := w.router.Exchange([]byte(exchange))
	if _, exists := w.model.exchanges[exchange]; (exists || exchange == "") != (err == nil) {
		w.fail("publish says %v", err)
	}
	if err != nil {
		return
	}
	p := w.router.Publish(x, message(exchange, key, "", nil), Ticket{}, &w.fx)
	want := map[string]bool{}
	w.model.route(exchange, key, map[string]bool{}, want)
	got := map[string]bool{}
	for _, q := range w.Queues() {
		switch n := q.Purge(&w.fx); {
		case n == 1:
			got[q.Name()] = true
		case n > 1:
			w.fail("queue %s got the message %d times", q.Name(), n)
		}
	}
	if !maps.Equal(got, want) || p.Routed != (len(want) > 0) {
		w.fail("queues %v got it, want %v; routed: %v", got, want, p.Routed)
	}
}

// compare looks at all there is.
func (w *twin) compare() {
	w.t.Helper()
	count := map[modelBinding]int{}
	for _, b := range w.model.bindings {
		count[b]++
	}
	for name := range w.model.queues {
		count[modelBinding{destination: name, key: name}]++
	}
	for _, b := range w.Bindings() {
		count[modelBinding{b.Source, b.Destination, b.ToExchange, b.Key}]--
	}
	for b, n := range count {
		if n != 0 {
			w.fail("binding %+v: the model has %d more", b, n)
		}
	}
	for _, x := range w.Exchanges() {
		if _, ok := w.model.exchanges[x.Name()]; !ok && x.Name() != "" && !strings.HasPrefix(x.Name(), "amq.") {
			w.fail("exchange %s should be gone", x.Name())
		}
	}
	indexed := 0
	for _, list := range w.sources {
		for _, s := range list {
			indexed += s.bindings
		}
	}
	if indexed != len(w.model.bindings) {
		w.fail("the index of sources counts %d bindings, want %d", indexed, len(w.model.bindings))
	}
}

func (w *twin) say(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

func (w *twin) fail(format string, args ...any) {
	w.t.Helper()
	last := w.log[max(0, len(w.log)-60):]
	w.t.Fatalf("%s\nafter\n%s", fmt.Sprintf(format, args...), strings.Join(last, "\n"))
}

func TestRandomTopology(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := &twin{fixture: newFixture(t), model: newModel(), next: rand.New(rand.NewPCG(seed, 1)).IntN}
			for i := range 3000 {
				w.step()
				if i%50 == 0 {
					w.compare()
				}
			}
			w.compare()
		})
	}
}

func FuzzTopology(f *testing.F) {
	f.Add([]byte("\x00\x01\x01\x00\x01\x03\x02\x06\x01\x02\x03\x04\x09\x01\x01\x01"))
	f.Add([]byte("\x03\x00\x03\x01\x06\x00\x00\x00\x00\x01\x01\x09\x00\x00\x00\x00\x05\x00\x09\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 4096 {
			return
		}
		w := &twin{fixture: newFixture(t), model: newModel()}
		w.next = func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := choices[0]
			choices = choices[1:]
			return int(c) % n
		}
		for len(choices) > 0 {
			w.step()
		}
		w.compare()
	})
}
