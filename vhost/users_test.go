package vhost

import (
	"errors"
	"net"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/auth"
)

// census counts the definitions in the store by kind.
func (f *storedFixture) census() map[persistence.Kind]int {
	f.t.Helper()
	all, err := f.store.Definitions()
	f.must(err)
	out := map[persistence.Kind]int{}
	for _, d := range all {
		out[d.Kind]++
	}
	return out
}

// login reports why a user cannot log in.
func (f *storedFixture) login(name, password string) error {
	_, err := f.registry.Authenticate(name, password, &net.UnixAddr{})
	return err
}

func TestUsersAreStored(t *testing.T) {
	f := openStored(t)
	_, err := f.registry.AddVHost("v")
	f.must(err)
	ann := auth.Account{User: auth.User{Name: "ann", Tags: []string{"monitoring"}}, Password: "secret"}
	f.must(f.registry.PutUser(ann))
	f.must(f.registry.SetPermissions("ann", "/", auth.All))
	f.must(f.registry.SetPermissions("ann", "v", auth.Permissions{Read: "^a"}))
	f.must(f.registry.SetTopicPermissions("ann", "v", "amq.topic", auth.TopicPermissions{Write: "w", Read: "r"}))
	f.must(f.registry.SetUserLimits("ann", []byte(`{"max-channels":3}`)))
	for range 2 {
		f.restart()
		a, ok := f.registry.User("ann")
		if err := f.login("ann", "secret"); err != nil || !ok || len(a.Tags) != 1 || a.Tags[0] != "monitoring" {
			t.Errorf("ann came back as %+v, %v", a, err)
		}
		r := f.registry.Rights("ann", "v")
		if f.registry.Rights("ann", "/") == nil || r == nil || !r.May(auth.Read, "ab") || r.May(auth.Write, "ab") || !r.ByTopic("amq.topic") {
			t.Errorf("the rights are %v, %v", f.registry.Permissions(), f.registry.TopicPermissions())
		}
	}
	f.must(f.registry.DeletePermissions("ann", "/"))
	f.must(f.registry.DeleteTopicPermissions("ann", "v", "amq.topic"))
	f.restart()
	if r := f.registry.Rights("ann", "v"); f.registry.Rights("ann", "/") != nil || r == nil || r.ByTopic("amq.topic") {
		t.Errorf("what was deleted came back: %v", f.registry.Permissions())
	}
	f.must(f.registry.DeleteUser("ann"))
	if kinds := f.census(); kinds[persistence.KindUser]+kinds[persistence.KindPermission]+kinds[persistence.KindParameter] > 0 {
		t.Errorf("left in the store is %v", kinds)
	}
	f.restart()
	if err := f.login("ann", "secret"); err == nil || f.registry.UserLimits("ann").Channels != Unlimited {
		t.Error("ann came back")
	}
}

