package vhost

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
	"github.com/rs/zerolog"
)

// kinds counts the definitions of a kind that are stored.
func (f *storedFixture) kinds(k persistence.Kind) (n int) {
	f.t.Helper()
	all, err := f.store.Definitions()
	f.must(err)
	for _, d := range all {
		if d.Kind == k {
			n++
		}
	}
	return n
}

func TestPoliciesComeBack(t *testing.T) {
	f := openStored(t)
	f.durable("q")
	f.durable("dead")
	f.must(f.DeclareExchange(ExchangeDeclare{Name: "x", Type: "direct", Durable: true}))
	f.must(f.DeclareExchange(ExchangeDeclare{Name: "ae", Type: "fanout", Durable: true}))
	f.bind("dead", "ae", "")
	long := pol("p", `^(?!dead)`, -3, "max-length", 7, "alternate-exchange", "ae", "ha-mode", "nodes", "ha-params", []any{"<a>&"})
	f.must(f.SetPolicy(long))
	f.must(f.SetPolicy(pol("p", `^(?!dead)`, -3, "max-length", 3, "alternate-exchange", "ae", "ha-mode", "nodes", "ha-params", []any{"<a>&"})))
	f.must(f.SetPolicy(pol("gone", "", 9, "max-length", 1)))
	f.must(f.DeletePolicy("gone"))
	f.must(f.SetOperatorPolicy(pol("p", "", 1<<62, "max-length", 2)))
	other, err := f.registry.AddVHost("other")
	f.must(err)
	f.must(other.SetPolicy(pol("p", "", 0, "max-length", 9)))
	if n := f.kinds(persistence.KindPolicy); n != 3 {
		t.Errorf("%d policies are stored", n)
	}
	policies, operator := f.Policies(), f.OperatorPolicies()

	f.restart()
	if got := f.Policies(); !reflect.DeepEqual(got, policies) || len(got) != 1 {
		t.Errorf("policies\n%v came back as\n%v", policies, got)
	}
	if got := f.OperatorPolicies(); !reflect.DeepEqual(got, operator) || len(got) != 1 {
		t.Errorf("operator policies\n%v came back as\n%v", operator, got)
	}
	if other, err = f.registry.VHost("other"); err != nil || len(other.Policies()) != 1 || other.Policies()[0].Definition["max-length"] != int64(9) {
		t.Errorf("the other vhost: %v, %v", other.Policies(), err)
	}
	f.wantPolicy("q", "p", "p", "max-length", int64(2))
	f.wantPolicy("dead", "", "p", "max-length", int64(2))
	f.send("x", "unroutable", "m")
	f.wantReady("dead", 1)

	f.must(f.DeletePolicy("p"))
	f.must(f.DeleteOperatorPolicy("p"))
	f.must(other.DeletePolicy("p"))
	if n := f.kinds(persistence.KindPolicy); n != 0 {
		t.Errorf("%d policies are stored after all were deleted", n)
	}
	f.restart()
	f.wantPolicy("q", "", "", "max-length", nil)
}

// An id is not used again for what was deleted: in the store that may come back.
func TestManagedIDsAreNew(t *testing.T) {
	f := openStored(t)
	acts := []func() error{
		func() error { return f.SetPolicy(pol("p", "", 0, "max-length", 1)) },
		func() error { return f.SetLimits(json.RawMessage(`{}`)) },
		func() error { return f.registry.SetUserLimits("u", json.RawMessage(`{}`)) },
		func() error { return f.registry.SetGlobalParameter("g", json.RawMessage(`1`)) },
		func() error { return f.DeletePolicy("p") },
		f.ClearLimits,
		func() error { return f.registry.ClearUserLimits("u", "all") },
		func() error { return f.registry.DeleteGlobalParameter("g") },
	}
	ids := map[string]bool{}
	for range 2 {
		for i, act := range acts {
			f.must(act())
			if i != len(acts)/2-1 {
				continue
			}
			all, err := f.store.Definitions()
			f.must(err)
			for _, d := range all {
				id := fmt.Sprint(d.Kind, d.ID)
				if ids[id] {
					t.Errorf("%s is used again", id)
				}
				ids[id] = true
			}
		}
	}
	if len(ids) != len(acts) {
		t.Errorf("%d ids were used", len(ids))
	}
}

