package vhost

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

const locked = "cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared " +
	"on another connection or the exclusive property value does not match that of the original declaration."

// The texts of this file are RabbitMQ's.

func TestRegistryVHost(t *testing.T) {
	f := newFixture(t)
	if f.Name() != "/" {
		t.Errorf("the vhost is called %q", f.Name())
	}
	r, err := New(Options{})
	f.must(err)
	defer r.Close()
	for name, text := range map[string]string{"absent": "vhost absent not found", "": "vhost  not found"} {
		_, err := r.VHost(name)
		f.wantError(name, err, amqp.CodeNotAllowed, text)
	}
}

func TestPredeclaredExchanges(t *testing.T) {
	f := newFixture(t)
	var got []string
	for _, x := range f.Exchanges() {
		got = append(got, x.Name())
	}
	want := []string{"", "amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.rabbitmq.event", "amq.rabbitmq.trace", "amq.topic"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	f.must(f.DeclareExchange(ExchangeDeclare{Name: "amq.direct", Type: "direct", Durable: true}))
}

func TestDeclareExchangeRefuses(t *testing.T) {
	f := newFixture(t)
	f.exchange("x", "direct")
	f.exchange("ae", "direct", "alternate-exchange", "a")
	for _, c := range []struct {
		name string
		d    ExchangeDeclare
		code amqp.ReplyCode
		text string
	}{
		{"passive absent", ExchangeDeclare{Name: "absent", Passive: true, Type: "direct"}, 404, "no exchange 'absent' in vhost '/'"},
		{"passive absent amq", ExchangeDeclare{Name: "amq.foo", Passive: true}, 404, "no exchange 'amq.foo' in vhost '/'"},
		{"default", ExchangeDeclare{Type: "direct", Durable: true}, 403, "operation not permitted on the default exchange"},
		{"default passive", ExchangeDeclare{Passive: true}, 403, "operation not permitted on the default exchange"},
		{"default by stripping", ExchangeDeclare{Name: "\r\n", Type: "direct"}, 403, "operation not permitted on the default exchange"},
		{"reserved", ExchangeDeclare{Name: "amq.foo", Type: "direct", Arguments: args("alternate-exchange", int32(1))}, 403, "exchange name 'amq.foo' contains reserved prefix 'amq.*'"},
		{"type", ExchangeDeclare{Name: "y", Type: "foo"}, 406, "unknown exchange type 'foo'"},
		{"type of one that exists", ExchangeDeclare{Name: "x", Type: "foo"}, 406, "unknown exchange type 'foo'"},
		{"other type", ExchangeDeclare{Name: "x", Type: "fanout", Durable: true}, 406, "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'"},
		{"durable", ExchangeDeclare{Name: "x", Type: "direct", Durable: true}, 406, "inequivalent arg 'durable' for exchange 'x' in vhost '/': received 'true' but current is 'false'"},
		{"alternate", ExchangeDeclare{Name: "ae", Type: "direct"}, 406, "inequivalent arg 'alternate-exchange' for exchange 'ae' in vhost '/': received none but current is the value 'a' of type 'longstr'"},
		{"bad alternate", ExchangeDeclare{Name: "y", Type: "direct", Arguments: args("alternate-exchange", int32(1))}, 406, "invalid type 'signedint' for arg 'alternate-exchange' in exchange 'y' in vhost '/'"},
	} {
		f.wantError(c.name, f.DeclareExchange(c.d), c.code, c.text)
	}
	f.must(f.DeclareExchange(ExchangeDeclare{Name: "x", Type: "nonsense", Passive: true}))
	f.must(f.DeclareExchange(ExchangeDeclare{Name: "x\r\n", Type: "direct"}))
}

func TestDeleteExchange(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct{ name, text string }{
		{"", "operation not permitted on the default exchange"},
		{"amq.direct", "deletion of system exchange 'amq.direct' in vhost '/' not allowed"},
		{"amq.\rabsent", "deletion of system exchange 'amq.absent' in vhost '/' not allowed"},
	} {
		f.wantError(c.name, f.DeleteExchange(c.name, false), amqp.CodeAccessRefused, c.text)
	}
	f.must(f.DeleteExchange("absent", true))
	f.exchange("x", "direct")
	f.bindX("x", "amq.direct", "k")
	f.must(f.DeleteExchange("x", true)) // used as a destination only
	f.exchange("x", "direct")
	f.queue("q")
	f.bind("q", "x", "k")
	f.wantError("in use", f.DeleteExchange("x", true), amqp.CodePreconditionFailed, "exchange 'x' in vhost '/' in use")
	f.must(f.DeleteExchange("x\n", false))
	if f.hasExchange("x") {
		t.Error("the exchange is still there")
	}
	if all := f.Bindings(); len(all) != 1 {
		t.Errorf("bindings are left: %v", all)
	}
}

func TestDeclareQueueRefuses(t *testing.T) {
	f := newFixture(t)
	f.queue("plain")
	_, err := f.DeclareQueue(QueueDeclare{Name: "q", Exclusive: true}, me)
	f.must(err)
	for _, c := range []struct {
		name string
		d    QueueDeclare
		conn uint64
		code amqp.ReplyCode
		text string
	}{
		{"passive absent", QueueDeclare{Name: "absent", Passive: true}, me, 404, "no queue 'absent' in vhost '/'"},
		{"passive unnamed", QueueDeclare{Passive: true}, me, 404, "no queue '' in vhost '/'"},
		{"passive reserved", QueueDeclare{Name: "amq.foo", Passive: true}, me, 404, "no queue 'amq.foo' in vhost '/'"},
		{"reserved", QueueDeclare{Name: "amq.foo", Arguments: args("x-expires", int32(0))}, me, 403, "queue name 'amq.foo' contains reserved prefix 'amq.*'"},
		{"passive, another's", QueueDeclare{Name: "q", Passive: true}, 2, 405, locked},
		{"another's", QueueDeclare{Name: "q", Exclusive: true, Arguments: args("x-expires", int32(0))}, 2, 405, locked},
		{"not exclusive now", QueueDeclare{Name: "q"}, me, 405, locked},
		{"durable", QueueDeclare{Name: "plain", Durable: true}, me, 406, "inequivalent arg 'durable' for queue 'plain' in vhost '/': received 'true' but current is 'false'"},
		{"argument", QueueDeclare{Name: "new", Arguments: args("x-expires", int32(0))}, me, 406, "invalid arg 'x-expires' for queue 'new' in vhost '/': {value_zero,0}"},
		{"server-named quorum", QueueDeclare{Durable: true, Arguments: args("x-queue-type", "quorum")}, me, 406, "Cannot declare a server-named queue for type rabbit_quorum_queue"},
		{"exclusive quorum", QueueDeclare{Name: "new", Durable: true, Exclusive: true, Arguments: args("x-queue-type", "quorum")}, me, 406, "invalid property 'exclusive-owner' for queue 'new' in vhost '/'"},
		{"stream", QueueDeclare{Name: "new", Durable: true, Arguments: args("x-queue-type", "stream")}, me, 540, "queue 'new' in vhost '/' cannot be declared: queues of type stream are not supported"},
	} {
		_, err := f.DeclareQueue(c.d, c.conn)
		f.wantError(c.name, err, c.code, c.text)
	}
	// Whatever durable says, exclusive queues are not.
	if _, err := f.DeclareQueue(QueueDeclare{Name: "q", Exclusive: true, Durable: true}, me); err != nil {
		t.Error(err)
	}
}

func TestServerNamedQueues(t *testing.T) {
	f := newFixture(t)
	a, b := f.queue(""), f.queue("\r\n")
	form := regexp.MustCompile(`^amq\.gen-[A-Za-z0-9_-]{22}$`)
	if !form.MatchString(a.Name()) || !form.MatchString(b.Name()) || a.Name() == b.Name() {
		t.Errorf("got %q and %q", a.Name(), b.Name())
	}
	if !f.hasQueue(a.Name()) {
		t.Error("a server-named queue cannot be declared passively")
	}
	_, err := f.DeclareQueue(QueueDeclare{Name: a.Name()}, me)
	f.wantError("active", err, amqp.CodeAccessRefused, "queue name '"+a.Name()+"' contains reserved prefix 'amq.*'")
}

func TestQueueByName(t *testing.T) {
	f := newFixture(t)
	if q := f.queue("a\r\nb"); q.Name() != "ab" {
		t.Errorf("got %q", q.Name())
	}
	_, err := f.DeclareQueue(QueueDeclare{Name: "q", Exclusive: true}, me)
	f.must(err)
	_, err = f.Queue("absent", me)
	f.wantError("absent", err, amqp.CodeNotFound, "no queue 'absent' in vhost '/'")
	_, err = f.Queue("q", 2)
	f.wantError("another's", err, amqp.CodeResourceLocked, locked)
	_, err = f.PurgeQueue("absent", me, &f.fx)
	f.wantError("purge absent", err, amqp.CodeNotFound, "no queue 'absent' in vhost '/'")
	_, err = f.PurgeQueue("q", 2, &f.fx)
	f.wantError("purge another's", err, amqp.CodeResourceLocked, locked)
	f.send("", "q", "publishing to it is allowed")
	f.send("", "q", "to all")
	if n, err := f.PurgeQueue("q", me, &f.fx); n != 2 || err != nil {
		t.Errorf("purge: %d, %v", n, err)
	}
}

func TestDeleteQueue(t *testing.T) {
	f := newFixture(t)
	if n, err := f.DeleteQueue("absent", me, true, true, &f.fx); n != 0 || err != nil {
		t.Errorf("absent: %d, %v", n, err)
	}
	q := f.queue("q")
	f.bind("q", "amq.topic", "#")
	f.send("", "q", "a")
	f.send("", "q", "b")
	_, err := f.DeleteQueue("q", me, false, true, &f.fx)
	f.wantError("not empty", err, amqp.CodePreconditionFailed, "queue 'q' in vhost '/' not empty")
	gone := &watcher{}
	_, err = q.Consume(queue.Spec{Receiver: gone})
	f.must(err)
	_, err = f.DeleteQueue("q", me, true, false, &f.fx)
	f.wantError("in use", err, amqp.CodePreconditionFailed, "queue 'q' in vhost '/' in use")
	if n, err := f.DeleteQueue("q\n", me, false, false, &f.fx); n != 2 || err != nil {
		t.Errorf("delete: %d, %v", n, err)
	}
	if gone.times != 0 {
		t.Error("the consumer was told under the lock")
	}
	f.apply()
	if gone.times != 1 {
		t.Errorf("the consumer was told %d times", gone.times)
	}
	if all := f.Bindings(); len(all) != 0 {
		t.Errorf("bindings are left: %v", all)
	}

	_, err = f.DeclareQueue(QueueDeclare{Name: "quorum", Durable: true, Arguments: args("x-queue-type", "quorum")}, me)
	f.must(err)
	_, err = f.DeleteQueue("quorum", me, true, true, &f.fx)
	f.wantError("quorum", err, amqp.CodeNotImplemented, "cannot delete queue 'quorum' in vhost '/'. "+
		"queue.delete operations with if-unused flag set are not supported by quorum queues")
	_, err = f.DeleteQueue("quorum", me, false, true, &f.fx)
	f.wantError("quorum", err, amqp.CodeNotImplemented, "cannot delete queue 'quorum' in vhost '/'. "+
		"queue.delete operations with if-empty flag set are not supported by quorum queues")
}

// watcher is a Receiver that takes nothing and counts how often it is told that
// its queue is gone.
type watcher struct {
	deaf
	times int
}

func (w *watcher) QueueGone() { w.times++ }

func (w *watcher) TimedOut(time.Duration, *queue.Effects) { w.times = -1 }

func TestDropExclusive(t *testing.T) {
	f := newFixture(t)
	for _, d := range []struct {
		name string
		conn uint64
	}{{"a", 1}, {"b", 1}, {"c", 2}} {
		_, err := f.DeclareQueue(QueueDeclare{Name: d.name, Exclusive: true}, d.conn)
		f.must(err)
	}
	f.queue("plain")
	_, err := f.DeleteQueue("b", 2, false, false, &f.fx)
	f.wantError("delete another's", err, amqp.CodeResourceLocked, "cannot obtain exclusive access to locked queue 'b'"+locked[len("cannot obtain exclusive access to locked queue 'q'"):])
	f.autoExchange("x")
	f.bind("a", "x", "k")
	f.DropExclusive(1, &f.fx)
	f.DropExclusive(1, &f.fx)
	var left []string
	for _, q := range f.Queues() {
		left = append(left, q.Name())
	}
	if !slices.Equal(left, []string{"c", "plain"}) {
		t.Errorf("left: %q", left)
	}
	if f.hasExchange("x") {
		t.Error("the auto-delete exchange is left")
	}
	if len(f.exclusive) != 1 {
		t.Errorf("the index of exclusive queues holds %d connections", len(f.exclusive))
	}
}

func TestClosedRegistry(t *testing.T) {
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.VHost("/")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{VHost: v, t: t, router: v.NewRouter()}
	q := f.queue("q", "x-expires", int32(60000))
	reply, err := v.OpenReply(me)
	f.must(err)
	x, err := f.router.Exchange(nil)
	f.must(err)
	r.Close()
	r.Close()
	for _, q := range []*queue.Queue{q, reply} {
		if got := q.Publish(message("", "q", "", nil), nil, &f.fx); got != queue.Closed {
			t.Errorf("%s: a publish says %v", q.Name(), got)
		}
	}
	if p := f.router.Publish(x, message("", "q", "", nil), Ticket{}, &f.fx); p.Routed {
		t.Error("a message was routed")
	}
	_, err = v.DeclareQueue(QueueDeclare{Name: "new"}, me)
	f.wantError("declare", err, amqp.CodeConnectionForced, "broker is shutting down")
	_, err = v.OpenReply(me)
	f.wantError("reply", err, amqp.CodeConnectionForced, "broker is shutting down")
	f.wantError("exchange", v.DeclareExchange(ExchangeDeclare{Name: "x", Type: "direct"}), amqp.CodeConnectionForced, "broker is shutting down")
}
