package server

import (
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

// frameOf is any frame, well formed or not.
func frameOf(typ amqp.FrameType, ch uint16, payload string) string {
	buf := amqp.AppendFrameHeader(nil, typ, ch, uint32(len(payload)))
	return string(append(append(buf, payload...), amqp.FrameEnd))
}

// methodOf is the frame of a method on channel 1.
func methodOf(t testing.TB, m amqp.Method) string {
	t.Helper()
	buf, err := amqp.AppendMethod(nil, 1, m)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf)
}

// headerOf is a content header on channel 1 without properties.
func headerOf(size uint64) string {
	return string(amqp.AppendContentHeader(nil, 1, amqp.ClassBasic, size, nil))
}

func bodyOf(body string) string { return frameOf(amqp.FrameBody, 1, body) }

func TestFrame_4_2_3_Refusals(t *testing.T) {
	publish := methodOf(t, &amqp.BasicPublish{RoutingKey: "q"})
	qos := methodOf(t, &amqp.BasicQos{PrefetchCount: 1})
	wrongEnd := func(frame string, end byte) string { return frame[:len(frame)-1] + string(end) }
	const (
		noMethod = "UNEXPECTED_FRAME - expected method frame, got non method frame instead"
		noHeader = "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead"
		noBody   = "UNEXPECTED_FRAME - expected content body, got non content body frame instead"
	)
	for _, c := range []struct {
		name, raw string
		code      amqp.ReplyCode
		text      string
		id        uint32
		ours      string
	}{
		{"method of 3 bytes", frameOf(1, 1, "\x00\x3c\x00"), 501, "FRAME_ERROR - type 1, all octets = <<0,60,0>>: unknown_frame", 0, ""},
		{"unknown class", frameOf(1, 1, "\x00\x63\x00\x0a"), 503, "COMMAND_INVALID - unimplemented method", 99<<16 | 10, "RabbitMQ drops the socket"},
		{"unknown method", frameOf(1, 1, "\x00\x3c\x00\x63"), 503, "COMMAND_INVALID - unimplemented method", 60<<16 | 99, "RabbitMQ drops the socket"},
		{"unknown method on channel 0", frameOf(1, 0, "\x00\x0a\x00\x63"), 503, "COMMAND_INVALID - unimplemented method", 10<<16 | 99, "RabbitMQ drops the socket"},
		{"queue.declare cut short", frameOf(1, 1, "\x00\x32\x00\x0a\x00\x00\x03a"), 501, "FRAME_ERROR - cannot decode <<0,0,3,97>>", amqp.IDQueueDeclare, ""},
		{"basic.publish cut short", frameOf(1, 1, "\x00\x3c\x00\x28\x00\x00\x03a"), 501, "FRAME_ERROR - cannot decode <<0,0,3,97>>", amqp.IDBasicPublish, ""},
		{"basic.ack cut short", frameOf(1, 1, "\x00\x3c\x00\x50\x00\x01"), 501, "FRAME_ERROR - cannot decode <<0,1>>", amqp.IDBasicAck, ""},
		{"bytes behind basic.qos", frameOf(1, 1, "\x00\x3c\x00\x0a\x00\x00\x00\x00\x00\x00\x00junk"), 501,
			"FRAME_ERROR - cannot decode <<0,0,0,0,0,0,0,106,117,110,107>>", amqp.IDBasicQos, ""},
		{"a name that is not UTF-8", frameOf(1, 1, "\x00\x32\x00\x0a\x00\x00\x01\xff\x00\x00\x00\x00\x00"), 501,
			"FRAME_ERROR - Malformed UTF-8 in shortstr", 0, ""},
		{"a table cut short", frameOf(1, 1, "\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x28\x01a"), 501,
			"FRAME_ERROR - cannot decode <<0,0,1,113,0,0,0,0,40,1,97>>", amqp.IDQueueDeclare, ""},
		{"header without method", headerOf(1), 505, noMethod, 0, ""},
		{"body without method", bodyOf("a"), 505, noMethod, 0, ""},
		{"method for header", publish + qos, 505, noHeader, amqp.IDBasicPublish, ""},
		{"body for header", publish + bodyOf("a"), 505, noHeader, amqp.IDBasicPublish, ""},
		{"method for body", publish + headerOf(1) + qos, 505, noBody, amqp.IDBasicPublish, ""},
		{"header for body", publish + headerOf(1) + headerOf(1), 505, noBody, amqp.IDBasicPublish, ""},
		{"body too long", publish + headerOf(1) + bodyOf("ab"), 501, "FRAME_ERROR - content body frame exceeds remaining content size",
			amqp.IDBasicPublish, "3.10 waits for the next method, 4.x as here"},
		{"body after none was due", publish + headerOf(0) + bodyOf("a"), 505, noMethod, 0, ""},
		{"wrong class in header", publish + string(amqp.AppendContentHeader(nil, 1, 50, 1, nil)), 505,
			"UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead", amqp.IDBasicPublish, ""},
		{"header with a weight", publish + frameOf(2, 1, "\x00\x3c\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00"), 505, noHeader, amqp.IDBasicPublish, ""},
		{"header cut short", publish + frameOf(2, 1, "\x00\x3c\x00\x00"), 501, "FRAME_ERROR - type 2, all octets = <<0,60,0,0>>: unknown_frame", 0, ""},
		{"flags without properties", publish + frameOf(2, 1, "\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x80\x00") + bodyOf("a"), 541, "INTERNAL_ERROR", 0, ""},
		{"a body of 1 GiB", publish + headerOf(1<<30), 501, "FRAME_ERROR - content body size 1073741824 exceeds maximum allowed size 536870912",
			amqp.IDBasicPublish, "3.10 has no such limit, 4.x as here"},
		{"heartbeat on channel 1", frameOf(8, 1, ""), 505, "UNEXPECTED_FRAME - type 8, all octets = <<>>", 0, ""},
		{"heartbeat with a payload", frameOf(8, 0, "abc"), 501, `FRAME_ERROR - type 8, all octets = <<"abc">>: unknown_frame`, 0, ""},
		{"header on channel 0", frameOf(2, 0, "\x00\x3c"+strings.Repeat("\x00", 12)), 505,
			"UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,0,0,0>>", 0, ""},
		{"body on channel 0", frameOf(3, 0, "abc"), 505, `UNEXPECTED_FRAME - type 3, all octets = <<"abc">>`, 0, ""},
		{"body on a channel that is not open", frameOf(3, 9, "abc"), 505, noMethod, 0, ""},
		{"nine octets above frame_max", frameOf(3, 1, strings.Repeat("a", 131073)), 501,
			"FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,131073,131064}", 0, ""},
		{"2 GiB", string(amqp.AppendFrameHeader(nil, 3, 1, 1<<31-1)), 501,
			"FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,2147483647,131064}", 0, ""},
		{"wrong end", wrongEnd(qos, 0), 501,
			"FRAME_ERROR - type 1, all octets = <<0,60,0,10,0,0,0,0,0,1,0>>: {invalid_frame_end_marker,0}", 0, ""},
		{"frame type 9", frameOf(9, 1, "abc"), 501, `FRAME_ERROR - type 9, all octets = <<"abc">>: unknown_frame`, 0, ""},
		{"frame type 4 on channel 0", frameOf(4, 0, ""), 501, "FRAME_ERROR - type 4, all octets = <<>>: unknown_frame", 0, ""},
		{"the protocol header again", amqp.ProtocolHeader, 501,
			"FRAME_ERROR - type 65, all octets = <<>>: {frame_too_large,1342177289,131064}", 0, ""},
		{"another protocol", "GET / HTTP/1.1\r\n\r\n", 501,
			"FRAME_ERROR - type 71, all octets = <<>>: {frame_too_large,539959368,131064}", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				if c.ours != "" {
					b.ours(c.ours)
				}
				b.mayLogErrors = c.code == 541
				p, other := b.peer(), b.peer()
				p.rawUnread(c.raw)
				p.wantClose(0, c.code, c.text, c.id)
				other.probe(1)
			})
		})
	}
}