// keep publishes a persistent message to a queue.
func (f *fixture) keep(queue, body string) {
	f.t.Helper()
	m := message("", queue, body, nil)
	m.Persistent = true
	f.publish("", m)
}

// slowLog is a log that takes its time.
type slowLog struct{}

func (slowLog) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return len(p), nil
}

// What died while the broker was away goes where the policy says, though policies
// are stored after the queues.
func TestRecoveredQueueGoesByItsPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		f.durable("q")
		f.durable("dead")
		f.must(f.SetPolicy(pol("p", "^q$", 0, "message-ttl", 1000, "dead-letter-exchange", "", "dead-letter-routing-key", "dead")))
		f.keep("q", "a")
		f.close()
		time.Sleep(2 * time.Second)
		f.store = f.store.Reopen()
		f.pager = queue.NewPager(f.store, 0, 0)
		log := zerolog.New(slowLog{}) // so that it dies before the start has ended
		var err error
		f.registry, err = New(Options{Store: f.store, Pager: f.pager, Log: &log})
		f.must(err)
		f.VHost, err = f.registry.VHost("/")
		f.must(err)
		synctest.Wait()
		f.wantReady("q", 0)
		if got := f.bodies("dead"); !slices.Equal(got, []string{"a"}) {
			t.Errorf("dead letters %v", got)
		}
	})
}

// A crash between a policy and what it drops: the rest is dropped at the start.
func TestRecoveredQueueIsTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		f.durable("q")
		f.durable("dead")
		for i := range 5 {
			f.keep("q", fmt.Sprint(i))
		}
		f.close()
		rule, err := policy.New(policy.User, pol("p", "^q$", 0, "max-length", 2, "dead-letter-exchange", "", "dead-letter-routing-key", "dead"))
		f.must(err)
		body, err := encodePolicy(0, policy.User, rule.Policy())
		f.must(err)
		f.store = f.store.Reopen()
		var batch persistence.Batch
		batch.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindPolicy, ID: f.store.NewID(), Body: body}})
		f.store.Write(&batch)
		f.restart()
		synctest.Wait()
		f.wantReady("q", 2)
		f.wantReady("dead", 3)
		f.restart()
		synctest.Wait()
		f.wantReady("q", 2)
		if got := f.bodies("dead"); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("dead letters %v", got)
		}
	})
}

func TestManagementWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		for name, act := range map[string]func() error{
			"policy":          func() error { return f.SetPolicy(pol("p", "", 0, "max-length", 1)) },
			"operator policy": func() error { return f.SetOperatorPolicy(pol("p", "", 0, "max-length", 1)) },
			"limits":          func() error { return f.SetLimits(json.RawMessage(`{"max-queues":1}`)) },
			"user limits":     func() error { return f.registry.SetUserLimits("u", json.RawMessage(`{"max-channels":1}`)) },
			"global":          func() error { return f.registry.SetGlobalParameter("g", json.RawMessage(`1`)) },
		} {
			release := f.store.Hold()
			done := make(chan error, 2)
			for range 2 { // who finds it there waits too
				go func() { done <- act() }()
				synctest.Wait()
			}
			if len(done) > 0 {
				t.Errorf("%s: it is answered before it is stored", name)
			}
			release()
			for range 2 {
				if err := <-done; err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		f.store.Fail(errors.New("no such disk"))
		for name, err := range map[string]error{
			"policy": f.SetPolicy(pol("q", "", 0, "max-length", 1)), "limits": f.ClearLimits(),
			"global": f.registry.DeleteGlobalParameter("g"), "user limits": f.registry.ClearUserLimits("u", "all"),
		} {
			if !errors.Is(err, persistence.ErrFailed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestRecoverRefusesBadPoliciesAndParameters(t *testing.T) {
	body := func(c codec) []byte {
		b, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	of := func(kind persistence.Kind, codecs ...codec) (all []persistence.Definition) {
		for i, c := range codecs {
			all = append(all, persistence.Definition{Kind: kind, ID: uint64(i + 10), Body: body(c)})
		}
		return all
	}
	good := policyDefinition{0, policy.User, "p", "", "all", 0, `{"max-length":1}`}
	with := func(change func(*policyDefinition)) *policyDefinition {
		d := good
		change(&d)
		return &d
	}
	for _, c := range []struct {
		all  []persistence.Definition
		text string
	}{
		{of(persistence.KindPolicy, &good, &good), "policy 11 cannot be used: there is a policy 'p' in vhost '/' already"},
		{of(persistence.KindPolicy, with(func(d *policyDefinition) { d.vhost = 8 })), "policy 10 cannot be used: it is in vhost 8, which is not defined"},
		{of(persistence.KindPolicy, with(func(d *policyDefinition) { d.definition = "{" })), "policy 10 cannot be used: its JSON does not decode: unexpected EOF"},
		{of(persistence.KindPolicy, with(func(d *policyDefinition) { d.definition = "{} {}" })), "policy 10 cannot be used: its JSON does not end"},
		{of(persistence.KindPolicy, with(func(d *policyDefinition) { d.definition = "{}" })), "policy 10 cannot be used: Validation failed\n\nno policy provided\n"},
		{of(persistence.KindPolicy, with(func(d *policyDefinition) { d.scope = 2 })), "policy 10 cannot be used: it has the scope 2, and this program knows those below 2"},
		{of(persistence.KindParameter, &parameterDefinition{scope: global, name: "a", value: "1"}, &parameterDefinition{scope: global, name: "a", value: "2"}),
			"parameter 11 cannot be used: there is a parameter 'a' already"},
		{of(persistence.KindParameter, &parameterDefinition{scope: 3}), "parameter 10 cannot be used: it has the scope 3, and this program knows those below 3"},
		{of(persistence.KindParameter, &parameterDefinition{scope: global, name: "a", value: "{"}), "parameter 10 cannot be used: its value is not JSON"},
		{of(persistence.KindParameter, &parameterDefinition{scope: inVHost, vhost: 9, value: "1"}), "parameter 10 cannot be used: it is in vhost 9, which is not defined"},
		{of(persistence.KindParameter, &parameterDefinition{scope: inVHost, component: "shovel", name: "s", value: "1"}),
			"parameter 10 cannot be used: this program does not know shovel 's'"},
		{of(persistence.KindParameter, &parameterDefinition{inVHost, 0, "vhost-limits", "limits", "{}"}, &parameterDefinition{inVHost, 0, "vhost-limits", "limits", "{}"}),
			"parameter 11 cannot be used: there are limits of vhost '/' already"},
	} {
		store := memory.New()
		var batch persistence.Batch
		for _, d := range c.all {
			batch.Change(persistence.Change{Definition: d})
		}
		store.Write(&batch)
		if _, err := New(Options{Store: store}); err == nil || err.Error() != "the definition of "+c.text {
			t.Errorf("got %v\nwant %s", err, c.text)
		}
	}
}

// managed are definitions of what management says.
func managed() map[string]codec {
	return map[string]codec{
		"policy":          &policyDefinition{300, policy.User, "p", `^(?!a)\.é`, "queues", -1 << 63, `{"max-length":1}`},
		"operator policy": &policyDefinition{0, policy.Operator, strings.Repeat("é", 500), "", "all", 1<<63 - 1, "{}"},
		"global":          &parameterDefinition{scope: global, name: "cluster_name", value: `"c"`},
		"user limits":     &parameterDefinition{scope: ofUser, component: "limits", name: "ann", value: `{"max-channels":3}`},
		"vhost limits":    &parameterDefinition{inVHost, 1 << 63, "vhost-limits", "limits", `{}`},
	}
}

func TestManagedDefinitionsKeepAll(t *testing.T) {
	for name, d := range managed() {
		keepsAll(t, name, d)
	}
}

func FuzzManagedDefinition(f *testing.F) {
	for _, d := range managed() {
		body, err := d.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(false, body)
		f.Add(true, body)
	}
	f.Fuzz(func(t *testing.T, parameter bool, body []byte) {
		fresh := func() codec {
			if parameter {
				return &parameterDefinition{}
			}
			return &policyDefinition{}
		}
		d, again := fresh(), fresh()
		if d.decode(body) != nil {
			return
		}
		canonical, err := d.encode()
		if err != nil {
			t.Fatalf("%+v was decoded and cannot be encoded: %v", d, err)
		}
		if err := again.decode(canonical); err != nil || !reflect.DeepEqual(again, d) {
			t.Fatalf("%+v came back as %+v, %v", d, again, err)
		}
	})
}
