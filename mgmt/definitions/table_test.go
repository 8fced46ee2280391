package definitions

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

func TestParseTable(t *testing.T) {
	for _, c := range []struct {
		in   string
		want amqp.Table
		out  string // of TableObject; empty for that which went in
	}{
		{``, nil, `{}`},
		{`null`, nil, `{}`},
		{`[]`, nil, `{}`},
		{`{}`, amqp.Table{}, ``},
		{`{"b":true,"a":5}`, amqp.Table{{Name: "a", Value: int64(5)}, {Name: "b", Value: true}}, `{"a":5,"b":true}`},
		{`{"f":1.0}`, amqp.Table{{Name: "f", Value: 1.0}}, ``},
		{`{"e":1e3}`, amqp.Table{{Name: "e", Value: 1000.0}}, `{"e":1000.0}`},
		{`{"n":null,"s":"é"}`, amqp.Table{{Name: "n"}, {Name: "s", Value: "é"}}, ``},
		{`{"l":[1,"x",{"y":[]}]}`, amqp.Table{{Name: "l", Value: amqp.Array{int64(1), "x", amqp.Table{{Name: "y", Value: amqp.Array{}}}}}}, ``},
		{`{"m":-9223372036854775808}`, amqp.Table{{Name: "m", Value: int64(math.MinInt64)}}, ``},
	} {
		got, err := ParseTable(json.RawMessage(c.in))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, %v", c.in, got, err)
		}
		out, err := json.Marshal(TableObject(got))
		if c.out == "" {
			c.out = c.in
		}
		if err != nil || string(out) != c.out {
			t.Errorf("%s comes out as %s, %v", c.in, out, err)
		}
	}
	for in, want := range map[string]string{
		`5`:                              `should be an object, actually was 5`,
		`[1]`:                            `should be an object, actually was [1]`,
		`{"a":{"b":[1,1e999]}}`:          `a.b[1]: the number 1e999 is too large`,
		`{"a":18446744073709551615}`:     `a: the number 18446744073709551615 does not fit into 64 bits`,
		`"` + string(make60("x")) + `x"`: `should be an object, actually was "` + string(make60("x")[1:]) + `…`,
	} {
		if _, err := ParseTable(json.RawMessage(in)); err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", in, err, want)
		}
	}
}

// What could not be stored is refused before, and costs no more than it is long.
func TestParseTableNestedTooDeeply(t *testing.T) {
	nested := func(open, inner, shut string, n int) json.RawMessage {
		return json.RawMessage(strings.Repeat(open, n) + inner + strings.Repeat(shut, n))
	}
	deepest, err := ParseTable(nested(`{"a":`, "1", "}", 64))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := amqp.AppendTable(nil, deepest); err != nil {
		t.Errorf("what is accepted does not fit the wire: %v", err)
	}
	name := `{"` + strings.Repeat("n", 255) + `":`
	for _, in := range []json.RawMessage{
		nested(`{"a":`, "1", "}", 65), nested(name, "1", "}", 5000),
		json.RawMessage(`{"a":` + string(nested("[", "", "]", 64)) + "}"),
	} {
		if _, err := ParseTable(in); err == nil || !strings.HasSuffix(err.Error(), ": it is nested too deeply") {
			t.Errorf("%.20s…: %v", in, err)
		}
	}
}

func make60(letter string) (out []byte) {
	for range 60 {
		out = append(out, letter...)
	}
	return out
}

func TestTableObjectOfWhatJSONHasNot(t *testing.T) {
	out, err := json.Marshal(TableObject(amqp.Table{
		{Name: "i", Value: int32(5)}, {Name: "t", Value: amqp.Timestamp(9)}, {Name: "x", Value: []byte("raw")},
		{Name: "f", Value: float32(0.5)}, {Name: "d", Value: amqp.Decimal{Scale: 2, Value: 150}},
		{Name: "nan", Value: math.NaN()}, {Name: "inf", Value: math.Inf(-1)}, {Name: "i", Value: "again"},
	}))
	const want = `{"d":1.5,"f":0.5,"i":5,"inf":"-Inf","nan":"NaN","t":9,"x":"raw"}`
	if err != nil || string(out) != want {
		t.Errorf("%s, %v\nwant %s", out, err, want)
	}
}
