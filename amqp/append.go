package amqp

import "encoding/binary"

// The Append functions write frames at the end of a buffer and return it, as
// append does; they allocate only when the buffer has no room.

// AppendFrameHeader appends the 7 bytes in front of a payload of size bytes.
// With the payload and the octet FrameEnd they make a frame: so a large body
// can be sent from where it lies.
func AppendFrameHeader(buf []byte, typ FrameType, channel uint16, size uint32) []byte {
	buf = append(buf, byte(typ))
	buf = binary.BigEndian.AppendUint16(buf, channel)
	return binary.BigEndian.AppendUint32(buf, size)
}

// openFrame starts a frame whose size is not known yet; start is where.
func openFrame(buf []byte, typ FrameType, channel uint16) (out []byte, start int) {
	return AppendFrameHeader(buf, typ, channel, 0), len(buf)
}

// closeFrame fills in the size of the frame that starts there, and ends it.
func closeFrame(buf []byte, start int) []byte {
	putSize(buf, start+frameHeaderSize-4)
	return append(buf, FrameEnd)
}

// openMethod starts a method frame.
func openMethod(buf []byte, channel uint16, id uint32) (out []byte, start int) {
	buf, start = openFrame(buf, FrameMethod, channel)
	return binary.BigEndian.AppendUint32(buf, id), start
}

// AppendMethod appends a whole method frame. The error names a field that has
// no encoding (a short string of more than 255 bytes, a table as AppendTable
// refuses it); the buffer that comes back then is the one passed in.
func AppendMethod(buf []byte, channel uint16, m Method) ([]byte, error) {
	out, start := openMethod(buf, channel, uint32(m.ClassID())<<16|uint32(m.MethodID()))
	out, err := m.AppendArgs(out)
	if err != nil {
		return buf, err
	}
	return closeFrame(out, start), nil
}

// AppendContentHeader appends the frame that follows a method with content
// [4.2.6.1]. bodySize is the size of the whole body, in bytes.
func AppendContentHeader(buf []byte, channel, classID uint16, bodySize uint64, props Properties) []byte {
	if len(props) == 0 {
		props = noProperties
	}
	buf = AppendFrameHeader(buf, FrameHeader, channel, uint32(contentFixed+len(props)))
	buf = binary.BigEndian.AppendUint16(buf, classID)
	buf = append(buf, 0, 0) // weight: always zero
	buf = binary.BigEndian.AppendUint64(buf, bodySize)
	buf = append(buf, props...)
	return append(buf, FrameEnd)
}

// AppendBody appends the body in frames of at most frameMax bytes each, all
// told; 0 means one frame. An empty body has no frame.
func AppendBody(buf []byte, channel uint16, body []byte, frameMax uint32) []byte {
	most := len(body)
	if frameMax > FrameOverhead {
		most = min(most, int(frameMax-FrameOverhead))
	}
	for len(body) > 0 {
		n := min(most, len(body))
		buf = AppendFrameHeader(buf, FrameBody, channel, uint32(n))
		buf = append(buf, body[:n]...)
		buf = append(buf, FrameEnd)
		body = body[n:]
	}
	return buf
}

// AppendHeartbeat appends a heartbeat frame, which is always on channel 0.
func AppendHeartbeat(buf []byte) []byte {
	return append(AppendFrameHeader(buf, FrameHeartbeat, 0, 0), FrameEnd)
}

// AppendDeliver appends the method frame of basic.deliver; the content header
// and body go after it. Like the functions below it cuts strings at the 255
// bytes of a short string, which names that came off the wire never exceed.
func AppendDeliver(buf []byte, channel uint16, consumerTag string, deliveryTag uint64, redelivered bool, exchange, routingKey string) []byte {
	buf, start := openMethod(buf, channel, IDBasicDeliver)
	buf = appendCut(buf, consumerTag)
	buf = binary.BigEndian.AppendUint64(buf, deliveryTag)
	buf = append(buf, boolOctet(redelivered))
	buf = appendCut(buf, exchange)
	buf = appendCut(buf, routingKey)
	return closeFrame(buf, start)
}

// AppendGetOk appends the method frame of basic.get-ok. messageCount is what
// stays ready in the queue.
func AppendGetOk(buf []byte, channel uint16, deliveryTag uint64, redelivered bool, exchange, routingKey string, messageCount uint32) []byte {
	buf, start := openMethod(buf, channel, IDBasicGetOk)
	buf = binary.BigEndian.AppendUint64(buf, deliveryTag)
	buf = append(buf, boolOctet(redelivered))
	buf = appendCut(buf, exchange)
	buf = appendCut(buf, routingKey)
	buf = binary.BigEndian.AppendUint32(buf, messageCount)
	return closeFrame(buf, start)
}

// AppendReturn appends the method frame of basic.return.
func AppendReturn(buf []byte, channel uint16, code ReplyCode, text, exchange, routingKey string) []byte {
	buf, start := openMethod(buf, channel, IDBasicReturn)
	buf = binary.BigEndian.AppendUint16(buf, uint16(code))
	buf = appendCut(buf, text)
	buf = appendCut(buf, exchange)
	buf = appendCut(buf, routingKey)
	return closeFrame(buf, start)
}

// AppendAck appends basic.ack: from the broker it is a confirm.
func AppendAck(buf []byte, channel uint16, deliveryTag uint64, multiple bool) []byte {
	buf, start := openMethod(buf, channel, IDBasicAck)
	buf = binary.BigEndian.AppendUint64(buf, deliveryTag)
	buf = append(buf, boolOctet(multiple))
	return closeFrame(buf, start)
}

// AppendNack appends basic.nack.
func AppendNack(buf []byte, channel uint16, deliveryTag uint64, multiple, requeue bool) []byte {
	buf, start := openMethod(buf, channel, IDBasicNack)
	buf = binary.BigEndian.AppendUint64(buf, deliveryTag)
	buf = append(buf, boolOctet(multiple)|boolOctet(requeue)<<1)
	return closeFrame(buf, start)
}

// appendCut appends a short string of at most 255 bytes of s.
func appendCut(buf []byte, s string) []byte {
	s = s[:min(len(s), 255)]
	return append(append(buf, byte(len(s))), s...)
}
