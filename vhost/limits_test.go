package vhost

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

func TestVHostLimitsRefusals(t *testing.T) {
	f := newFixture(t)
	f.must(f.SetLimits(json.RawMessage(`{"max-queues":5}`)))
	for value, want := range map[string]string{
		`{"max-queues":"x"}`: "Validation failed\n\nmax-queues should be a number, actually was <<\"x\">>\n",
		`{"max-queues":1.5}`: "Validation failed\n\nmax-queues should be a number, actually was 1.5\n",
		`{"max-queues":"x","max-connections":null}`: "Validation failed\n\nmax-queues should be a number, actually was <<\"x\">>\n" +
			"max-connections should be a number, actually was null\n",
		`{"max-queues":1,"foo":2,"bar":1}`: "Validation failed\n\nUnrecognised terms [{<<\"bar\">>,1},{<<\"foo\">>,2}] in limits\n",
		`{"max-channels":1}`:               "Validation failed\n\nUnrecognised terms [{<<\"max-channels\">>,1}] in limits\n",
		`7`:                                "Validation failed\n\nlimits not a list 7\n",
		`[1]`:                              "Validation failed\n\nlimits not a list [1]\n",
		`{`:                                "Could not parse JSON document: its JSON does not decode: unexpected EOF",
	} {
		refused(t, value, f.SetLimits(json.RawMessage(value)), want)
	}
	if got := f.Limits(); got != (Limits{Unlimited, 5, Unlimited}) {
		t.Errorf("the limits are %+v", got)
	}
	for value, want := range map[string]Limits{
		`{}`: {Unlimited, Unlimited, Unlimited}, `[]`: {Unlimited, Unlimited, Unlimited},
		`{"max-queues":0,"max-connections":-7}`:                                           {Unlimited, 0, Unlimited},
		`{"max-connections":1180591620717411303424,"max-queues":-1180591620717411303424}`: {1<<63 - 1, Unlimited, Unlimited},
		` { "max-connections" : 3 } `:                                                     {3, Unlimited, Unlimited},
	} {
		f.must(f.SetLimits(json.RawMessage(value)))
		if got := f.Limits(); got != want {
			t.Errorf("%s comes to %+v", value, got)
		}
	}
	f.must(f.ClearLimits())
	refused(t, "clear twice", f.ClearLimits(), "Parameter does not exist")
	if got := f.Limits(); got != (Limits{Unlimited, Unlimited, Unlimited}) {
		t.Errorf("the limits are %+v", got)
	}
}

func TestQueueLimit(t *testing.T) {
	f := newFixture(t)
	f.queue("a")
	declare := func(d QueueDeclare) error { _, err := f.DeclareQueue(d, me); return err }
	f.must(f.SetLimits(json.RawMessage(`{"max-queues":2}`)))
	f.must(declare(QueueDeclare{Name: "mine", Exclusive: true}))
	for _, d := range []QueueDeclare{{Name: "b"}, {Name: "b", Exclusive: true}, {Name: "b", Arguments: args("x-max-length", int32(-1))}} {
		f.wantError("one too many", declare(d), amqp.CodePreconditionFailed, "cannot declare queue 'b': queue limit in vhost '/' (2) is reached")
	}
	f.wantError("passive", declare(QueueDeclare{Name: "b", Passive: true}), amqp.CodeNotFound, "no queue 'b' in vhost '/'")
	f.wantError("reserved", declare(QueueDeclare{Name: "amq.b"}), amqp.CodeAccessRefused, "queue name 'amq.b' contains reserved prefix 'amq.*'")
	f.must(declare(QueueDeclare{Name: "a"})) // it is there
	f.must(declare(QueueDeclare{Name: "a", Passive: true}))
	if _, err := f.OpenReply(me); err != nil {
		t.Errorf("direct reply-to: %v", err)
	}
	f.DropExclusive(me, &f.fx)
	f.must(declare(QueueDeclare{Name: "b"}))

	f.must(f.SetLimits(json.RawMessage(`{"max-queues":0}`)))
	f.wantError("none", declare(QueueDeclare{Name: "c"}), amqp.CodePreconditionFailed, "cannot declare queue 'c': queue limit in vhost '/' (0) is reached")
	f.must(f.ClearLimits())
	f.must(declare(QueueDeclare{Name: "c"}))
}

