package amqp

import "encoding/binary"

// BasicProperties is a decoded property list of class basic [1.8.1], for those
// who need more than Properties.Scan tells. A property that is present may be
// empty: Present tells it from an absent one.
type BasicProperties struct {
	ContentType     string
	ContentEncoding string
	Headers         Table
	DeliveryMode    uint8 // 1 transient, 2 persistent
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string // milliseconds in decimal digits
	MessageID       string
	Timestamp       Timestamp
	Type            string
	UserID          string
	AppID           string
	ClusterID       string

	// Present says which properties are on the wire even though they are empty
	// or zero. Decode sets it; Append sends what is present or not zero.
	Present PropertyFlags
}

// PropertyFlags is a set of properties, in the bits of the flags word.
type PropertyFlags uint16

// The properties of class basic.
const (
	HasContentType     PropertyFlags = flagContentType
	HasContentEncoding PropertyFlags = flagContentEncoding
	HasHeaders         PropertyFlags = flagHeaders
	HasDeliveryMode    PropertyFlags = flagDeliveryMode
	HasPriority        PropertyFlags = flagPriority
	HasCorrelationID   PropertyFlags = flagCorrelationID
	HasReplyTo         PropertyFlags = flagReplyTo
	HasExpiration      PropertyFlags = flagExpiration
	HasMessageID       PropertyFlags = flagMessageID
	HasTimestamp       PropertyFlags = flagTimestamp
	HasType            PropertyFlags = flagType
	HasUserID          PropertyFlags = flagUserID
	HasAppID           PropertyFlags = flagAppID
	HasClusterID       PropertyFlags = flagClusterID
)

// Has reports whether all the properties of f are in the set.
func (s PropertyFlags) Has(f PropertyFlags) bool { return s&f == f }

// Decode decodes all of the list. The result shares no memory with it. The
// error is that of Scan.
func (p Properties) Decode() (BasicProperties, error) {
	var b BasicProperties
	w := walk(p)
	for w.next() {
		f := decoder{p: w.field}
		switch w.flag {
		case flagHeaders:
			b.Headers = f.table(0)
		case flagDeliveryMode:
			b.DeliveryMode = f.octet()
		case flagPriority:
			b.Priority = f.octet()
		case flagTimestamp:
			b.Timestamp = Timestamp(f.longlong())
		default:
			*b.shortField(w.flag) = f.shortstr()
		}
		b.Present |= PropertyFlags(w.flag)
		if f.err != nil {
			w.fail(f.err)
		}
	}
	if err := w.finish(); err != nil {
		return BasicProperties{}, errProperties()
	}
	return b, nil
}

// shortField is the property of that flag, which is a short string.
func (b *BasicProperties) shortField(flag uint16) *string {
	switch flag {
	case flagContentType:
		return &b.ContentType
	case flagContentEncoding:
		return &b.ContentEncoding
	case flagCorrelationID:
		return &b.CorrelationID
	case flagReplyTo:
		return &b.ReplyTo
	case flagExpiration:
		return &b.Expiration
	case flagMessageID:
		return &b.MessageID
	case flagType:
		return &b.Type
	case flagUserID:
		return &b.UserID
	case flagAppID:
		return &b.AppID
	}
	return &b.ClusterID
}

// set returns the properties that go on the wire.
func (b *BasicProperties) set() uint16 {
	flags := uint16(b.Present) &^ (flagReserved | flagMore)
	for flag := uint16(flagContentType); flag >= flagClusterID; flag >>= 1 {
		var has bool
		switch flag {
		case flagHeaders:
			has = b.Headers != nil
		case flagDeliveryMode:
			has = b.DeliveryMode != 0
		case flagPriority:
			has = b.Priority != 0
		case flagTimestamp:
			has = b.Timestamp != 0
		default:
			has = *b.shortField(flag) != ""
		}
		if has {
			flags |= flag
		}
	}
	return flags
}

// Append appends the property list. A string of more than 255 bytes and a
// table that AppendTable refuses are errors.
func (b BasicProperties) Append(buf []byte) ([]byte, error) {
	flags := b.set()
	buf = binary.BigEndian.AppendUint16(buf, flags)
	for flag := uint16(flagContentType); flag >= flagClusterID; flag >>= 1 {
		if flags&flag == 0 {
			continue
		}
		var err error
		switch flag {
		case flagHeaders:
			buf, err = AppendTable(buf, b.Headers)
		case flagDeliveryMode:
			buf = append(buf, b.DeliveryMode)
		case flagPriority:
			buf = append(buf, b.Priority)
		case flagTimestamp:
			buf = binary.BigEndian.AppendUint64(buf, uint64(b.Timestamp))
		default:
			buf, err = appendShort(buf, *b.shortField(flag))
		}
		if err != nil {
			return nil, err
		}
	}
	return buf, nil
}
