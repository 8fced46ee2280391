package amqp

import (
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTable_4_2_5_5_Values has each type with its bytes; the letters are
// RabbitMQ's.
func TestTable_4_2_5_5_Values(t *testing.T) {
	for _, c := range []struct {
		bytes string // of the value, letter first
		value any
	}{
		{"74 00", false}, {"74 01", true},
		{"62 ff", int8(-1)}, {"42 ff", uint8(255)},
		{"73 fffe", int16(-2)}, {"75 fffe", uint16(65534)},
		{"49 fffffffe", int32(-2)}, {"69 fffffffe", uint32(math.MaxUint32 - 1)},
		{"6c ffffffffffffffff", int64(-1)},
		{"66 3fc00000", float32(1.5)}, {"64 3ff8000000000000", 1.5},
		{"44 02 0000007b", Decimal{2, 123}}, {"44 c8 ffffffff", Decimal{200, -1}},
		{"53 00000000", ""}, {"53 00000002 c3a9", "é"}, {"53 00000001 ff", "\xff"},
		{"78 00000000", []byte{}}, {"78 00000002 00ff", []byte{0, 255}},
		{"41 00000000", Array{}}, {"41 00000003 56 7401", Array{nil, true}},
		{"46 00000000", Table(nil)}, {"46 00000003 01 61 56", Table{{"a", nil}}},
		{"54 0000000065 53f100", Timestamp(1_700_000_000)}, {"54 ffffffffffffffff", Timestamp(math.MaxUint64)},
		{"56", nil},
	} {
		raw := unhex(t, "00000000 01 6b"+c.bytes)
		raw[3] = byte(len(raw) - 4)
		want := Table{{"k", c.value}}
		got, rest, err := DecodeTable(append(raw[:len(raw):len(raw)], "rest"...))
		if err != nil || string(rest) != "rest" || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: decoded as %#v, rest %q, %v, want %#v", c.bytes, got, rest, err, want)
		}
		if got, err := AppendTable([]byte("before"), want); err != nil || string(got) != "before"+string(raw) {
			t.Errorf("%#v: encoded as %x, %v, want %x", c.value, got, err, raw)
		}
		if err := ValidateTable(raw); err != nil {
			t.Errorf("%s: %v", c.bytes, err)
		}
	}
}

// TestTable_OneWay has what decodes or encodes as something else.
func TestTable_OneWay(t *testing.T) {
	for _, c := range []struct {
		bytes string
		want  any
	}{
		{"00000004 01 6b 74 02", true},
		{"0000000b 01 6b 4c ffffffffffffffff", int64(-1)}, // L is signed in RabbitMQ
	} {
		got, _, err := DecodeTable(unhex(t, c.bytes))
		if want := (Table{{"k", c.want}}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v, want %#v", c.bytes, got, err, want)
		}
	}
	got, err := AppendTable(nil, Table{{"k", -2}})
	if want := unhex(t, "0000000b 01 6b 6c fffffffffffffffe"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("int: %x, %v, want %x", got, err, want)
	}
}

func TestTable_OrderAndRepeats(t *testing.T) {
	want := Table{{"b", int64(1)}, {"a", int64(2)}, {"b", int64(3)}, {"", nil}}
	raw, err := AppendTable(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := DecodeTable(raw); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := DecodeFields(raw[4:]); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("without the length: %v, %v, want %v", got, err, want)
	}
}

func TestTable_Malformed(t *testing.T) {
	for _, c := range []struct{ bytes, want string }{
		{"", "it ends too early"},
		{"000000", "it ends too early"},
		{"ffffffff", "it ends too early"},
		{"00000001", "it ends too early"},
		{"00000001 01", "it ends too early"},
		{"00000002 01 6b", "it ends too early"},
		{"00000003 01 6b 6c", "it ends too early"},
		{"00000003 01 6b 6c ffffffffffffffff", "it ends too early"}, // the value lies outside of the table
		{"00000007 01 6b 53 ffffffff", "it ends too early"},
		{"00000007 01 6b 41 00000001", "it ends too early"},
		{"00000003 01 6b 7a", "unknown field type"},
		{"00000008 01 6b 41 00000001 7a", "unknown field type"},
		{"00000007 01 6b 66 7fc00000", "a float is not a finite number"},
		{"0000000b 01 6b 64 fff0000000000000", "a float is not a finite number"},
	} {
		raw := unhex(t, c.bytes)
		want := Error{Code: CodeFrameError, Text: "cannot decode table: " + c.want}
		if got, _, err := DecodeTable(raw); got != nil || err == nil || *err.(*Error) != want {
			t.Errorf("%s: %v, %#v, want %#v", c.bytes, got, err, want)
		}
		if err := ValidateTable(raw); err == nil || *err.(*Error) != want {
			t.Errorf("%s: validated: %#v, want %#v", c.bytes, err, want)
		}
	}
	if err := ValidateTable([]byte{0, 0, 0, 0, 0}); err == nil {
		t.Error("a byte after the table: no error")
	}
}

