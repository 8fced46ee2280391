package amqp

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// frameBytes is a frame with any type, claimed size and end octet.
func frameBytes(typ FrameType, channel uint16, payload []byte, end byte) []byte {
	b := AppendFrameHeader(nil, typ, channel, uint32(len(payload)))
	return append(append(b, payload...), end)
}

// TestReader_4_2_3_Frames reads all golden frames in one stream, in pieces of
// several sizes.
func TestReader_4_2_3_Frames(t *testing.T) {
	var stream []byte
	stored := storedFrames(t)
	for _, g := range stored {
		stream = append(stream, g.frame...)
	}
	readers := map[string]io.Reader{
		"at once":   bytes.NewReader(stream),
		"by byte":   iotest.OneByteReader(bytes.NewReader(stream)),
		"by half":   iotest.HalfReader(bytes.NewReader(stream)),
		"EOF early": iotest.DataErrReader(bytes.NewReader(stream)),
	}
	for name, src := range readers {
		rd := NewReader(src, MinFrameMax)
		for _, g := range stored {
			f, err := rd.ReadFrame()
			if err != nil {
				t.Fatalf("%s: %s: %v", name, g.meaning, err)
			}
			if again := frameBytes(f.Type, f.Channel, f.Payload, FrameEnd); !bytes.Equal(again, g.frame) {
				t.Fatalf("%s: %s: got %x, want %x", name, g.meaning, again, g.frame)
			}
		}
		if _, err := rd.ReadFrame(); err != io.EOF {
			t.Errorf("%s: at the end: %v, want EOF", name, err)
		}
	}
}

// TestReader_4_2_3_Refusals holds what RabbitMQ 3.10 answered to these bytes.
func TestReader_4_2_3_Refusals(t *testing.T) {
	count := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		return b
	}
	tooLarge := func(typ FrameType, size uint32) []byte { return AppendFrameHeader(nil, typ, 1, size) }
	for _, c := range []struct {
		name     string
		frameMax uint32
		data     []byte
		want     string
	}{
		{"9 bytes more than frame-max allows", 4096, tooLarge(FrameBody, 4097),
			"FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,4097,4088}"},
		{"only the 7 bytes of the header came", 131072, tooLarge(FrameBody, 140000),
			"FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,140000,131064}"},
		{"too large comes before unknown", 131072, tooLarge(9, 140000),
			"FRAME_ERROR - type 9, all octets = <<>>: {frame_too_large,140000,131064}"},
		{"wrong end octet", 4096, frameBytes(FrameMethod, 1, []byte{0, 20, 0, 20, 1}, 0),
			"FRAME_ERROR - type 1, all octets = <<0,20,0,20,1>>: {invalid_frame_end_marker,0}"},
		{"wrong end octet, long payload", 4096, frameBytes(FrameBody, 1, count(20), 205),
			"FRAME_ERROR - type 3, first 16 octets = <<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15>>: {invalid_frame_end_marker,\n" + strings.Repeat(" ", 70) + "205}"},
		{"wrong end octet, wide payload", 4096, frameBytes(FrameBody, 1, bytes.Repeat([]byte{128}, 20), 205),
			"FRAME_ERROR - type 3, first 16 octets = <<128,128,128,128,128,128,128,128,128,128,128,128,\n" + strings.Repeat(" ", 28) + "128,128,128,128>>: {invalid_frame_end_marker,205}"},
		{"wrong end octet, printable payload", 4096, frameBytes(FrameBody, 1, []byte("hello \"a\\b\n\t\x1b"), 205),
			`FRAME_ERROR - type 3, all octets = <<"hello \"a\\b\n\t\e">>: {invalid_frame_end_marker,205}`},
		{"wrong end octet, UTF-8 payload", 4096, frameBytes(FrameBody, 1, []byte("abcé€"), 205),
			"FRAME_ERROR - type 3, all octets = <<97,98,99,195,169,226,130,172>>: {invalid_frame_end_marker,\n" + strings.Repeat(" ", 56) + "205}"},
		{"unknown type, wrong end octet", 4096, frameBytes(9, 1, count(17), 1),
			"FRAME_ERROR - type 9, first 16 octets = <<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15>>: {invalid_frame_end_marker,\n" + strings.Repeat(" ", 70) + "1}"},
		{"unknown type, empty", 4096, frameBytes(9, 1, nil, FrameEnd),
			"FRAME_ERROR - type 9, all octets = <<>>: unknown_frame"},
		{"unknown type, 16 bytes", 4096, frameBytes(0, 1, count(16), FrameEnd),
			"FRAME_ERROR - type 0, all octets = <<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15>>: unknown_frame"},
		{"unknown type, 17 bytes", 4096, frameBytes(9, 0, count(17), FrameEnd),
			"FRAME_ERROR - type 9, first 16 octets = <<0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15>>: unknown_frame"},
		{"heartbeat with a payload", 4096, frameBytes(FrameHeartbeat, 0, []byte("abc"), FrameEnd),
			`FRAME_ERROR - type 8, all octets = <<"abc">>: unknown_frame`},
		{"method without room for its ids", 4096, frameBytes(FrameMethod, 1, []byte{0, 20, 0}, FrameEnd),
			"FRAME_ERROR - type 1, all octets = <<0,20,0>>: unknown_frame"},
		{"content header without room for its fixed fields", 4096, frameBytes(FrameHeader, 1, append([]byte{0, 60}, make([]byte, 9)...), FrameEnd),
			"FRAME_ERROR - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0>>: unknown_frame"},
	} {
		_, err := NewReader(bytes.NewReader(c.data), c.frameMax).ReadFrame()
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Code != CodeFrameError || refusal.ReplyText() != c.want {
			t.Errorf("%s: got\n%v, want\n%s", c.name, err, c.want)
		}
	}
}

