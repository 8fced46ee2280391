package vhost

import (
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// me is the connection on whose behalf tests act.
const me = 1

// fixture is a vhost with a publisher, and the steps that tests are made of.
// What goes wrong in a step ends the test.
type fixture struct {
	*VHost
	t      testing.TB
	router *Router
	fx     queue.Effects
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	return openFixture(t, Options{})
}

// openFixture is newFixture with options.
func openFixture(t testing.TB, o Options) *fixture {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	v, err := r.VHost("/")
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{VHost: v, t: t, router: v.NewRouter()}
}

// args makes a table of names and values in turn.
func args(pairs ...any) amqp.Table {
	var t amqp.Table
	for i := 0; i < len(pairs); i += 2 {
		t = append(t, amqp.Field{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return t
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// queue declares a queue with arguments, given as for args.
func (f *fixture) queue(name string, arguments ...any) *queue.Queue {
	f.t.Helper()
	q, err := f.DeclareQueue(QueueDeclare{Name: name, Arguments: args(arguments...)}, me)
	f.must(err)
	return q
}

func (f *fixture) exchange(name, kind string, arguments ...any) {
	f.t.Helper()
	f.must(f.DeclareExchange(ExchangeDeclare{Name: name, Type: kind, Arguments: args(arguments...)}))
}

func (f *fixture) autoExchange(name string) {
	f.t.Helper()
	f.must(f.DeclareExchange(ExchangeDeclare{Name: name, Type: "direct", AutoDelete: true}))
}

func (f *fixture) bind(queue, exchange, key string) {
	f.t.Helper()
	f.must(f.BindQueue(queue, exchange, key, nil, me))
}

// bindX binds an exchange.
func (f *fixture) bindX(destination, source, key string) {
	f.t.Helper()
	f.must(f.BindExchange(destination, source, key, nil))
}

// publish sends a message and carries out what follows.
func (f *fixture) publish(exchange string, m *amqp.Message) Published {
	f.t.Helper()
	x, err := f.router.Exchange([]byte(exchange))
	f.must(err)
	p := f.router.Publish(x, m, Ticket{}, &f.fx)
	f.apply()
	return p
}

// send publishes a body without properties.
func (f *fixture) send(exchange, key, body string) Published {
	f.t.Helper()
	return f.publish(exchange, message(exchange, key, body, nil))
}

func (f *fixture) apply() {
	f.Apply(&f.fx)
	f.fx.WakeAll()
}

// message makes one with headers, if they are not nil.
func message(exchange, key, body string, headers amqp.Table) *amqp.Message {
	var props amqp.Properties
	if headers != nil {
		var err error
		if props, err = amqp.Properties(nil).WithHeaders(headers); err != nil {
			panic(err)
		}
	}
	m := amqp.NewMessage(exchange, []byte(key), props, len(body))
	m.AppendBody([]byte(body))
	m.HasHeaders = headers != nil
	return m
}

// take gets a message for good; nil if the queue is empty.
func (f *fixture) take(name string) *amqp.Message {
	f.t.Helper()
	q, err := f.Queue(name, me)
	f.must(err)
	d, _, ok := q.Get(true, &f.fx)
	f.apply()
	if !ok {
		return nil
	}
	return d.Message
}

// reject gets a message and rejects it.
func (f *fixture) reject(name string) {
	f.t.Helper()
	q, err := f.Queue(name, me)
	f.must(err)
	d, _, ok := q.Get(false, &f.fx)
	if !ok {
		f.t.Fatalf("queue %s is empty", name)
	}
	q.Reject([]queue.ID{d.ID}, &f.fx)
	f.apply()
}

// bodies takes all that is in a queue.
func (f *fixture) bodies(name string) []string {
	f.t.Helper()
	out := []string{}
	for m := f.take(name); m != nil; m = f.take(name) {
		out = append(out, string(m.Body))
	}
	return out
}

// wantReady checks how many messages are ready in a queue.
func (f *fixture) wantReady(name string, want int) {
	f.t.Helper()
	q, err := f.Queue(name, me)
	f.must(err)
	if got := q.Stats().Ready; got != want {
		f.t.Errorf("queue %s has %d messages, want %d", name, got, want)
	}
}

// wantError checks a refusal by its code and all of its text.
func (f *fixture) wantError(name string, err error, code amqp.ReplyCode, text string) {
	f.t.Helper()
	e, ok := err.(*amqp.Error)
	switch {
	case !ok:
		f.t.Errorf("%s: got %v, want %d %s", name, err, code, text)
	case e.Code != code || e.Text != text:
		f.t.Errorf("%s:\n got %d %s\nwant %d %s", name, e.Code, e.Text, code, text)
	}
}

func (f *fixture) hasExchange(name string) bool {
	return f.DeclareExchange(ExchangeDeclare{Name: name, Passive: true}) == nil
}

func (f *fixture) hasQueue(name string) bool {
	_, err := f.DeclareQueue(QueueDeclare{Name: name, Passive: true}, me)
	return err == nil
}
