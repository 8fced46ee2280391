package exchange

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// table makes one of names and values in turn.
func table(pairs ...any) amqp.Table {
	var t amqp.Table
	for i := 0; i < len(pairs); i += 2 {
		t = append(t, amqp.Field{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return t
}

// typed declares an exchange with arguments, given as for table.
func (t *testTopology) typed(tb testing.TB, name, kind string, arguments ...any) *Exchange {
	tb.Helper()
	x, err := New(Options{VHost: "/", Name: name, Type: kind, Arguments: table(arguments...)})
	if err != nil {
		tb.Fatal(err)
	}
	t.exchanges[name] = x
	return x
}

// headed is a message with headers, given as for table.
func headed(tb testing.TB, key string, headers ...any) *amqp.Message {
	tb.Helper()
	p, err := amqp.Properties(nil).WithHeaders(table(headers...))
	if err != nil {
		tb.Fatal(err)
	}
	m := amqp.NewMessage("", []byte(key), p, 0)
	m.HasHeaders = true
	return m
}

func TestTypes(t *testing.T) {
	all := Types()
	for _, name := range all {
		x, err := New(Options{Name: "x", Type: name, Arguments: table("x-delayed-type", "topic")})
		if err != nil || CheckType(name) != nil || x.Type() != name {
			t.Errorf("%s: %v, %v", name, err, CheckType(name))
		}
		if x.Delays() != (name == "x-delayed-message") {
			t.Errorf("%s: Delays() = %t", name, x.Delays())
		}
	}
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != 9 {
		t.Errorf("types %v", all)
	}
}

func TestNewRefusesArgumentsOfTypes(t *testing.T) {
	const (
		noType    = "Invalid argument, 'x-delayed-type' must be an existing exchange type"
		noHistory = "Invalid argument %s, 'x-recent-history-length' must be a positive integer"
	)
	cases := []struct {
		kind string
		args amqp.Table
		want string
	}{
		{"x-consistent-hash", table("hash-header", "h"), ""},
		{"x-consistent-hash", table("hash-header", "correlation_id"), ""},
		{"x-consistent-hash", table("hash-property", "message_id"), ""},
		{"x-consistent-hash", table("hash-property", "foo"), "Unsupported property: foo"},
		{"x-consistent-hash", table("hash-property", ""), "Unsupported property: "},
		{"x-consistent-hash", table("hash-property", "foo", "hash-header", "h"), "hash-header and hash-property are mutually exclusive"},
		{"x-consistent-hash", table("hash-header", int32(1)), "invalid type 'signedint' for arg 'hash-header' in exchange 'x' in vhost '/'"},
		{"x-consistent-hash", table("hash-property", true), "invalid type 'bool' for arg 'hash-property' in exchange 'x' in vhost '/'"},
		{"x-consistent-hash", table("hash-property", "foo", "alternate-exchange", true),
			"invalid type 'bool' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"},
		{"direct", table("hash-property", "foo", "x-recent-history-length", int32(0), "x-delayed-type", "foo"), ""},

		{"x-recent-history", table("x-recent-history-length", int8(1)), ""},
		{"x-recent-history", table("x-recent-history-length", int64(1)<<62), ""},
		{"x-recent-history", table("x-recent-history-length", int32(0)), fmt.Sprintf(noHistory, "0")},
		{"x-recent-history", table("x-recent-history-length", int64(-3)), fmt.Sprintf(noHistory, "-3")},
		{"x-recent-history", table("x-recent-history-length", "a"), fmt.Sprintf(noHistory, `<<"a">>`)},
		{"x-recent-history", table("x-recent-history-length", true), fmt.Sprintf(noHistory, "true")},

		{"x-delayed-message", table("x-delayed-type", "direct"), ""},
		{"x-delayed-message", table("x-delayed-type", []byte("x-random")), ""},
		{"x-delayed-message", nil, noType},
		{"x-delayed-message", table("x-delayed-type", int32(1)), noType},
		{"x-delayed-message", table("x-delayed-type", nil), noType},
		{"x-delayed-message", table("x-delayed-type", "foo"), "unknown exchange type 'foo'"},
		{"x-delayed-message", table("x-delayed-type", ""), "unknown exchange type ''"},
		{"x-delayed-message", table("x-delayed-type", "x-delayed-message"), "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'"},
		{"x-delayed-message", table("x-delayed-type", "x-consistent-hash", "hash-property", "foo"), "Unsupported property: foo"},
		{"x-delayed-message", table("x-delayed-type", "x-recent-history", "x-recent-history-length", int32(0)), fmt.Sprintf(noHistory, "0")},
	}
	for _, c := range cases {
		x, err := New(Options{VHost: "/", Name: "x", Type: c.kind, Arguments: c.args})
		wantError(t, err, c.want)
		if (x == nil) != (c.want != "") {
			t.Errorf("%s %v: exchange %v with error %v", c.kind, c.args, x, err)
		}
	}
}

// Of the arguments only alternate-exchange counts, as in RabbitMQ's plugins.
func TestEquivalentOfTypes(t *testing.T) {
	delayed := func(arguments ...any) Options {
		return Options{VHost: "/", Name: "x", Type: "x-delayed-message", Arguments: table(arguments...)}
	}
	x, err := New(delayed("x-delayed-type", "direct"))
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, x.Equivalent(delayed("x-delayed-type", "topic")), "")
	wantError(t, x.Equivalent(delayed()), "")
	wantError(t, x.Equivalent(delayed("alternate-exchange", "y")), "inequivalent arg 'alternate-exchange' for exchange 'x' "+
		"in vhost '/': received the value 'y' of type 'longstr' but current is none")
	wantError(t, x.Equivalent(Options{Type: "direct"}),
		"inequivalent arg 'type' for exchange 'x' in vhost '/': received 'direct' but current is ''x-delayed-message''")
}

func TestBindRefusesWeights(t *testing.T) {
	top := newTopology()
	for _, x := range []*Exchange{
		top.typed(t, "x", "x-consistent-hash"),
		top.typed(t, "y", "x-delayed-message", "x-delayed-type", "x-consistent-hash"),
	} {
		for key, want := range map[string]string{
			"a": `The binding key must be an integer: <<"a">>`, "0": "The binding key must be greater than 0",
			"10001": "The binding key must not exceed 10000", "10000": "",
		} {
			added, err := x.Bind(top.queue("q"), key, nil)
			wantError(t, err, want)
			if added != (want == "") {
				t.Errorf("%s: added %t", key, added)
			}
		}
	}
}

// one returns the one queue that a message is routed to.
func one(t *testing.T, r *Result, top Topology, x *Exchange, m *amqp.Message) string {
	t.Helper()
	got := names(r.Route(top, x, m))
	if len(got) != 1 {
		t.Fatalf("%q routed to %v, want one queue", m.RoutingKey, got)
	}
	return got[0]
}

// hashed is an exchange to which four queues are bound.
func hashed(t *testing.T, top *testTopology, kind string, arguments ...any) *Exchange {
	t.Helper()
	x := top.typed(t, kind, kind, arguments...)
	for i := range 4 {
		bind(t, x, top.queue(fmt.Sprint("q", i)), "10", nil)
	}
	return x
}

func TestConsistentHashByKey(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := hashed(t, top, "x-consistent-hash")
	used := map[string]bool{}
	for i := range 100 {
		key := fmt.Sprint(i)
		q := one(t, r, top, x, message(key))
		used[q] = true
		if !r.ByKey() {
			t.Fatal("the key alone does not decide")
		}
		if other := one(t, r, top, x, message(key, "cc", "bcc")); other != q {
			t.Fatalf("key %s leads to %s, with CC to %s", key, q, other)
		}
	}
	if len(used) != 4 {
		t.Errorf("only %v are used", slices.Collect(maps.Keys(used)))
	}
}

func TestConsistentHashByHeader(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := hashed(t, top, "x-consistent-hash", "hash-header", "h")
	used := map[string]bool{}
	for i := range 100 {
		q := one(t, r, top, x, headed(t, "a", "h", int32(i), "other", int32(1)))
		used[q] = true
		if other := one(t, r, top, x, headed(t, "b", "other", int32(2), "h", int64(i))); other != q {
			t.Fatalf("header %d leads to %s and %s", i, q, other)
		}
		if r.ByKey() {
			t.Fatal("it depends on headers")
		}
	}
	absent := one(t, r, top, x, message("a"))
	for i := range 20 {
		if q := one(t, r, top, x, headed(t, fmt.Sprint(i), "other", int32(i))); q != absent {
			t.Errorf("without the header one goes to %s and one to %s", absent, q)
		}
	}
	if len(used) != 4 {
		t.Errorf("only %d queues are used", len(used))
	}
}

func TestConsistentHashByProperty(t *testing.T) {
	for name, with := range map[string]func(p *amqp.BasicProperties, n int){
		"correlation_id": func(p *amqp.BasicProperties, n int) { p.CorrelationID = fmt.Sprint(n) },
		"message_id":     func(p *amqp.BasicProperties, n int) { p.MessageID = fmt.Sprint(n) },
		"timestamp":      func(p *amqp.BasicProperties, n int) { p.Timestamp = amqp.Timestamp(n) },
	} {
		top, r := newTopology(), &Result{}
		x := hashed(t, top, "x-consistent-hash", "hash-property", name)
		used := map[string]bool{}
		for i := 1; i < 100; i++ {
			p := amqp.BasicProperties{AppID: fmt.Sprint(i)}
			with(&p, i)
			raw, err := p.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			q := one(t, r, top, x, amqp.NewMessage("", []byte("a"), raw, 0))
			used[q] = true
			if again := one(t, r, top, x, amqp.NewMessage("", []byte("b"), raw, 0)); again != q || r.ByKey() {
				t.Fatalf("%s: %s, then %s, ByKey() %t", name, q, again, r.ByKey())
			}
		}
		absent := one(t, r, top, x, message("a"))
		broken := amqp.NewMessage("", []byte("b"), amqp.Properties{0xff, 0, 1}, 0)
		if q := one(t, r, top, x, broken); len(used) != 4 || q != absent {
			t.Errorf("%s: %d queues are used, absent leads to %s, broken to %s", name, len(used), absent, q)
		}
	}
}

func TestConsistentHashToExchange(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := top.typed(t, "x", "x-consistent-hash", "alternate-exchange", "amq.fanout")
	bind(t, top.Exchange("amq.fanout"), top.queue("alternate"), "", nil)
	wantRoute(t, r, top, x, message("a"), "alternate")
	y := top.exchange(t, "q", "fanout", "-") // of the same name as the queue
	bind(t, y, top.queue("1"), "", nil)
	bind(t, y, top.queue("2"), "", nil)
	bind(t, x, y, "1", nil)
	bind(t, x, top.queue("q"), "1", nil)
	counts := map[int]int{}
	for i := range 200 {
		got := names(r.Route(top, x, message(fmt.Sprint(i))))
		counts[len(got)]++
	}
	if counts[1] < 60 || counts[2] < 60 || counts[1]+counts[2] != 200 {
		t.Errorf("numbers of queues: %v, want one or two, half and half", counts)
	}
}

func TestModulusHash(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := hashed(t, top, "x-modulus-hash")
	used, moved := map[string]bool{}, 0
	for i := range 100 {
		key := fmt.Sprint(i)
		q := one(t, r, top, x, message(key))
		used[q] = true
		if !r.ByKey() || one(t, r, top, x, message(key)) != q {
			t.Fatal("the key alone does not decide")
		}
		if one(t, r, top, x, message(key, "cc")) != q {
			moved++
		}
	}
	if len(used) != 4 || moved == 0 {
		t.Errorf("%d queues used; CC made a difference %d times", len(used), moved)
	}
}

func TestRandom(t *testing.T) {
	top, r := newTopology(), &Result{}
	x := hashed(t, top, "x-random")
	used := map[string]int{}
	for range 400 {
		used[one(t, r, top, x, message("a"))]++
		if r.ByKey() {
			t.Fatal("a random route is not to be remembered")
		}
	}
	if len(used) != 4 || slices.Min(slices.Collect(maps.Values(used))) < 40 {
		t.Errorf("%v, want about 100 each", used)
	}
}
