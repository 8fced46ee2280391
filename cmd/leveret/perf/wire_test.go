package perf

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

func TestStamp(t *testing.T) {
	want := stamp{at: 1<<62 + 3, producer: 1<<32 - 2, number: 77}
	var body [stampSize]byte
	want.put(body[:])
	if got := readStamp(&body); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestParseURI(t *testing.T) {
	for _, c := range []struct {
		uri  string
		want address
	}{
		{"amqp://", address{"localhost:5672", "guest", "guest", "/"}},
		{"amqp://h", address{"h:5672", "guest", "guest", "/"}},
		{"amqp://u:p@h:1/", address{"h:1", "u", "p", "/"}},
		{"amqp://u:p%40@h:1/%2F", address{"h:1", "u", "p@", "/"}},
		{"amqp://u@[::1]:1/v/w", address{"[::1]:1", "u", "", "v/w"}},
	} {
		if got, err := parseURI(c.uri); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.uri, got, err, c.want)
		}
	}
	for _, uri := range []string{"", "http://h", "amqps://h", "amqp://h:x/"} {
		if a, err := parseURI(uri); err == nil {
			t.Errorf("%q: %+v", uri, a)
		}
	}
	if _, err := parseURI("http://u:secret@h"); strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

// serveBytes is a server that says one thing to whoever comes.
func serveBytes(t *testing.T, says string) address {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		sock, err := l.Accept()
		if err != nil {
			return
		}
		defer sock.Close()
		io.ReadFull(sock, make([]byte, len(amqp.ProtocolHeader)))
		io.WriteString(sock, says)
	}()
	return address{host: l.Addr().String(), vhost: "/"}
}

func TestDialWhatIsNoBroker(t *testing.T) {
	start, _ := amqp.AppendMethod(nil, 0, &amqp.ConnectionStart{Mechanisms: "EXTERNAL"})
	for says, want := range map[string]string{
		"AMQP\x03\x01\x00\x00":         "does not speak AMQP 0-9-1",
		"":                             "the broker closed the socket",
		"HTTP/1.1 400 Bad Request\r\n": "FRAME_ERROR",
		string(start):                  `does not take the mechanism PLAIN, but "EXTERNAL"`,
	} {
		_, err := dial(t.Context(), serveBytes(t, says), 1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", says, err, want)
		}
	}
}

func TestSilentBrokerIsDead(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := &conn{sock: ours, rd: amqp.NewReader(ours, 0), done: make(chan struct{}), heartbeat: 5 * time.Millisecond}
	defer c.release()
	if err := c.fill(time.Now()); err == nil || !strings.Contains(err.Error(), "no heartbeat from the broker for more than 10ms") {
		t.Error(err)
	}
}

func TestCancelAndFlow(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := &conn{sock: ours, rd: amqp.NewReader(ours, 0), done: make(chan struct{})}
	defer c.release()
	var blocked []bool
	c.blocked = func(yes bool) { blocked = append(blocked, yes) }
	go func() {
		out, _ := amqp.AppendMethod(nil, 1, &amqp.ChannelFlow{Active: false})
		theirs.Write(out)
		peer := amqp.NewReader(theirs, 0)
		f, err := peer.ReadFrame()
		if err != nil || methodOf(f) != amqp.IDChannelFlowOk {
			t.Errorf("%v, %v instead of channel.flow-ok", f, err)
		}
		out, _ = amqp.AppendMethod(nil, 1, &amqp.BasicCancel{ConsumerTag: "7"})
		theirs.Write(out)
	}()
	_, err := c.answer(1, 0, 0)
	var closed *closedError
	if !errors.As(err, &closed) || err.Error() != "the broker sent basic.cancel: consumer '7'" {
		t.Error(err)
	}
	if len(blocked) != 1 || !blocked[0] {
		t.Errorf("blocked: %v", blocked)
	}
}

// frames of one delivery.
func deliver(tag string, bodySize int, body ...string) []byte {
	out := amqp.AppendDeliver(nil, 1, tag, 1, false, "", "k")
	out = amqp.AppendContentHeader(out, 1, amqp.ClassBasic, uint64(bodySize), nil)
	for _, piece := range body {
		out = amqp.AppendBody(out, 1, []byte(piece), 0)
	}
	return out
}

// consumerOf is a consumer that reads from src.
func consumerOf(src io.Reader) *consumer {
	p := newPlan(config{queues: 1, producers: 1, consumers: 1, channels: 1}, "q")
	c := &conn{rd: amqp.NewReader(src, 0)}
	k := newConsumer(c, config{size: stampSize, autoAck: true}, p, []*ledger{newLedger(&p.queues[0])}, p.subscriptions[0], clock{time.Now()})
	k.from.Store(0)
	return k
}

func TestConsumerTakesFramesApart(t *testing.T) {
	const body = "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"
	flow, _ := amqp.AppendMethod(nil, 1, &amqp.BasicConsumeOk{ConsumerTag: "0"})
	for _, c := range []struct {
		name string
		in   []byte
		want string // of the error; "": one message
	}{
		{"whole", deliver("0", 16, body), ""},
		{"in pieces", deliver("0", 16, body[:3], body[3:9], body[9:]), ""},
		{"no such consumer", deliver("1", 16, body), "unknown consumer '1'"},
		{"tag is no number", deliver("x", 16, body), "unknown consumer 'x'"},
		{"too much", deliver("0", 15, body), "more of a body than it announced"},
		{"header twice", append(deliver("0", 16), deliver("0", 16)[len(amqp.AppendDeliver(nil, 1, "0", 1, false, "", "k")):]...), "without a method"},
		{"body first", amqp.AppendBody(nil, 1, []byte(body), 0), "more of a body"},
		{"method in between", append(deliver("0", 16), flow...), "in the middle of a message"},
		{"cut short", append(amqp.AppendFrameHeader(nil, amqp.FrameMethod, 1, 5), 0, 60, 0, 60, 9, amqp.FrameEnd), "FRAME_ERROR"},
	} {
		k := consumerOf(bytes.NewReader(c.in))
		if err := k.conn.rd.Fill(); err != nil {
			t.Fatal(err)
		}
		err := k.frames()
		switch {
		case c.want == "" && (err != nil || k.received.Load() != 1 || k.faults() != faults{}):
			t.Errorf("%s: %v, %d messages, %+v", c.name, err, k.received.Load(), k.faults())
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q in it", c.name, err, c.want)
		}
	}
}

// FuzzParseDeliver compares the short cut with the decoder of the room.
func FuzzParseDeliver(f *testing.F) {
	whole := amqp.AppendDeliver(nil, 1, "12", 1<<40, true, "x", "key")
	f.Add(whole[11 : len(whole)-1])
	f.Add([]byte{})
	f.Add([]byte{2, '0', '1', 0, 0, 0})
	f.Fuzz(func(t *testing.T, args []byte) {
		d, err := parseDeliver(args)
		var m amqp.BasicDeliver
		if m.DecodeArgs(args) != nil {
			return // the short cut looks at less
		}
		if err != nil || string(d.consumerTag) != m.ConsumerTag || d.tag != m.DeliveryTag {
			t.Errorf("%+v, %v, want %+v", d, err, m)
		}
	})
}

func TestDecimal(t *testing.T) {
	for tag, want := range map[string]int{"0": 0, "7": 7, "99": 99, "": -1, "100": -1, "-1": -1, "1x": -1, "99999999999999999999": -1} {
		n, ok := decimal([]byte(tag), 100)
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: %d, %v", tag, n, ok)
		}
	}
}
