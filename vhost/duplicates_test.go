package vhost

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/dedup"
	"github.com/leveretmq/leveret/vhost/queue"
)

// keyed makes a persistent message with a key for deduplication.
func keyed(exchange, key, body, id string) *amqp.Message {
	m := message(exchange, key, body, args(dedup.DefaultHeader, id))
	m.Persistent = true
	return m
}

// durableX declares a durable exchange with arguments, given as for args.
func (f *fixture) durableX(name, kind string, arguments ...any) {
	f.t.Helper()
	f.must(f.DeclareExchange(ExchangeDeclare{Name: name, Type: kind, Durable: true, Arguments: args(arguments...)}))
}

// keys counts the keys in the store.
func (f *storedFixture) keys() (n int) {
	f.t.Helper()
	all, err := f.store.Definitions()
	f.must(err)
	for _, d := range all {
		if d.Kind == persistence.KindDuplicate {
			n++
		}
	}
	return n
}

func (f *fixture) wantBodies(queue string, want ...string) {
	f.t.Helper()
	if got := f.bodies(queue); !slices.Equal(got, want) {
		f.t.Errorf("queue %s has %q, want %q", queue, got, want)
	}
}

func TestQueueDropsDuplicates(t *testing.T) {
	f := newFixture(t)
	q := f.queue("q", "x-message-deduplication", true, "x-cache-size", int32(2))
	f.queue("off", "x-message-deduplication", false, "x-cache-size", int32(2))
	for _, step := range []struct {
		id        string
		duplicate bool
	}{{"a", false}, {"a", true}, {"b", false}, {"a", true}, {"c", false}, {"a", false}, {"c", true}} {
		p := f.publish("", keyed("", "q", step.id, step.id))
		if want := (Published{Routed: true, Kept: !step.duplicate, Duplicate: step.duplicate}); p != want {
			t.Errorf("%s: %+v, want %+v", step.id, p, want)
		}
	}
	f.send("", "q", "no key")
	f.send("", "q", "no key")
	if c := q.Stats().Counts; c.Published != 6 || c.Deduplicated != 3 {
		t.Errorf("%+v", c)
	}
	f.wantBodies("q", "a", "b", "c", "a", "no key", "no key")
	// What has been consumed is remembered none the less.
	if p := f.publish("", keyed("", "q", "a", "a")); !p.Duplicate {
		t.Errorf("after it was consumed: %+v", p)
	}
	for range 2 {
		f.publish("", keyed("", "off", "a", "a"))
	}
	f.wantBodies("off", "a", "a")
}

func TestExchangeDropsDuplicates(t *testing.T) {
	f := newFixture(t)
	f.exchange("x", "topic", "x-message-deduplication", true, "x-deduplication-header", "id")
	f.exchange("before", "fanout")
	f.bindX("x", "before", "")
	f.queue("q")
	f.queue("r")
	f.bind("q", "x", "q.#")
	f.bind("r", "x", "#")
	id := func(exchange, key, id string) *amqp.Message { return message(exchange, key, key, args("id", id)) }
	if p := f.publish("x", id("x", "q.1", "a")); p != (Published{Routed: true, Kept: true}) {
		t.Errorf("%+v", p)
	}
	for _, key := range []string{"q.1", "r"} { // whatever the key
		if p := f.publish("x", id("x", key, "a")); p != (Published{Routed: true, Duplicate: true}) {
			t.Errorf("%+v", p)
		}
	}
	f.publish("x", id("x", "r", "b"))
	// What comes by a binding is not looked at.
	f.publish("before", id("before", "q", "a"))
	f.publish("x", keyed("x", "other", "other header", "a"))
	f.publish("x", keyed("x", "other", "other header", "a"))
	f.wantBodies("q", "q.1", "q")
	f.wantBodies("r", "q.1", "r", "q", "other header", "other header")
	x, err := f.router.Exchange([]byte("x"))
	f.must(err)
	if keys, dropped := f.Duplicates(x); keys != 2 || dropped != 2 {
		t.Errorf("%d keys, %d dropped", keys, dropped)
	}
	f.must(f.DeleteExchange("x", false))
	if keys, _ := f.Duplicates(x); keys != 0 {
		t.Error("a deleted exchange remembers")
	}
	if p := f.router.Publish(x, id("x", "q", "a"), Ticket{}, &f.fx); p != (Published{}) {
		t.Errorf("to a deleted exchange: %+v", p)
	}
}

