package amqp

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// everyProperty has one property each, in the order of the wire.
var everyProperty = []struct {
	flag  PropertyFlags
	props BasicProperties
	bytes string // after the flags
}{
	{HasContentType, BasicProperties{ContentType: "a"}, "0161"},
	{HasContentEncoding, BasicProperties{ContentEncoding: "a"}, "0161"},
	{HasHeaders, BasicProperties{Headers: Table{{"k", true}}}, "00000004 016b 7401"},
	{HasDeliveryMode, BasicProperties{DeliveryMode: 2}, "02"},
	{HasPriority, BasicProperties{Priority: 9}, "09"},
	{HasCorrelationID, BasicProperties{CorrelationID: "a"}, "0161"},
	{HasReplyTo, BasicProperties{ReplyTo: "a"}, "0161"},
	{HasExpiration, BasicProperties{Expiration: "1"}, "0131"},
	{HasMessageID, BasicProperties{MessageID: "a"}, "0161"},
	{HasTimestamp, BasicProperties{Timestamp: 1}, "0000000000000001"},
	{HasType, BasicProperties{Type: "a"}, "0161"},
	{HasUserID, BasicProperties{UserID: "a"}, "0161"},
	{HasAppID, BasicProperties{AppID: "a"}, "0161"},
	{HasClusterID, BasicProperties{ClusterID: "a"}, "0161"},
}

// TestProperties_1_8_1_Each has every property alone, both ways.
func TestProperties_1_8_1_Each(t *testing.T) {
	for i, c := range everyProperty {
		if c.flag != 1<<(15-i) {
			t.Errorf("property %d has flag %016b", i, c.flag)
		}
		want := append([]byte{byte(c.flag >> 8), byte(c.flag)}, unhex(t, c.bytes)...)
		raw, err := c.props.Append(nil)
		if err != nil || !bytes.Equal(raw, want) {
			t.Errorf("%016b: %x, %v, want %x", c.flag, raw, err, want)
		}
		decoded, err := Properties(raw).Decode()
		c.props.Present = c.flag
		if err != nil || !reflect.DeepEqual(decoded, c.props) {
			t.Errorf("%016b: %+v, %v, want %+v", c.flag, decoded, err, c.props)
		}
	}
}

func TestProperties_Scan(t *testing.T) {
	for _, c := range []struct {
		props BasicProperties
		want  PropertyInfo
	}{
		{BasicProperties{}, PropertyInfo{}},
		{BasicProperties{ContentType: "t", Type: "t"}, PropertyInfo{}},
		{BasicProperties{DeliveryMode: 2, Priority: 3, ReplyTo: "r", Expiration: "60", UserID: "u", AppID: "a"},
			PropertyInfo{DeliveryMode: 2, HasDeliveryMode: true, Priority: 3, HasPriority: true, ReplyTo: []byte("r"), Expiration: []byte("60"), UserID: []byte("u")}},
		{BasicProperties{Headers: Table{{"k", nil}}}, PropertyInfo{HasHeaders: true, Headers: []byte("\x00\x00\x00\x03\x01kV")}},
		{BasicProperties{Present: HasHeaders | HasExpiration | HasPriority},
			PropertyInfo{HasHeaders: true, Headers: []byte{0, 0, 0, 0}, Expiration: []byte{}, HasPriority: true}},
	} {
		raw, err := c.props.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Properties(raw).Scan(); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: %+v, %v, want %+v", c.props, got, err, c.want)
		}
	}
	if got, err := Properties(nil).Scan(); err != nil || !reflect.DeepEqual(got, PropertyInfo{}) {
		t.Errorf("nil: %+v, %v", got, err)
	}
}

