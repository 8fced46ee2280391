package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Plain returns a JSON value with its whole numbers as int64, however they were
// decoded; those that do not fit stay a json.Number, and so the value can be shown
// as it was said. The value itself is not changed.
func Plain(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	case json.Number:
		return plainNumber(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = Plain(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = Plain(v[key])
		}
		return out
	}
	return v
}

func plainNumber(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	if !strings.ContainsAny(string(n), ".eE") {
		return n
	}
	if f, err := n.Float64(); err == nil {
		return f
	}
	return n
}

// Term shows a plain JSON value as RabbitMQ does, as a term of Erlang.
func Term(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return binary(v)
	case float64:
		return float(v)
	case []any:
		return "[" + join(len(v), func(i int) string { return Term(v[i]) }) + "]"
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		return "#{" + join(len(keys), func(i int) string { return binary(keys[i]) + " => " + Term(v[keys[i]]) }) + "}"
	}
	return fmt.Sprint(v)
}

// Pairs shows settings as RabbitMQ shows those that it does not know.
func Pairs(of map[string]any, keys []string) string {
	return "[" + join(len(keys), func(i int) string {
		return "{" + binary(keys[i]) + "," + Term(of[keys[i]]) + "}"
	}) + "]"
}

func join(n int, item func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = item(i)
	}
	return strings.Join(parts, ",")
}

// escapes are those of Erlang's strings.
var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`, "\b", `\b`,
	"\f", `\f`, "\x1b", `\e`)

// binary shows a text if it can be read, else its bytes.
func binary(s string) string {
	if s == "" {
		return "<<>>"
	}
	suffix := ""
	for _, r := range s {
		if r == unicode.ReplacementChar || unicode.IsControl(r) && !strings.ContainsRune("\n\r\t\v\b\f\x1b", r) {
			return "<<" + join(len(s), func(i int) string { return strconv.Itoa(int(s[i])) }) + ">>"
		}
		if r > unicode.MaxASCII {
			suffix = "/utf8"
		}
	}
	return `<<"` + escapes.Replace(s) + `"` + suffix + ">>"
}

// float always has a point.
func float(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	mantissa, exponent, scientific := strings.Cut(s, "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if !scientific {
		return mantissa
	}
	return mantissa + "e" + strings.TrimPrefix(exponent, "+")
}
