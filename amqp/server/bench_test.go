package server

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
)

// pump is a client that publishes batches to a queue that it consumes, and costs
// next to nothing itself: it writes the same bytes again and again, and reads
// without looking at more than it must.
type pump struct {
	nc    net.Conn
	batch []byte
	acks  []int  // places of delivery tags in batch, to be set before each write
	tag   uint64 // the last one that has come
	back  []byte // what comes back for a batch, if that has always one size
	r     *amqp.Reader

	confirms  bool
	published uint64
}

// pumped is how many messages a pump publishes at a time.
const pumped = 100

// newPump starts a broker and a pump on it. With acks each delivery is acked.
func newPump(tb testing.TB, size int, acks, confirms bool) *pump {
	return newPumpOf(tb, Options{}, post{key: "q", body: strings.Repeat("a", size)}, acks, confirms)
}

// newPumpOf is newPump for any options and message. With a store the queue is
// durable.
func newPumpOf(tb testing.TB, o Options, one post, acks, confirms bool) *pump {
	size := len(one.body)
	b := &broker{t: tb}
	b.open(o)
	tb.Cleanup(func() { b.srv.Close() })
	p := b.peer()
	ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Durable: o.Store != nil})
	p.consumeAs(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: !acks})
	if confirms {
		confirming(p)
	}
	m := &pump{nc: p.nc, r: p.r, confirms: confirms}
	_ = p.nc.SetDeadline(time.Time{})
	for range pumped {
		if acks {
			p.buf = amqp.AppendAck(p.buf, 1, 0, false)
			m.acks = append(m.acks, len(p.buf)-10) // before the octet of bits and the end
		}
		p.addPost(1, one)
	}
	m.batch = p.buf
	if !confirms {
		props, err := one.props.Append(nil)
		if err != nil {
			tb.Fatal(err)
		}
		back := amqp.AppendDeliver(nil, 1, "c", 1, false, "", "q")
		back = amqp.AppendContentHeader(back, 1, amqp.ClassBasic, uint64(size), props)
		back = amqp.AppendBody(back, 1, make([]byte, size), amqp.DefaultFrameMax)
		m.back = make([]byte, pumped*len(back))
	}
	// The first deliveries are acked by the second batch.
	m.prime(tb, p, one)
	return m
}

// prime publishes as many messages as a batch acks.
func (m *pump) prime(tb testing.TB, p *peer, one post) {
	p.buf = nil
	for range pumped {
		p.addPost(1, one)
	}
	if _, err := m.nc.Write(p.buf); err != nil {
		tb.Fatal(err)
	}
	m.read(tb)
}

// round is one batch there and back.
func (m *pump) round(tb testing.TB) {
	for i, at := range m.acks {
		binary.BigEndian.PutUint64(m.batch[at:], m.tag-pumped+uint64(i)+1)
	}
	if _, err := m.nc.Write(m.batch); err != nil {
		tb.Fatal(err)
	}
	m.read(tb)
}

func (m *pump) read(tb testing.TB) {
	m.published += pumped
	m.tag += pumped
	if m.back != nil {
		if _, err := io.ReadFull(m.nc, m.back); err != nil {
			tb.Fatal(err)
		}
		return
	}
	for deliveries, confirmed := 0, uint64(0); deliveries < pumped || confirmed < m.published; {
		f, err := m.r.ReadFrame()
		if err != nil {
			tb.Fatal(err)
		}
		if f.Type != amqp.FrameMethod {
			continue
		}
		switch binary.BigEndian.Uint32(f.Payload) {
		case amqp.IDBasicDeliver:
			deliveries++
		case amqp.IDBasicAck:
			confirmed = binary.BigEndian.Uint64(f.Payload[4:])
		}
	}
}

var kinds = []struct {
	name           string
	acks, confirms bool
}{{"noack", false, false}, {"ack", true, false}, {"confirm", false, true}, {"ack+confirm", true, true}}

// From publish to delivery a message costs two allocations: itself and its bytes.
func TestPublish_AllocatesTwiceAMessage(t *testing.T) {
	for _, kind := range kinds {
		for _, size := range []int{16, 1024, 10_000} {
			t.Run(fmt.Sprintf("%s/%d", kind.name, size), func(t *testing.T) {
				m := newPump(t, size, kind.acks, kind.confirms)
				for range 20 {
					m.round(t)
				}
				got := testing.AllocsPerRun(50, func() { m.round(t) }) / pumped
				if got > 2.1 {
					t.Errorf("%.2f allocations a message, want 2", got)
				}
			})
		}
	}
}

// BenchmarkPublishDeliver is the way of a message through the session, the queue
// and the session again, over a pipe.
func BenchmarkPublishDeliver(b *testing.B) {
	for _, kind := range kinds {
		for _, size := range []int{16, 1024} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, size), func(b *testing.B) {
				m := newPump(b, size, kind.acks, kind.confirms)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ResetTimer()
				for range (b.N + pumped - 1) / pumped {
					m.round(b)
				}
			})
		}
	}
}

// void is a store that has everything at once and keeps no message.
type void struct {
	*memory.Store
	numbers []uint64
}

func (v *void) Write(b *persistence.Batch) {
	var waits persistence.Waiter
	v.numbers = v.numbers[:0]
	for _, a := range b.Appends {
		if a.Waiter != nil {
			waits = a.Waiter // there is one in these tests
			v.numbers = append(v.numbers, a.Number)
		}
	}
	for _, w := range b.Waits {
		w.Waiter.Done([]uint64{w.Number}, nil)
	}
	b.Reset()
	if waits != nil {
		waits.Done(v.numbers, nil)
	}
}

// A message that is to be stored costs its record besides.
func TestPublish_AllocatesTheRecordToo(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			m := newPumpOf(t, Options{Store: &void{Store: memory.New()}}, lasting("q", strings.Repeat("a", 1024)), kind.acks, kind.confirms)
			for range 20 {
				m.round(t)
			}
			got := testing.AllocsPerRun(50, func() { m.round(t) }) / pumped
			if got > 3.2 {
				t.Errorf("%.2f allocations a message, want 3", got)
			}
		})
	}
}

// BenchmarkPublishStored is BenchmarkPublishDeliver for messages that go through
// a store, which costs nothing itself.
func BenchmarkPublishStored(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			m := newPumpOf(b, Options{Store: &void{Store: memory.New()}}, lasting("q", strings.Repeat("a", 1024)), kind.acks, kind.confirms)
			b.SetBytes(1024)
			b.ReportAllocs()
			b.ResetTimer()
			for range (b.N + pumped - 1) / pumped {
				m.round(b)
			}
		})
	}
}
