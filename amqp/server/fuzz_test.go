package server

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/rs/zerolog"
)

// prelude is what a good client sends before the fuzzed bytes: the handshake,
// two channels, a queue with messages, a consumer.
func prelude(t testing.TB) []byte {
	t.Helper()
	buf := []byte(amqp.ProtocolHeader)
	add := func(ch uint16, m amqp.Method) {
		var err error
		if buf, err = amqp.AppendMethod(buf, ch, m); err != nil {
			t.Fatal(err)
		}
	}
	add(0, client{}.startOk())
	add(0, &amqp.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 4096})
	add(0, &amqp.ConnectionOpen{VirtualHost: "/"})
	add(1, &amqp.ChannelOpen{})
	add(2, &amqp.ChannelOpen{})
	add(1, &amqp.QueueDeclare{Queue: "q"})
	for _, body := range []string{"", "a", "b"} {
		add(1, &amqp.BasicPublish{RoutingKey: "q"})
		buf = amqp.AppendContentHeader(buf, 1, amqp.ClassBasic, uint64(len(body)), nil)
		buf = amqp.AppendBody(buf, 1, []byte(body), 0)
	}
	add(2, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c"})
	return buf
}

// seeds are sequences of frames that lead to many places.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	var buf []byte
	add := func(ch uint16, methods ...amqp.Method) {
		for _, m := range methods {
			var err error
			if buf, err = amqp.AppendMethod(buf, ch, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish := func(ch uint16, m amqp.BasicPublish, p amqp.BasicProperties, body string) {
		props, err := p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		add(ch, &m)
		buf = amqp.AppendContentHeader(buf, ch, amqp.ClassBasic, uint64(len(body)), props)
		buf = amqp.AppendBody(buf, ch, []byte(body), 4096)
	}
	var all [][]byte
	end := func() { all, buf = append(all, buf), nil }

	add(2, &amqp.BasicAck{DeliveryTag: 1}, &amqp.BasicNack{DeliveryTag: 3, Multiple: true, Requeue: true}, &amqp.BasicRecover{Requeue: true})
	add(2, &amqp.BasicCancel{ConsumerTag: "c"}, &amqp.BasicReject{DeliveryTag: 5}, &amqp.ChannelClose{ReplyCode: 200})
	end()
	add(1, &amqp.ConfirmSelect{}, &amqp.QueueDeclare{Queue: "r", Exclusive: true, Arguments: table("x-max-length", int32(1),
		"x-overflow", "reject-publish-dlx", "x-dead-letter-exchange", "", "x-message-ttl", int32(0), "x-max-priority", int8(3))})
	for range 3 {
		publish(1, amqp.BasicPublish{RoutingKey: "r", Mandatory: true}, amqp.BasicProperties{DeliveryMode: 2, Priority: 9, Expiration: "10",
			Headers: table("CC", amqp.Array{"q"}, "BCC", amqp.Array{"r"}, "x-death", amqp.Array{table("queue", "r", "count", int64(1))})}, "body")
	}
	add(1, &amqp.QueueDelete{Queue: "r"})
	end()
	add(1, &amqp.TxSelect{}, &amqp.BasicGet{Queue: "q"}, &amqp.BasicAck{DeliveryTag: 1}, &amqp.TxRollback{})
	publish(1, amqp.BasicPublish{Exchange: "amq.topic", RoutingKey: "a.b", Mandatory: true}, amqp.BasicProperties{}, strings.Repeat("x", 5000))
	add(1, &amqp.TxCommit{}, &amqp.QueuePurge{Queue: "q"})
	end()
	add(1, &amqp.BasicConsume{Queue: replyTo, ConsumerTag: "r", NoAck: true})
	publish(1, amqp.BasicPublish{RoutingKey: "q"}, amqp.BasicProperties{ReplyTo: replyTo}, "ask")
	add(1, &amqp.BasicQos{PrefetchCount: 1, Global: true}, &amqp.QueueDelete{Queue: "q"})
	end()
	add(1, &amqp.ExchangeDeclare{Exchange: "x", Type: "headers", AutoDelete: true, Arguments: table("alternate-exchange", "x")},
		&amqp.ExchangeBind{Source: "x", Destination: "x", Arguments: table("x-match", "any")},
		&amqp.QueueBind{Queue: "q", Exchange: "x", Arguments: table("x-match", "all", "a", nil)})
	publish(1, amqp.BasicPublish{Exchange: "x"}, amqp.BasicProperties{Headers: table("a", int32(1))}, "m")
	add(1, &amqp.ExchangeDelete{Exchange: "x", IfUnused: true})
	add(0, &amqp.ConnectionUpdateSecret{NewSecret: "guest"}, &amqp.ConnectionClose{ReplyCode: 200})
	end()
	return all
}

// FuzzSession feeds a session with bytes. Whatever they are, it must not panic,
// hang, or harm the next one.
func FuzzSession(f *testing.F) {
	start := prelude(f)
	for _, seed := range seeds(f) {
		f.Add(seed)
		f.Add(seed[:len(seed)-3])
	}
	f.Add([]byte(amqp.ProtocolHeader))
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		log := zerolog.New(zerolog.SyncWriter(&out)).Level(zerolog.ErrorLevel)
		s, err := Open(Options{Log: &log})
		if err != nil {
			t.Fatal(err)
		}
		hear(t, s, append(start[:len(start):len(start)], data...), false)
		bye, err := amqp.AppendMethod(start[:len(start):len(start)], 0, &amqp.ConnectionClose{ReplyCode: 200})
		if err != nil {
			t.Fatal(err)
		}
		if heard := hear(t, s, bye, true); !bytes.HasSuffix(heard, closeOk) {
			t.Errorf("the next connection does not end with close-ok: %q", heard)
		}
		atOnce(t, "Close", func() { s.Close() })
		if strings.Contains(out.String(), "panic") {
			t.Errorf("the session failed:\n%s", out.String())
		}
	})
}

// closeOk is the frame of connection.close-ok.
var closeOk = []byte("\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x33\xce")

// hear writes bytes to a new connection and returns all that comes back, up to
// the close-ok if the client waits for one; else it hangs up after writing.
func hear(t *testing.T, s *Server, data []byte, forCloseOk bool) (all []byte) {
	t.Helper()
	nc := s.Pipe()
	heard := make(chan []byte, 1)
	go func() {
		var all []byte
		for piece := make([]byte, 4096); ; {
			n, err := nc.Read(piece)
			all = append(all, piece[:n]...)
			if err != nil || forCloseOk && bytes.HasSuffix(all, closeOk) {
				heard <- all
				return
			}
		}
	}()
	atOnce(t, "a session", func() {
		_, _ = nc.Write(data) // the broker may close it before the end
		if !forCloseOk {
			nc.Close()
		}
		all = <-heard
	})
	nc.Close()
	return all
}

// atOnce fails the test if do does not return in good time.
func atOnce(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		stacks := make([]byte, 1<<20)
		t.Fatalf("%s hangs\n%s", what, stacks[:runtime.Stack(stacks, true)])
	}
}