// TestTable_ClaimsCostNothing: a length is not believed before its bytes.
func TestTable_ClaimsCostNothing(t *testing.T) {
	for _, bytes := range []string{"7fffffff", "00000007 01 6b 53 7fffffff", "00000007 01 6b 78 7fffffff", "00000007 01 6b 41 7fffffff"} {
		raw := unhex(t, bytes)
		if n := allocated(func() { DecodeTable(raw) }); n > 4096 {
			t.Errorf("%s: %d bytes allocated", bytes, n)
		}
	}
}

func TestTable_Depth(t *testing.T) {
	nest := func(levels int, wrap func(any) any) any {
		var v any
		for range levels {
			v = wrap(v)
		}
		return v
	}
	inTable := func(v any) any { return Table{{"k", v}} }
	inArray := func(v any) any { return Array{v} }
	for _, wrap := range []func(any) any{inTable, inArray} {
		raw, err := AppendTable(nil, Table{{"k", nest(maxTableDepth-1, wrap)}})
		if err != nil {
			t.Fatalf("at the bound: %v", err)
		}
		if _, _, err := DecodeTable(raw); err != nil {
			t.Errorf("at the bound: %v", err)
		}
		if err := ValidateTable(raw); err != nil {
			t.Errorf("at the bound: %v", err)
		}
		if _, err := AppendTable(nil, Table{{"k", nest(maxTableDepth, wrap)}}); err == nil {
			t.Error("beyond the bound: encoded")
		}
	}
	raw := []byte{0, 0, 0, 0}
	for range maxTableDepth {
		raw = appendLong(nil, "\x01kF"+string(raw))
	}
	const want = "FRAME_ERROR - cannot decode table: it is nested too deeply"
	if _, _, err := DecodeTable(raw); err == nil || err.Error() != want {
		t.Errorf("beyond the bound: %v", err)
	}
	if err := ValidateTable(raw); err == nil || err.Error() != want {
		t.Errorf("beyond the bound: %v", err)
	}
}

func TestTable_NoEncoding(t *testing.T) {
	for _, value := range []any{uint(1), uint64(1), math.NaN(), float32(math.Inf(1)), map[string]any{}, []any{}, []string{"a"}} {
		if raw, err := AppendTable(nil, Table{{"outer", Table{{"k", Array{value}}}}}); err == nil {
			t.Errorf("%T %v: encoded as %x", value, value, raw)
		}
	}
}

func TestLookupField(t *testing.T) {
	raw, err := AppendTable(nil, append(Table{{"CC", Array{"a", "b"}}, {"", int8(1)}, {"CC", nil}}, allTypes...))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want any
		ok   bool
	}{
		{"CC", Array{"a", "b"}, true}, {"", int8(1), true}, {"T", Timestamp(1_700_000_000), true}, {"V", nil, true}, {"BCC", nil, false},
	} {
		got, ok, err := LookupField(raw, c.name)
		if err != nil || ok != c.ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %v, %v, %v", c.name, got, ok, err)
		}
	}
	for n := range raw {
		if _, ok, err := LookupField(raw[:n], "none"); ok || err == nil {
			t.Errorf("cut at %d: %v, %v", n, ok, err)
		}
	}
}

func TestTable_WithAndWithout(t *testing.T) {
	base := Table{{"a", int64(1)}, {"b", int64(2)}, {"c", int64(3)}}
	for _, c := range []struct {
		name string
		got  Table
		want Table
	}{
		{"With replaces", base.With("b", "x"), Table{{"a", int64(1)}, {"b", "x"}, {"c", int64(3)}}},
		{"With appends", base.With("d", nil), Table{{"a", int64(1)}, {"b", int64(2)}, {"c", int64(3)}, {"d", nil}}},
		{"Without", base.Without("a", "c", "z"), Table{{"b", int64(2)}}},
		{"untouched", base, Table{{"a", int64(1)}, {"b", int64(2)}, {"c", int64(3)}}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}
