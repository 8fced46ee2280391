package amqp

// FrameType is the first octet of a frame [4.2.3].
type FrameType uint8

// The frame types of AMQP 0-9-1. Every other value is refused by Reader.
const (
	FrameMethod    FrameType = 1
	FrameHeader    FrameType = 2
	FrameBody      FrameType = 3
	FrameHeartbeat FrameType = 8
)

const (
	// FrameEnd is the octet that closes every frame [4.2.3].
	FrameEnd = 0xCE
	// FrameOverhead is what a frame costs beside its payload, in bytes: type,
	// channel, size and end octet.
	FrameOverhead = 8
	// MinFrameMax is the least frame-max a peer may ask for [frame-min-size];
	// it also limits frames before connection.tune-ok.
	MinFrameMax = 4096
	// DefaultFrameMax is what the broker offers in connection.tune, as
	// RabbitMQ does.
	DefaultFrameMax = 131072
	// ProtocolHeader is what a client sends first, and what a server answers
	// when it cannot speak the client's protocol [4.2.2].
	ProtocolHeader = "AMQP\x00\x00\x09\x01"
)

const (
	frameHeaderSize = FrameOverhead - 1 // type, channel and payload size
	idsSize         = 4                 // class id and method id of a method
	contentFixed    = 12                // class, weight, body size of a content header
)

// Frame is one frame as Reader cut it from the stream.
type Frame struct {
	Type    FrameType
	Channel uint16
	// Payload lies between the 7 header bytes and the end octet. It belongs to
	// the Reader and is valid until the next call of Next, ReadFrame or Fill.
	Payload []byte
}

// wellFormed reports whether RabbitMQ knows what to do with such a frame: one
// of the four types, with room for the ids of a method or the fixed fields of
// a content header, and nothing in a heartbeat.
func (f Frame) wellFormed() bool {
	switch f.Type {
	case FrameMethod:
		return len(f.Payload) >= idsSize
	case FrameHeader:
		return len(f.Payload) >= contentFixed
	case FrameBody:
		return true
	case FrameHeartbeat:
		return len(f.Payload) == 0
	}
	return false
}
