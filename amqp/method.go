package amqp

import (
	"encoding/binary"
	"fmt"
)

//go:generate go run ./internal/gen

// Method is one method of the specification, such as *QueueDeclare.
type Method interface {
	// ClassID and MethodID are the numbers of the specification.
	ClassID() uint16
	MethodID() uint16
	// Name is "class.method" in the spelling of the specification.
	Name() string
	// AppendArgs appends the fields, without the ids. The error names a field
	// that has no encoding.
	AppendArgs(buf []byte) ([]byte, error)
	// DecodeArgs fills in the fields from a payload without its ids. The
	// method shares no memory with it. The error is an *Error with code 501
	// in RabbitMQ's words: with the ids, except for a string that is not UTF-8
	// outside of class connection.
	DecodeArgs(args []byte) error
}

// Sender says who may send a method.
type Sender uint8

// The senders; they combine as bits.
const (
	SentByClient Sender = 1 << iota
	SentByServer
)

// MethodInfo is what the specification says about a method beside its fields.
type MethodInfo struct {
	// Name is "class.method".
	Name string
	// Sender is who may send it.
	Sender Sender
	// Sync says that the sender waits for an answer, or that it is one.
	Sync bool
	// Content says that a content header and a body follow.
	Content bool
}

// MethodName returns "class.method", or "" for ids that are not known.
func MethodName(classID, methodID uint16) string {
	info, _ := LookupMethod(classID, methodID)
	return info.Name
}

// FromClient reports whether a client may send the method.
func FromClient(classID, methodID uint16) bool {
	info, _ := LookupMethod(classID, methodID)
	return info.Sender&SentByClient != 0
}

// SplitMethod takes the ids off the payload of a method frame. A payload that
// is too short for them is 501.
func SplitMethod(payload []byte) (classID, methodID uint16, args []byte, err error) {
	if len(payload) < idsSize {
		return 0, 0, nil, argsError(errTruncated, payload, 0, 0)
	}
	return binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:]), payload[idsSize:], nil
}

// ParseMethod decodes the payload of a method frame. The method shares no
// memory with it. The error is an *Error: 501 as of DecodeArgs, or 503 with
// the ids if they are not known (RabbitMQ drops the connection then).
func ParseMethod(payload []byte) (Method, error) {
	classID, methodID, args, err := SplitMethod(payload)
	if err != nil {
		return nil, err
	}
	m := newMethod(classID, methodID)
	if m == nil {
		e := CommandInvalid("unimplemented method")
		e.ClassID, e.MethodID = classID, methodID
		return nil, e
	}
	if err := m.DecodeArgs(args); err != nil {
		return nil, err
	}
	return m, nil
}

// fieldError names a field that has no encoding.
func fieldError(m Method, field string, err error) error {
	return fmt.Errorf("%s: %s: %w", m.Name(), field, err)
}

// argsError is the refusal of a method's fields, as RabbitMQ words it. Where
// RabbitMQ just drops the connection, for a malformed table, it is the same.
func argsError(err error, args []byte, classID, methodID uint16) *Error {
	e := FrameError("cannot decode %s", erlangOctets(args))
	if err == errUTF8 {
		e.Text = "Malformed UTF-8 in shortstr"
		if classID != ClassConnection {
			return e // RabbitMQ knows the method only on channel 0
		}
	}
	e.ClassID, e.MethodID = classID, methodID
	return e
}