// rawUnread sends bytes that the broker may stop reading midway.
func (p *peer) rawUnread(bytes string) {
	go func() { _, _ = p.nc.Write([]byte(bytes)) }()
}

func TestFrame_4_2_3_Accepts(t *testing.T) {
	publish := methodOf(t, &amqp.BasicPublish{RoutingKey: "q"})
	for _, c := range []struct {
		name, raw string
		bodies    []string
	}{
		{"empty body without body frame", publish + headerOf(0), []string{""}},
		{"empty body frames amid a body", publish + headerOf(2) + bodyOf("") + bodyOf("a") + bodyOf("") + bodyOf("b"), []string{"ab"}},
		{"a heartbeat amid a body", publish + headerOf(2) + bodyOf("a") + frameOf(8, 0, "") + bodyOf("b"), []string{"ab"}},
		{"a frame of frame_max", publish + headerOf(131064) + bodyOf(strings.Repeat("a", 131064)), []string{strings.Repeat("a", 131064)}},
		{"eight octets above frame_max", publish + headerOf(131072) + bodyOf(strings.Repeat("a", 131072)), []string{strings.Repeat("a", 131072)}},
		{"an exchange name of any bytes", frameOf(1, 1, "\x00\x3c\x00\x28\x00\x00\x00\x01q\x00") + headerOf(1) + bodyOf("a"), []string{"a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.peer()
				p.queue("q")
				p.raw(c.raw)
				p.probe(1)
				p.wantBodies("q", c.bodies...)
			})
		})
	}
}

