package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// method is one method of spec.txt.
type method struct {
	class    string // as in the specification: "queue"
	name     string // "declare-ok"
	classID  uint16
	methodID uint16
	flags    []string
	fields   []field
}

// field is one field of a method.
type field struct {
	name   string // as in the specification
	typ    string // one of goTypes
	goName string
}

// flagNames are the words that may follow a method's id.
var flagNames = []string{"client", "server", "sync", "content"}

func (m *method) has(flag string) bool { return slices.Contains(m.flags, flag) }

// wireName is the name that logs and errors use: "queue.declare-ok".
func (m *method) wireName() string { return m.class + "." + m.name }

// goName is the name of the struct: QueueDeclareOk.
func (m *method) goName() string { return camel(m.class) + camel(m.name) }

func (f *field) reserved() bool { return strings.HasPrefix(f.name, "reserved-") }

// camel turns a name of the specification into a Go name.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		switch word {
		case "id":
			b.WriteString("ID")
		case "nowait":
			b.WriteString("NoWait")
		default:
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// parseSpec reads spec.txt; see there for the form.
func parseSpec(text string) ([]*method, error) {
	var methods []*method
	var class string
	var classID uint16
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		var err error
		switch {
		case words[0] == "class" && len(words) == 3:
			class = words[1]
			classID, err = parseID(words[2])
		case words[0] == "method" && len(words) >= 4 && class != "":
			m := &method{class: class, classID: classID, name: words[1], flags: words[3:]}
			m.methodID, err = parseID(words[2])
			methods = append(methods, m)
			for _, flag := range m.flags {
				if !slices.Contains(flagNames, flag) {
					err = fmt.Errorf("unknown flag %q", flag)
				}
			}
		case strings.HasPrefix(line, "  ") && len(methods) > 0:
			m := methods[len(methods)-1]
			var f field
			f, err = parseField(words)
			m.fields = append(m.fields, f)
		default:
			err = fmt.Errorf("not understood: %q", line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return methods, nil
}

func parseField(words []string) (field, error) {
	if len(words) < 2 || len(words) > 3 {
		return field{}, fmt.Errorf("a field is NAME TYPE [GO-NAME]: %q", words)
	}
	f := field{name: words[0], typ: words[1], goName: camel(words[0])}
	if len(words) == 3 {
		f.goName = words[2]
	}
	if goTypes[f.typ] == "" {
		return field{}, fmt.Errorf("unknown type %q", f.typ)
	}
	return f, nil
}

func parseID(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err
}
