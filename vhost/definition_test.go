package vhost

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// codec is what the four kinds of definitions have in common.
type codec interface {
	encode() ([]byte, error)
	decode([]byte) error
}

// everything is a table with a value of each type.
var everything = args("t", true, "b", int8(-1), "B", uint8(200), "s", int16(-300), "u", uint16(60000), "I", int32(-70000),
	"i", uint32(math.MaxUint32), "l", int64(math.MinInt64), "f", float32(0.5), "d", 1e300, "D", amqp.Decimal{Scale: 2, Value: -5},
	"S", "text", "x", []byte{0, 255}, "A", amqp.Array{int32(1), "a", nil, amqp.Array{}}, "F", args("in", int64(1), "in", "twice"),
	"T", amqp.Timestamp(1<<40), "V", nil, "", "no name")

func someDefinitions() map[string]codec {
	long := strings.Repeat("é", 127)
	return map[string]codec{
		"vhost":             &vhostDefinition{"v/1"},
		"exchange":          &exchangeDefinition{0, "x", "topic", true, false, everything},
		"internal exchange": &exchangeDefinition{1 << 63, long, "direct", false, true, nil},
		"queue":             &queueDefinition{300, long, true, everything},
		"bare queue":        &queueDefinition{0, "", false, nil},
		"binding": &bindingDefinition{7, definedEnd{persistence.KindExchange, 128, ""},
			definedEnd{persistence.KindQueue, math.MaxUint64, ""}, "a.*.#", everything},
		"predeclared to exchange": &bindingDefinition{0, definedEnd{persistence.KindExchange, 0, "amq.topic"},
			definedEnd{persistence.KindExchange, 0, "amq.fanout"}, "", nil},
	}
}

// keepsAll checks that a definition comes back as it was, and only whole. It
// returns the body and what makes another of its type.
func keepsAll(t *testing.T, name string, d codec) (body []byte, fresh func() codec) {
	t.Helper()
	body, err := d.encode()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	fresh = func() codec { return reflect.New(reflect.TypeOf(d).Elem()).Interface().(codec) }
	back := fresh()
	if err := back.decode(body); err != nil || !reflect.DeepEqual(back, d) {
		t.Errorf("%s: %+v came back as %+v, %v", name, d, back, err)
	}
	for n := range body {
		if err := fresh().decode(body[:n]); err == nil {
			t.Errorf("%s: %d of %d bytes are accepted", name, n, len(body))
		}
	}
	if err := fresh().decode(append(bytes.Clone(body), 0)); err == nil {
		t.Errorf("%s: a byte too many is accepted", name)
	}
	return body, fresh
}

func TestDefinitionsKeepAll(t *testing.T) {
	for name, d := range someDefinitions() {
		body, fresh := keepsAll(t, name, d)
		newer := bytes.Clone(body)
		newer[0]++
		if err := fresh().decode(newer); err == nil || err.Error() != "its version is 2, and this program knows 1" {
			t.Errorf("%s: of a newer version it says %v", name, err)
		}
	}
	flags := queueDefinition{}
	if err := flags.decode([]byte("\x01\x00\x82\x01q\x00\x00\x00\x00")); err == nil || !strings.Contains(err.Error(), "0x82") {
		t.Errorf("of unknown flags it says %v", err)
	}
}

func TestDefinitionsAreBounded(t *testing.T) {
	f := openStored(t)
	big := args("x-big", strings.Repeat("a", persistence.MaxBody))
	_, err := f.DeclareQueue(QueueDeclare{Name: "q", Durable: true, Arguments: big}, me)
	f.wantError("queue", err, amqp.CodePreconditionFailed, "the definition takes 1048596 bytes, and the limit is 1048576")
	if f.hasQueue("q") {
		t.Error("it is there nevertheless")
	}
	f.must(f.DeclareExchange(ExchangeDeclare{Name: "x", Type: "direct", Durable: true}))
	if err := f.DeclareExchange(ExchangeDeclare{Name: "y", Type: "direct", Durable: true, Arguments: big}); err == nil || f.hasExchange("y") {
		t.Errorf("exchange: %v", err)
	}
	f.durable("q")
	if err := f.BindQueue("q", "x", "k", big, me); err == nil || len(f.Bindings()) != 1 {
		t.Errorf("binding: %v", err)
	}
	// What is in memory only has no such limit.
	_, err = f.DeclareQueue(QueueDeclare{Name: "transient", Arguments: big}, me)
	f.must(err)
}

func FuzzDefinition(f *testing.F) {
	kinds := []reflect.Type{}
	for _, d := range []codec{&vhostDefinition{}, &exchangeDefinition{}, &queueDefinition{}, &bindingDefinition{}} {
		kinds = append(kinds, reflect.TypeOf(d).Elem())
	}
	for _, d := range someDefinitions() {
		body, err := d.encode()
		if err != nil {
			f.Fatal(err)
		}
		for i := range kinds {
			f.Add(uint8(i), body)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		fresh := func() codec { return reflect.New(kinds[int(kind)%len(kinds)]).Interface().(codec) }
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