// What the publisher is to send again must not be taken for a duplicate then.
func TestRefusedKeysAreForgotten(t *testing.T) {
	f := newFixture(t)
	full := []any{"x-max-length", int32(1), "x-overflow", "reject-publish"}
	f.queue("q", append(full, "x-message-deduplication", true)...)
	f.publish("", keyed("", "q", "a", "a"))
	for range 2 {
		if p := f.publish("", keyed("", "q", "b", "b")); p != (Published{Routed: true, Refused: true}) {
			t.Errorf("to a full queue: %+v", p)
		}
	}
	if p := f.publish("", keyed("", "q", "a", "a")); p != (Published{Routed: true, Duplicate: true}) {
		t.Errorf("a duplicate to a full queue: %+v", p)
	}
	f.wantBodies("q", "a")
	f.publish("", keyed("", "q", "b", "b"))
	f.wantBodies("q", "b")

	f.exchange("x", "fanout", "x-message-deduplication", true)
	if p := f.publish("x", keyed("x", "", "a", "a")); p != (Published{}) {
		t.Errorf("unroutable: %+v", p)
	}
	f.queue("full", full...)
	f.queue("open")
	f.bind("full", "x", "")
	f.bind("open", "x", "")
	f.send("", "full", "first")
	for range 2 {
		if p := f.publish("x", keyed("x", "", "a", "a")); p != (Published{Routed: true, Kept: true, Refused: true}) {
			t.Errorf("some queue is full: %+v", p)
		}
	}
	f.wantBodies("full", "first")
	f.publish("x", keyed("x", "", "a", "a"))
	if p := f.publish("x", keyed("x", "", "a", "a")); !p.Duplicate {
		t.Errorf("at last: %+v", p)
	}
	f.wantBodies("full", "a")
}

// A message that comes back by its deaths to where it has been is no second one.
func TestDeadLettersComeBack(t *testing.T) {
	f := newFixture(t)
	f.exchange("x", "direct", "x-message-deduplication", true)
	f.exchange("graves", "fanout", "x-message-deduplication", true)
	f.queue("work", "x-message-deduplication", true, "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "wait")
	f.queue("wait", "x-dead-letter-exchange", "x", "x-dead-letter-routing-key", "work")
	f.bind("work", "x", "work")
	f.publish("x", keyed("x", "work", "m", "a"))
	for range 3 {
		f.reject("work")
		f.wantReady("wait", 1)
		f.reject("wait")
		f.wantReady("work", 1)
	}
	if p := f.publish("x", keyed("x", "work", "again", "a")); !p.Duplicate {
		t.Errorf("%+v", p)
	}
	// Two that die with the same key are two to the dead-letter exchange.
	f.queue("dying", "x-dead-letter-exchange", "graves")
	f.queue("dead")
	f.bind("dead", "graves", "")
	f.publish("", keyed("", "dying", "1", "a"))
	f.publish("", keyed("", "dying", "2", "a"))
	f.reject("dying")
	f.reject("dying")
	f.wantBodies("dead", "1")
}

func TestDuplicateArguments(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		name  string
		value any
		term  string
	}{
		{"x-message-deduplication", "yes", "{unacceptable_type,longstr}"},
		{"x-deduplication-header", int32(1), "{unacceptable_type,signedint}"},
		{"x-cache-size", int32(0), "{value_zero,0}"},
		{"x-cache-ttl", "1", `"expected integer, got longstr"`},
	} {
		_, err := f.DeclareQueue(QueueDeclare{Name: "q", Arguments: args(c.name, c.value)}, me)
		f.wantError(c.name, err, 406, fmt.Sprintf("invalid arg '%s' for queue 'q' in vhost '/': %s", c.name, c.term))
		err = f.DeclareExchange(ExchangeDeclare{Name: "x", Type: "direct", Arguments: args(c.name, c.value)})
		f.wantError(c.name, err, 406, fmt.Sprintf("invalid arg '%s' for exchange 'x' in vhost '/': %s", c.name, c.term))
	}
	if f.hasQueue("q") || f.hasExchange("x") {
		t.Error("something was declared")
	}
	is := args("x-message-deduplication", true, "x-cache-size", int32(5))
	f.queue("q", "x-message-deduplication", true, "x-cache-size", int32(5))
	f.exchange("x", "direct", "x-message-deduplication", true, "x-cache-size", int32(5))
	for _, c := range []struct {
		asked amqp.Table
		text  string
	}{
		{is.With("x-cache-size", int64(5)), ""},
		{is.With("x-cache-size", int32(6)), "inequivalent arg 'x-cache-size' for %s in vhost '/': received '6' but current is '5'"},
		{is.With("x-cache-ttl", int32(6)), "inequivalent arg 'x-cache-ttl' for %s in vhost '/': received the value '6' of type 'signedint' but current is none"},
		{args("x-cache-size", int32(5)), "inequivalent arg 'x-message-deduplication' for %s in vhost '/': received none but current is the value 'true' of type 'bool'"},
		{is.With("x-message-deduplication", false), "inequivalent arg 'x-message-deduplication' for %s in vhost '/': received 'false' but current is 'true'"},
	} {
		_, err := f.DeclareQueue(QueueDeclare{Name: "q", Arguments: c.asked}, me)
		also := f.DeclareExchange(ExchangeDeclare{Name: "x", Type: "direct", Arguments: c.asked})
		if c.text == "" {
			f.must(err)
			f.must(also)
			continue
		}
		f.wantError("queue", err, 406, fmt.Sprintf(c.text, "queue 'q'"))
		f.wantError("exchange", also, 406, fmt.Sprintf(c.text, "exchange 'x'"))
	}
}

