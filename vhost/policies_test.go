package vhost

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/vhost/policy"
)

// pol makes a policy for all, of keys and values in turn.
func pol(name, pattern string, priority int64, pairs ...any) policy.Policy {
	d := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		d[pairs[i].(string)] = pairs[i+1]
	}
	return policy.Policy{Name: name, Pattern: pattern, ApplyTo: policy.ToAll, Priority: priority, Definition: d}
}

// wantPolicy checks what holds for a queue: the names of its policies, and the value
// of a key, nil if it is not to be there.
func (f *fixture) wantPolicy(name, user, operator, key string, value any) {
	f.t.Helper()
	q, err := f.Queue(name, me)
	f.must(err)
	got := f.EffectivePolicy(q)
	if got.Policy != user || got.OperatorPolicy != operator || got.Definition[key] != value {
		f.t.Errorf("queue %s has %+v, want %s and %s with %s %v", name, got, user, operator, key, value)
	}
}

func TestPolicyChangesQueuesThatAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.queue("q1")
		f.queue("other")
		f.queue("dead")
		for i := range 5 {
			f.send("", "q1", fmt.Sprint(i))
			f.send("", "other", fmt.Sprint(i))
		}
		f.must(f.SetPolicy(pol("short", "^q", 0, "max-length", 2, "dead-letter-exchange", "", "dead-letter-routing-key", "dead")))
		synctest.Wait()
		f.wantPolicy("q1", "short", "", "max-length", int64(2))
		f.wantPolicy("other", "", "", "max-length", nil)
		if got := f.bodies("dead"); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("dead letters %v", got)
		}
		f.wantReady("other", 5)

		f.must(f.SetPolicy(pol("short", "^q", 0, "max-length", 1))) // another one of the name
		synctest.Wait()
		f.wantReady("q1", 1)
		f.wantReady("dead", 0)

		f.must(f.DeletePolicy("short"))
		f.wantPolicy("q1", "", "", "max-length", nil)
		for i := range 3 {
			f.send("", "q1", fmt.Sprint(i+10))
		}
		if got := f.bodies("q1"); !slices.Equal(got, []string{"4", "10", "11", "12"}) {
			t.Errorf("without the policy there is %v", got)
		}
	})
}

func TestPolicyGovernsNewQueues(t *testing.T) {
	f := newFixture(t)
	f.must(f.SetPolicy(pol("one", "", 0, "max-length", 1)))
	quorum := pol("quorum", "", 1, "max-length", 2)
	quorum.ApplyTo = policy.ToQuorum
	f.must(f.SetPolicy(quorum))
	f.durable("raft", "x-queue-type", "quorum")
	f.wantPolicy("raft", "quorum", "", "max-length", int64(2))
	for _, d := range []QueueDeclare{{Name: "q"}, {}, {Name: "mine", Exclusive: true}} {
		q, err := f.DeclareQueue(d, me)
		f.must(err)
		f.wantPolicy(q.Name(), "one", "", "max-length", int64(1))
		f.send("", q.Name(), "a")
		f.send("", q.Name(), "b")
		if got := f.bodies(q.Name()); !slices.Equal(got, []string{"b"}) {
			t.Errorf("queue %s has %v", q.Name(), got)
		}
	}
}

func TestPolicyTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.queue("q")
		f.send("", "q", "before")
		f.must(f.SetPolicy(pol("ttl", "q", 0, "message-ttl", 1000)))
		f.send("", "q", "under it")
		f.must(f.DeletePolicy("ttl"))
		f.send("", "q", "after")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		// It keeps the expiry that it was published with.
		if got := f.bodies("q"); !slices.Equal(got, []string{"before", "after"}) {
			t.Errorf("there is %v", got)
		}

		f.must(f.SetPolicy(pol("gone", "q", 0, "expires", 1000)))
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if !f.hasQueue("q") { // which renews it
			t.Fatal("it expired early")
		}
		f.must(f.DeletePolicy("gone"))
		time.Sleep(time.Hour)
		if !f.hasQueue("q") {
			t.Fatal("it expired without the policy")
		}
		f.must(f.SetPolicy(pol("gone", "q", 0, "expires", 1000)))
		time.Sleep(time.Second)
		synctest.Wait()
		if f.hasQueue("q") {
			t.Error("it did not expire")
		}
	})
}

