package vhost

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/vhost/queue"
)

// storedFixture is a fixture whose vhost is kept in a store.
type storedFixture struct {
	*fixture
	store    *memory.Store
	pager    *queue.Pager
	registry *Registry
}

func openStored(t testing.TB) *storedFixture {
	t.Helper()
	f := &storedFixture{store: memory.New(), fixture: &fixture{t: t}}
	f.open()
	t.Cleanup(f.close)
	return f
}

func (f *storedFixture) open() {
	f.t.Helper()
	f.pager = queue.NewPager(f.store, 0, 0)
	r, err := New(Options{Store: f.store, Pager: f.pager})
	f.must(err)
	v, err := r.VHost("/")
	f.must(err)
	f.registry, f.VHost, f.router = r, v, v.NewRouter()
}

// close stops the vhost, if it was not stopped before.
func (f *storedFixture) close() {
	if f.pager != nil {
		f.registry.Close()
		f.pager.Close()
		f.pager = nil
	}
}

// restart stops the vhost and recovers it. What the store has not got by then is
// lost.
func (f *storedFixture) restart() {
	f.t.Helper()
	f.close()
	f.fx = queue.Effects{}
	f.store = f.store.Reopen()
	f.open()
}

// durable declares a durable queue with arguments, given as for args.
func (f *fixture) durable(name string, arguments ...any) *queue.Queue {
	f.t.Helper()
	q, err := f.DeclareQueue(QueueDeclare{Name: name, Durable: true, Arguments: args(arguments...)}, me)
	f.must(err)
	return q
}

// defined counts the definitions in the store by kind.
func (f *storedFixture) defined() (out [5]int) {
	f.t.Helper()
	all, err := f.store.Definitions()
	f.must(err)
	for _, d := range all {
		out[d.Kind]++
	}
	return out
}

// listing shows all that a vhost has and a restart keeps.
func (v *VHost) listing() []string {
	var out []string
	durable := map[string]bool{}
	for _, x := range v.Exchanges() {
		if durable["x "+x.Name()] = x.Durable(); x.Durable() {
			out = append(out, fmt.Sprintf("exchange %s %s %v %v %#v", x.Name(), x.Type(), x.AutoDelete(), x.Internal(), x.Arguments()))
		}
	}
	for _, q := range v.Queues() {
		o := q.Options()
		if durable["q "+o.Name] = o.Durable; o.Durable {
			out = append(out, fmt.Sprintf("queue %s %v %#v %+v", o.Name, o.AutoDelete, o.Arguments, o.Limits))
		}
	}
	for _, b := range v.Bindings() {
		to := "q "
		if b.ToExchange {
			to = "x "
		}
		if durable["x "+b.Source] && durable[to+b.Destination] {
			out = append(out, fmt.Sprintf("binding %+v %#v", b, b.Arguments))
		}
	}
	slices.Sort(out) // bindings of one age may change places
	return out
}

