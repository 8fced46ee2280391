package auth

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/persistence"
)

// codec is what both kinds of definitions have in common.
type codec interface {
	encode() ([]byte, error)
	decode([]byte) error
}

func someDefinitions() map[string]codec {
	return map[string]codec{
		"user":        &userDefinition{"änn", string(SHA512), "\x00salt", []string{"a", "", "b"}},
		"bare user":   &userDefinition{"n", "", "", nil},
		"permissions": &permissionDefinition{user: 1, vhost: math.MaxUint64, configure: "", write: ".*", read: "x"},
		"topic":       &permissionDefinition{user: 300, ofTopic: true, exchange: "x", write: "w", read: ""},
	}
}

func fresh(d codec) codec { return reflect.New(reflect.TypeOf(d).Elem()).Interface().(codec) }

func TestDefinitionsKeepAll(t *testing.T) {
	for name, d := range someDefinitions() {
		body, err := d.encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back := fresh(d)
		if err := back.decode(body); err != nil || !reflect.DeepEqual(back, d) {
			t.Errorf("%s: %+v came back as %+v, %v", name, d, back, err)
		}
		for n := range body {
			if err := fresh(d).decode(body[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are accepted", name, n, len(body))
			}
		}
		if err := fresh(d).decode(append(bytes.Clone(body), 0)); err == nil {
			t.Errorf("%s: a byte too many is accepted", name)
		}
		newer := bytes.Clone(body)
		newer[0]++
		if err := fresh(d).decode(newer); err == nil || err.Error() != "its version is 2, and this program knows 1" {
			t.Errorf("%s: of a newer version it says %v", name, err)
		}
	}
	sort := permissionDefinition{}
	if err := sort.decode([]byte("\x01\x02\x00\x00\x00\x00\x00")); err == nil || !strings.Contains(err.Error(), "sort 2") {
		t.Errorf("of an unknown sort it says %v", err)
	}
}

func FuzzDefinition(f *testing.F) {
	kinds := []codec{&userDefinition{}, &permissionDefinition{}}
	for _, d := range someDefinitions() {
		body, err := d.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(0), body)
		f.Add(uint8(1), body)
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		d := fresh(kinds[int(kind)%len(kinds)])
		again := fresh(d)
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

// disk is the definitions that there are after changes.
type disk map[string]persistence.Definition

func (d disk) take(u *Users) {
	for _, c := range u.TakeChanges() {
		key := fmt.Sprint(c.Kind, c.ID)
		if d[key] = c.Definition; c.Delete {
			delete(d, key)
		}
	}
}

// vhosts are the ids of the vhosts that tests use.
var vhosts = map[string]uint64{"/": 0, "v": 7}

func stored() *Users {
	last := uint64(0)
	return NewStored(func() uint64 { last++; return last }, func(name string) uint64 { return vhosts[name] })
}

func nameOf(id uint64) (string, error) {
	for name, i := range vhosts {
		if i == id {
			return name, nil
		}
	}
	return "", fmt.Errorf("no vhost %d", id)
}

// recovered is users made of a disk.
func (d disk) recovered(t *testing.T) *Users {
	t.Helper()
	u := stored()
	for _, kind := range []persistence.Kind{persistence.KindUser, persistence.KindPermission} {
		for _, def := range d {
			if def.Kind != kind {
				continue
			}
			if err := u.Recover(def, nameOf); err != nil {
				t.Fatal(err)
			}
		}
	}
	u.Recovered()
	return u
}

func TestUsersComeBack(t *testing.T) {
	u, d := stored(), disk{}
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		d.take(u)
		back := d.recovered(t)
		for _, pair := range [][2]any{
			{back.Accounts(), u.Accounts()}, {back.Permissions(), u.Permissions()}, {back.TopicPermissions(), u.TopicPermissions()},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("came back\n%+v\nwas\n%+v", pair[0], pair[1])
			}
		}
	}
	step(u.Put(Account{User: User{"ann", []string{"monitoring", "x"}}, Password: "ann"}))
	step(u.Put(Account{User: User{Name: "bob"}}))
	step(u.SetPermissions("ann", "/", Permissions{"c", "w", "r"}))
	step(u.SetPermissions("ann", "v", All))
	step(u.SetPermissions("ann", "v", Permissions{}))
	step(u.SetTopicPermissions("ann", "v", "x", TopicPermissions{"w", "r"}))
	step(u.SetTopicPermissions("ann", "v", "y", TopicPermissions{"w", "r"}))
	step(u.SetTopicPermissions("bob", "/", "x", TopicPermissions{"w", ""}))
	step(u.Put(Account{User: User{Name: "ann"}, Password: "new"}))
	back := d.recovered(t)
	if _, err := back.Authenticate("ann", "new", nil); err != nil || back.Rights("ann", "/") == nil || !back.Rights("ann", "v").ByTopic("y") {
		t.Errorf("ann came back without what was hers: %v", err)
	}
	step(u.DeletePermissions("ann", "/"))
	step(u.DeleteTopicPermissions("ann", "v", "y"))
	u.DeleteVHost("v")
	step(nil)
	step(u.Delete("bob"))
	step(u.Delete("ann"))
	if len(d) > 0 {
		t.Errorf("left on the disk is %v", d)
	}
	if err := u.SetPermissions("ann", "/", All); err != ErrNoUser || len(u.TakeChanges()) > 0 {
		t.Errorf("a change that failed is stored: %v", err)
	}
}

func TestRecoverRefuses(t *testing.T) {
	define := func(kind persistence.Kind, id uint64, d codec) persistence.Definition {
		body, err := d.encode()
		if err != nil {
			t.Fatal(err)
		}
		return persistence.Definition{Kind: kind, ID: id, Body: body}
	}
	user := func(d userDefinition) persistence.Definition { return define(persistence.KindUser, 2, &d) }
	right := func(d permissionDefinition) persistence.Definition { return define(persistence.KindPermission, 2, &d) }
	u := stored()
	for _, c := range []struct {
		d    persistence.Definition
		want string
	}{
		{define(persistence.KindUser, 1, &userDefinition{name: "ann"}), ""},
		{user(userDefinition{name: "ann"}), "there is a user 'ann' already"},
		{user(userDefinition{}), "the user has no name"},
		{user(userDefinition{name: "b", algorithm: "rot13", salted: "x"}), "its password has 1 bytes by 'rot13'"},
		{right(permissionDefinition{user: 1}), ""},
		{right(permissionDefinition{user: 1}), "there is one for user 'ann' in vhost '/' already"},
		{right(permissionDefinition{user: 1, ofTopic: true, exchange: "x"}), ""},
		{right(permissionDefinition{user: 1, ofTopic: true, exchange: "x"}), "there is one for user 'ann' in vhost '/' already"},
		{right(permissionDefinition{user: 9}), "it is for user 9, who is not defined"},
		{right(permissionDefinition{user: 1, vhost: 9}), "no vhost 9"},
		{right(permissionDefinition{user: 1, vhost: 7, read: "("}), "read is not a regular expression that can be used: error parsing regexp: missing closing ): `(`"},
		{persistence.Definition{Kind: persistence.KindUser}, "it is cut short"},
		{persistence.Definition{Kind: persistence.KindPermission}, "it is cut short"},
	} {
		if err := u.Recover(c.d, nameOf); (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