func TestUserErrors(t *testing.T) {
	f := openStored(t)
	f.must(f.registry.PutUser(auth.Account{User: auth.User{Name: "ann"}}))
	before := f.census()
	for name, err := range map[string]error{
		"delete":              f.registry.DeleteUser("nobody"),
		"permissions":         f.registry.SetPermissions("nobody", "/", auth.All),
		"delete permissions":  f.registry.DeletePermissions("nobody", "/"),
		"topic":               f.registry.SetTopicPermissions("nobody", "/", "x", auth.TopicPermissions{}),
		"delete topic":        f.registry.DeleteTopicPermissions("nobody", "/", "x"),
		"delete every topics": f.registry.DeleteTopicPermissions("nobody", "/", ""),
	} {
		if !errors.Is(err, auth.ErrNoUser) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.wantError("vhost", f.registry.SetPermissions("ann", "nowhere", auth.All), amqp.CodeNotAllowed, "vhost nowhere not found")
	f.wantError("vhost of topic", f.registry.SetTopicPermissions("ann", "nowhere", "x", auth.TopicPermissions{}), amqp.CodeNotAllowed, "vhost nowhere not found")
	if err := f.registry.SetPermissions("ann", "/", auth.Permissions{Write: "("}); err == nil {
		t.Error("an expression that cannot be used is")
	}
	if err := f.registry.PutUser(auth.Account{}); err == nil {
		t.Error("there is a user without a name")
	}
	if after := f.census(); len(after) != len(before) || after[persistence.KindUser] != 1 {
		t.Errorf("refused changes are stored: %v", after)
	}
	f.registry.Close()
	f.wantError("closed", f.registry.PutUser(auth.Account{User: auth.User{Name: "bob"}}), amqp.CodeConnectionForced, "broker is shutting down")
	if _, ok := f.registry.User("bob"); ok {
		t.Error("a closed registry has a new user")
	}
}

func TestFirstUser(t *testing.T) {
	f := openStored(t)
	f.must(f.registry.MakeFirstUser(auth.Account{User: auth.User{Name: "root"}, Password: "toor"}, "v", auth.Permissions{}))
	f.must(f.registry.MakeFirstUser(auth.Account{User: auth.User{Name: "second"}, Password: "p"}, "w", auth.Permissions{}))
	f.must(f.registry.PutUser(auth.Account{User: auth.User{Name: "third"}})) // stored after the first
	f.restart()
	f.must(f.registry.MakeFirstUser(auth.Account{User: auth.User{Name: "second"}, Password: "p"}, "w", auth.Permissions{}))
	root, _ := f.registry.User("root")
	if err := f.login("root", "toor"); err != nil || len(root.Tags) != 1 || root.Tags[0] != "administrator" {
		t.Errorf("it is %+v, %v", root, err)
	}
	all := f.registry.Permissions()
	if len(all) != 1 || all[0] != (auth.Permission{User: "root", VHost: "v", Permissions: auth.All}) {
		t.Errorf("permissions are %v", all)
	}
	if users, vhosts := f.registry.Users(), f.registry.VHosts(); len(users) != 2 || len(vhosts) != 2 || vhosts[1].Name() != "v" {
		t.Errorf("users %v, %d vhosts", users, len(vhosts))
	}
	r, err := New(Options{})
	f.must(err)
	defer r.Close()
	few := auth.Permissions{Configure: "^$", Write: "a", Read: "b"}
	f.must(r.MakeFirstUser(auth.Account{User: auth.User{Name: "root", Tags: []string{}}, Password: "toor"}, "/", few))
	if all := r.Permissions(); len(all) != 1 || all[0].Permissions != few {
		t.Errorf("in memory the first user has %v", all)
	}
	if root, _ := r.User("root"); len(root.Tags) != 0 {
		t.Errorf("without tags it has %v", root.Tags)
	}
}

// Who is asked for permission says no before anything is looked at or made.
func TestPermit(t *testing.T) {
	f := newFixture(t)
	f.queue("old")
	f.exchange("old", "direct")
	no := errors.New("no")
	var asked []string
	permit := func(refuse bool) func(string, bool) error {
		return func(name string, create bool) error {
			asked = append(asked, name)
			if create == refuse {
				return no
			}
			return nil
		}
	}
	for _, c := range []struct {
		name   string
		create bool // which question is answered with no
		want   int  // how often it is asked
		err    error
	}{
		{"old", false, 1, no}, {"new", false, 1, no}, {"old", true, 1, nil}, {"new", true, 2, no},
	} {
		asked = nil
		if _, err := f.DeclareQueue(QueueDeclare{Name: c.name + "\r\n", Permit: permit(c.create)}, me); err != c.err || len(asked) != c.want || asked[0] != c.name {
			t.Errorf("queue %+v: %v, asked %q", c, err, asked)
		}
		asked = nil
		if err := f.DeclareExchange(ExchangeDeclare{Name: c.name + "\n", Type: "direct", Permit: permit(c.create)}); err != c.err || len(asked) != c.want || asked[0] != c.name {
			t.Errorf("exchange %+v: %v, asked %q", c, err, asked)
		}
	}
	if f.hasQueue("new") || f.hasExchange("new") {
		t.Error("what was refused is there")
	}
	asked = nil
	q, err := f.DeclareQueue(QueueDeclare{Permit: permit(true)}, me)
	if err != no || len(asked) != 2 || asked[0] != asked[1] || asked[0][:8] != "amq.gen-" {
		t.Errorf("server-named: %v, %v, asked %q", q, err, asked)
	}
}
