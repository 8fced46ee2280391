package ctl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A value in a table is nil, a string, a bool, an int, a json.Number, or one of
// the types below.
type (
	// fieldTable is the arguments of an object, or a client's properties.
	fieldTable map[string]any
	// words are tags.
	words []string
	// document is JSON that is shown as text, such as a policy's definition.
	document struct{ value any }
)

// text is a value as a cell of a table, in the form that rabbitmqctl prints it.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case words:
		return "[" + strings.Join(v, ", ") + "]"
	case document:
		return documentText(v)
	case fieldTable:
		return erlang(map[string]any(v))
	}
	return erlang(v)
}

func documentText(d document) string {
	b, err := compact(d.value)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// erlang is a value inside of a field table: an Erlang term.
func erlang(v any) string {
	switch v := v.(type) {
	case nil:
		return "undefined"
	case string:
		return strconv.Quote(v)
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, "{"+strconv.Quote(name)+","+erlang(v[name])+"}")
		}
		return "[" + strings.Join(parts, ",") + "]"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = erlang(e)
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Sprint(v)
}

// jsonValue is a value for JSON. For scripts it has the form of rabbitmqctl, where
// a field table is a list of names, types and values, and what is not there is an
// empty text.
func jsonValue(v any, script bool) any {
	switch v := v.(type) {
	case nil:
		if script {
			return ""
		}
	case words:
		if v == nil {
			return words{}
		}
	case document:
		if script {
			return documentText(v)
		}
		return v.value
	case fieldTable:
		if script {
			return typedTable(v)
		}
		if v == nil {
			return fieldTable{}
		}
	}
	return v
}

func typedTable(t map[string]any) []any {
	list := make([]any, 0, len(t))
	for _, name := range slices.Sorted(maps.Keys(t)) {
		list = append(list, append([]any{name}, typed(t[name])...))
	}
	return list
}

// typed is the type of a value and the value. The API does not tell all types
// apart; these are what a value gets that was declared over it.
func typed(v any) []any {
	switch v := v.(type) {
	case string:
		return []any{"longstr", v}
	case bool:
		return []any{"bool", v}
	case json.Number:
		if _, err := v.Int64(); err != nil {
			return []any{"double", v}
		}
		return []any{"long", v}
	case map[string]any:
		return []any{"table", typedTable(v)}
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = typed(e)
		}
		return []any{"array", list}
	}
	return []any{"void", "undefined"}
}

// printable replaces what would move a terminal's cursor, or end a row, by its
// escape. Names are any text; keep are control characters to let through.
func printable(s, keep string) string {
	harmless := func(r rune) bool {
		return r != unicode.ReplacementChar && unicode.IsPrint(r) || r == ' ' || strings.ContainsRune(keep, r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !harmless(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(r)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case harmless(r) || r == unicode.ReplacementChar:
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