func TestFrame_RabbitMQ_UnknownFieldTypeIsRefused(t *testing.T) {
	conforms(t, func(b *broker) {
		b.ours("RabbitMQ drops the socket")
		p := b.peer()
		p.raw(frameOf(1, 1, "\x00\x32\x00\x0a\x00\x00\x01q\x00\x00\x00\x00\x03\x01aZ"))
		p.wantClose(1, 501, "FRAME_ERROR - cannot decode <<0,0,1,113,0,0,0,0,3,1,97,90>>", amqp.IDQueueDeclare)
	})
}

// Bodies are cut at frame_max − 8 in both directions, for each small excess.
func TestFrame_4_2_6_2_BodiesAroundFrameMax(t *testing.T) {
	const frameMax, most = 4096, 4096 - 8
	conforms(t, func(b *broker) {
		p := b.connect(client{frameMax: frameMax})
		p.open(1)
		p.queue("q")
		ask[*amqp.BasicConsumeOk](p, 1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
		tag := uint64(0)
		for _, size := range []int{0, 1, most - 1, most, most + 1, 2*most - 1, 2 * most, 2*most + 1, 10*most + 7} {
			body := strings.Repeat("0123456789", size/10+1)[:size]
			p.publish(1, post{key: "q", body: body})
			tag++
			m, err := amqp.ParseMethod(p.frame("a delivery").Payload)
			if d, ok := m.(*amqp.BasicDeliver); err != nil || !ok || d.DeliveryTag != tag {
				t.Fatalf("size %d: want delivery %d, got %+v, %v", size, tag, m, err)
			}
			h, err := amqp.ParseContentHeader(p.frame("a content header").Payload)
			if err != nil || h.BodySize != uint64(size) {
				t.Fatalf("size %d: header %+v, %v", size, h, err)
			}
			var got strings.Builder
			for i := 0; i*most < size; i++ {
				f := p.frame("a body frame")
				if want := min(most, size-i*most); len(f.Payload) != want || f.Type != amqp.FrameBody {
					t.Errorf("size %d: frame %d is of type %d with %d bytes, want %d", size, i, f.Type, len(f.Payload), want)
				}
				got.Write(f.Payload)
			}
			if got.String() != body {
				t.Errorf("size %d: another body came back", size)
			}
		}
		p.wantNothing(1)
	})
}