func TestUserLimits(t *testing.T) {
	f := openStored(t)
	r := f.registry
	for value, want := range map[string]string{
		`{"max-channels":"x"}`:                     `max-channels should be a number, actually was <<"x">>`,
		`{"max-channels":1,"max-foo":1}`:           `Unrecognised terms [{<<"max-foo">>,1}] in user-limits`,
		`{"max-queues":1}`:                         `Unrecognised terms [{<<"max-queues">>,1}] in user-limits`,
		`{"max-channels":1.5,"max-connections":{}`: `Could not parse JSON document: its JSON does not decode: unexpected EOF`,
		`3`: "Validation failed\n\nuser-limits not a list 3\n",
	} {
		refused(t, value, r.SetUserLimits("ann", json.RawMessage(value)), want)
	}
	if len(r.AllUserLimits()) != 0 || f.kinds(persistence.KindParameter) != 0 {
		t.Errorf("there is %v", r.AllUserLimits())
	}
	f.must(r.SetUserLimits("ann", json.RawMessage(`{"max-channels":-5}`)))
	f.must(r.SetUserLimits("ann", json.RawMessage(`{"max-connections":3}`))) // beside what is there
	f.must(r.SetUserLimits("bob", json.RawMessage(`{"max-channels":0}`)))
	f.must(r.ClearUserLimits("nobody", "all"))
	f.restart()
	r = f.registry
	want := []Parameter{{Name: "ann", Value: json.RawMessage(`{"max-channels":-5,"max-connections":3}`)},
		{Name: "bob", Value: json.RawMessage(`{"max-channels":0}`)}}
	if got := r.AllUserLimits(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	for user, want := range map[string]Limits{
		"ann": {3, Unlimited, Unlimited}, "bob": {Unlimited, Unlimited, 0}, "nobody": {Unlimited, Unlimited, Unlimited},
	} {
		if got := r.UserLimits(user); got != want {
			t.Errorf("%s has %+v", user, got)
		}
	}
	f.must(r.ClearUserLimits("ann", "max-connections"))
	f.must(r.ClearUserLimits("bob", "max-channels"))
	if got := fmt.Sprintf("%s", r.AllUserLimits()); got != `[{ ann {"max-channels":-5}}]` {
		t.Errorf("got %s", got)
	}
	f.must(r.ClearUserLimits("ann", "all"))
	if n := f.kinds(persistence.KindParameter); n != 0 {
		t.Errorf("%d parameters are stored", n)
	}
}

func TestParameters(t *testing.T) {
	f := openStored(t)
	f.must(f.SetParameter("vhost-limits", "limits", json.RawMessage(`{"max-queues": 7}`)))
	f.must(f.SetParameter("operator_policy", "o", json.RawMessage(`{"pattern":"^a","definition":{"max-length":3},"priority":2}`)))
	f.must(f.SetPolicy(pol("p", "", 0, "max-length", 1)))
	for _, c := range []struct{ component, name, value, want string }{
		{"policy", "p", `{}`, "policies may not be set using this method"},
		{"shovel", "s", `{}`, "Validation failed\n\ncomponent shovel not found\n"},
		{"vhost-limits", "other", `{}`, "Validation failed\n\nname of vhost-limits should be 'limits', actually was 'other'\n"},
		{"operator_policy", "o", `{}`, "Validation failed\n\nKey \"definition\" not found in o\nKey \"pattern\" not found in o\n"},
		{"operator_policy", "o", `1`, "Validation failed\n\no not a list 1\n"},
		{"operator_policy", "o", `{"pattern":"a","definition":{"queue-mode":"lazy"}}`,
			"Validation failed\n\n[{<<\"queue-mode\">>,<<\"lazy\">>}] are not recognised policy settings\n"},
	} {
		refused(t, c.component, f.SetParameter(c.component, c.name, json.RawMessage(c.value)), c.want)
	}
	want := `[{operator_policy o {"apply-to":"all","definition":{"max-length":3},"pattern":"^a","priority":2}} {vhost-limits limits {"max-queues":7}}]`
	if got := fmt.Sprintf("%s", f.Parameters()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	f.restart()
	if got := fmt.Sprintf("%s", f.Parameters()); got != want || f.Limits().Queues != 7 {
		t.Errorf("after a restart %s, limits %+v", got, f.Limits())
	}
	for component, want := range map[string]string{
		"policy": "policies may not be cleared using this method", "shovel": "Parameter does not exist", "vhost-limits": "Parameter does not exist",
	} {
		refused(t, component, f.DeleteParameter(component, "s"), want)
	}
	f.must(f.DeleteParameter("vhost-limits", "limits"))
	f.must(f.DeleteParameter("operator_policy", "o"))
	if len(f.Parameters()) != 0 || f.kinds(persistence.KindParameter) != 0 || f.kinds(persistence.KindPolicy) != 1 {
		t.Errorf("there is %s left", f.Parameters())
	}
}

func TestGlobalParameters(t *testing.T) {
	f := openStored(t)
	for name, value := range map[string]string{"b": ` [1.0, {"x": null}] `, "a": "null", "cluster_name": `"rabbits"`, "gone": "1"} {
		f.must(f.registry.SetGlobalParameter(name, json.RawMessage(value)))
	}
	f.must(f.registry.SetGlobalParameter("a", json.RawMessage(`12345678901234567890`)))
	f.must(f.registry.DeleteGlobalParameter("gone"))
	refused(t, "delete twice", f.registry.DeleteGlobalParameter("gone"), "Parameter does not exist")
	refused(t, "no JSON", f.registry.SetGlobalParameter("a", json.RawMessage(`{`)), "Could not parse JSON document: unexpected end of JSON input")
	for n, want := range map[int]string{1000: "", 1001: "Could not parse JSON document: it is nested too deeply"} {
		err := f.registry.SetGlobalParameter("deep", json.RawMessage(strings.Repeat("[", n)+strings.Repeat("]", n)))
		if want == "" {
			f.must(err)
			f.must(f.registry.DeleteGlobalParameter("deep"))
			continue
		}
		refused(t, "nested too deeply", err, want)
	}
	for range 2 {
		const want = `[{ a 12345678901234567890} { b [1.0,{"x":null}]} { cluster_name "rabbits"}]`
		if got := fmt.Sprintf("%s", f.registry.GlobalParameters()); got != want || f.registry.ClusterName() != "rabbits" {
			t.Errorf("got %s, cluster %s", got, f.registry.ClusterName())
		}
		f.restart()
	}
	f.must(f.registry.SetGlobalParameter("cluster_name", json.RawMessage(`7`)))
	if name := f.registry.ClusterName(); name != "" {
		t.Errorf("the name is %q", name)
	}
	if n := f.kinds(persistence.KindParameter); n != 3 {
		t.Errorf("%d parameters are stored", n)
	}
	f.registry.Close()
	if err := f.registry.SetGlobalParameter("a", json.RawMessage(`1`)); err == nil {
		t.Error("a registry that is closed takes a parameter")
	}
}
