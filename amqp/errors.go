package amqp

import (
	"fmt"
	"unicode/utf8"
)

// ReplyCode is the number that connection.close, channel.close and
// basic.return carry [1.8 and the constants of the spec].
type ReplyCode uint16

// The reply codes of AMQP 0-9-1.
const (
	CodeSuccess            ReplyCode = 200
	CodeContentTooLarge    ReplyCode = 311
	CodeNoRoute            ReplyCode = 312
	CodeNoConsumers        ReplyCode = 313
	CodeConnectionForced   ReplyCode = 320
	CodeInvalidPath        ReplyCode = 402
	CodeAccessRefused      ReplyCode = 403
	CodeNotFound           ReplyCode = 404
	CodeResourceLocked     ReplyCode = 405
	CodePreconditionFailed ReplyCode = 406
	CodeFrameError         ReplyCode = 501
	CodeSyntaxError        ReplyCode = 502
	CodeCommandInvalid     ReplyCode = 503
	CodeChannelError       ReplyCode = 504
	CodeUnexpectedFrame    ReplyCode = 505
	CodeResourceError      ReplyCode = 506
	CodeNotAllowed         ReplyCode = 530
	CodeNotImplemented     ReplyCode = 540
	CodeInternalError      ReplyCode = 541
)

var codeNames = map[ReplyCode]string{
	CodeSuccess:            "REPLY_SUCCESS",
	CodeContentTooLarge:    "CONTENT_TOO_LARGE",
	CodeNoRoute:            "NO_ROUTE",
	CodeNoConsumers:        "NO_CONSUMERS",
	CodeConnectionForced:   "CONNECTION_FORCED",
	CodeInvalidPath:        "INVALID_PATH",
	CodeAccessRefused:      "ACCESS_REFUSED",
	CodeNotFound:           "NOT_FOUND",
	CodeResourceLocked:     "RESOURCE_LOCKED",
	CodePreconditionFailed: "PRECONDITION_FAILED",
	CodeFrameError:         "FRAME_ERROR",
	CodeSyntaxError:        "SYNTAX_ERROR",
	CodeCommandInvalid:     "COMMAND_INVALID",
	CodeChannelError:       "CHANNEL_ERROR",
	CodeUnexpectedFrame:    "UNEXPECTED_FRAME",
	CodeResourceError:      "RESOURCE_ERROR",
	CodeNotAllowed:         "NOT_ALLOWED",
	CodeNotImplemented:     "NOT_IMPLEMENTED",
	CodeInternalError:      "INTERNAL_ERROR",
}

// String returns the spec's constant in RabbitMQ's spelling, such as
// NOT_FOUND; a number that the spec does not know comes back as digits.
func (c ReplyCode) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return fmt.Sprintf("%d", uint16(c))
}

// Hard reports whether the code closes the whole connection rather than one
// channel. Unknown codes are hard.
func (c ReplyCode) Hard() bool {
	switch c {
	case CodeContentTooLarge, CodeNoRoute, CodeNoConsumers, CodeAccessRefused,
		CodeNotFound, CodeResourceLocked, CodePreconditionFailed:
		return false
	}
	return true
}

// maxReplyText is what a short string can hold.
const maxReplyText = 255

const ellipsis = "..."

// Error is a refusal that a peer gets to see: a reply code and the sentence
// that follows its name. Rooms return it; the session fills in the method and
// sends the close in one place.
type Error struct {
	Code ReplyCode
	// Text is the explanation without the code's name, in RabbitMQ's words.
	Text string
	// ClassID and MethodID name the method that failed; 0/0 when none did.
	ClassID, MethodID uint16
}

// Error returns the reply text as a client sees it.
func (e *Error) Error() string { return e.ReplyText() }

// ReplyText is "NAME - text". What does not fit the 255 bytes of a short string
// ends in "...", as in RabbitMQ, and no character is split. An error with no
// text is the bare name.
func (e *Error) ReplyText() string {
	s := e.Code.String()
	if e.Text != "" {
		s += " - " + e.Text
	}
	if len(s) <= maxReplyText {
		return s
	}
	s = s[:maxReplyText-len(ellipsis)]
	for len(s) > 0 {
		if r, n := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || n != 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s + ellipsis
}

// Errorf returns an Error of any code.
func Errorf(code ReplyCode, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// NotFound is 404, a channel error.
func NotFound(format string, args ...any) *Error { return Errorf(CodeNotFound, format, args...) }

// AccessRefused is 403, a channel error.
func AccessRefused(format string, args ...any) *Error {
	return Errorf(CodeAccessRefused, format, args...)
}

// ResourceLocked is 405, a channel error.
func ResourceLocked(format string, args ...any) *Error {
	return Errorf(CodeResourceLocked, format, args...)
}

// PreconditionFailed is 406, a channel error.
func PreconditionFailed(format string, args ...any) *Error {
	return Errorf(CodePreconditionFailed, format, args...)
}

// FrameError is 501, a connection error.
func FrameError(format string, args ...any) *Error { return Errorf(CodeFrameError, format, args...) }

// SyntaxError is 502, a connection error.
func SyntaxError(format string, args ...any) *Error { return Errorf(CodeSyntaxError, format, args...) }

// CommandInvalid is 503, a connection error.
func CommandInvalid(format string, args ...any) *Error {
	return Errorf(CodeCommandInvalid, format, args...)
}

// ChannelError is 504, a connection error in spite of its name.
func ChannelError(format string, args ...any) *Error {
	return Errorf(CodeChannelError, format, args...)
}

// UnexpectedFrame is 505, a connection error.
func UnexpectedFrame(format string, args ...any) *Error {
	return Errorf(CodeUnexpectedFrame, format, args...)
}

// NotAllowed is 530, a connection error.
func NotAllowed(format string, args ...any) *Error { return Errorf(CodeNotAllowed, format, args...) }

// NotImplemented is 540, a connection error.
func NotImplemented(format string, args ...any) *Error {
	return Errorf(CodeNotImplemented, format, args...)
}

// InternalError is 541, a connection error.
func InternalError(format string, args ...any) *Error {
	return Errorf(CodeInternalError, format, args...)
}
