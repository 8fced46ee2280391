package vhost

import (
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

func TestRouterExchange(t *testing.T) {
	f := newFixture(t)
	f.must(f.DeclareExchange(ExchangeDeclare{Name: "inside", Type: "fanout", Internal: true}))
	f.exchange("x", "direct")
	_, err := f.router.Exchange([]byte("absent"))
	f.wantError("absent", err, amqp.CodeNotFound, "no exchange 'absent' in vhost '/'")
	for range 2 { // the second time from memory, if that were wrong
		_, err = f.router.Exchange([]byte("inside"))
		f.wantError("internal", err, amqp.CodeAccessRefused, "cannot publish to internal exchange 'inside' in vhost '/'")
	}
	first, err := f.router.Exchange([]byte("x"))
	f.must(err)
	if again, err := f.router.Exchange([]byte("x")); again != first || err != nil {
		t.Errorf("got another exchange of the same name, %v", err)
	}
	if none, err := f.router.Exchange(nil); err != nil || none.Name() != "" {
		t.Errorf("the default exchange: %v, %v", none, err)
	}
	_, err = f.router.Exchange([]byte("x"))
	f.must(err)
	f.must(f.DeleteExchange("x", false))
	_, err = f.router.Exchange([]byte("x"))
	f.wantError("deleted", err, amqp.CodeNotFound, "no exchange 'x' in vhost '/'")
	f.exchange("x", "fanout")
	if x, err := f.router.Exchange([]byte("x")); err != nil || x.Type() != "fanout" {
		t.Errorf("declared anew: %v, %v", x, err)
	}
}

// Each step changes the topology or the message so that a route remembered from
// the step before would be wrong.
func TestRouteIsNotRememberedTooLong(t *testing.T) {
	f := newFixture(t)
	f.queue("a")
	f.queue("b")
	f.exchange("x", "direct")
	f.exchange("h", "headers")
	want := func(step string, p Published, queues ...string) {
		t.Helper()
		if p.Routed != (len(queues) > 0) {
			t.Errorf("%s: routed is %v", step, p.Routed)
		}
		for _, name := range []string{"a", "b"} {
			got := f.bodies(name)
			if slices.Contains(queues, name) != (len(got) == 1) || len(got) > 1 {
				t.Errorf("%s: queue %s got %q", step, name, got)
			}
		}
	}
	want("no binding", f.send("x", "k", "1"))
	f.bind("a", "x", "k")
	want("bound", f.send("x", "k", "2"), "a")
	want("the same", f.send("x", "k", "3"), "a")
	want("another key", f.send("x", "other", "4"))
	m := message("x", "k", "5", nil)
	m.ExtraKeys = []string{"b-key"}
	want("extra key without binding", f.publish("x", m), "a")
	f.bind("b", "x", "b-key")
	m = message("x", "k", "6", nil)
	m.ExtraKeys = []string{"b-key"}
	want("extra key", f.publish("x", m), "a", "b")
	want("without again", f.send("x", "k", "7"), "a")
	want("another exchange", f.send("", "k", "8"))
	f.must(f.UnbindQueue("a", "x", "k", nil, me))
	want("unbound", f.send("x", "k", "9"))
	f.bindX("h", "x", "k")
	f.must(f.BindQueue("a", "h", "", args("t", "a"), me))
	f.must(f.BindQueue("b", "h", "", args("t", "b"), me))
	for _, to := range []string{"a", "b", "a"} {
		want("headers behind a direct exchange", f.publish("x", message("x", "k", "10", args("t", to))), to)
	}
	want("default exchange", f.send("", "b", "11"), "b")
	_, err := f.DeleteQueue("b", me, false, false, &f.fx)
	f.must(err)
	if p := f.send("", "b", "12"); p.Routed {
		t.Error("routed to a queue that was deleted")
	}
	f.queue("b")
	want("declared anew", f.send("", "b", "13"), "b")
	f.must(f.DeleteExchange("x", false))
	f.exchange("x", "direct", "alternate-exchange", "ae")
	want("alternate exchange is absent", f.send("x", "k", "14"))
	f.exchange("ae", "fanout")
	f.bind("b", "ae", "")
	want("alternate exchange", f.send("x", "k", "15"), "b")
}

// A queue that was deleted and declared again between route and publish gets
// the message, once, and so do the others.
func TestClosedQueueIsRoutedAgain(t *testing.T) {
	f := newFixture(t)
	f.queue("keeps")
	old := f.queue("comes back")
	f.exchange("x", "fanout")
	f.bind("keeps", "x", "")
	f.bind("comes back", "x", "")
	f.send("x", "", "1")
	version := f.version.Load()
	_, err := f.DeleteQueue("comes back", me, false, false, &f.fx)
	f.must(err)
	f.queue("comes back")
	f.bind("comes back", "x", "")
	x := f.exchanges["x"]
	// As if the topology had changed just after the route was remembered.
	f.router.version, f.router.from = f.version.Load(), x
	f.router.key = f.router.key[:0]
	if version == f.router.version || !slices.Contains(f.router.queues, old) {
		t.Fatal("the test does not set up what it wants to")
	}
	if p := f.router.Publish(x, message("x", "", "2", nil), Ticket{}, &f.fx); !p.Routed {
		t.Error("not routed")
	}
	if got := f.bodies("keeps"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("the queue that stayed got %q", got)
	}
	if got := f.bodies("comes back"); !slices.Equal(got, []string{"2"}) {
		t.Errorf("the queue that came back got %q", got)
	}
}

func TestPublishRefusedByOneQueue(t *testing.T) {
	f := newFixture(t)
	f.queue("full", "x-max-length", int32(0), "x-overflow", "reject-publish")
	f.queue("open")
	f.exchange("x", "fanout")
	f.bind("full", "x", "")
	f.bind("open", "x", "")
	if p := f.send("x", "", "a"); !p.Routed || !p.Refused {
		t.Errorf("got %+v", p)
	}
	if p := f.send("", "full", "b"); !p.Routed || !p.Refused {
		t.Errorf("got %+v", p)
	}
	if p := f.send("", "open", "c"); !p.Routed || p.Refused {
		t.Errorf("got %+v", p)
	}
	if got := f.bodies("open"); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("got %q", got)
	}
}

