package amqp

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// TestAppend_SameAsMethods wants the functions of the hot path to write what
// AppendMethod writes, after what is in the buffer.
func TestAppend_SameAsMethods(t *testing.T) {
	long := strings.Repeat("k", 255)
	for _, c := range []struct {
		got    func([]byte) []byte
		method Method
	}{
		{func(b []byte) []byte { return AppendDeliver(b, 3, "tag", 1<<40, true, "x", long) },
			&BasicDeliver{ConsumerTag: "tag", DeliveryTag: 1 << 40, Redelivered: true, Exchange: "x", RoutingKey: long}},
		{func(b []byte) []byte { return AppendDeliver(b, 3, "", 0, false, "", "") }, &BasicDeliver{}},
		{func(b []byte) []byte { return AppendGetOk(b, 3, 9, true, "x", "k", 70000) },
			&BasicGetOk{DeliveryTag: 9, Redelivered: true, Exchange: "x", RoutingKey: "k", MessageCount: 70000}},
		{func(b []byte) []byte { return AppendReturn(b, 3, CodeNoRoute, "NO_ROUTE", "x", "k") },
			&BasicReturn{ReplyCode: CodeNoRoute, ReplyText: "NO_ROUTE", Exchange: "x", RoutingKey: "k"}},
		{func(b []byte) []byte { return AppendAck(b, 3, 9, false) }, &BasicAck{DeliveryTag: 9}},
		{func(b []byte) []byte { return AppendAck(b, 3, 9, true) }, &BasicAck{DeliveryTag: 9, Multiple: true}},
		{func(b []byte) []byte { return AppendNack(b, 3, 9, true, false) }, &BasicNack{DeliveryTag: 9, Multiple: true}},
		{func(b []byte) []byte { return AppendNack(b, 3, 9, false, true) }, &BasicNack{DeliveryTag: 9, Requeue: true}},
	} {
		want, err := AppendMethod([]byte("before"), 3, c.method)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.got([]byte("before")); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", c.method.Name(), got, want)
		}
	}
}

// TestAppend_CutsStrings: a string that is too long must not break the frame.
func TestAppend_CutsStrings(t *testing.T) {
	frame := AppendDeliver(nil, 1, "c", 1, false, "x", strings.Repeat("k", 300))
	m, err := ParseMethod(readOne(t, frame).Payload)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.(*BasicDeliver).RoutingKey; len(got) != 255 {
		t.Errorf("routing key of %d bytes, want 255", len(got))
	}
}

func readOne(t testing.TB, frame []byte) Frame {
	t.Helper()
	f, err := NewReader(bytes.NewReader(frame), 0).ReadFrame()
	if err != nil {
		t.Fatalf("%x: %v", frame, err)
	}
	return f
}

// TestAppendBody_4_2_6_2 splits bodies: frames of frame-max bytes in all, and
// none for an empty body.
func TestAppendBody_4_2_6_2(t *testing.T) {
	for _, c := range []struct {
		body     int
		frameMax uint32
		want     []int // payload sizes
	}{
		{0, 4096, nil},
		{1, 4096, []int{1}},
		{4088, 4096, []int{4088}},
		{4089, 4096, []int{4088, 1}},
		{3 * 4088, 4096, []int{4088, 4088, 4088}},
		{1 << 20, 0, []int{1 << 20}},
	} {
		body := make([]byte, c.body)
		for i := range body {
			body[i] = byte(i)
		}
		rd := NewReader(bytes.NewReader(AppendBody(nil, 5, body, c.frameMax)), c.frameMax)
		var sizes []int
		var joined []byte
		for {
			f, err := rd.ReadFrame()
			if err != nil {
				break
			}
			if f.Type != FrameBody || f.Channel != 5 {
				t.Errorf("body of %d: frame of type %d on channel %d", c.body, f.Type, f.Channel)
			}
			sizes = append(sizes, len(f.Payload))
			joined = append(joined, f.Payload...)
		}
		if !reflect.DeepEqual(sizes, c.want) || !bytes.Equal(joined, body) {
			t.Errorf("body of %d, frame-max %d: payloads of %v bytes, want %v", c.body, c.frameMax, sizes, c.want)
		}
	}
}

func TestAppendMethod_FieldWithoutEncoding(t *testing.T) {
	buf := []byte("before")
	for _, c := range []struct {
		method Method
		want   string
	}{
		{&QueueDeclare{Queue: strings.Repeat("q", 256)}, "queue.declare: queue: 256 bytes do not fit a short string"},
		{&QueueDeclare{Arguments: Table{{"k", struct{}{}}}}, "queue.declare: arguments: table field 'k': a value of Go type struct {} has no encoding"},
		{&QueueDeclare{Arguments: Table{{strings.Repeat("k", 256), nil}}}, "queue.declare: arguments: table field name: 256 bytes do not fit a short string"},
	} {
		got, err := AppendMethod(buf, 1, c.method)
		if err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
		if string(got) != "before" {
			t.Errorf("%s: the buffer came back as %q", c.want, got)
		}
	}
}

func TestAppendContentHeader_NoProperties(t *testing.T) {
	h, err := ParseContentHeader(readOne(t, AppendContentHeader(nil, 1, ClassBasic, 7, nil)).Payload)
	if want := (ContentHeader{ClassBasic, 7, Properties{0, 0}}); err != nil || !reflect.DeepEqual(h, want) {
		t.Errorf("got %v, %v, want %v", h, err, want)
	}
}
