package vhost

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/queue"
)

// wantTaken takes all that is in a queue and compares the bodies.
func (f *fixture) wantTaken(what, queue string, want ...string) {
	f.t.Helper()
	if got := f.bodies(queue); !slices.Equal(got, append([]string{}, want...)) {
		f.t.Errorf("%s: %s has %q, want %q", what, queue, got, want)
	}
}

// keeping is a fixture with an exchange h that keeps the last three of five.
func keeping(t *testing.T) *fixture {
	f := newFixture(t)
	f.exchange("h", "x-recent-history", "x-recent-history-length", int32(3))
	for i := range 5 {
		if p := f.send("h", "k", fmt.Sprint(i)); p.Routed {
			t.Error("routed without a binding")
		}
	}
	return f
}

func TestHistoryReachesWhatIsBound(t *testing.T) {
	f := keeping(t)
	f.queue("q")
	f.bind("q", "h", "a")
	f.wantTaken("newly bound", "q", "2", "3", "4")
	f.bind("q", "h", "a")
	f.wantTaken("bound again", "q")
	f.send("h", "", "5")
	f.wantTaken("by the binding", "q", "5")
	f.bind("q", "h", "b")
	f.wantTaken("another binding", "q", "3", "4", "5")
	f.must(f.UnbindQueue("q", "h", "a", nil, me))
	f.must(f.UnbindQueue("q", "h", "b", nil, me))
	f.send("h", "", "6")
	f.bind("q", "h", "a")
	f.wantTaken("bound anew", "q", "4", "5", "6")
	if err := f.BindQueue("none", "h", "", nil, me); err == nil {
		t.Error("bound a queue that is not there")
	}
	f.exchange("plain", "fanout")
	f.send("plain", "", "lost")
	f.bind("q", "plain", "")
	f.wantTaken("of a fanout", "q")
}

// An exchange routes what it gets, further ones too, and keeps it if it is of the
// type itself.
func TestHistoryReachesExchanges(t *testing.T) {
	f := keeping(t)
	f.exchange("direct", "direct", "alternate-exchange", "other")
	f.exchange("other", "fanout")
	f.exchange("h2", "x-recent-history")
	for _, q := range []string{"matches", "alternate", "late"} {
		f.queue(q)
	}
	f.bind("matches", "direct", "k")
	f.bind("alternate", "other", "")
	f.bindX("direct", "h", "")
	f.wantTaken("direct", "matches", "2", "3", "4")
	f.wantTaken("direct", "alternate")
	f.bindX("h2", "h", "")
	f.bind("late", "h2", "")
	f.wantTaken("by two histories", "late", "2", "3", "4")
}

// What overflows, or finds the queue full, is dealt with as after any publish.
func TestHistoryIsPublished(t *testing.T) {
	f := keeping(t)
	f.queue("dead")
	f.queue("q", "x-max-length", int32(1), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "dead")
	f.queue("full", "x-max-length", int32(2), "x-overflow", "reject-publish")
	f.bind("q", "h", "")
	f.bind("full", "h", "")
	f.wantTaken("the last one fits", "q", "4")
	f.wantTaken("two did not fit", "dead", "2", "3")
	f.wantTaken("two fit", "full", "2", "3")
}

func TestHistoryIsStored(t *testing.T) {
	f := openRecorded(t)
	f.must(f.DeclareExchange(ExchangeDeclare{Name: "h", Type: "x-recent-history", Durable: true}))
	f.publish("h", persistent("h", "", "m"))
	f.send("h", "", "transient")
	f.publish("h", persistent("h", "", "n"))
	f.durable("a")
	f.durable("b")
	f.want("nobody is bound")
	f.bind("a", "h", "")
	f.want("bound", "append m to a, append n to a")
	f.bind("b", "h", "")
	f.want("also bound", "append m to b, append n to b")
}

// While messages are published, queues are bound: each queue gets each message
// that is kept or comes later, once.
func TestHistoryMissesAndDoublesNothing(t *testing.T) {
	f := newFixture(t)
	f.exchange("h", "x-recent-history", "x-recent-history-length", int32(1_000_000))
	const publishers, each, queues = 3, 400, 8
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			r := f.NewRouter()
			x, err := r.Exchange([]byte("h"))
			if err != nil {
				t.Error(err)
				return
			}
			var fx queue.Effects
			for i := range each {
				r.Publish(x, message("h", "", fmt.Sprint(p, ".", i), nil), Ticket{}, &fx)
			}
		})
	}
	for q := range queues {
		name := fmt.Sprint("q", q)
		f.queue(name)
		wg.Go(func() {
			if err := f.BindQueue(name, "h", "", nil, me); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for q := range queues {
		got := f.bodies(fmt.Sprint("q", q))
		slices.Sort(got)
		if len(got) != publishers*each || len(slices.Compact(got)) != publishers*each {
			t.Errorf("queue %d has %d messages, %d different ones, want %d", q, len(got), len(slices.Compact(got)), publishers*each)
		}
	}
}

func TestAllTypesComeBack(t *testing.T) {
	f := openStored(t)
	q := f.durable("q")
	for _, kind := range exchange.Types() {
		arguments := args("x-delayed-type", "x-consistent-hash", "hash-header", "h", "x-recent-history-length", int64(1))
		f.must(f.DeclareExchange(ExchangeDeclare{Name: "my." + kind, Type: kind, Durable: true, Arguments: arguments}))
		f.must(f.BindQueue("q", "my."+kind, "7", nil, me))
	}
	f.publish("my.x-recent-history", persistent("my.x-recent-history", "", "kept"))
	if n := q.Stats().Ready; n != 1 {
		t.Errorf("%d messages", n)
	}
	f.wantSame()
	for _, kind := range exchange.Types() {
		f.publish("my."+kind, message("my."+kind, "7", kind, args("h", "1")))
	}
	f.wantTaken("after the restart", "q", append([]string{"kept"}, exchange.Types()...)...)
	f.durable("late")
	f.must(f.BindQueue("late", "my.x-recent-history", "", nil, me))
	f.wantTaken("what was kept before is gone", "late", "x-recent-history")
}
