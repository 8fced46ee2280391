package auth

import (
	"strings"
	"testing"
)

func TestRightsMatchAsInRabbitMQ(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{".*", "any", true},
		{".*", "", true},
		{"", "any", false},
		{"", "", true},
		{"^$", "any", false},
		{"a", "bab", true}, // anywhere
		{"^a", "ba", false},
		{"^a$", "a", true},
		{"^(a|b)-.*", "b-1", true},
		{"^(a|b)-.*", "c-1", false},
		{`^amq\.gen.*|mine`, "amq.gen-x", true},
		{"^(?!amq\\.).*", "amq.direct", false}, // Perl's, and Go has no such thing
		{"^(?!amq\\.).*", "mine", true},
		{"(?i)ABC", "abc", true},
	} {
		r, err := NewRights(Permissions{Configure: "never", Write: c.pattern})
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got := r.May(Write, c.name); got != c.want {
			t.Errorf("%q for %q: %t", c.pattern, c.name, got)
		}
		if r.May(Configure, c.name) || r.May(Read, "x") {
			t.Errorf("%q is a right to something else too", c.pattern)
		}
	}
}

func TestRightsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		p    Permissions
		want string
	}{
		{Permissions{"(", "", ""}, "configure is not a regular expression that can be used: error parsing regexp: missing closing ): `(`"},
		{Permissions{"", "a(?=b)", ""}, "write is not a regular expression that can be used: error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
		{Permissions{"", "", `(a)\1`}, "read is not a regular expression that can be used: error parsing regexp: invalid escape sequence: `\\1`"},
	} {
		u := Default()
		if err := u.SetPermissions("guest", "/", c.p); err == nil || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
		if u.Permissions()[0].Permissions != All || !u.Rights("guest", "/").May(Write, "x") {
			t.Errorf("%+v was applied nevertheless", c.p)
		}
	}
	u := Default()
	if err := u.SetTopicPermissions("guest", "/", "x", TopicPermissions{"a", "["}); err == nil || len(u.TopicPermissions()) > 0 {
		t.Errorf("topic permissions: %v, and there are %v", err, u.TopicPermissions())
	}
}

func TestTopicRights(t *testing.T) {
	u := Default()
	for _, err := range []error{
		u.Put(Account{User: User{Name: "a.b"}, Password: "p"}),
		u.SetPermissions("a.b", "v", Permissions{}),
		u.SetTopicPermissions("a.b", "v", "amq.topic", TopicPermissions{`^{username}\.{vhost}$`, "^{client_id}"}),
		u.SetTopicPermissions("a.b", "v", "closed", TopicPermissions{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := u.Rights("a.b", "v")
	for _, c := range []struct {
		v             Verb
		exchange, key string
		want          bool
	}{
		{Write, "amq.topic", "a.b.v", true},
		{Write, "amq.topic", "axb.v", false}, // a name is no expression
		{Read, "amq.topic", "a.b.v", false},
		{Read, "amq.topic", "{client_id}", true}, // there is none in AMQP
		{Read, "other", "any", true},
		{Write, "closed", "any", false},
	} {
		if got := r.MayTopic(c.v, c.exchange, c.key); got != c.want {
			t.Errorf("%s %s with %s: %t", c.v, c.exchange, c.key, got)
		}
	}
	if !r.ByTopic("closed") || r.ByTopic("other") || u.Rights("guest", "/").ByTopic("closed") {
		t.Error("ByTopic is wrong")
	}
}

func TestGrants(t *testing.T) {
	u := Default()
	version := u.RightsVersion()
	changed := func(name string, err error) {
		t.Helper()
		if now := u.RightsVersion(); err != nil || now == version {
			t.Errorf("%s: %v, version %d after %d", name, err, now, version)
		}
		version = u.RightsVersion()
	}
	if err := u.SetPermissions("nobody", "/", All); err != ErrNoUser {
		t.Errorf("for nobody: %v", err)
	}
	changed("put", u.Put(Account{User: User{Name: "ann"}, Password: "ann"}))
	if u.Rights("ann", "/") != nil || u.Rights("nobody", "/") != nil {
		t.Error("there are rights from the start")
	}
	changed("set topic", u.SetTopicPermissions("ann", "/", "x", TopicPermissions{"a", "b"}))
	if u.Rights("ann", "/") != nil {
		t.Error("topic permissions let in")
	}
	changed("set", u.SetPermissions("ann", "/", Permissions{"c", "w", "r"}))
	changed("set", u.SetPermissions("ann", "v", All))
	old := u.Rights("ann", "/")
	changed("put again", u.Put(Account{User: User{Name: "ann"}, Password: "new"}))
	if u.Rights("ann", "/") == nil || len(u.Permissions()) != 3 {
		t.Errorf("rights are lost with the password: %v", u.Permissions())
	}
	changed("delete", u.DeletePermissions("ann", "/"))
	if u.Rights("ann", "/") != nil || !old.May(Write, "w") || len(u.TopicPermissions()) != 1 {
		t.Error("the delete took too little or too much")
	}
	changed("delete topic", u.DeleteTopicPermissions("ann", "/", ""))
	changed("delete nothing", u.DeletePermissions("ann", "/"))
	if all := u.Permissions(); len(all) != 2 || all[0].VHost != "/" || all[1] != (Permission{"ann", "v", All}) || len(u.TopicPermissions()) > 0 {
		t.Errorf("left are %v, %v", all, u.TopicPermissions())
	}
	u.DeleteVHost("v")
	changed("delete vhost", nil)
	if u.Rights("ann", "v") != nil || u.Rights("guest", "/") == nil {
		t.Error("the rights in a deleted vhost are wrong")
	}
}

func TestVerbs(t *testing.T) {
	if got := strings.Join([]string{Configure.String(), Write.String(), Read.String()}, " "); got != "configure write read" {
		t.Error(got)
	}
}
