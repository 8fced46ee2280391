package amqp

import (
	"encoding/binary"
	"io"
	"math"
)

const (
	minReadBuffer = 4 << 10
	maxReadBuffer = 64 << 10
	// frameSlack is how far RabbitMQ lets a payload exceed frame-max − 8.
	frameSlack = 8
	// smallReads in a row that find the buffer empty make it small again.
	smallReads = 8
	// emptyReads in a row mean that the source is broken.
	emptyReads = 100
)

// Reader cuts a byte stream into frames. It does I/O only in Fill (and in
// Peek and ReadFrame, which call it); Next works on what is buffered. One
// goroutine at a time may use it.
//
// The buffer starts at 4 KiB and doubles up to 64 KiB while reads fill it. It
// grows beyond that only for a frame that needs it, by doubling as the bytes
// arrive, so a claimed length alone costs no memory.
type Reader struct {
	src      io.Reader
	buf      []byte // buf[r:w] is read and not yet handed out
	r, w     int
	frameMax uint32
	err      error // a read error that came together with data
	filled   bool  // the last read left no room in buf
	small    int   // small reads in a row
	received uint64
}

// NewReader returns a Reader of frames of at most frameMax bytes in all,
// with the 8 octets of slack that RabbitMQ allows; 0 means 2 GiB. Before
// connection.tune-ok the limit is MinFrameMax.
func NewReader(r io.Reader, frameMax uint32) *Reader {
	return &Reader{src: r, frameMax: frameMax, buf: make([]byte, minReadBuffer)}
}

// SetFrameMax changes the limit, from the next frame on; 0 means 2 GiB.
func (rd *Reader) SetFrameMax(frameMax uint32) { rd.frameMax = frameMax }

// Buffered returns how many bytes have been read and not yet handed out.
func (rd *Reader) Buffered() int { return rd.w - rd.r }

// Received returns how many bytes have been read from the source.
func (rd *Reader) Received() uint64 { return rd.received }

// Fill reads once from the source, blocking as that does, and makes room first
// if it must; all whole frames must have been taken out. The payload of the
// last frame is invalid afterwards. At the end
// of the stream it returns io.EOF, or io.ErrUnexpectedEOF inside a frame; a
// frame under way that claims too much is the *Error that Next returns.
func (rd *Reader) Fill() error {
	if rd.err != nil {
		return rd.readError(rd.err)
	}
	if err := rd.makeRoom(); err != nil {
		return err
	}
	for range emptyReads {
		n, err := rd.src.Read(rd.buf[rd.w:])
		rd.w += n
		rd.received += uint64(n)
		if n > 0 {
			rd.err = err
			rd.filled = rd.w == len(rd.buf)
			rd.countSmall(n)
			return nil
		}
		if err != nil {
			return rd.readError(err)
		}
	}
	return io.ErrNoProgress
}

// readError tells the end of the stream between frames from one inside.
func (rd *Reader) readError(err error) error {
	if err == io.EOF && rd.Buffered() > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// countSmall keeps the run of reads that the smallest buffer could have held.
func (rd *Reader) countSmall(n int) {
	if n < minReadBuffer {
		rd.small++
	} else {
		rd.small = 0
	}
}

// makeRoom moves what is left of a frame to the front, and grows or shrinks
// the buffer. A frame is moved at most once for each time the buffer is sized.
func (rd *Reader) makeRoom() error {
	size := len(rd.buf)
	switch {
	case rd.filled && size < maxReadBuffer:
		size *= 2
	case rd.Buffered() == size:
		// A frame larger than the buffer: it must be one we want.
		need, err := rd.pending()
		if err != nil {
			return err
		}
		size = max(size, min(2*size, need))
	case rd.small >= smallReads && rd.r == rd.w && size > minReadBuffer:
		size = minReadBuffer
	}
	if size == len(rd.buf) {
		if rd.r > 0 {
			rd.w = copy(rd.buf, rd.buf[rd.r:rd.w])
			rd.r = 0
		}
	} else {
		buf := make([]byte, size)
		rd.w = copy(buf, rd.buf[rd.r:rd.w])
		rd.buf, rd.r = buf, 0
		rd.small = 0
	}
	rd.filled = false
	return nil
}

// pending is the whole size of the frame under way, or of its header if that
// is not complete.
func (rd *Reader) pending() (int, error) {
	if rd.Buffered() < frameHeaderSize {
		return frameHeaderSize, nil
	}
	h := rd.buf[rd.r:]
	size := binary.BigEndian.Uint32(h[3:])
	limit := int64(rd.frameMax)
	if limit == 0 {
		limit = math.MaxInt32 - FrameOverhead
	}
	limit -= FrameOverhead
	if int64(size) > limit+frameSlack {
		f := Frame{Type: FrameType(h[0])}
		return 0, FrameError("%s: {frame_too_large,%d,%d}", f.Snippet(), size, limit)
	}
	return int(size) + FrameOverhead, nil
}

// Next returns the next whole frame of the buffer, without I/O. Its payload is
// valid until the next call of Next, ReadFrame or Fill. ok is false if no
// whole frame is buffered: call Fill. The error is an *Error with code 501 in
// RabbitMQ's words. After a frame that is too large (known from its first 7
// bytes) or has a wrong end octet the stream is of no use. A frame that only
// makes no sense is stepped over: an unknown type, a payload too short for the
// ids of a method or the fixed fields of a content header, a heartbeat with a
// payload.
func (rd *Reader) Next() (f Frame, ok bool, err error) {
	if rd.Buffered() < frameHeaderSize {
		return Frame{}, false, nil
	}
	n, err := rd.pending()
	if err != nil || rd.Buffered() < n {
		return Frame{}, false, err
	}
	b := rd.buf[rd.r : rd.r+n : rd.r+n]
	f = Frame{
		Type:    FrameType(b[0]),
		Channel: binary.BigEndian.Uint16(b[1:]),
		Payload: b[frameHeaderSize : n-1 : n-1],
	}
	if end := b[n-1]; end != FrameEnd {
		return Frame{}, false, FrameError("%s", f.wrongEnd(end))
	}
	rd.r += n
	if !f.wellFormed() {
		return Frame{}, false, FrameError("%s: unknown_frame", f.Snippet())
	}
	return f, true, nil
}

// ReadFrame is Next with as many Fills as it takes.
func (rd *Reader) ReadFrame() (Frame, error) {
	for {
		f, ok, err := rd.Next()
		if ok || err != nil {
			return f, err
		}
		if err := rd.Fill(); err != nil {
			return Frame{}, err
		}
	}
}

// Peek returns the next n bytes, n ≤ 4096, without consuming them, and reads
// for them if it must: the protocol header comes before the first frame. The
// slice is valid until the next Fill. If the stream ends first it returns what
// there is and the error.
func (rd *Reader) Peek(n int) ([]byte, error) {
	for rd.Buffered() < n {
		if err := rd.Fill(); err != nil {
			return rd.buf[rd.r:rd.w], err
		}
	}
	return rd.buf[rd.r : rd.r+n], nil
}

// Discard drops the next n bytes, which must be buffered: use it after Peek.
func (rd *Reader) Discard(n int) { rd.r += min(n, rd.Buffered()) }