func TestPolicyAlternateExchange(t *testing.T) {
	f := newFixture(t)
	f.queue("q")
	f.queue("own")
	f.exchange("alternate", "fanout")
	f.exchange("own alternate", "fanout")
	f.bind("q", "alternate", "")
	f.bind("own", "own alternate", "")
	f.exchange("x1", "direct")
	f.exchange("x2", "direct", "alternate-exchange", "own alternate")
	f.exchange("y", "direct")
	want := func(exchange string, queues ...string) {
		t.Helper()
		f.send(exchange, "k", "m")
		for _, name := range []string{"q", "own"} {
			if got := len(f.bodies(name)) > 0; got != slices.Contains(queues, name) {
				t.Errorf("what %s cannot route: %s has it: %t", exchange, name, got)
			}
		}
	}
	want("x1") // and so the route is remembered
	p := pol("ae", "^x", 0, "alternate-exchange", "alternate")
	p.ApplyTo = policy.ToExchanges
	f.must(f.SetPolicy(p))
	want("x1", "q")
	f.exchange("x3", "direct")
	want("x2", "own")
	want("x3", "q")
	want("y")
	for _, x := range f.Exchanges() {
		name := ""
		if strings.HasPrefix(x.Name(), "x") {
			name = "ae"
		}
		if got := f.EffectivePolicy(x).Policy; got != name {
			t.Errorf("exchange %s has the policy %q", x.Name(), got)
		}
	}
	f.must(f.DeletePolicy("ae"))
	want("x1")
	want("x2", "own")
}

func TestPolicyPriorities(t *testing.T) {
	f := newFixture(t)
	f.queue("q")
	for _, p := range []policy.Policy{
		pol("b", "", 0, "max-length", 1), pol("a", "q", 0, "max-length", 2), pol("low", "", -1, "max-length", 3),
		pol("high", "^q$", 7, "max-length", 4), pol("not", "x", 9, "max-length", 5), pol("stream", "", 8, "max-age", "1D"),
	} {
		f.must(f.SetPolicy(p))
	}
	for _, c := range []struct {
		name   string
		length int64
	}{{"high", 4}, {"a", 2}, {"b", 1}, {"low", 3}} {
		f.wantPolicy("q", c.name, "", "max-length", c.length)
		f.must(f.DeletePolicy(c.name))
	}
	f.wantPolicy("q", "", "", "max-length", nil)
	if got := len(f.Policies()); got != 2 {
		t.Errorf("%d policies are left", got)
	}
}

func TestOperatorPolicies(t *testing.T) {
	f := newFixture(t)
	f.queue("q")
	f.must(f.SetPolicy(pol("u", "q", 0, "max-length", 5, "dead-letter-exchange", "x")))
	f.must(f.SetOperatorPolicy(pol("u", "q", 0, "max-length", 3, "message-ttl", 1000)))
	f.wantPolicy("q", "u", "u", "max-length", int64(3))
	f.wantPolicy("q", "u", "u", "dead-letter-exchange", "x")
	f.wantPolicy("q", "u", "u", "message-ttl", int64(1000))
	if q, _ := f.Queue("q", me); q.Limits().MaxLength != 3 || q.Limits().TTL != time.Second {
		t.Errorf("its limits are %+v", q.Limits())
	}
	f.must(f.DeletePolicy("u"))
	f.wantPolicy("q", "", "u", "max-length", int64(3))
	f.wantPolicy("q", "", "u", "dead-letter-exchange", nil)
	if len(f.Policies()) != 0 || len(f.OperatorPolicies()) != 1 {
		t.Errorf("there are %v and %v", f.Policies(), f.OperatorPolicies())
	}
	f.must(f.DeleteOperatorPolicy("u"))
	f.wantPolicy("q", "", "", "max-length", nil)
}

// refused checks that something is refused by management with this text.
func refused(t *testing.T, name string, err error, want string) {
	t.Helper()
	var r *policy.Refused
	if !errors.As(err, &r) || err.Error() != want {
		t.Errorf("%s:\n got %v\nwant %s", name, err, want)
	}
}