// wantSame restarts and compares.
func (f *storedFixture) wantSame() {
	f.t.Helper()
	want := f.listing()
	f.restart()
	if got := f.listing(); !slices.Equal(got, want) {
		f.t.Errorf("after a restart there is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDurableTopologyComesBack(t *testing.T) {
	f := openStored(t)
	for _, d := range []ExchangeDeclare{
		{Name: "x", Type: "topic", Durable: true, Arguments: args("alternate-exchange", "y", "n", uint16(3))},
		{Name: "y", Type: "headers", Durable: true, AutoDelete: true},
		{Name: "inside", Type: "fanout", Durable: true, Internal: true},
		{Name: "transient", Type: "direct"},
	} {
		f.must(f.DeclareExchange(d))
	}
	for _, d := range []QueueDeclare{
		{Name: "q", Durable: true, Arguments: args("x-max-length", int8(5), "x-max-priority", int64(3), "x-mine", amqp.Array{nil, "a"})},
		{Name: "auto", Durable: true, AutoDelete: true},
		{Name: "quorum", Durable: true, Arguments: args("x-queue-type", "quorum")},
		{Durable: true},
		{Name: "transient"},
		{Name: "exclusive", Durable: true, Exclusive: true},
	} {
		_, err := f.DeclareQueue(d, me)
		f.must(err)
	}
	all := everything.With("x-match", "any")
	for _, b := range []struct{ queue, exchange, key string }{
		{"q", "x", "a.*.#"}, {"q", "x", "b"}, {"q", "amq.headers", ""}, {"auto", "y", ""}, {"transient", "x", "a"}, {"exclusive", "x", "a"},
		{"q", "transient", "a"},
	} {
		f.must(f.BindQueue(b.queue, b.exchange, b.key, all, me))
		f.must(f.BindQueue(b.queue, b.exchange, b.key, all, me)) // twice is once
	}
	for _, b := range [][2]string{{"inside", "x"}, {"amq.fanout", "amq.topic"}, {"transient", "x"}, {"x", "transient"}} {
		f.bindX(b[0], b[1], "k")
	}
	if got, want := f.defined(), [5]int{0, 0, 3, 4, 6}; got != want {
		t.Errorf("definitions by kind: %v, want %v", got, want)
	}
	if n := len(f.listing()); n != 8+3+4+6+4 { // predeclared exchanges and default bindings too
		t.Errorf("%d things are durable", n)
	}
	f.wantSame()
	f.wantSame()
	if q, err := f.Queue("q", me); err != nil || !reflect.DeepEqual(q.Options().Arguments, args("x-max-length", int8(5), "x-max-priority", int64(3), "x-mine", amqp.Array{nil, "a"})) {
		t.Errorf("arguments: %v", err)
	}
	for _, gone := range []string{"transient", "exclusive"} {
		if f.hasQueue(gone) || f.hasExchange(gone) {
			t.Errorf("%s came back", gone)
		}
	}
	if p := f.publish("x", message("x", "a.b", "m", args("t", true))); !p.Routed {
		t.Error("a binding that came back does not route")
	}
}

// Whatever deletes a thing deletes its definition too, and those of its bindings.
func TestDurableThingsGoForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		none := f.defined()
		for name, c := range map[string]struct{ make, end func() }{
			"delete queue": {func() { f.durable("q"); f.bind("q", "amq.topic", "a"); f.bind("q", "amq.topic", "b") }, func() {
				_, err := f.DeleteQueue("q", me, true, true, &f.fx)
				f.must(err)
			}},
			"unbind": {func() { f.durable("q"); f.must(f.BindQueue("q", "amq.topic", "a", everything, me)) }, func() {
				f.must(f.UnbindQueue("q", "amq.topic", "a", everything, me))
				if got := f.defined(); got[persistence.KindBinding] != 0 || got[persistence.KindQueue] != 1 {
					t.Errorf("after unbind: %v", got)
				}
				_, err := f.DeleteQueue("q", me, false, false, &f.fx)
				f.must(err)
			}},
			"delete exchange": {func() {
				f.must(f.DeclareExchange(ExchangeDeclare{Name: "x", Type: "fanout", Durable: true}))
				f.bindX("x", "amq.topic", "a")
				f.bindX("amq.topic", "x", "a")
			}, func() { f.must(f.DeleteExchange("x", false)) }},
			"unused": {func() {
				_, err := f.DeclareQueue(QueueDeclare{Name: "q", Durable: true, AutoDelete: true}, me)
				f.must(err)
			}, func() { f.consumeAndCancel("q", me) }},
			"expired": {func() { f.durable("q", "x-expires", int32(1000)); f.bind("q", "amq.topic", "a") }, func() { advance(time.Second) }},
			"abandoned": {func() {
				f.durable("q")
				for i := range 3 {
					f.must(f.DeclareExchange(ExchangeDeclare{Name: fmt.Sprint("x", i), Type: "fanout", Durable: true, AutoDelete: true}))
				}
				f.bind("q", "x0", "a")
				f.bindX("x0", "x1", "")
				f.bindX("x1", "x2", "")
			}, func() {
				_, err := f.DeleteQueue("q", me, false, false, &f.fx)
				f.must(err)
			}},
			"abandoned by an exclusive queue": {func() {
				f.must(f.DeclareExchange(ExchangeDeclare{Name: "x", Type: "fanout", Durable: true, AutoDelete: true}))
				_, err := f.DeclareQueue(QueueDeclare{Name: "q", Exclusive: true}, me)
				f.must(err)
				f.bind("q", "x", "")
			}, func() { f.DropExclusive(me, &f.fx) }},
		} {
			c.make()
			if f.defined() == none {
				t.Errorf("%s: nothing was defined", name)
			}
			c.end()
			f.apply()
			if got := f.defined(); got != none {
				t.Errorf("%s: definitions by kind: %v, want none", name, got)
			}
			if n := len(f.remembered()); n != 0 {
				t.Errorf("%s: %d exchanges and bindings are remembered", name, n)
			}
			f.wantSame()
		}
	})
}

