package amqp

import (
	"fmt"
	"strconv"
	"strings"
)

// TypeName returns RabbitMQ's name for the type of a field value, as in
// "invalid type 'longstr' for arg …".
func TypeName(v any) string {
	switch v.(type) {
	case nil:
		return "void"
	case bool:
		return "bool"
	case int8:
		return "byte"
	case uint8:
		return "unsignedbyte"
	case int16:
		return "short"
	case uint16:
		return "unsignedshort"
	case int32:
		return "signedint"
	case uint32:
		return "unsignedint"
	case int64, int:
		return "long"
	case float32:
		return "float"
	case float64:
		return "double"
	case Decimal:
		return "decimal"
	case string:
		return "longstr"
	case []byte:
		return "binary"
	case Array:
		return "array"
	case Table:
		return "table"
	case Timestamp:
		return "timestamp"
	}
	return fmt.Sprintf("%T", v)
}

// Term returns a field value as RabbitMQ prints it in reply texts (Erlang's
// ~p): 1, true, <<"text">>, [{<<"name">>,longstr,<<"text">>}]. It stays on one
// line where Erlang would break a long one.
func Term(v any) string {
	if n, ok := Int(v); ok {
		return strconv.FormatInt(n, 10)
	}
	switch v := v.(type) {
	case nil:
		return "undefined"
	case float32:
		return floatTerm(float64(v))
	case float64:
		return floatTerm(v)
	case Decimal:
		return fmt.Sprintf("{%d,%d}", v.Scale, v.Value)
	case string:
		return binaryTerm(v)
	case []byte:
		return binaryTerm(string(v))
	case Array:
		terms := make([]string, len(v))
		for i, e := range v {
			terms[i] = "{" + TypeName(e) + "," + Term(e) + "}"
		}
		return "[" + strings.Join(terms, ",") + "]"
	case Table:
		terms := make([]string, len(v))
		for i, f := range v {
			terms[i] = "{" + binaryTerm(f.Name) + "," + TypeName(f.Value) + "," + Term(f.Value) + "}"
		}
		return "[" + strings.Join(terms, ",") + "]"
	}
	return fmt.Sprint(v)
}

// floatTerm writes the shortest form that has a point: 1.5, 100.0, 1.0e20.
func floatTerm(f float64) string {
	digits, exponent, scientific := strings.Cut(strconv.FormatFloat(f, 'g', -1, 64), "e")
	if !strings.Contains(digits, ".") {
		digits += ".0"
	}
	if !scientific {
		return digits
	}
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	return digits + "e" + sign + strings.TrimLeft(exponent, "+-0")
}

// binaryTerm writes printable bytes as text and others as numbers. Clients get
// the bytes of the text as they are.
func binaryTerm(s string) string {
	if s == "" {
		return "<<>>"
	}
	const controls = "btnvfr" // \b to \r
	var text, numbers strings.Builder
	printable := true
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			text.WriteByte('\\')
			text.WriteByte(c)
		case c >= ' ' && c <= '~', c >= 0xa0:
			text.WriteByte(c)
		case c >= '\b' && c <= '\r':
			text.WriteByte('\\')
			text.WriteByte(controls[c-'\b'])
		case c == 0x1b:
			text.WriteString(`\e`)
		default:
			printable = false
		}
		if i > 0 {
			numbers.WriteByte(',')
		}
		numbers.WriteString(strconv.Itoa(int(c)))
	}
	if printable {
		return `<<"` + text.String() + `">>`
	}
	return "<<" + numbers.String() + ">>"
}
