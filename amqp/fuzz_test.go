package amqp

import (
	"bytes"
	"io"
	"reflect"
	"testing"
	"testing/iotest"
)

// FuzzReader wants the frames that come out, written again, to be the bytes
// that went in, however these were cut, and no frame beyond frame-max.
func FuzzReader(f *testing.F) {
	for _, g := range storedFrames(f) {
		f.Add(g.frame, uint32(MinFrameMax))
	}
	f.Fuzz(func(t *testing.T, data []byte, frameMax uint32) {
		whole, wholeErr := readAll(t, NewReader(bytes.NewReader(data), frameMax), frameMax)
		if !bytes.HasPrefix(data, whole) {
			t.Errorf("frames %x of stream %x", whole, data)
		}
		pieces, piecesErr := readAll(t, NewReader(iotest.OneByteReader(bytes.NewReader(data)), frameMax), frameMax)
		if !bytes.Equal(whole, pieces) || wholeErr.Error() != piecesErr.Error() {
			t.Errorf("at once %x, %v; by byte %x, %v", whole, wholeErr, pieces, piecesErr)
		}
	})
}

func readAll(t *testing.T, rd *Reader, frameMax uint32) ([]byte, error) {
	var out []byte
	for {
		f, err := rd.ReadFrame()
		if err != nil {
			if _, refused := err.(*Error); !refused && err != io.EOF && err != io.ErrUnexpectedEOF {
				t.Errorf("unexpected error %v", err)
			}
			return out, err
		}
		if frameMax != 0 && len(f.Payload) > int(frameMax) {
			t.Errorf("payload of %d bytes with frame-max %d", len(f.Payload), frameMax)
		}
		out = append(out, frameBytes(f.Type, f.Channel, f.Payload, FrameEnd)...)
	}
}

// FuzzParseMethod wants what was decoded to survive encoding, and ParsePublish
// to agree with BasicPublish.
func FuzzParseMethod(f *testing.F) {
	for _, g := range storedFrames(f) {
		if FrameType(g.frame[0]) == FrameMethod {
			f.Add(g.frame[frameHeaderSize : len(g.frame)-1])
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := ParseMethod(payload)
		if err != nil {
			refusal := err.(*Error)
			if !refusal.Code.Hard() || refusal.Text == "" || len(refusal.ReplyText()) > 255 {
				t.Errorf("%x: refused with %#v", payload, refusal)
			}
			return
		}
		frame, err := AppendMethod(nil, 1, m)
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		again, err := ParseMethod(readOne(t, frame).Payload)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v came back as %+v, %v", m, again, err)
		}
		if want, ok := m.(*BasicPublish); ok {
			p, err := ParsePublish(payload[idsSize:])
			got := &BasicPublish{string(p.Exchange), string(p.RoutingKey), p.Mandatory, p.Immediate}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("ParsePublish: %+v, %v, want %+v", got, err, want)
			}
		}
	})
}

// FuzzTable wants DecodeTable and ValidateTable to agree, tables to survive
// encoding, and LookupField to find what Get finds.
func FuzzTable(f *testing.F) {
	raw, err := AppendTable(nil, allTypes)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	for _, field := range allTypes {
		raw, err := AppendTable(nil, Table{field})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		table, rest, err := DecodeTable(raw)
		valid := ValidateTable(raw[:len(raw)-len(rest)])
		if err != nil {
			if ValidateTable(raw) == nil {
				t.Errorf("%x: valid, but %v", raw, err)
			}
			return
		}
		if valid != nil {
			t.Errorf("%x: decoded, but %v", raw, valid)
		}
		again, err := AppendTable(nil, table)
		if err != nil {
			t.Fatalf("%v: %v", table, err)
		}
		if got, rest, err := DecodeTable(again); err != nil || len(rest) > 0 || !reflect.DeepEqual(got, table) {
			t.Errorf("%v came back as %v, %v", table, got, err)
		}
		for _, field := range table {
			want, _ := table.Get(field.Name)
			if got, ok, err := LookupField(raw, field.Name); err != nil || !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("%q: %v, %v, %v, want %v", field.Name, got, ok, err, want)
			}
		}
	})
}

// FuzzProperties wants Scan and Decode to agree, lists to survive encoding,
// and an edit to change one property only.
func FuzzProperties(f *testing.F) {
	for _, s := range propertySamples {
		raw, err := s.props.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := Properties(raw)
		info, scanErr := p.Scan()
		b, err := p.Decode()
		if (scanErr == nil) != (err == nil) {
			t.Fatalf("%x: Scan %v, Decode %v", raw, scanErr, err)
		}
		edited, editErr := p.WithReplyTo("r")
		if (editErr == nil) != (err == nil) {
			t.Fatalf("%x: WithReplyTo %v, Decode %v", raw, editErr, err)
		}
		if err != nil {
			return
		}
		if info.DeliveryMode != b.DeliveryMode || info.Priority != b.Priority ||
			string(info.Expiration) != b.Expiration || string(info.ReplyTo) != b.ReplyTo || string(info.UserID) != b.UserID ||
			info.HasHeaders != b.Present.Has(HasHeaders) || info.HasPriority != b.Present.Has(HasPriority) ||
			info.HasDeliveryMode != b.Present.Has(HasDeliveryMode) || (info.Expiration != nil) != b.Present.Has(HasExpiration) {
			t.Errorf("%x: Scan %+v, Decode %+v", raw, info, b)
		}
		again, err := b.Append(nil)
		if err != nil {
			t.Fatalf("%+v: %v", b, err)
		}
		if got, err := Properties(again).Decode(); err != nil || !reflect.DeepEqual(got, b) {
			t.Errorf("%+v came back as %+v, %v", b, got, err)
		}
		b.ReplyTo, b.Present = "r", b.Present|HasReplyTo
		if got, err := edited.Decode(); err != nil || !reflect.DeepEqual(got, b) {
			t.Errorf("edited: %+v, %v, want %+v", got, err, b)
		}
	})
}