// remembered is what the vhost remembers of definitions.
func (f *storedFixture) remembered() (out []uint64) {
	for _, id := range f.VHost.defined.exchanges {
		out = append(out, id)
	}
	for _, id := range f.VHost.defined.bindings {
		out = append(out, id)
	}
	return out
}

// A queue that is declared again after it was deleted has nothing of the first.
func TestDurableQueueDeclaredAgainIsAnother(t *testing.T) {
	f := openStored(t)
	first := f.durable("q").Options().ID
	m := message("", "q", "old", nil)
	m.Persistent = true
	f.publish("", m)
	_, err := f.DeleteQueue("q", me, false, false, &f.fx)
	f.must(err)
	if again := f.durable("q").Options().ID; first == 0 || again == first {
		t.Errorf("the ids are %d and %d", first, again)
	}
	f.restart() // the settles were not even flushed
	f.wantReady("q", 0)
}

// The term of a queue with x-expires begins with the restart.
func TestExpiresCountsFromTheRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		f.durable("q", "x-expires", int32(1000))
		advance(900 * time.Millisecond)
		f.restart()
		advance(900 * time.Millisecond)
		if _, err := f.Queue("q", me); err != nil {
			t.Fatal("it went too early")
		}
		advance(100 * time.Millisecond)
		if f.hasQueue("q") {
			t.Error("it did not go")
		}
		f.restart()
		if f.hasQueue("q") {
			t.Error("it came back")
		}
	})
}

