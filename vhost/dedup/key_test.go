package dedup

import (
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// message makes one with headers, given as names and values in turn.
func message(pairs ...any) *amqp.Message {
	table := amqp.Table{}
	for i := 0; i < len(pairs); i += 2 {
		table = append(table, amqp.Field{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	props, err := amqp.Properties(nil).WithHeaders(table)
	if err != nil {
		panic(err)
	}
	m := amqp.NewMessage("x", []byte("k"), props, 0)
	m.HasHeaders = true
	return m
}

// Each group is values that are the same; no two groups have a key in common.
func TestKeyOf(t *testing.T) {
	groups := [][]any{
		{"", ""}, {"1"}, {"a", "a"}, {[]byte("a"), []byte("a")}, {strings.Repeat("long", 500), strings.Repeat("long", 500)},
		{strings.Repeat("long", 500) + "."}, {strings.Repeat("x", 254)}, {strings.Repeat("x", 255)}, {strings.Repeat("x", 256)},
		{int8(1), uint8(1), int16(1), uint16(1), int32(1), uint32(1), int64(1)}, {int8(-1), int64(-1)}, {int64(255), uint8(255)},
		{float32(1.5), 1.5}, {1.0}, {true}, {false}, {amqp.Timestamp(1)}, {amqp.Decimal{Scale: 1, Value: 1}},
		{amqp.Array{"a", int32(1)}}, {amqp.Array{}}, {amqp.Table{{Name: "a", Value: "b"}}}, {amqp.Table{}},
	}
	seen := map[Key]int{}
	for i, group := range groups {
		for _, v := range group {
			k, ok := keyOf(v)
			if !ok {
				t.Errorf("%#v has no key", v)
			}
			if of, ok := seen[k]; ok && of != i {
				t.Errorf("%#v has the key of %#v", v, groups[of][0])
			}
			seen[k] = i
		}
	}
	if len(seen) != len(groups) {
		t.Errorf("%d keys of %d values", len(seen), len(groups))
	}
	for _, v := range []any{nil, struct{}{}} {
		if _, ok := keyOf(v); ok {
			t.Errorf("%#v has a key", v)
		}
	}
}

// A key is on disk for ever.
func TestKeyStays(t *testing.T) {
	k, _ := keyOf("a") // SHA-256 of "sa"
	if want := (Key{0x4c, 0xf6, 0x82, 0x9a, 0xa9, 0x37, 0x28, 0xe8, 0xf3, 0xc9, 0x7d, 0xf9, 0x13, 0xfb, 0x1b, 0xfa}); k != want {
		t.Errorf("got %#v", k)
	}
}

func TestOf(t *testing.T) {
	a, _ := keyOf("a")
	deaths := func(pairs ...any) amqp.Array {
		var d amqp.Table
		for i := 0; i < len(pairs); i += 2 {
			d = append(d, amqp.Field{Name: pairs[i].(string), Value: pairs[i+1]})
		}
		return amqp.Array{"nonsense", amqp.Table{}, d}
	}
	plain := Config{Kind: persistence.KindQueue, Name: "q"}
	named := Config{Options: Options{Header: "id", TTL: time.Second}, Kind: persistence.KindExchange, Name: "q"}
	for name, c := range map[string]struct {
		config Config
		m      *amqp.Message
		ok     bool
		ttl    time.Duration
	}{
		"no headers":          {plain, amqp.NewMessage("x", nil, nil, 0), false, 0},
		"other headers":       {plain, message("id", "a"), false, 0},
		"void":                {plain, message(DefaultHeader, nil), false, 0},
		"default header":      {plain, message("id", "b", DefaultHeader, "a"), true, 0},
		"named header":        {named, message("id", "a", DefaultHeader, "b"), true, time.Second},
		"own ttl":             {named, message("id", "a", ArgumentTTL, int32(5)), true, 5 * time.Millisecond},
		"own ttl alone":       {plain, message(DefaultHeader, "a", ArgumentTTL, int64(7)), true, 7 * time.Millisecond},
		"ttl of 0":            {named, message("id", "a", ArgumentTTL, int32(0)), true, -1},
		"ttl is negative":     {named, message("id", "a", ArgumentTTL, int32(-1)), true, time.Second},
		"ttl is no number":    {named, message("id", "a", ArgumentTTL, "5"), true, time.Second},
		"ttl for ever":        {named, message("id", "a", ArgumentTTL, int64(1<<62)), true, maxTTL * time.Millisecond},
		"back in its queue":   {plain, message(DefaultHeader, "a", "x-death", deaths("queue", "q")), false, 0},
		"from another queue":  {plain, message(DefaultHeader, "a", "x-death", deaths("queue", "r", "exchange", "q")), true, 0},
		"back by exchange":    {named, message("id", "a", "x-death", deaths("exchange", "q")), false, 0},
		"by another exchange": {named, message("id", "a", "x-death", deaths("queue", "q", "exchange", "")), true, time.Second},
		"x-death is nonsense": {named, message("id", "a", "x-death", "q"), true, time.Second},
	} {
		s, ok := New(c.config).Of(c.m)
		if ok != c.ok || ok && (s.Key != a || s.TTL != c.ttl) {
			t.Errorf("%s: got %v, %v", name, s, ok)
		}
	}
	spoiled := message(DefaultHeader, "a")
	spoiled.Properties = spoiled.Properties[:len(spoiled.Properties)-1]
	if _, ok := New(plain).Of(spoiled); ok {
		t.Error("damaged properties have a key")
	}
}