// swallow is a no-ack consumer that takes everything.
type swallow struct{ taken int }

func (s *swallow) Offer(queue.Delivery, *queue.Effects) bool { s.taken++; return true }

// swallowed declares a queue whose messages are consumed as they come.
func (f *fixture) swallowed(name string) *swallow {
	f.t.Helper()
	s := &swallow{}
	q := f.queue(name)
	c, err := q.Consume(queue.Spec{Receiver: s, NoAck: true})
	f.must(err)
	q.Ready(c, &f.fx)
	return s
}

func TestPublishDoesNotAllocate(t *testing.T) {
	f := newFixture(t)
	s := f.swallowed("q")
	f.swallowed("q2")
	f.exchange("direct", "direct")
	f.exchange("fanout", "fanout")
	f.exchange("topic", "topic")
	f.exchange("e2e", "fanout")
	for _, q := range []string{"q", "q2"} {
		f.bind(q, "fanout", "")
		f.bind(q, "topic", "*.#")
	}
	f.bind("q", "direct", "q")
	f.bindX("direct", "e2e", "")
	for _, name := range []string{"", "direct", "fanout", "topic", "e2e"} {
		to := []byte(name)
		same := message(name, "q", "body", nil)
		turns := []*amqp.Message{same, message(name, "q2", "body", nil), message(name, "nobody", "body", nil)}
		for what, messages := range map[string][]*amqp.Message{"one key": {same}, "changing keys": turns} {
			before, i := s.taken, 0
			got := testing.AllocsPerRun(300, func() {
				x, err := f.router.Exchange(to)
				if err != nil {
					t.Fatal(err)
				}
				f.router.Publish(x, messages[i%len(messages)], Ticket{}, &f.fx)
				i++
			})
			if got != 0 {
				t.Errorf("exchange %q, %s: %v allocations a publish", name, what, got)
			}
			if s.taken == before {
				t.Errorf("exchange %q, %s: nothing arrived", name, what)
			}
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, name := range []string{"", "direct"} {
		for _, keys := range []struct {
			name string
			list []string
		}{{"same", []string{"q"}}, {"alternating", []string{"q", "q2"}}} {
			b.Run("exchange="+name+"/key="+keys.name, func(b *testing.B) {
				f := newFixture(b)
				f.swallowed("q")
				f.swallowed("q2")
				f.exchange("direct", "direct")
				f.bind("q", "direct", "q")
				f.bind("q2", "direct", "q2")
				var messages []*amqp.Message
				for _, k := range keys.list {
					messages = append(messages, message(name, k, "body", nil))
				}
				to := []byte(name)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					x, err := f.router.Exchange(to)
					if err != nil {
						b.Fatal(err)
					}
					f.router.Publish(x, messages[i%len(messages)], Ticket{}, &f.fx)
				}
			})
		}
	}
}

func BenchmarkDeclareRedeclare(b *testing.B) {
	f := newFixture(b)
	f.queue("q", "x-max-length", int32(5))
	d := QueueDeclare{Name: "q", Arguments: args("x-max-length", int32(5))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.DeclareQueue(d, me); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeclareBindDelete(b *testing.B) {
	f := newFixture(b)
	b.ReportAllocs()
	for b.Loop() {
		f.queue("q")
		f.bind("q", "amq.topic", "a.*")
		if _, err := f.DeleteQueue("q", me, false, false, &f.fx); err != nil {
			b.Fatal(err)
		}
	}
}
