package vhost

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

func TestBindRefuses(t *testing.T) {
	f := newFixture(t)
	_, err := f.DeclareQueue(QueueDeclare{Name: "q", Exclusive: true}, me)
	f.must(err)
	toDefault := "operation not permitted on the default exchange"
	for _, c := range []struct {
		name string
		err  error
		code amqp.ReplyCode
		text string
	}{
		{"absent queue", f.BindQueue("absent", "amq.direct", "k", nil, me), 404, "no queue 'absent' in vhost '/'"},
		{"absent exchange", f.BindQueue("q", "absent", "k", nil, me), 404, "no exchange 'absent' in vhost '/'"},
		{"both absent", f.BindQueue("absent", "absent.x", "k", nil, me), 404, "no exchange 'absent.x' in vhost '/'"},
		{"default exchange", f.BindQueue("absent", "", "k", nil, me), 403, toDefault},
		{"another's", f.BindQueue("q", "amq.direct", "k", nil, 2), 405, locked},
		{"another's, absent exchange", f.BindQueue("q", "absent", "k", nil, 2), 404, "no exchange 'absent' in vhost '/'"},
		{"arguments", f.BindQueue("q", "amq.headers", "", args("x-match", "foo"), me), 406, `Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x`},
		{"arguments, absent queue", f.BindQueue("absent", "amq.headers", "", args("x-match", "foo"), me), 404, "no queue 'absent' in vhost '/'"},
		{"reply-to", f.BindQueue("amq.rabbitmq.reply-to", "amq.direct", "", nil, me), 404, "no queue 'amq.rabbitmq.reply-to' in vhost '/'"},
		{"unbind default", f.UnbindQueue("absent", "", "k", nil, me), 403, toDefault},
		{"exchange: absent source", f.BindExchange("amq.direct", "absent", "", nil), 404, "no exchange 'absent' in vhost '/'"},
		{"exchange: absent destination", f.BindExchange("absent", "amq.direct", "", nil), 404, "no exchange 'absent' in vhost '/'"},
		{"exchange: both absent", f.BindExchange("absent.d", "absent.s", "", nil), 404, "no exchange 'absent.s' in vhost '/'"},
		{"exchange: default source", f.BindExchange("amq.direct", "", "", nil), 403, toDefault},
		{"exchange: default destination", f.BindExchange("", "absent", "", nil), 403, toDefault},
		{"exchange: unbind default", f.UnbindExchange("", "amq.direct", "", nil), 403, toDefault},
	} {
		f.wantError(c.name, c.err, c.code, c.text)
	}
	if got := f.Bindings(); len(got) != 1 {
		t.Errorf("a refused binding was made: %v", got)
	}
}

func TestUnbindIsIdempotent(t *testing.T) {
	f := newFixture(t)
	_, err := f.DeclareQueue(QueueDeclare{Name: "q", Exclusive: true}, me)
	f.must(err)
	f.bind("q\n", "amq.\rdirect", "k")
	f.must(f.UnbindQueue("absent", "amq.direct", "k", nil, me))
	f.must(f.UnbindQueue("q", "absent", "k", nil, me))
	f.must(f.UnbindQueue("q", "amq.direct", "other", nil, 2)) // not there: nobody's concern
	f.must(f.UnbindExchange("absent.d", "absent.s", "", nil))
	f.wantError("another's", f.UnbindQueue("q", "amq.direct", "k", nil, 2), amqp.CodeResourceLocked, locked)
	if p := f.send("amq.direct", "k", "a"); !p.Routed {
		t.Error("the binding is gone")
	}
	f.must(f.UnbindQueue("q", "amq.direct", "k", nil, me))
	if p := f.send("amq.direct", "k", "a"); p.Routed {
		t.Error("the binding is still there")
	}
}