// A frame that only makes no sense does not cost the frames behind it: among
// them may be the answer to the close that it earns.
func TestReader_4_2_3_StepsOverUnknownFrames(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"unknown type", frameBytes(9, 1, []byte("abc"), FrameEnd)},
		{"heartbeat with a payload", frameBytes(FrameHeartbeat, 0, []byte("abc"), FrameEnd)},
		{"method without room for its ids", frameBytes(FrameMethod, 1, []byte{0, 20, 0}, FrameEnd)},
	} {
		rd := NewReader(bytes.NewReader(append(c.frame, frameBytes(FrameBody, 7, []byte("next"), FrameEnd)...)), MinFrameMax)
		if _, err := rd.ReadFrame(); err == nil {
			t.Errorf("%s: not refused", c.name)
		}
		if f, err := rd.ReadFrame(); err != nil || f.Channel != 7 || string(f.Payload) != "next" {
			t.Errorf("%s: behind it %+v, %v", c.name, f, err)
		}
	}
}

// TestReader_FrameMax: RabbitMQ allows 8 octets more than frame-max.
func TestReader_FrameMax(t *testing.T) {
	for _, c := range []struct {
		frameMax uint32
		payload  int
		ok       bool
	}{
		{4096, 4088, true}, {4096, 4096, true}, {4096, 4097, false},
		{131072, 131072, true}, {131072, 131073, false},
		{0, 1 << 20, true},
	} {
		frame := frameBytes(FrameBody, 1, make([]byte, c.payload), FrameEnd)
		rd := NewReader(bytes.NewReader(frame), MinFrameMax)
		rd.SetFrameMax(c.frameMax)
		f, err := rd.ReadFrame()
		if (err == nil) != c.ok || err == nil && len(f.Payload) != c.payload {
			t.Errorf("frame-max %d, payload %d: %d bytes, %v", c.frameMax, c.payload, len(f.Payload), err)
		}
	}
}