// TestProperties_Malformed: RabbitMQ 3.10 answers all of these with a bare
// INTERNAL_ERROR, and lets the reserved flag pass.
func TestProperties_Malformed(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		ok          bool
	}{
		{"one byte", "00", false},
		{"a second flags word", "0001 0000", false},
		{"bytes left over", "0000 01", false},
		{"string cut", "8000 05 61", false},
		{"headers of an unknown type", "2000 00000003 016b7a", false},
		{"headers with NaN", "2000 00000007 016b66 7fc00000", false},
		{"timestamp cut", "0040 00000000000000", false},
		{"reserved flag", "0002", true},
		{"string that is not UTF-8", "8000 01 ff", true},
	} {
		p := Properties(unhex(t, c.bytes))
		_, scanErr := p.Scan()
		_, decodeErr := p.Decode()
		for _, err := range []error{scanErr, decodeErr} {
			if c.ok && err != nil || !c.ok && (err == nil || err.Error() != "INTERNAL_ERROR") {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

func TestProperties_Headers(t *testing.T) {
	for _, c := range []struct {
		props BasicProperties
		want  Table
	}{
		{BasicProperties{}, nil},
		{BasicProperties{ContentType: "t", Headers: allTypes, AppID: "a"}, allTypes},
	} {
		raw, err := c.props.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Properties(raw).Headers(); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("got %v, %v, want %v", got, err, c.want)
		}
	}
	if _, err := Properties(unhex(t, "2000 00000003 016b7a")).Headers(); err == nil {
		t.Error("malformed headers: no error")
	}
}

// TestProperties_With edits one property of lists that have all, only it, or
// none, and wants all others to stay.
func TestProperties_With(t *testing.T) {
	full := BasicProperties{}
	for _, s := range propertySamples {
		full = s.props // the last has every property
	}
	edits := []struct {
		name string
		raw  func(Properties) (Properties, error)
		set  func(*BasicProperties)
	}{
		{"WithHeaders", func(p Properties) (Properties, error) { return p.WithHeaders(Table{{"new", int64(1)}}) },
			func(b *BasicProperties) { b.Headers = Table{{"new", int64(1)}} }},
		{"WithHeaders(nil)", func(p Properties) (Properties, error) { return p.WithHeaders(nil) },
			func(b *BasicProperties) { b.Headers = nil }},
		{"WithoutExpiration", func(p Properties) (Properties, error) { return p.WithoutExpiration(), nil },
			func(b *BasicProperties) { b.Expiration = "" }},
		{"WithReplyTo", func(p Properties) (Properties, error) { return p.WithReplyTo("amq.rabbitmq.reply-to.g1") },
			func(b *BasicProperties) { b.ReplyTo = "amq.rabbitmq.reply-to.g1" }},
	}
	for _, before := range []BasicProperties{{}, full, {Headers: allTypes}, {Expiration: "1"}, {ReplyTo: "r"}, {ContentType: "c"}, {ClusterID: "c"}} {
		raw, err := before.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		untouched := bytes.Clone(raw)
		for _, e := range edits {
			after := before
			e.set(&after)
			want, err := after.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := e.raw(Properties(raw)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s of %+v: %x, %v, want %x", e.name, before, got, err, want)
			}
			if !bytes.Equal(raw, untouched) {
				t.Fatalf("%s changed its receiver", e.name)
			}
		}
	}
}

func TestProperties_WithRefusals(t *testing.T) {
	if _, err := Properties(nil).WithReplyTo(strings.Repeat("r", 256)); err == nil {
		t.Error("a reply-to of 256 bytes: no error")
	}
	if _, err := Properties(nil).WithHeaders(Table{{"k", uint64(1)}}); err == nil {
		t.Error("headers without encoding: no error")
	}
	cut := Properties{0x80, 0, 5, 'a'}
	if _, err := cut.WithReplyTo("r"); err == nil {
		t.Error("a malformed list: no error")
	}
	if _, err := (BasicProperties{ContentType: strings.Repeat("c", 256)}).Append(nil); err == nil {
		t.Error("a content type of 256 bytes: no error")
	}
	got, err := Properties(nil).WithReplyTo("r")
	if want := (Properties{0x02, 0, 1, 'r'}); err != nil || !bytes.Equal(got, want) {
		t.Errorf("reply-to on no list: %x, %v", got, err)
	}
}