// told notes what a waiter is told.
type told struct {
	mu   sync.Mutex
	list []string
}

func (w *told) Done(numbers []uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range numbers {
		w.list = append(w.list, fmt.Sprint(n, " ", err))
	}
}

func (w *told) want(t *testing.T, what string, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.list)
	if !slices.Equal(w.list, want) {
		t.Errorf("%s: told %q, want %q", what, w.list, want)
	}
	w.list = nil
}

// publisher is somebody who publishes beside the fixture.
type publisher struct {
	*told
	router *Router
	fx     queue.Effects
	last   uint64
}

func (f *fixture) publisher() *publisher { return &publisher{told: &told{}, router: f.NewRouter()} }

func (p *publisher) publish(t *testing.T, exchange string, m *amqp.Message) Published {
	t.Helper()
	x, err := p.router.Exchange([]byte(exchange))
	if err != nil {
		t.Fatal(err)
	}
	p.last++
	return p.router.Publish(x, m, Ticket{p, p.last}, &p.fx)
}

func (p *publisher) flush(v *VHost) {
	v.Apply(&p.fx)
	p.fx.WakeAll()
}

// A duplicate is not confirmed before its original is stored, whose batch may be
// handed over later.
func TestDuplicateWaitsForItsOriginal(t *testing.T) {
	stored := Published{Routed: true, Kept: true, Stored: true}
	duplicate := Published{Routed: true, Duplicate: true, Stored: true}
	for name, declare := range map[string]func(f *storedFixture){
		"queue": func(f *storedFixture) {
			f.durable("q", "x-message-deduplication", true)
			f.bind("q", "amq.fanout", "")
		},
		"exchange": func(f *storedFixture) {
			f.durable("q")
			f.durableX("x", "fanout", "x-message-deduplication", true)
			f.bind("q", "x", "")
		},
	} {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprint(name, fails), func(t *testing.T) {
				f := openStored(t)
				declare(f)
				x := map[string]string{"queue": "amq.fanout", "exchange": "x"}[name]
				release := f.store.Hold()
				one, two := f.publisher(), f.publisher()
				if p := one.publish(t, x, keyed(x, "", "m", "a")); p != stored {
					t.Errorf("the first: %+v", p)
				}
				if p := two.publish(t, x, keyed(x, "", "m", "a")); p != duplicate {
					t.Errorf("the second: %+v", p)
				}
				two.flush(f.VHost)
				one.flush(f.VHost)
				if p := one.publish(t, x, keyed(x, "", "m", "a")); p != duplicate {
					t.Errorf("the third: %+v", p)
				}
				one.flush(f.VHost)
				one.want(t, "held")
				two.want(t, "held")
				end := "<nil>"
				if fails {
					f.store.Fail(errors.New("no disk"))
					end = "the store has failed: no disk"
				} else {
					release()
				}
				one.want(t, "released", "1 "+end, "2 "+end)
				two.want(t, "released", "1 "+end)
				if fails {
					two.publish(t, x, keyed(x, "", "m", "a"))
					two.want(t, "later", "2 "+end)
					return
				}
				if p := two.publish(t, x, keyed(x, "", "m", "a")); p != (Published{Routed: true, Duplicate: true}) {
					t.Errorf("the last: %+v", p)
				}
				two.want(t, "nothing to wait for")
				f.wantBodies("q", "m")
			})
		}
	}
}