func TestPolicyRefusedChangesNothing(t *testing.T) {
	f := newFixture(t)
	f.queue("q")
	f.must(f.SetPolicy(pol("p", "q", 0, "max-length", 5)))
	before := f.Policies()
	refused(t, "bad value", f.SetPolicy(pol("p", "q", 0, "max-length", 1, "message-ttl", -1)),
		"Validation failed\n\n-1 is not a valid message TTL\n")
	refused(t, "operator", f.SetOperatorPolicy(pol("p", "q", 0, "max-length", 1, "dead-letter-exchange", "x")),
		"Validation failed\n\n[{<<\"dead-letter-exchange\">>,<<\"x\">>}] are not recognised policy settings\n")
	refused(t, "unknown", f.DeletePolicy("other"), "Parameter does not exist")
	refused(t, "of the other scope", f.DeleteOperatorPolicy("p"), "Parameter does not exist")
	if got := f.Policies(); !reflect.DeepEqual(got, before) || len(f.OperatorPolicies()) != 0 {
		t.Errorf("there is %v and %v", got, f.OperatorPolicies())
	}
	f.wantPolicy("q", "p", "", "max-length", int64(5))
	f.close()
	if err := f.SetPolicy(pol("p", "q", 0, "max-length", 1)); err == nil {
		t.Error("a vhost that is closed takes a policy")
	}
}

// Queues come while policies change: in the end each goes by the last one.
func TestPoliciesWhileQueuesCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for i := range 300 {
			f.queue(fmt.Sprintf("q%d", i))
		}
		var work sync.WaitGroup
		for i := range 3 {
			a := f.actor()
			work.Go(func() {
				for n := range 100 {
					name := fmt.Sprintf("q%d.%d", i, n%30)
					a.queue(name)
					a.send("", name, "m")
					if n%7 == 0 {
						_, _ = a.DeleteQueue(name, me, false, false, &a.fx)
					}
				}
			})
			work.Go(func() {
				for n := range 40 {
					p := pol(fmt.Sprint("p", n%4), fmt.Sprintf(`^q[%d-9]`, n%3), int64(n%5), "max-length", n%5)
					if err := f.SetPolicy(p); err != nil {
						t.Error(err)
					}
					_ = f.DeletePolicy(fmt.Sprint("p", (n+1)%4)) // it may not be there
				}
			})
		}
		work.Wait()
		synctest.Wait()
		for _, q := range f.Queues() {
			want := f.policies.match(policy.Classic, q.Name()).merge()
			if got := q.Policy(); !reflect.DeepEqual(got, want) {
				t.Errorf("queue %s has %+v, want %+v", q.Name(), got, want)
			}
			if l := q.Limits().MaxLength; l >= 0 && int64(q.Stats().Ready) > l {
				t.Errorf("queue %s has %d messages of %d", q.Name(), q.Stats().Ready, l)
			}
		}
	})
}

// Two changes at once: all queues end with the one that came last.
func TestPoliciesAtOnce(t *testing.T) {
	f := newFixture(t)
	for i := range 300 {
		f.queue(fmt.Sprint(i))
	}
	for round := range 100 {
		var work sync.WaitGroup
		for i := range 2 {
			work.Go(func() {
				if err := f.SetPolicy(pol("p", "", 0, "max-length", 2*round+i)); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		want := f.Policies()[0].Definition["max-length"]
		for _, q := range f.Queues() {
			if got := q.Limits().MaxLength; got != want {
				t.Fatalf("round %d: queue %s goes by %d, the policy says %d", round, q.Name(), got, want)
			}
		}
	}
}

func BenchmarkSetPolicy(b *testing.B) {
	f := newFixture(b)
	for i := range 100 {
		f.must(f.SetPolicy(pol(fmt.Sprint(i), fmt.Sprintf(`^tenant%d\.`, i), 1, "max-length", 1000)))
	}
	for i := range 10_000 {
		f.queue(fmt.Sprintf("tenant%d.q%d", i%100, i))
	}
	for n := int64(0); b.Loop(); n++ {
		f.must(f.SetPolicy(pol("all", "", 0, "max-length", n)))
	}
	f.wantPolicy("tenant99.q99", "99", "", "max-length", int64(1000))
}
