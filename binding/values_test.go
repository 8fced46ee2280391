package binding

import (
	"bytes"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

func TestIdentity(t *testing.T) {
	cases := []struct {
		a, b amqp.Table
		same bool
	}{
		{nil, amqp.Table{}, true},
		{nil, table("a", nil), false},
		{table("a", int32(1)), table("a", int64(1)), true},
		{table("a", float32(1)), table("a", float64(1)), true},
		{table("a", 1), table("a", int8(1)), true},
		{table("a", int32(1), "b", int32(2)), table("b", int32(2), "a", int32(1)), true},
		{table("a", int32(1), "a", int32(2)), table("a", int32(2), "a", int32(1)), false},
		{table("a", int32(1)), table("b", int32(1)), false},
		{table("a", int32(1)), table("a", int32(2)), false},
		{table("a", int32(1)), table("a", 1.0), false},
		{table("a", int32(1)), table("a", amqp.Timestamp(1)), false},
		{table("a", "q"), table("a", []byte("q")), false},
		{table("a", true), table("a", false), false},
		{table("a", "b", "c", "d"), table("a", "bcd"), false},
		{table("ab", "c"), table("a", "bc"), false},
		{table("a", table("x", int32(1))), table("a", table("x", int64(1))), true},
		{table("a", table("x", int32(1), "y", int32(2))), table("a", table("y", int32(2), "x", int32(1))), false},
		{table("a", amqp.Array{}), table("a", amqp.Table{}), false},
		{table("a", amqp.Array{"b", "c"}), table("a", amqp.Array{"b"}, "c", "d"), false},
		{table("a", amqp.Decimal{Scale: 1, Value: 2}), table("a", amqp.Decimal{Scale: 2, Value: 1}), false},
		{table("a", struct{ n int }{1}), table("a", struct{ n int }{2}), false},
	}
	for _, c := range cases {
		if got := Identity(c.a) == Identity(c.b); got != c.same {
			t.Errorf("%v and %v are the same = %t, want %t", c.a, c.b, got, c.same)
		}
	}
	if Identity(amqp.Table{}) != "" || Identity(table("a", nil)) == "" {
		t.Error("only an empty table may have an empty identity")
	}
}

func TestIdentityLeavesTheTableAlone(t *testing.T) {
	args := table("b", int32(1), "a", int32(2))
	Identity(args)
	if args[0].Name != "b" {
		t.Errorf("sorted in place: %v", args)
	}
}

// FuzzValues feeds tables off the wire: equal bytes must have equal encodings,
// whatever is in them, and a match must not panic.
func FuzzValues(f *testing.F) {
	for _, t := range []amqp.Table{
		nil, table("a", int32(1), "b", "text"), xMatch("any", "k", nil),
		table("x", amqp.Array{table("y", 1.5), amqp.Timestamp(3), []byte{0}}, "x-z", amqp.Decimal{Scale: 1, Value: 2}),
	} {
		raw, err := amqp.AppendTable(nil, t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		first, _, err := amqp.DecodeTable(raw)
		if err != nil {
			t.Skip()
		}
		second, _, err := amqp.DecodeTable(bytes.Clone(raw))
		if err != nil {
			t.Fatal(err)
		}
		if Identity(first) != Identity(second) {
			t.Fatalf("%v is not itself", first)
		}
		amqp.Term(first)
		x := NewHeaders[int]()
		if _, err := x.Add("", first, 1); err != nil {
			return
		}
		var s Scratch
		got := len(x.Match(second, &s, nil)) > 0
		if all := !x.entries[identity{0, "", Identity(first)}].filter.any; all && !got {
			t.Fatalf("all of %v do not match themselves", first)
		}
		if !x.Remove("", second, 1) || len(x.files)+len(x.always) > 0 {
			t.Fatalf("%v was not removed", first)
		}
	})
}
