package vhost

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
)

// furnish puts something of every kind into a vhost: more than one step deletes.
func (f *storedFixture) furnish(v *VHost) *fixture {
	f.t.Helper()
	in := &fixture{VHost: v, t: f.t, router: v.NewRouter()}
	for i := range 2*deleteStep + 10 {
		name := fmt.Sprintf("%d", i)
		in.durable(name)
		f.must(in.DeclareExchange(ExchangeDeclare{Name: name, Type: "topic", Durable: true}))
		in.bind(name, name, "k")
		in.send("", name, "m")
	}
	in.queue("transient")
	_, err := in.DeclareQueue(QueueDeclare{Name: "mine", Exclusive: true}, me)
	f.must(err)
	in.bindX("amq.fanout", "amq.topic", "a")
	in.bindX("amq.topic", "amq.fanout", "a")
	once := args("x-message-deduplication", true, "x-cache-size", int32(10))
	f.must(in.DeclareExchange(ExchangeDeclare{Name: "once", Type: "direct", Durable: true, Arguments: once}))
	f.must(in.DeclareExchange(ExchangeDeclare{Name: "later", Type: "x-delayed-message", Durable: true, Arguments: args("x-delayed-type", "direct")}))
	in.publish("later", message("later", "k", "m", args("x-delay", int32(1000))))
	f.must(v.SetPolicy(policy.Policy{Name: "p", Pattern: "^1", ApplyTo: "all", Definition: map[string]any{"max-length": int64(5)}}))
	f.must(v.SetOperatorPolicy(policy.Policy{Name: "p", Pattern: "^1", ApplyTo: "queues", Definition: map[string]any{"max-length": int64(5)}}))
	f.must(v.SetLimits([]byte(`{"max-queues":1000}`)))
	f.must(v.SetMetadata(Metadata{Description: "d"}))
	f.must(f.registry.SetPermissions("ann", v.Name(), auth.All))
	f.must(f.registry.SetTopicPermissions("ann", v.Name(), "amq.topic", auth.TopicPermissions{}))
	return in
}

func TestDeleteVHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		f.must(f.registry.PutUser(auth.Account{User: auth.User{Name: "ann"}}))
		f.must(f.registry.SetPermissions("ann", "/", auth.All))
		f.durable("stays")
		before := f.census()
		for _, restart := range []bool{false, true} {
			v, err := f.registry.AddVHost("v")
			f.must(err)
			if n := len(v.Queues()); n != 0 {
				t.Errorf("a new vhost has %d queues", n)
			}
			in := f.furnish(v)
			if restart {
				f.restart()
				v, err = f.registry.VHost("v")
				f.must(err)
				in = &fixture{VHost: v, t: t}
			}
			var told []*VHost
			f.registry.vhostGone = func(v *VHost) { told = append(told, v) }
			f.must(f.registry.DeleteVHost("v"))
			synctest.Wait()
			if after := f.census(); !maps.Equal(after, before) {
				t.Errorf("left are definitions %v, before it were %v", after, before)
			}
			if len(told) != 1 || told[0] != v {
				t.Errorf("told were %v", told)
			}
			_, err = f.registry.VHost("v")
			f.wantError("look for it", err, amqp.CodeNotAllowed, "vhost v not found")
			_, err = in.DeclareQueue(QueueDeclare{Name: "q"}, me)
			in.wantError("declare", err, amqp.CodeConnectionForced, "vhost 'v' is deleted")
			if n := len(v.Queues()) + len(v.Exchanges()) + len(v.schedules) + len(v.sources); n != 1 { // the default exchange
				t.Errorf("%d things are left in it", n)
			}
			if all := f.registry.Permissions(); len(all) != 1 || len(f.registry.TopicPermissions()) > 0 {
				t.Errorf("permissions that are left: %v", all)
			}
		}
		f.restart()
		if !f.hasQueue("stays") || len(f.registry.VHosts()) != 1 || f.registry.Rights("ann", "/") == nil {
			t.Error("more went than the vhost")
		}
	})
}

func TestDeleteVHostRefusals(t *testing.T) {
	f := openStored(t)
	f.wantError("absent", f.registry.DeleteVHost("nowhere"), amqp.CodeNotAllowed, "vhost nowhere not found")
	if err := f.registry.DeleteVHost("/"); err == nil || err.Error() != "vhost '/' cannot be deleted" {
		t.Errorf("of / it says %v", err)
	}
	v, err := f.registry.AddVHost("v")
	f.must(err)
	f.registry.vhostGone = func(*VHost) { // it is under way
		_, err := f.registry.AddVHost("v")
		if err == nil || err.Error() != "vhost 'v' is being deleted" {
			t.Errorf("to make it again: %v", err)
		}
		f.wantError("again", f.registry.DeleteVHost("v"), amqp.CodeNotAllowed, "vhost v not found")
		if len(f.registry.VHosts()) != 1 {
			t.Error("it is listed")
		}
	}
	f.must(f.registry.PutUser(auth.Account{User: auth.User{Name: "ann"}}))
	f.must(f.registry.DeleteVHost("v"))
	f.registry.vhostGone = nil
	again, err := f.registry.AddVHost("v")
	if f.must(err); again == v {
		t.Error("the new one is the old one")
	}
	f.registry.Close()
	f.wantError("closed", f.registry.DeleteVHost("v"), amqp.CodeConnectionForced, "broker is shutting down")
}

// A store that fails leaves a vhost whose delete can be tried again.
func TestDeleteVHostOnAFailingStore(t *testing.T) {
	f := openStored(t)
	v, err := f.registry.AddVHost("v")
	f.must(err)
	in := &fixture{VHost: v, t: t}
	in.durable("q")
	f.store.Fail(fmt.Errorf("disk on fire"))
	if err := f.registry.DeleteVHost("v"); err == nil {
		t.Error("it is deleted for good on a store that has failed")
	}
	if _, err := f.registry.VHost("v"); err != nil {
		t.Errorf("it cannot be deleted again: %v", err)
	}
}
