package amqp

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// RabbitMQ's reply texts for bad frames show bytes and tuples as Erlang prints
// them, broken into lines of 80 columns. The limits below are what Erlang does
// for just these texts (measured, OTP 25).
const (
	snippetSize  = 16 // bytes shown of a bad frame's payload
	lineOfBinary = 81 // a binary that ends by this column stays on its line
	lineOfOctets = 79 // else each of its lines ends by this one
	lineOfTuple  = 78 // and a tuple stays on its line up to here
)

// Snippet describes a frame as RabbitMQ's reply texts of 501 and 505 do:
// "type 8, all octets = <<>>", or "first 16 octets" of a longer payload.
func (f Frame) Snippet() string {
	which, p := "all", f.Payload
	if len(p) > snippetSize {
		which, p = "first 16", p[:snippetSize]
	}
	intro := "type " + strconv.Itoa(int(f.Type)) + ", " + which + " octets = "
	if len(p) > 0 && erlangPrintable(p) {
		return intro + erlangString(p)
	}
	one := intro + erlangOctets(p)
	if len(one) <= lineOfBinary {
		return one
	}
	return wrapOctets(intro+"<<", p)
}

// wrapOctets is Erlang's <<1,2,3>> in lines, after the intro that opens it.
func wrapOctets(intro string, p []byte) string {
	var out strings.Builder
	out.WriteString(intro)
	column := len(intro)
	for i, c := range p {
		item := strconv.Itoa(int(c)) + ","
		if i == len(p)-1 {
			item = item[:len(item)-1] + ">>"
		}
		if column+len(item) > lineOfOctets {
			out.WriteString("\n" + strings.Repeat(" ", len(intro)))
			column = len(intro)
		}
		out.WriteString(item)
		column += len(item)
	}
	return out.String()
}

// wrongEnd is the text of the refusal of a frame with that last octet.
func (f Frame) wrongEnd(end byte) string {
	const tag = "{invalid_frame_end_marker,"
	text := f.Snippet() + ": "
	column := utf8.RuneCountInString(text[strings.LastIndexByte(text, '\n')+1:])
	value := strconv.Itoa(int(end)) + "}"
	if column+len(tag)+len(value) <= lineOfTuple {
		return text + tag + value
	}
	return text + tag + "\n" + strings.Repeat(" ", column+1) + value
}

// erlangOctets writes b as <<1,2,3>>. It stops soon after the 255 bytes that a
// reply text can hold.
func erlangOctets(b []byte) string {
	out := []byte("<<")
	for i, c := range b {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendUint(out, uint64(c), 10)
		if len(out) > maxReplyText {
			return string(out)
		}
	}
	return string(append(out, ">>"...))
}

// erlangPrintable reports whether Erlang shows the bytes as a string: all are
// printable in Latin-1.
func erlangPrintable(b []byte) bool {
	for _, c := range b {
		switch {
		case c >= 0x20 && c <= 0x7e, c >= 0xa0:
		case c >= '\b' && c <= '\r', c == 0x1b:
		default:
			return false
		}
	}
	return true
}

// erlangString writes printable bytes as <<"text">>. RabbitMQ sends those
// beyond ASCII as they are, which is not UTF-8; here they are characters.
func erlangString(b []byte) string {
	const escapes = "btnvfr" // of 0x08 to 0x0d
	out := []byte(`<<"`)
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c >= '\b' && c <= '\r':
			out = append(out, '\\', escapes[c-'\b'])
		case c == 0x1b:
			out = append(out, `\e`...)
		default:
			out = utf8.AppendRune(out, rune(c))
		}
	}
	return string(append(out, `">>`...))
}
