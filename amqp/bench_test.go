package amqp

import (
	"io"
	"testing"
)

// repeat is a source without end: the same bytes again and again.
type repeat struct {
	data []byte
	at   int
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c := copy(p[n:], r.data[r.at:])
		n += c
		if r.at += c; r.at == len(r.data) {
			r.at = 0
		}
	}
	return n, nil
}

// publishFrames is a publish as clients send it: method, header, body of 1 KiB.
func publishFrames(t testing.TB, headers Table) []byte {
	t.Helper()
	buf, err := AppendMethod(nil, 1, &BasicPublish{Exchange: "orders", RoutingKey: "orders.new", Mandatory: true})
	if err != nil {
		t.Fatal(err)
	}
	props, err := BasicProperties{ContentType: "application/json", DeliveryMode: 2, Headers: headers}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 1024)
	buf = AppendContentHeader(buf, 1, ClassBasic, uint64(len(body)), props)
	return AppendBody(buf, 1, body, DefaultFrameMax)
}

// readPublish reads and parses the three frames; it returns the body's size.
func readPublish(rd *Reader) (int, error) {
	f, err := rd.ReadFrame()
	if err != nil {
		return 0, err
	}
	_, _, args, err := SplitMethod(f.Payload)
	if err != nil {
		return 0, err
	}
	if _, err = ParsePublish(args); err != nil {
		return 0, err
	}
	if f, err = rd.ReadFrame(); err != nil {
		return 0, err
	}
	h, err := ParseContentHeader(f.Payload)
	if err != nil {
		return 0, err
	}
	if _, err = h.Properties.Scan(); err != nil {
		return 0, err
	}
	f, err = rd.ReadFrame()
	return len(f.Payload), err
}

func BenchmarkReadPublish(b *testing.B) {
	for _, c := range []struct {
		name    string
		headers Table
	}{{"plain", nil}, {"headers", allTypes}} {
		b.Run(c.name, func(b *testing.B) {
			data := publishFrames(b, c.headers)
			rd := NewReader(&repeat{data: data}, DefaultFrameMax)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := readPublish(rd); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendDeliver(b *testing.B) {
	props, err := BasicProperties{ContentType: "application/json", DeliveryMode: 2}.Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 1024)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = appendDelivery(buf[:0], props, body)
	}
	b.SetBytes(int64(len(buf)))
}

func appendDelivery(buf []byte, props Properties, body []byte) []byte {
	buf = AppendDeliver(buf, 1, "amq.ctag-1", 1234567, false, "orders", "orders.new")
	buf = AppendContentHeader(buf, 1, ClassBasic, uint64(len(body)), props)
	return AppendBody(buf, 1, body, DefaultFrameMax)
}

func BenchmarkTable(b *testing.B) {
	raw, err := AppendTable(nil, allTypes)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := DecodeTable(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("validate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := ValidateTable(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok, err := LookupField(raw, "BCC"); ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}

func BenchmarkParseMethod(b *testing.B) {
	ack := AppendAck(nil, 1, 1234567, true)
	payload := ack[frameHeaderSize : len(ack)-1]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseMethod(payload); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocations bounds what the hot path allocates.
func TestAllocations(t *testing.T) {
	rd := NewReader(&repeat{data: publishFrames(t, allTypes)}, DefaultFrameMax)
	for range 100 { // the buffer reaches its size
		if _, err := readPublish(rd); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 0, 8<<10)
	props := Properties{0x10, 0, 2}
	body := make([]byte, 1024)
	headers, err := AppendTable(nil, allTypes)
	if err != nil {
		t.Fatal(err)
	}
	ack := AppendAck(nil, 1, 9, true)
	ackArgs := ack[frameHeaderSize+idsSize : len(ack)-1]
	for _, c := range []struct {
		name string
		most float64
		run  func() error
	}{
		{"read and parse a publish", 0, func() error { _, err := readPublish(rd); return err }},
		{"append a delivery", 0, func() error { appendDelivery(buf, props, body); return nil }},
		{"append get-ok", 0, func() error { AppendGetOk(buf, 1, 1, false, "x", "k", 1); return nil }},
		{"append a return", 0, func() error { AppendReturn(buf, 1, CodeNoRoute, "NO_ROUTE", "x", "k"); return nil }},
		{"append ack, nack, heartbeat", 0, func() error {
			AppendHeartbeat(AppendNack(AppendAck(buf, 1, 1, true), 1, 1, true, true))
			return nil
		}},
		{"validate a table", 0, func() error { return ValidateTable(headers) }},
		{"look for a field that is not there", 0, func() error { _, _, err := LookupField(headers, "BCC"); return err }},
		{"decode basic.ack in place", 0, func() error { var m BasicAck; return m.DecodeArgs(ackArgs) }},
		{"parse basic.ack", 1, func() error { _, err := ParseMethod(ack[frameHeaderSize : len(ack)-1]); return err }},
	} {
		if got := testing.AllocsPerRun(200, func() {
			if err := c.run(); err != nil && err != io.EOF {
				t.Fatal(err)
			}
		}); got > c.most {
			t.Errorf("%s: %v allocations, want at most %v", c.name, got, c.most)
		}
	}
}
