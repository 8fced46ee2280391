package amqp

import (
	"testing"
)

// The terms are what RabbitMQ 3.10.8 put into its reply texts.
func TestTerm(t *testing.T) {
	cases := []struct {
		value      any
		name, term string
	}{
		{int8(1), "byte", "1"}, {uint8(1), "unsignedbyte", "1"}, {int16(1), "short", "1"},
		{uint16(5), "unsignedshort", "5"}, {int32(1), "signedint", "1"}, {uint32(5), "unsignedint", "5"},
		{int64(-1), "long", "-1"}, {1, "long", "1"}, {Timestamp(4), "timestamp", "4"},
		{1.5, "double", "1.5"}, {1e20, "double", "1.0e20"}, {100.0, "double", "100.0"},
		{1.5e-7, "double", "1.5e-7"}, {float32(0.1), "float", "0.10000000149011612"},
		{true, "bool", "true"}, {nil, "void", "undefined"},
		{Decimal{Scale: 1, Value: 15}, "decimal", "{1,15}"},
		{"foo", "longstr", `<<"foo">>`}, {"", "longstr", "<<>>"}, {"é", "longstr", "<<\"é\">>"},
		{"a\"b\\c\n\x1b", "longstr", `<<"a\"b\\c\n\e">>`}, {"\xff\x01", "longstr", "<<255,1>>"},
		{[]byte("all"), "binary", `<<"all">>`},
		{Array{}, "array", "[]"}, {Array{int32(1), "a"}, "array", `[{signedint,1},{longstr,<<"a">>}]`},
		{Table{{"a", int32(1)}, {"b", "c"}}, "table", `[{<<"a">>,signedint,1},{<<"b">>,longstr,<<"c">>}]`},
	}
	for _, c := range cases {
		if got := TypeName(c.value); got != c.name {
			t.Errorf("TypeName(%T) = %s, want %s", c.value, got, c.name)
		}
		if got := Term(c.value); got != c.term {
			t.Errorf("Term(%T %v) = %s, want %s", c.value, c.value, got, c.term)
		}
	}
}
