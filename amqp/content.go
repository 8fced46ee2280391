package amqp

import "encoding/binary"

const publishID = uint16(IDBasicPublish & 0xffff)

// PublishArgs is what basic.publish says, as slices of the frame: valid as
// long as the frame's payload is.
type PublishArgs struct {
	Exchange   []byte
	RoutingKey []byte
	Mandatory  bool
	Immediate  bool
}

// ParsePublish decodes the arguments of basic.publish (the payload without its
// first four bytes, the ids) and allocates nothing. Like RabbitMQ it lets any
// bytes be an exchange name or a routing key. Undecodable arguments are 501.
func ParsePublish(args []byte) (PublishArgs, error) {
	d := decoder{p: args}
	d.short() // ticket
	p := PublishArgs{Exchange: d.shortBytes(), RoutingKey: d.shortBytes()}
	p.Mandatory = d.firstBit()
	p.Immediate = d.nextBit()
	if err := d.finish(); err != nil {
		return PublishArgs{}, argsError(err, args, ClassBasic, publishID)
	}
	return p, nil
}

// ContentHeader is the payload of a content header frame [4.2.6.1].
type ContentHeader struct {
	// ClassID is that of the method before; only basic, 60, carries content.
	ClassID uint16
	// BodySize is the size of the whole body, in bytes.
	BodySize uint64
	// Properties is a slice of the frame, not looked at yet: see
	// Properties.Scan.
	Properties Properties
}

// ParseContentHeader decodes a content header and allocates nothing. A weight
// other than 0 is 505 with the ids of basic.publish, a payload that ends before
// the flags word the bare 541, both as RabbitMQ answers.
func ParseContentHeader(payload []byte) (ContentHeader, error) {
	if len(payload) <= contentFixed {
		return ContentHeader{}, errProperties()
	}
	if binary.BigEndian.Uint16(payload[2:]) != 0 {
		e := UnexpectedFrame("expected content header for class 60, got non content header frame instead")
		e.ClassID, e.MethodID = ClassBasic, publishID
		return ContentHeader{}, e
	}
	return ContentHeader{
		ClassID:    binary.BigEndian.Uint16(payload),
		BodySize:   binary.BigEndian.Uint64(payload[4:]),
		Properties: Properties(payload[contentFixed:]),
	}, nil
}