func TestReader_EndOfStream(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		src  io.Reader
		want error
	}{
		{"between frames", bytes.NewReader(AppendHeartbeat(nil)), io.EOF},
		{"in a frame's header", bytes.NewReader(append(AppendHeartbeat(nil), 1)), io.ErrUnexpectedEOF},
		{"in a payload", bytes.NewReader(AppendAck(AppendHeartbeat(nil), 1, 1, true)[:20]), io.ErrUnexpectedEOF},
		{"error of the source", io.MultiReader(bytes.NewReader(AppendHeartbeat(nil)), iotest.ErrReader(broken)), broken},
		{"source that gives nothing", io.MultiReader(bytes.NewReader(AppendHeartbeat(nil)), idle{}), io.ErrNoProgress},
	} {
		rd := NewReader(c.src, 0)
		if _, err := rd.ReadFrame(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := rd.ReadFrame(); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// idle is a source that returns no bytes and no error.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// TestReader_4_2_2_ProtocolHeader peeks at what comes before the first frame.
func TestReader_4_2_2_ProtocolHeader(t *testing.T) {
	data := AppendHeartbeat([]byte(ProtocolHeader))
	rd := NewReader(iotest.OneByteReader(bytes.NewReader(data)), MinFrameMax)
	for range 2 { // peeking consumes nothing
		if got, err := rd.Peek(len(ProtocolHeader)); err != nil || string(got) != ProtocolHeader {
			t.Fatalf("Peek: %q, %v", got, err)
		}
	}
	rd.Discard(len(ProtocolHeader))
	if f, err := rd.ReadFrame(); err != nil || f.Type != FrameHeartbeat {
		t.Errorf("frame after the header: %v, %v", f, err)
	}
	rd = NewReader(strings.NewReader("GET"), MinFrameMax)
	if got, err := rd.Peek(8); string(got) != "GET" || err != io.ErrUnexpectedEOF {
		t.Errorf("short header: %q, %v", got, err)
	}
}

// TestReader_NextDoesNoIO wants Next to answer from the buffer alone.
func TestReader_NextDoesNoIO(t *testing.T) {
	data := AppendAck(AppendAck(nil, 1, 1, false), 2, 2, false)
	rd := NewReader(io.MultiReader(bytes.NewReader(data[:len(data)-1]), bytes.NewReader(data[len(data)-1:])), 0)
	var got []any
	for range 2 {
		_, ok, _ := rd.Next()
		got = append(got, ok)
		if err := rd.Fill(); err != nil {
			t.Fatal(err)
		}
		f, ok, _ := rd.Next()
		got = append(got, ok, f.Channel)
	}
	if want := []any{false, true, uint16(1), false, true, uint16(2)}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestReader_Buffer follows the size of the buffer: it grows while reads fill
// it, beyond 64 KiB only for a frame that needs it, and shrinks when idle.
func TestReader_Buffer(t *testing.T) {
	var src bytes.Buffer
	rd := NewReader(&src, 1<<20)
	size := func(when string, want int) {
		t.Helper()
		for {
			_, ok, err := rd.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok && src.Len() == 0 {
				break
			} else if !ok {
				if err := rd.Fill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(rd.buf) != want {
			t.Errorf("%s: buffer of %d bytes, want %d", when, len(rd.buf), want)
		}
	}
	heartbeats := func(n int) { src.Write(bytes.Repeat(AppendHeartbeat(nil), n)) }
	heartbeats(1)
	size("after one frame", minReadBuffer)
	heartbeats(1 << 15)
	size("after a burst", maxReadBuffer)
	large := frameBytes(FrameBody, 1, make([]byte, 300_000), FrameEnd)
	src.Write(large)
	size("after a large frame", len(large))
	for range smallReads {
		heartbeats(1)
		size("while it gets quiet", len(large))
	}
	heartbeats(1)
	size("when it is quiet", minReadBuffer)
}

// TestReader_ClaimedSizeCostsNothing: memory follows the bytes, not the claim.
func TestReader_ClaimedSizeCostsNothing(t *testing.T) {
	data := append(AppendFrameHeader(nil, FrameBody, 1, 1<<30), make([]byte, 100_000)...)
	rd := NewReader(bytes.NewReader(data), 0)
	grown := allocated(func() {
		if _, err := rd.ReadFrame(); err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
	})
	if grown > 512<<10 {
		t.Errorf("%d bytes allocated for 100 KB of a claimed GiB", grown)
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