func TestAddVHost(t *testing.T) {
	f := openStored(t)
	v, err := f.registry.AddVHost("v")
	f.must(err)
	if again, err := f.registry.AddVHost("v"); again != v || err != nil {
		t.Errorf("once more: %v", err)
	}
	in := &fixture{VHost: v, t: t}
	in.durable("q")
	in.bind("q", "amq.direct", "k")
	f.durable("q", "x-max-length", int32(1))
	want := v.listing()
	f.wantSame()
	v, err = f.registry.VHost("v")
	f.must(err)
	if got := v.listing(); !slices.Equal(got, want) {
		t.Errorf("after a restart there is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	f.registry.Close()
	_, err = f.registry.AddVHost("w")
	f.wantError("closed", err, amqp.CodeConnectionForced, "broker is shutting down")

	r, err := New(Options{})
	f.must(err)
	defer r.Close()
	v, err = r.AddVHost("in memory")
	f.must(err)
	if found, err := r.VHost("in memory"); found != v || err != nil {
		t.Errorf("in memory: %v", err)
	}
}

// settled reports whether done is closed once nothing moves.
func settled(done <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// What is asked for is answered when it is stored: also to somebody who only
// finds what another has just declared or deleted.
func TestAnswersWaitForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		f.durable("q")
		f.must(f.DeclareExchange(ExchangeDeclare{Name: "x", Type: "direct", Durable: true}))
		f.bind("q", "x", "k")
		f.durable("gone")
		declare := func(name string, passive bool) func(a *fixture) error {
			return func(a *fixture) error {
				_, err := a.DeclareQueue(QueueDeclare{Name: name, Durable: true, Passive: passive}, me)
				return err
			}
		}
		exchange := func(name string, passive bool) func(a *fixture) error {
			return func(a *fixture) error {
				return a.DeclareExchange(ExchangeDeclare{Name: name, Type: "direct", Durable: true, Passive: passive})
			}
		}
		remove := func(name string) func(a *fixture) error {
			return func(a *fixture) error { _, err := a.DeleteQueue(name, me, false, false, &a.fx); return err }
		}
		for _, c := range []struct {
			name string
			act  func(a *fixture) error
		}{
			{"queue", declare("new", false)},
			{"exchange", exchange("new", false)},
			{"binding", func(a *fixture) error { return a.BindQueue("q", "x", "new", nil, me) }},
			{"exchange binding", func(a *fixture) error { return a.BindExchange("x", "x", "new", nil) }},
			{"unbind", func(a *fixture) error { return a.UnbindQueue("q", "x", "k", nil, me) }},
			{"delete", remove("gone")},
			{"delete exchange", func(a *fixture) error { return a.DeleteExchange("new", false) }},
			{"vhost", func(*fixture) error { _, err := f.registry.AddVHost("v"); return err }},
		} {
			name, act := c.name, c.act
			release := f.store.Hold()
			done := [3]chan struct{}{}
			for i := range done {
				done[i] = make(chan struct{})
				a := f.actor()
				go func() {
					defer close(done[i])
					if err := act(a); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}()
				if settled(done[i]) {
					t.Errorf("%s, number %d is answered before it is stored", name, i)
				}
			}
			for _, passive := range []func(*fixture) error{declare("q", true), exchange("x", true)} {
				done := make(chan struct{})
				go func() { defer close(done); _ = passive(f.actor()) }()
				if name != "vhost" && settled(done) {
					t.Errorf("%s: a passive declare is answered before it is stored", name)
				}
			}
			other := make(chan struct{})
			go func() {
				defer close(other)
				a := f.actor()
				a.queue("transient")
				a.queue("transient")
				_, _ = a.Queue("q", me)
			}()
			if !settled(other) {
				t.Errorf("%s: what is not stored waits too", name)
			}
			release()
			for i := range done {
				if !settled(done[i]) {
					t.Errorf("%s, number %d is not answered", name, i)
				}
			}
		}
	})
}

// The same where two find nothing there, and one is slower.
func TestSlowerDeclareWaitsToo(t *testing.T) {
	f := openStored(t)
	o := f.queueOptions("q", true, false, nil)
	q, stored, err := f.createQueue(o, me, "")
	f.must(err)
	if again, also, err := f.createQueue(o, me, ""); again != q || stored == nil || also != stored || err != nil {
		t.Errorf("the second declare waits for %v, the first for %v; %v", also, stored, err)
	}
}

func TestDeclareFailsWithTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		f.queue("transient")
		f.store.Hold()
		waits := make(chan error, 1)
		go func() {
			_, err := f.actor().DeclareQueue(QueueDeclare{Name: "q", Durable: true}, me)
			waits <- err
		}()
		synctest.Wait()
		f.store.Fail(errors.New("no such disk"))
		if err := <-waits; !errors.Is(err, persistence.ErrFailed) || !strings.Contains(err.Error(), "no such disk") {
			t.Errorf("declare under way: %v", err)
		}
		for name, err := range map[string]error{
			"declare":  f.DeclareExchange(ExchangeDeclare{Name: "x", Type: "direct", Durable: true}),
			"bind":     f.BindQueue("q", "amq.topic", "k", nil, me),
			"bind two": f.BindExchange("amq.topic", "amq.direct", "k", nil),
		} {
			if !errors.Is(err, persistence.ErrFailed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := f.DeleteQueue("q", me, false, false, &f.fx); !errors.Is(err, persistence.ErrFailed) {
			t.Errorf("delete: %v", err)
		}
		f.queue("transient")
	})
}
