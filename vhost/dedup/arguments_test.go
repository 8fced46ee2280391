package dedup

import (
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

func TestSet(t *testing.T) {
	for _, c := range []struct {
		argument string
		value    any
		want     Options
		term     string
	}{
		{Argument, true, Options{Enabled: true}, ""},
		{Argument, false, Options{}, ""},
		{Argument, int32(1), Options{}, "{unacceptable_type,signedint}"},
		{Argument, "true", Options{}, "{unacceptable_type,longstr}"},
		{Argument, nil, Options{}, "{unacceptable_type,void}"},
		{ArgumentHeader, "id", Options{Header: "id"}, ""},
		{ArgumentHeader, strings.Repeat("x", 255), Options{Header: strings.Repeat("x", 255)}, ""},
		{ArgumentHeader, "", Options{}, `"expected the name of a header"`},
		{ArgumentHeader, strings.Repeat("x", 256), Options{}, `"expected the name of a header"`},
		{ArgumentHeader, true, Options{}, "{unacceptable_type,bool}"},
		{ArgumentSize, int8(1), Options{Size: 1}, ""},
		{ArgumentSize, int64(MaxSize), Options{Size: MaxSize}, ""},
		{ArgumentSize, int64(MaxSize + 1), Options{}, "{max_value_exceeded,1000001}"},
		{ArgumentSize, int32(0), Options{}, "{value_zero,0}"},
		{ArgumentSize, int32(-1), Options{}, "{value_negative,-1}"},
		{ArgumentSize, "128", Options{}, `"expected integer, got longstr"`},
		{ArgumentSize, 1.5, Options{}, `"expected integer, got double"`},
		{ArgumentTTL, int32(250), Options{TTL: 250 * time.Millisecond}, ""},
		{ArgumentTTL, int64(maxTTL), Options{TTL: maxTTL * time.Millisecond}, ""},
		{ArgumentTTL, int64(maxTTL + 1), Options{}, "{value_too_large,315360000001}"},
		{ArgumentTTL, int32(0), Options{}, "{value_zero,0}"},
		{ArgumentTTL, int32(-5), Options{}, "{value_negative,-5}"},
		{ArgumentTTL, amqp.Array{}, Options{}, `"expected integer, got array"`},
	} {
		var o Options
		term := o.Set(c.argument, c.value)
		if term != c.term || term == "" && o != c.want {
			t.Errorf("%s %v: got %+v, %s; want %+v, %s", c.argument, c.value, o, term, c.want, c.term)
		}
	}
}

func TestParse(t *testing.T) {
	o, argument, term := Parse(amqp.Table{{Name: ArgumentTTL, Value: int32(5)}, {Name: "other", Value: nil},
		{Name: Argument, Value: true}, {Name: ArgumentSize, Value: uint8(7)}, {Name: ArgumentHeader, Value: "h"}})
	want := Options{Enabled: true, Header: "h", Size: 7, TTL: 5 * time.Millisecond}
	if o != want || argument != "" || term != "" {
		t.Errorf("got %+v, %s, %s", o, argument, term)
	}
	// What means nothing without the first is checked all the same.
	o, argument, term = Parse(amqp.Table{{Name: ArgumentTTL, Value: "5"}, {Name: ArgumentSize, Value: int8(0)}})
	if o != (Options{}) || argument != ArgumentSize || term != "{value_zero,0}" {
		t.Errorf("got %+v, %s, %s", o, argument, term)
	}
}
