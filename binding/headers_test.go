package binding

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// table makes a table of alternating names and values.
func table(pairs ...any) amqp.Table {
	var t amqp.Table
	for i := 0; i < len(pairs); i += 2 {
		t = append(t, amqp.Field{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return t
}

func xMatch(mode string, pairs ...any) amqp.Table {
	return append(table("x-match", mode), table(pairs...)...)
}

func headersMatch(t *testing.T, args, headers amqp.Table) bool {
	t.Helper()
	x := NewHeaders[int]()
	mustAdd(t, x, "", args, 1)
	var s Scratch
	return len(x.Match(headers, &s, nil)) > 0
}

// The answers are those of RabbitMQ 3.10.8 to the same bindings and messages.
var headersCases = []struct {
	args, headers amqp.Table
	want          bool
}{
	// Nothing to compare.
	{nil, nil, true}, {nil, table("a", int32(1)), true},
	{xMatch("all"), nil, true}, {xMatch("any"), nil, false}, {xMatch("any"), table("a", int32(1)), false},
	{xMatch("all-with-x"), nil, true}, {xMatch("any-with-x"), nil, false},
	{xMatch("all-with-x"), table("x-match", "all-with-x"), true},
	{xMatch("any-with-x"), table("x-match", "any-with-x"), false},
	// Several arguments.
	{table("a", int32(1), "b", int32(2)), table("b", int32(2), "a", int32(1), "c", int32(3)), true},
	{table("a", int32(1), "b", int32(2)), table("a", int32(1)), false},
	{xMatch("all", "a", int32(2), "b", int32(1)), table("b", int32(1), "a", int32(2)), true},
	{xMatch("all", "a", int32(2)), table("b", int32(1), "a", int32(2), "A", int32(3)), true},
	{xMatch("any", "a", int32(1), "b", int32(2)), table("b", int32(2)), true},
	{xMatch("any", "a", int32(1), "b", int32(2)), table("a", int32(2), "b", int32(1)), false},
	{xMatch("any", "a", int32(1)), nil, false},
	// x- arguments.
	{xMatch("all", "x-a", int32(1)), table("x-a", int32(2)), true},
	{xMatch("all", "x-a", int32(1)), nil, true},
	{xMatch("any", "x-a", int32(1)), table("x-a", int32(1)), false},
	{xMatch("all-with-x", "x-a", int32(1)), table("x-a", int32(1)), true},
	{xMatch("all-with-x", "x-a", int32(1)), table("x-a", int32(2)), false},
	{xMatch("all-with-x", "x-a", int32(1)), nil, false},
	{xMatch("any-with-x", "x-a", int32(1)), table("x-a", int32(1)), true},
	{xMatch("any-with-x", "x-a", int32(1)), table("x-a", int32(2)), false},
	{xMatch("all-with-x", "x-a", int32(1), "b", int32(2)), table("b", int32(2), "x-a", int32(1)), true},
	// Void asks for presence.
	{table("k", nil), table("k", nil), true}, {table("k", nil), table("k", int32(1)), true},
	{table("k", nil), nil, false}, {xMatch("any", "k", nil), table("k", "v"), true},
	{table("k", int32(1)), table("k", nil), false}, {table("k", ""), table("k", nil), false},
	// One name several times: the first with the first, and so on.
	{xMatch("all", "a", int32(1), "a", int32(2)), table("a", int32(1)), false},
	{xMatch("all", "a", int32(1), "a", int32(2)), table("a", int32(1), "a", int32(2)), true},
	{xMatch("all", "a", int32(1), "a", int32(2)), table("a", int32(2), "a", int32(1)), false},
	{xMatch("any", "a", int32(1), "a", int32(2)), table("a", int32(2)), false},
	{xMatch("all", "a", int32(1)), table("a", int32(2), "a", int32(1)), false},
	{xMatch("all", "a", int32(1)), table("a", int32(1), "a", int32(2)), true},
	{xMatch("any", "a", int32(1)), table("a", int32(2), "a", int32(1)), false},
	{table("x-match", "all", "x-match", "any", "a", int32(1), "b", int32(1)), table("a", int32(1)), false},
	{table("x-match", "any", "x-match", "all", "a", int32(1), "b", int32(1)), table("a", int32(1)), true},
}

func TestHeadersMatch(t *testing.T) {
	var s Scratch
	all := NewHeaders[int]()
	for i, c := range headersCases {
		mustAdd(t, all, "", c.args, i)
		if got := headersMatch(t, c.args, c.headers); got != c.want {
			t.Errorf("alone: %v matches %v = %t, want %t", c.args, c.headers, got, c.want)
		}
	}
	for i, c := range headersCases {
		// A binding of an earlier case may be the same one but for its destination.
		if got := slices.Contains(all.Match(c.headers, &s, nil), i); got != c.want {
			t.Errorf("among others: %v matches %v = %t, want %t", c.args, c.headers, got, c.want)
		}
	}
}

func TestHeadersValues(t *testing.T) {
	cases := []struct {
		arg, header any
		want        bool // as RabbitMQ 3.10.8 answers
	}{
		{int32(1), int64(1), true}, {int32(1), int16(1), true}, {int8(-1), int64(-1), true}, {uint8(255), int32(255), true},
		{int32(1), int32(2), false}, {int32(1), float64(1), true}, {float64(1), int64(1), true},
		{float32(0.5), float64(0.5), true}, {float64(0.5), float64(0.25), false},
		{int64(1<<53 | 1), float64(1 << 53), false}, {int64(1 << 53), float64(1 << 53), true},
		{negativeZero(), int32(0), true}, {negativeZero(), float64(0), true},
		{int32(5), amqp.Timestamp(5), true}, {amqp.Timestamp(5), int64(5), true},
		{amqp.Timestamp(1<<64 - 1), int64(-1), false}, {amqp.Timestamp(1<<64 - 1), amqp.Timestamp(1<<64 - 1), true},
		{true, true, true}, {true, false, false}, {int32(1), true, false}, {true, "true", false},
		{"a", []byte("a"), true}, {"a", "A", false}, {"a", "ab", false}, {"1", int32(1), false},
		{amqp.Decimal{Scale: 1, Value: 15}, amqp.Decimal{Scale: 1, Value: 15}, true},
		{amqp.Decimal{Scale: 1, Value: 15}, amqp.Decimal{Scale: 2, Value: 150}, false},
		{amqp.Decimal{Scale: 1, Value: 15}, 1.5, false}, {amqp.Decimal{Value: 1}, int32(1), false},
		{table("a", int32(1)), table("a", int32(1)), true}, {table("a", int32(1)), table("a", int32(2)), false},
		{table("a", int32(1), "b", int32(2)), table("b", int32(2), "a", int32(1)), false},
		{table("a", true), table("a", true), true}, {amqp.Array{}, amqp.Table{}, true},
		{amqp.Array{int32(1)}, amqp.Array{int32(1)}, true}, {amqp.Array{int32(1)}, amqp.Array{1.0}, false},
		{amqp.Array{1.0}, amqp.Array{1.0}, true}, {amqp.Array{"a"}, amqp.Array{[]byte("a")}, false},
		{amqp.Array{int32(1)}, amqp.Array{int32(1), int32(1)}, false}, {amqp.Array{nil}, amqp.Array{nil}, true},
		{amqp.Array{int32(1)}, amqp.Array{int64(1)}, false}, {table("a", int32(1)), table("a", int64(1)), false},
		{amqp.Array{float32(0.5)}, amqp.Array{0.5}, false}, {amqp.Array{amqp.Array{}}, amqp.Array{amqp.Table{}}, false},
		{table("a", table("b", uint8(1))), table("a", table("b", int8(1))), false}, {table("a", table("b", int8(1))), table("a", table("b", int8(1))), true},
	}
	for _, c := range cases {
		if got := headersMatch(t, table("k", c.arg), table("k", c.header)); got != c.want {
			t.Errorf("%T %v matches %T %v = %t, want %t", c.arg, c.arg, c.header, c.header, got, c.want)
		}
	}
}

func negativeZero() float64 { z := 0.0; return -z }

func TestHeadersRefusesMatchArgument(t *testing.T) {
	const (
		badValue = "Invalid x-match field value %s; expected all, any, all-with-x, or any-with-x"
		badType  = "Invalid x-match field type %s (value %s); expected longstr"
	)
	cases := []struct {
		value any
		want  *amqp.Error
	}{
		{"foo", amqp.PreconditionFailed(badValue, `<<"foo">>`)},
		{"", amqp.PreconditionFailed(badValue, `<<>>`)},
		{"ALL", amqp.PreconditionFailed(badValue, `<<"ALL">>`)},
		{"\xff\x01", amqp.PreconditionFailed(badValue, `<<255,1>>`)},
		{int32(1), amqp.PreconditionFailed(badType, "signedint", "1")},
		{[]byte("all"), amqp.PreconditionFailed(badType, "binary", `<<"all">>`)},
		{nil, amqp.PreconditionFailed(badType, "void", "undefined")},
	}
	for _, c := range cases {
		x := NewHeaders[int]()
		_, err := x.Add("", table("x-match", c.value), 1)
		var e *amqp.Error
		if !errors.As(err, &e) || *e != *c.want {
			t.Errorf("x-match %v: %v, want %v", c.value, err, c.want)
		}
		if x.Len() != 0 || len(x.destinations) != 0 {
			t.Errorf("x-match %v was refused, but something is left of it", c.value)
		}
	}
}

// naiveHeaders is x-match as documented, for headers without doubles.
func naiveHeaders(args, headers amqp.Table) bool {
	mode, _ := args.Get("x-match")
	wanted, met := 0, 0
	for _, a := range args {
		if a.Name == "x-match" || a.Name[0] == 'x' && mode != "all-with-x" && mode != "any-with-x" {
			continue
		}
		wanted++
		if v, ok := headers.Get(a.Name); ok && (a.Value == nil || a.Value == v) {
			met++
		}
	}
	if mode == "any" || mode == "any-with-x" {
		return met > 0
	}
	return met == wanted
}

func TestHeadersAgainstDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	randomTable := func() (t amqp.Table) {
		for _, name := range []string{"a", "b", "c", "x-d"} {
			if value := []any{nil, int64(1), int64(2), "s"}[random.IntN(4)]; random.IntN(2) == 0 {
				t = append(t, amqp.Field{Name: name, Value: value})
			}
		}
		return t
	}
	var s Scratch
	for range 100 {
		x := NewHeaders[string]()
		bound := map[string]amqp.Table{}
		for range 60 {
			args := append(randomTable(), xMatch([]string{"all", "any", "all-with-x", "any-with-x"}[random.IntN(4)])...)
			id := Identity(args)
			if random.IntN(3) > 0 {
				mustAdd(t, x, "", args, id)
				bound[id] = args
			} else {
				x.Remove("", args, id)
				delete(bound, id)
			}
		}
		for range 20 {
			headers := randomTable()
			got := sorted(x.Match(headers, &s, nil))
			var want []string
			for id, args := range bound {
				if naiveHeaders(args, headers) {
					want = append(want, id)
				}
			}
			if want = sorted(want); !slices.Equal(got, want) {
				t.Fatalf("headers %v: got %q, want %q", headers, got, want)
			}
		}
		for id := range bound {
			x.RemoveDestination(id)
		}
		if len(x.files) > 0 || len(x.always) > 0 {
			t.Fatalf("all bindings are gone, but filters are left: %v, %v", x.files, x.always)
		}
	}
}

// A binding that needs all is a candidate only where its rarest header occurs.
func TestHeadersLooksAtCandidatesOnly(t *testing.T) {
	x := NewHeaders[int]()
	for i := range 1000 {
		mustAdd(t, x, "", table("common", "yes", "id", int64(i)), i)
	}
	for key, file := range x.files {
		if len(file) > 1 {
			t.Errorf("%d bindings are filed under %q", len(file), key)
		}
	}
	var s Scratch
	if got := x.Match(table("id", int32(7), "common", "yes"), &s, nil); !slices.Equal(got, []int{7}) {
		t.Errorf("match = %v, want 7", got)
	}
}
