package amqp

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

func TestParseMethod_RoundTrip(t *testing.T) {
	for _, s := range methodSamples {
		frame, err := AppendMethod(nil, s.channel, s.method)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseMethod(readOne(t, frame).Payload)
		if err != nil || !reflect.DeepEqual(got, s.method) {
			t.Errorf("%s: %+v, %v, want %+v", s.method.Name(), got, err, s.method)
		}
	}
}

// TestParseMethod_SharesNothing: a frame's bytes may be overwritten afterwards.
func TestParseMethod_SharesNothing(t *testing.T) {
	want := &QueueDeclare{Queue: "q", Arguments: allTypes}
	frame, err := AppendMethod(nil, 1, want)
	if err != nil {
		t.Fatal(err)
	}
	f := readOne(t, frame)
	got, err := ParseMethod(f.Payload)
	if err != nil {
		t.Fatal(err)
	}
	clear(f.Payload)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("after the frame was overwritten: %+v", got)
	}
}

// TestParseMethod_Refusals holds what RabbitMQ 3.10 answered, but for what is
// marked: there it drops the connection.
func TestParseMethod_Refusals(t *testing.T) {
	declare := func(args ...byte) []byte { return append([]byte{0, 50, 0, 10}, args...) }
	for _, c := range []struct {
		name    string
		payload []byte
		want    Error
	}{
		{"arguments cut", declare(0, 0, 1), Error{CodeFrameError, "cannot decode <<0,0,1>>", 50, 10}},
		{"no arguments", []byte{0, 20, 0, 20}, Error{CodeFrameError, "cannot decode <<>>", 20, 20}},
		{"bytes left over", declare(0, 0, 1, 'a', 0, 0, 0, 0, 0, 1), Error{CodeFrameError, "cannot decode <<0,0,1,97,0,0,0,0,0,1>>", 50, 10}},
		{"printable bytes", []byte("\x00\x0a\x00\x28 aaaaaaaaaa"), Error{CodeFrameError, "cannot decode <<32,97,97,97,97,97,97,97,97,97,97>>", 10, 40}},
		{"table longer than the frame", declare(0, 0, 1, 97, 0, 0, 0, 0, 9, 1, 107, 108), Error{CodeFrameError, "cannot decode <<0,0,1,97,0,0,0,0,9,1,107,108>>", 50, 10}},
		{"name that is not UTF-8", declare(0, 0, 1, 255, 0, 0, 0, 0, 0), Error{CodeFrameError, "Malformed UTF-8 in shortstr", 0, 0}},
		{"the same in class connection", []byte{0, 10, 0, 40, 1, 255, 0, 0}, Error{CodeFrameError, "Malformed UTF-8 in shortstr", 10, 40}},
		{"undecodable goes before UTF-8", declare(0, 0, 1, 255, 0, 0, 0, 0, 0, 1), Error{CodeFrameError, "cannot decode <<0,0,1,255,0,0,0,0,0,1>>", 50, 10}},
		{"unknown type in a table (dropped)", declare(0, 0, 0, 0, 0, 0, 0, 3, 1, 'k', 'z'), Error{CodeFrameError, "cannot decode <<0,0,0,0,0,0,0,3,1,107,122>>", 50, 10}},
		{"unknown method (dropped)", []byte{0, 60, 0, 250}, Error{CodeCommandInvalid, "unimplemented method", 60, 250}},
		{"unknown class (dropped)", []byte{0, 61, 0, 10}, Error{CodeCommandInvalid, "unimplemented method", 61, 10}},
	} {
		m, err := ParseMethod(c.payload)
		var got *Error
		if m != nil || !errors.As(err, &got) || *got != c.want {
			t.Errorf("%s: %v, %#v, want %#v", c.name, m, err, c.want)
		}
	}
}

// TestParseMethod_AnyBytesInContentMethods: RabbitMQ does not ask that the
// names in a publish or a delivery be UTF-8.
func TestParseMethod_AnyBytesInContentMethods(t *testing.T) {
	for _, want := range []Method{
		&BasicPublish{Exchange: "\xff", RoutingKey: "\xfe"},
		&BasicDeliver{ConsumerTag: "\xff", RoutingKey: "\xfe"},
	} {
		frame, err := AppendMethod(nil, 1, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseMethod(readOne(t, frame).Payload); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", want.Name(), got, err)
		}
	}
}

func TestLookupMethod(t *testing.T) {
	for _, c := range []struct {
		class, method uint16
		want          MethodInfo
		fromClient    bool
	}{
		{50, 10, MethodInfo{Name: "queue.declare", Sender: SentByClient, Sync: true}, true},
		{60, 40, MethodInfo{Name: "basic.publish", Sender: SentByClient, Content: true}, true},
		{60, 60, MethodInfo{Name: "basic.deliver", Sender: SentByServer, Content: true}, false},
		{60, 80, MethodInfo{Name: "basic.ack", Sender: SentByClient | SentByServer}, true},
		{10, 60, MethodInfo{Name: "connection.blocked", Sender: SentByServer}, false},
		{60, 200, MethodInfo{}, false},
	} {
		info, ok := LookupMethod(c.class, c.method)
		if info != c.want || ok != (c.want.Name != "") {
			t.Errorf("%d.%d: %+v, want %+v", c.class, c.method, info, c.want)
		}
		if got := MethodName(c.class, c.method); got != c.want.Name {
			t.Errorf("MethodName(%d, %d) = %q", c.class, c.method, got)
		}
		if got := FromClient(c.class, c.method); got != c.fromClient {
			t.Errorf("FromClient(%d, %d) = %v", c.class, c.method, got)
		}
	}
}

func TestParsePublish(t *testing.T) {
	for _, want := range []*BasicPublish{
		{}, {Exchange: "x", RoutingKey: "\xffk", Mandatory: true}, {RoutingKey: "q", Immediate: true},
	} {
		args, err := want.AppendArgs(nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePublish(args)
		got := &BasicPublish{string(p.Exchange), string(p.RoutingKey), p.Mandatory, p.Immediate}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
		for n := range args {
			if _, err := ParsePublish(args[:n]); err == nil {
				t.Errorf("%x accepted", args[:n])
			}
		}
	}
	_, err := ParsePublish([]byte{0, 0, 0})
	if want := (Error{CodeFrameError, "cannot decode <<0,0,0>>", 60, 40}); *err.(*Error) != want {
		t.Errorf("%#v, want %#v", err, want)
	}
}

// TestParseContentHeader_4_2_6_1 holds what RabbitMQ 3.10 answered.
func TestParseContentHeader_4_2_6_1(t *testing.T) {
	fixed := []byte{0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}
	h, err := ParseContentHeader(append(bytes.Clone(fixed), 0x10, 0, 2))
	if want := (ContentHeader{60, 9, Properties{0x10, 0, 2}}); err != nil || !reflect.DeepEqual(h, want) {
		t.Errorf("got %+v, %v, want %+v", h, err, want)
	}
	weight := append(bytes.Clone(fixed), 0, 0)
	weight[3] = 1
	for _, c := range []struct {
		name    string
		payload []byte
		want    Error
	}{
		{"no flags", fixed, Error{Code: CodeInternalError}},
		{"weight", weight, Error{CodeUnexpectedFrame, "expected content header for class 60, got non content header frame instead", 60, 40}},
	} {
		if _, err := ParseContentHeader(c.payload); err == nil || *err.(*Error) != c.want {
			t.Errorf("%s: %#v, want %#v", c.name, err, c.want)
		}
	}
}
