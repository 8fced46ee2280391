package main

import (
	"bytes"
	"fmt"
	"strings"
)

// appendFormat is the statement that appends a field, %s being its value.
var appendFormat = map[string]string{
	"octet":      "buf = append(buf, %s)\n",
	"short":      "buf = binary.BigEndian.AppendUint16(buf, %s)\n",
	"long":       "buf = binary.BigEndian.AppendUint32(buf, %s)\n",
	"longlong":   "buf = binary.BigEndian.AppendUint64(buf, %s)\n",
	"reply-code": "buf = binary.BigEndian.AppendUint16(buf, uint16(%s))\n",
	"longstr":    "buf = appendLong(buf, %s)\n",
	"shortstr":   "if buf, err = appendShort(buf, %s); err != nil {\nreturn nil, fieldError(m, %q, err)\n}\n",
	"table":      "if buf, err = AppendTable(buf, %s); err != nil {\nreturn nil, fieldError(m, %q, err)\n}\n",
}

// zeros are the bytes of a reserved field.
var zeros = map[string]string{"octet": "0", "short": "0, 0", "long": "0, 0, 0, 0", "shortstr": "0", "longstr": "0, 0, 0, 0", "table": "0, 0, 0, 0"}

// emitAppend writes AppendArgs.
func emitAppend(b *bytes.Buffer, m *method) {
	var body bytes.Buffer
	fallible := false
	for i := 0; i < len(m.fields); i++ {
		f := &m.fields[i]
		switch format := appendFormat[f.typ]; {
		case f.typ == "bit":
			n := bitRun(m.fields[i:])
			fmt.Fprintf(&body, "buf = append(buf, %s)\n", bitOctet(m.fields[i:i+n]))
			i += n - 1
		case f.reserved():
			fmt.Fprintf(&body, "buf = append(buf, %s) // %s\n", zeros[f.typ], f.name)
		case strings.Contains(format, "err"):
			fallible = true
			fmt.Fprintf(&body, format, "m."+f.goName, f.name)
		default:
			fmt.Fprintf(&body, format, "m."+f.goName)
		}
	}
	fmt.Fprintf(b, "\n// AppendArgs implements Method.\nfunc (m *%s) AppendArgs(buf []byte) ([]byte, error) {\n", m.goName())
	if fallible {
		b.WriteString("var err error\n")
	}
	b.Write(body.Bytes())
	b.WriteString("return buf, nil\n}\n")
}

// bitRun counts the bit fields at the front, at most the eight of an octet.
func bitRun(fields []field) int {
	n := 0
	for n < len(fields) && n < 8 && fields[n].typ == "bit" {
		n++
	}
	return n
}

// bitOctet is the expression of an octet of bits, the first in the lowest.
func bitOctet(fields []field) string {
	var terms []string
	for i, f := range fields {
		switch {
		case f.reserved():
		case i == 0:
			terms = append(terms, "boolOctet(m."+f.goName+")")
		default:
			terms = append(terms, fmt.Sprintf("boolOctet(m.%s)<<%d", f.goName, i))
		}
	}
	if len(terms) == 0 {
		return "0"
	}
	return strings.Join(terms, "|")
}

// emitDecode writes DecodeArgs.
func emitDecode(b *bytes.Buffer, m *method) {
	fmt.Fprintf(b, "\n// DecodeArgs implements Method.\nfunc (m *%s) DecodeArgs(args []byte) error {\nd := decoder{p: args}\n", m.goName())
	bits := 0 // how many bit fields in a row came before
	for i := range m.fields {
		f := &m.fields[i]
		call := "d." + decodeCall(m, f) + "()"
		if f.typ == "bit" {
			call = "d.firstBit()"
			if bits%8 > 0 {
				call = "d.nextBit()"
			}
			bits++
		} else {
			bits = 0
		}
		switch {
		case f.reserved():
			fmt.Fprintf(b, "%s // %s\n", call, f.name)
		case f.typ == "table":
			fmt.Fprintf(b, "m.%s = d.table(0)\n", f.goName)
		case f.typ == "reply-code":
			fmt.Fprintf(b, "m.%s = ReplyCode(%s)\n", f.goName, call)
		default:
			fmt.Fprintf(b, "m.%s = %s\n", f.goName, call)
		}
	}
	b.WriteString("if err := d.finish(); err != nil {\n")
	fmt.Fprintf(b, "return argsError(err, args, %d, %d)\n}\nreturn nil\n}\n", m.classID, m.methodID)
}

// decodeCall is the decoder's method for a field. RabbitMQ wants short strings
// to be UTF-8, except in methods with content.
func decodeCall(m *method, f *field) string {
	switch {
	case f.typ == "reply-code":
		return "short"
	case f.typ == "shortstr" && !m.has("content"):
		return "utf8Str"
	}
	return f.typ
}