func TestBindings(t *testing.T) {
	f := newFixture(t)
	f.queue("q2")
	f.queue("q1")
	f.exchange("x", "fanout")
	f.bind("q1", "x", "k")
	f.bind("q1", "x", "k")
	f.bindX("x", "amq.topic", "#")
	f.must(f.BindQueue("q2", "amq.direct", "", args("a", int32(1)), me))
	want := []Binding{
		{Destination: "q1", Key: "q1"},
		{Destination: "q2", Key: "q2"},
		{Source: "amq.direct", Destination: "q2", Arguments: args("a", int32(1))},
		{Source: "amq.topic", Destination: "x", ToExchange: true, Key: "#"},
		{Source: "x", Destination: "q1", Key: "k"},
	}
	if got := f.Bindings(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAutoDeleteExchangeGoesWithLastBinding(t *testing.T) {
	f := newFixture(t)
	f.queue("q")
	f.autoExchange("x")
	f.must(f.UnbindQueue("q", "x", "never there", nil, me))
	f.bind("q", "x", "a")
	f.bind("q", "x", "b")
	f.must(f.UnbindQueue("q", "x", "a", nil, me))
	if !f.hasExchange("x") {
		t.Fatal("it went with the first of two bindings")
	}
	f.must(f.UnbindQueue("q", "x", "b", nil, me))
	if f.hasExchange("x") {
		t.Error("it stays without bindings")
	}

	f.autoExchange("x") // bound as a destination only: that does not count
	f.bindX("x", "amq.direct", "k")
	f.must(f.UnbindExchange("x", "amq.direct", "k", nil))
	if !f.hasExchange("x") {
		t.Error("it went with a binding of which it was not the source")
	}
}

func TestAutoDeleteChain(t *testing.T) {
	f := newFixture(t)
	build := func() {
		for _, x := range []string{"x1", "x2", "x3"} {
			f.autoExchange(x)
		}
		f.queue("q")
		f.bindX("x2", "x1", "k")
		f.bindX("x3", "x2", "k")
		f.bindX("x3", "x1", "k")
		f.bind("q", "x3", "k")
	}
	wantGone := func(how string) {
		t.Helper()
		for _, x := range []string{"x1", "x2", "x3"} {
			if f.hasExchange(x) {
				t.Errorf("%s: %s is left", how, x)
			}
		}
		if len(f.sources) != 0 {
			t.Errorf("%s: the index of sources is left with %d entries", how, len(f.sources))
		}
	}
	build()
	_, err := f.DeleteQueue("q", me, false, false, &f.fx)
	f.must(err)
	wantGone("queue deleted")
	build()
	f.must(f.UnbindQueue("q", "x3", "k", nil, me))
	wantGone("queue unbound")
	build()
	f.must(f.DeleteExchange("x3", false))
	wantGone("exchange deleted")

	// A circle that holds itself stays until it is cut.
	f.autoExchange("x1")
	f.autoExchange("x2")
	f.bindX("x2", "x1", "k")
	f.bindX("x1", "x2", "k")
	f.bindX("x1", "x1", "self")
	f.must(f.DeleteExchange("x1", false))
	wantGone("circle cut")
}

// An auto-delete queue takes its exchange along, when Apply deletes it.
func TestAutoDeleteQueue(t *testing.T) {
	f := newFixture(t)
	q, err := f.DeclareQueue(QueueDeclare{Name: "q", AutoDelete: true}, me)
	f.must(err)
	f.autoExchange("x")
	f.bind("q", "x", "k")
	c1, err := q.Consume(queue.Spec{Receiver: deaf{}})
	f.must(err)
	c2, err := q.Consume(queue.Spec{Receiver: deaf{}})
	f.must(err)
	q.Cancel(c1, &f.fx)
	f.apply()
	if !f.hasQueue("q") {
		t.Fatal("the queue went with the first of two consumers")
	}
	q.Cancel(c2, &f.fx)
	f.apply()
	if f.hasQueue("q") || f.hasExchange("x") {
		t.Error("queue or exchange is left")
	}
	// A queue that was declared anew under the name is another one.
	q2, err := f.DeclareQueue(QueueDeclare{Name: "q", AutoDelete: true}, me)
	f.must(err)
	f.deleteUnused(q, &f.fx)
	if got, err := f.Queue("q", me); got != q2 || err != nil {
		t.Errorf("the new queue was deleted for the old one: %v", err)
	}
}

// Who still holds an exchange that was deleted gets nothing routed by it.
func TestDeletedExchangeRoutesNothing(t *testing.T) {
	f := newFixture(t)
	f.queue("q")
	f.exchange("x", "fanout")
	f.bind("q", "x", "")
	x, err := f.router.Exchange([]byte("x"))
	f.must(err)
	f.must(f.DeleteExchange("x", false))
	if p := f.router.Publish(x, message("x", "", "a", nil), Ticket{}, &f.fx); p.Routed {
		t.Error("a message was routed")
	}
}

// What it costs to delete a queue depends on its own bindings, not on those of
// others: with so many of these, a scan would take hundreds of times as long.
// The fastest of many rounds tells, however busy the machine is.
func TestDeleteQueueAmongManyBindings(t *testing.T) {
	f := newFixture(t)
	f.queue("crowd")
	fastest := func() time.Duration {
		best := time.Hour
		for range 300 {
			f.queue("one")
			f.bind("one", "amq.topic", "one.*")
			f.bind("one", "amq.direct", "one")
			start := time.Now()
			_, err := f.DeleteQueue("one", me, false, false, &f.fx)
			best = min(best, time.Since(start))
			f.must(err)
		}
		return best
	}
	before := fastest()
	const many = 50_000
	for i := range many {
		f.bind("crowd", "amq.topic", fmt.Sprint("a.", i))
		f.bind("crowd", "amq.direct", fmt.Sprint("a.", i))
	}
	if after := fastest(); after > 20*before {
		t.Errorf("to delete a queue took %v, and %v with %d bindings of others", before, after, 2*many)
	}
	if got := len(f.sources); got != 1 {
		t.Errorf("the index of sources has %d entries", got)
	}
}

func BenchmarkDeleteQueueAmongAMillionBindings(b *testing.B) {
	f := newFixture(b)
	f.queue("crowd")
	for i := range 1_000_000 {
		f.bind("crowd", "amq.topic", fmt.Sprint("a.", i))
	}
	for b.Loop() {
		f.queue("one")
		f.bind("one", "amq.topic", "one.*")
		if _, err := f.DeleteQueue("one", me, false, false, &f.fx); err != nil {
			b.Fatal(err)
		}
	}
}
