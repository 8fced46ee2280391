package exchange

import (
	"errors"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// testQueue is a Queue that does nothing.
type testQueue struct{ name string }

func (q *testQueue) Name() string { return q.name }

// testTopology is exchanges and queues by name.
type testTopology struct {
	exchanges map[string]*Exchange
	queues    map[string]*testQueue
}

func newTopology() *testTopology {
	t := &testTopology{exchanges: map[string]*Exchange{}, queues: map[string]*testQueue{}}
	for _, x := range Predeclared("/") {
		t.exchanges[x.Name()] = x
	}
	return t
}

func (t *testTopology) Exchange(name string) *Exchange { return t.exchanges[name] }

func (t *testTopology) Queue(name string) (Queue, bool) {
	q, ok := t.queues[name]
	return q, ok
}

func (t *testTopology) queue(name string) *testQueue {
	if t.queues[name] == nil {
		t.queues[name] = &testQueue{name}
	}
	return t.queues[name]
}

// exchange declares; alternate "-" is none.
func (t *testTopology) exchange(tb testing.TB, name, kind, alternate string) *Exchange {
	tb.Helper()
	o := Options{VHost: "/", Name: name, Type: kind}
	if alternate != "-" {
		o.Arguments = amqp.Table{{Name: "alternate-exchange", Value: alternate}}
	}
	x, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	t.exchanges[name] = x
	return x
}

func bind(tb testing.TB, x *Exchange, to Destination, key string, args amqp.Table) {
	tb.Helper()
	if _, err := x.Bind(to, key, args); err != nil {
		tb.Fatal(err)
	}
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	var e *amqp.Error
	switch {
	case text == "" && err == nil:
	case !errors.As(err, &e) || e.ReplyText() != "PRECONDITION_FAILED - "+text:
		t.Errorf("error %v\nwant %s", err, text)
	}
}

func alternate(v any) amqp.Table { return amqp.Table{{Name: "alternate-exchange", Value: v}} }

func TestNewRefuses(t *testing.T) {
	cases := []struct {
		kind string
		args amqp.Table
		want string
	}{
		{"direct", nil, ""},
		{"direct", alternate("ae"), ""},
		{"direct", alternate(""), ""},
		{"direct", amqp.Table{{Name: "anything", Value: int32(1)}}, ""},
		{"foo", alternate(int32(1)), "unknown exchange type 'foo'"},
		{"", nil, "unknown exchange type ''"},
		{"fanout", alternate(int32(1)), "invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"},
		{"fanout", alternate(int64(1)), "invalid type 'long' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"},
		{"topic", alternate(true), "invalid type 'bool' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"},
		{"topic", alternate(nil), "invalid type 'void' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"},
		{"headers", alternate([]byte("x")), "invalid type 'binary' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"},
		{"headers", alternate(amqp.Table{}), "invalid type 'table' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"},
	}
	for _, c := range cases {
		x, err := New(Options{VHost: "/", Name: "x", Type: c.kind, Arguments: c.args})
		wantError(t, err, c.want)
		if (x == nil) != (c.want != "") {
			t.Errorf("%s %v: exchange %v with error %v", c.kind, c.args, x, err)
		}
	}
}

// The texts are those of RabbitMQ 3.10.8, but for the unknown type, which is a
// connection error there and this one in later versions.
func TestEquivalent(t *testing.T) {
	plain := Options{VHost: "/", Name: "x", Type: "direct"}
	withAlternate := plain
	withAlternate.Arguments = alternate("ae")
	with := func(change func(*Options)) Options {
		o := plain
		change(&o)
		return o
	}
	cases := []struct {
		current, received Options
		want              string
	}{
		{plain, plain, ""},
		{plain, with(func(o *Options) { o.Type = "foo"; o.Durable = true }), "unknown exchange type 'foo'"},
		{plain, with(func(o *Options) { o.Type, o.Durable = "fanout", true }),
			"inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'"},
		{plain, with(func(o *Options) { o.Durable, o.AutoDelete = true, true }),
			"inequivalent arg 'durable' for exchange 'x' in vhost '/': received 'true' but current is 'false'"},
		{with(func(o *Options) { o.AutoDelete = true }), with(func(o *Options) { o.Internal = true }),
			"inequivalent arg 'auto_delete' for exchange 'x' in vhost '/': received 'false' but current is 'true'"},
		{plain, with(func(o *Options) { o.Internal, o.Arguments = true, alternate("ae") }),
			"inequivalent arg 'internal' for exchange 'x' in vhost '/': received 'true' but current is 'false'"},
		{plain, with(func(o *Options) { o.Arguments = amqp.Table{{Name: "other", Value: true}} }), ""},
		{plain, with(func(o *Options) { o.Arguments = alternate("y") }), "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received the value 'y' of type 'longstr' but current is none"},
		{plain, with(func(o *Options) { o.Arguments = alternate(int32(1)) }), "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received the value '1' of type 'signedint' but current is none"},
		{withAlternate, plain, "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received none but current is the value 'ae' of type 'longstr'"},
		{withAlternate, withAlternate, ""},
		{withAlternate, with(func(o *Options) { o.Arguments = alternate([]byte("ae")) }), ""},
		{withAlternate, with(func(o *Options) { o.Arguments = alternate("y") }), "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received 'y' but current is 'ae'"},
		{withAlternate, with(func(o *Options) { o.Arguments = alternate("") }), "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received '' but current is 'ae'"},
		{withAlternate, with(func(o *Options) { o.Arguments = alternate(int32(1)) }), "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received '1' but current is 'ae'"},
		{withAlternate, with(func(o *Options) { o.Arguments = alternate(nil) }), "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received none but current is 'ae'"},
		{withAlternate, with(func(o *Options) { o.Arguments = alternate(amqp.Array{int32(1), "a"}) }),
			`inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received '[{signedint,1},{longstr,<<"a">>}]' but current is 'ae'`},
	}
	for _, c := range cases {
		x, err := New(c.current)
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, x.Equivalent(c.received), c.want)
	}
}

