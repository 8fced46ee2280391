package perf

import (
	"io"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// endless repeats itself.
type endless struct {
	data []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.data[e.at:])
	e.at = (e.at + n) % len(e.data)
	return n, nil
}

func newTestProducer(tb testing.TB, window, size int) *producer {
	tb.Helper()
	p, err := newProducer(0, &conn{frameMax: amqp.DefaultFrameMax}, config{size: size, confirm: window},
		[]target{{key: "perf-1234-123456789abcdef-0", channel: 1}}, clock{time.Now()})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// batch builds as many messages as fit and confirms them all.
func batch(p *producer, number uint64) uint64 {
	n := p.fill(number)
	if p.gate.window > 0 {
		p.gate.confirmLocked(1, 0, true, true, func(at int64) { p.latency.record(1) })
	}
	return n
}

// deliveries are frames that a consumer can take again and again.
func deliveries(n, size int) []byte {
	var out []byte
	body := make([]byte, size)
	for range n {
		out = amqp.AppendDeliver(out, 1, "0", 1, false, "", "perf-1234-123456789abcdef-0")
		out = amqp.AppendContentHeader(out, 1, amqp.ClassBasic, uint64(size), nil)
		out = amqp.AppendBody(out, 1, body, 0)
	}
	return out
}

func newTestConsumer(size int) *consumer {
	k := consumerOf(io.Reader(&endless{data: deliveries(1000, size)}))
	k.conf.size = size
	return k
}

func take(tb testing.TB, k *consumer) {
	if err := k.conn.fill(time.Time{}); err != nil {
		tb.Fatal(err)
	}
	if err := k.frames(); err != nil {
		tb.Fatal(err)
	}
}

func TestNothingIsAllocatedAMessage(t *testing.T) {
	p := newTestProducer(t, 1000, 16)
	number := uint64(0)
	if n := testing.AllocsPerRun(100, func() { number += batch(p, number) }); n > 0 {
		t.Errorf("a batch of a producer allocates %g times", n)
	}
	k := newTestConsumer(16)
	for range 20 { // its buffer grows
		take(t, k)
	}
	if n := testing.AllocsPerRun(100, func() { take(t, k) }); n > 0 {
		t.Errorf("a reading of a consumer allocates %g times", n)
	}
}

func BenchmarkProducer(b *testing.B) {
	for _, c := range []struct {
		name         string
		window, size int
	}{{"transient", 0, 16}, {"confirm", 1000, 1024}} {
		b.Run(c.name, func(b *testing.B) {
			p := newTestProducer(b, c.window, c.size)
			b.ReportAllocs()
			b.ResetTimer()
			for number := uint64(0); number < uint64(b.N); {
				number += batch(p, number)
			}
		})
	}
}

// BenchmarkConsumer counts every message as a duplicate, which costs the same.
func BenchmarkConsumer(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"transient", 16}, {"ack", 1024}} {
		b.Run(c.name, func(b *testing.B) {
			k := newTestConsumer(c.size)
			b.ReportAllocs()
			b.ResetTimer()
			audit := k.streams[0].audit
			for audit.faults.Duplicates < uint64(b.N) {
				take(b, k)
			}
		})
	}
}
