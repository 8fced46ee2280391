package amqp

import "math/bits"

// Properties is the property list of a content header as on the wire, from the
// flags word on [4.2.6.1]. An empty slice is a list without properties, for
// messages that are made here; on the wire there are always flags.
// Whoever got it from a frame must copy it before the frame goes.
type Properties []byte

// The bits of the flags word, in the order of the fields.
const (
	flagContentType = 1 << (15 - iota)
	flagContentEncoding
	flagHeaders
	flagDeliveryMode
	flagPriority
	flagCorrelationID
	flagReplyTo
	flagExpiration
	flagMessageID
	flagTimestamp
	flagType
	flagUserID
	flagAppID
	flagClusterID
	flagReserved // no property of class basic has it; RabbitMQ ignores it
	flagMore     // another flags word follows: RabbitMQ refuses the list
)

var noProperties = Properties{0, 0}

// PropertyInfo is what the broker itself wants to know of a property list. Its
// slices are parts of the list, nil if the property is absent.
type PropertyInfo struct {
	// Headers is the raw table with its length: see LookupField, DecodeTable.
	Headers    []byte
	Expiration []byte
	UserID     []byte
	ReplyTo    []byte
	// DeliveryMode is 2 for a persistent message; 0 if absent.
	DeliveryMode uint8
	// Priority is 0 if absent.
	Priority   uint8
	HasHeaders bool
	// HasDeliveryMode and HasPriority tell 0 from absent.
	HasDeliveryMode bool
	HasPriority     bool
}

// Scan walks the list once, without allocating, and checks all of it: what
// Scan accepts, Decode does. The error is an *Error, the bare INTERNAL_ERROR
// that RabbitMQ sends.
func (p Properties) Scan() (PropertyInfo, error) {
	var info PropertyInfo
	w := walk(p)
	for w.next() {
		switch w.flag {
		case flagHeaders:
			info.Headers, info.HasHeaders = w.field, true
		case flagDeliveryMode:
			info.DeliveryMode, info.HasDeliveryMode = w.field[0], true
		case flagPriority:
			info.Priority, info.HasPriority = w.field[0], true
		case flagReplyTo:
			info.ReplyTo = w.field[1:]
		case flagExpiration:
			info.Expiration = w.field[1:]
		case flagUserID:
			info.UserID = w.field[1:]
		}
	}
	if err := w.finish(); err != nil {
		return PropertyInfo{}, errProperties()
	}
	return info, nil
}

// Headers decodes the headers table; nil if there is none.
func (p Properties) Headers() (Table, error) {
	w := walk(p)
	for w.next() {
		if w.flag == flagHeaders {
			t, _, err := DecodeTable(w.field)
			return t, err
		}
	}
	if w.err != nil {
		return nil, errProperties()
	}
	return nil, nil
}

// WithHeaders returns a list with that headers table, or without one if t is
// nil; every other byte stays as it was. p itself is unchanged.
func (p Properties) WithHeaders(t Table) (Properties, error) {
	var raw []byte
	if t != nil {
		var err error
		if raw, err = AppendTable(nil, t); err != nil {
			return nil, err
		}
	}
	return p.with(flagHeaders, raw)
}

// WithoutExpiration returns a list that lacks the expiration property; p
// itself, if it had none or is malformed.
func (p Properties) WithoutExpiration() Properties {
	if out, err := p.with(flagExpiration, nil); err == nil {
		return out
	}
	return p
}

// WithReplyTo returns a list with that reply-to, of at most 255 bytes. The
// error says that p is malformed or s too long.
func (p Properties) WithReplyTo(s string) (Properties, error) {
	raw, err := appendShort(nil, s)
	if err != nil {
		return nil, err
	}
	return p.with(flagReplyTo, raw)
}

// with returns a list in which the one property has the encoding raw, or is
// absent if raw is nil.
func (p Properties) with(flag uint16, raw []byte) (Properties, error) {
	w := walk(p)
	if raw == nil && w.flags&flag == 0 && w.err == nil {
		return p, nil
	}
	flags := w.flags &^ flag
	if raw != nil {
		flags |= flag
	}
	out := make(Properties, 2, max(len(p), 2)+len(raw))
	out[0], out[1] = byte(flags>>8), byte(flags)
	placed := raw == nil
	for w.next() {
		if !placed && w.flag <= flag {
			out = append(out, raw...)
			placed = true
		}
		if w.flag != flag {
			out = append(out, w.field...)
		}
	}
	if err := w.finish(); err != nil {
		return nil, errProperties()
	}
	if !placed {
		out = append(out, raw...)
	}
	return out, nil
}

// walker visits the properties of a list in the order of the wire.
type walker struct {
	decoder
	flags uint16 // of the whole list
	todo  uint16 // flags not visited yet
	flag  uint16 // of the property under way
	field []byte // its encoding, with the length of a string or table
}

func walk(p Properties) walker {
	if len(p) == 0 {
		p = noProperties
	}
	w := walker{decoder: decoder{p: p}}
	w.flags = w.short()
	if w.flags&flagMore != 0 {
		w.fail(errTrailing)
	}
	w.todo = w.flags &^ flagReserved
	return w
}

// next moves on to the next property; false at the end or at an error.
func (w *walker) next() bool {
	if w.err != nil || w.todo == 0 {
		return false
	}
	w.flag = 1 << 15 >> bits.LeadingZeros16(w.todo)
	w.todo &^= w.flag
	before := w.p
	switch w.flag {
	case flagHeaders:
		w.skipTable(0)
	case flagDeliveryMode, flagPriority:
		w.take(1)
	case flagTimestamp:
		w.take(8)
	default:
		w.shortBytes()
	}
	if w.err != nil {
		return false
	}
	n := len(before) - len(w.p)
	w.field = before[:n:n]
	return true
}

// errProperties is what RabbitMQ answers to any malformed list, when the whole
// body has come: the bare name, without ids.
func errProperties() *Error { return &Error{Code: CodeInternalError} }