// Where one queue has the message and another takes it now, its publisher waits
// for both, and is told once.
func TestDuplicateInSomeQueues(t *testing.T) {
	f := openStored(t)
	for _, name := range []string{"a", "b"} {
		f.durable(name, "x-message-deduplication", true)
	}
	f.durable("c")
	one, two := f.publisher(), f.publisher()
	release := f.store.Hold()
	one.publish(t, "", keyed("", "a", "m", "k"))
	two.publish(t, "", keyed("", "b", "m", "k"))
	release()
	for _, name := range []string{"a", "b", "c"} {
		f.bind(name, "amq.fanout", "")
	}
	three := f.publisher()
	if p := three.publish(t, "amq.fanout", keyed("", "", "m", "k")); p != (Published{Routed: true, Kept: true, Duplicate: true, Stored: true}) {
		t.Errorf("%+v", p)
	}
	three.flush(f.VHost)
	three.want(t, "its own is stored")
	one.flush(f.VHost)
	three.want(t, "one of the others is")
	two.flush(f.VHost)
	three.want(t, "all are", "1 <nil>")
	for _, name := range []string{"a", "b", "c"} {
		f.wantBodies(name, "m")
	}
}

// Of many who publish the same at the same time one gets through.
func TestDuplicatesAtOnce(t *testing.T) {
	f := openStored(t)
	f.durable("q", "x-message-deduplication", true, "x-cache-size", int32(1000))
	f.durable("r")
	f.durableX("x", "fanout", "x-message-deduplication", true, "x-cache-size", int32(1000))
	f.bind("r", "x", "")
	var all sync.WaitGroup
	var publishers []*publisher
	for range 4 {
		p := f.publisher()
		publishers = append(publishers, p)
		all.Go(func() {
			for i := range 300 {
				id := fmt.Sprint(i)
				p.publish(t, "", keyed("", "q", id, id))
				p.publish(t, "x", keyed("x", "", id, id))
				if i%7 == 0 {
					p.flush(f.VHost)
				}
			}
			p.flush(f.VHost)
		})
	}
	all.Wait()
	for _, p := range publishers { // each may have been told by another to the end
		if len(p.list) > int(p.last) {
			t.Errorf("told %d times of %d", len(p.list), p.last)
		}
	}
	for _, q := range []string{"q", "r"} {
		got := f.bodies(q)
		if slices.Sort(got); len(got) != 300 || len(slices.Compact(got)) != 300 {
			t.Errorf("queue %s has %d messages, want 300", q, len(got))
		}
	}
	if n := f.keys(); n != 600 {
		t.Errorf("%d keys are stored", n)
	}
}

func TestDuplicateTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		f.durable("q", "x-message-deduplication", true, "x-cache-ttl", int32(1000))
		f.publish("", keyed("", "q", "m", "a"))
		time.Sleep(600 * time.Millisecond)
		f.restart()
		if p := f.publish("", keyed("", "q", "m", "a")); !p.Duplicate {
			t.Errorf("after 600 ms: %+v", p)
		}
		time.Sleep(400 * time.Millisecond)
		if p := f.publish("", keyed("", "q", "m", "a")); p.Duplicate {
			t.Errorf("after 1 s: %+v", p)
		}
		f.close()
	})
}