func TestPredeclared(t *testing.T) {
	want := map[string]string{
		"": "direct", "amq.direct": "direct", "amq.fanout": "fanout", "amq.headers": "headers",
		"amq.match": "headers", "amq.rabbitmq.trace": "topic", "amq.topic": "topic",
	}
	all := Predeclared("v")
	for _, x := range all {
		if x.Type() != want[x.Name()] || !x.Durable() || x.AutoDelete() || x.VHost() != "v" ||
			x.Internal() != (x.Name() == "amq.rabbitmq.trace") || x.IsDefault() != (x.Name() == "") {
			t.Errorf("unexpected: %+v", x.options)
		}
	}
	if len(all) != len(want) || !all[0].IsDefault() {
		t.Errorf("%d exchanges, the first is %q", len(all), all[0].Name())
	}
}

func TestBindings(t *testing.T) {
	top := newTopology()
	x := top.exchange(t, "x", "topic", "-")
	y, q := top.exchange(t, "y", "fanout", "-"), top.queue("q")
	args := amqp.Table{{Name: "n", Value: int32(1)}}
	bind(t, x, q, "a", nil)
	bind(t, x, y, "b", args)
	bind(t, x, q, "c", nil)
	if added, err := x.Bind(q, "a", nil); added || err != nil {
		t.Errorf("a second time: %t, %v", added, err)
	}
	got := x.Bindings()
	if len(got) != 3 || x.BindingCount() != 3 {
		t.Fatalf("bindings %v, count %d", got, x.BindingCount())
	}
	if b := got[1]; b.Destination != Destination(y) || b.Key != "b" || len(b.Arguments) != 1 {
		t.Errorf("the second binding is %v", b)
	}
	if to := x.BindingsTo(q); len(to) != 2 || to[1].Key != "c" {
		t.Errorf("bindings to q: %v", to)
	}
	if !x.Bound(y, "b", args) || x.Bound(y, "b", nil) {
		t.Error("Bound does not look at the arguments")
	}
	if x.Unbind(y, "b", nil) || !x.Unbind(y, "b", args) {
		t.Error("Unbind does not look at the arguments")
	}
	if removed := x.RemoveDestination(q); len(removed) != 2 || removed[0].Key != "a" || x.BindingCount() != 0 {
		t.Errorf("removed %v, left %v", removed, x.Bindings())
	}
}

func TestAbandoned(t *testing.T) {
	for _, autoDelete := range []bool{false, true} {
		x, err := New(Options{Name: "x", Type: "direct", AutoDelete: autoDelete})
		if err != nil {
			t.Fatal(err)
		}
		q := &testQueue{"q"}
		bind(t, x, q, "a", nil)
		bind(t, x, q, "b", nil)
		x.Unbind(q, "a", nil)
		if x.Abandoned() {
			t.Error("abandoned with a binding left")
		}
		x.Unbind(q, "b", nil)
		if x.Abandoned() != autoDelete {
			t.Errorf("auto-delete %t, last binding gone: abandoned %t", autoDelete, x.Abandoned())
		}
	}
}

func TestAlternate(t *testing.T) {
	top := newTopology()
	byArgument, byPolicy := top.exchange(t, "x", "direct", "a"), top.exchange(t, "y", "direct", "-")
	byArgument.SetPolicyAlternate("p")
	byPolicy.SetPolicyAlternate("p")
	if name, ok := byArgument.Alternate(); name != "a" || !ok {
		t.Errorf("argument and policy: %q, %t", name, ok)
	}
	if name, ok := byPolicy.Alternate(); name != "p" || !ok {
		t.Errorf("policy: %q, %t", name, ok)
	}
	byPolicy.SetPolicyAlternate("")
	if name, ok := byPolicy.Alternate(); ok {
		t.Errorf("neither: %q", name)
	}
}
