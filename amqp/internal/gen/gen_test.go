package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// packageDir is package amqp, where gen runs.
const packageDir = "../.."

func TestMethodsAreUpToDate(t *testing.T) {
	t.Chdir(packageDir)
	if err := run(true); err != nil {
		t.Error(err)
	}
}

func TestParseSpec_Refusals(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"class queue", `line 1: not understood: "class queue"`},
		{"method declare 10 client", `line 1: not understood: "method declare 10 client"`},
		{"class queue 50\nmethod declare 10 anyone", `line 2: unknown flag "anyone"`},
		{"class queue 70000", `line 1: strconv.ParseUint: parsing "70000": value out of range`},
		{"class queue 50\nmethod declare 10 client\n  queue name", `line 3: unknown type "name"`},
		{"class queue 50\nmethod declare 10 client\n  queue", `line 3: a field is NAME TYPE [GO-NAME]: ["queue"]`},
	} {
		if _, err := parseSpec(c.text); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

// rabbitXML is the specification as RabbitMQ extended it, of Debian's package
// amqp-specs.
const rabbitXML = "/usr/share/amqp/specs/0-9-1-rabbit/amqp0-9-1.stripped.extended.xml"

// extensions are the methods that RabbitMQ knows and that file lacks.
var extensions = []string{
	"connection.blocked", "connection.unblocked", "connection.update-secret", "connection.update-secret-ok",
	"access.request", "access.request-ok",
}

// TestSpec_AgreesWithXML compares spec.txt with the XML, method by method.
func TestSpec_AgreesWithXML(t *testing.T) {
	data, err := os.ReadFile(rabbitXML)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the package amqp-specs is not installed")
	} else if err != nil {
		t.Fatal(err)
	}
	want, err := methodsOfXML(data)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(packageDir + "/" + specFile)
	if err != nil {
		t.Fatal(err)
	}
	methods, err := parseSpec(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range methods {
		name := m.wireName()
		if slices.Contains(extensions, name) {
			continue
		}
		if got := summary(m); !reflect.DeepEqual(got, want[name]) {
			t.Errorf("%s: spec.txt has\n%q, the XML\n%q", name, got, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is not in spec.txt", name)
	}
}

// summary is what the test compares: ids, flags, fields with their types.
func summary(m *method) []string {
	flags := slices.Sorted(slices.Values(m.flags))
	out := []string{fmt.Sprint(m.classID, m.methodID, flags)}
	for _, f := range m.fields {
		typ := f.typ
		if typ == "reply-code" {
			typ = "short"
		}
		out = append(out, f.name+" "+typ)
	}
	return out
}

type xmlSpec struct {
	Domains []struct {
		Name string `xml:"name,attr"`
		Type string `xml:"type,attr"`
	} `xml:"domain"`
	Classes []struct {
		Name    string      `xml:"name,attr"`
		ID      uint16      `xml:"index,attr"`
		Methods []xmlMethod `xml:"method"`
	} `xml:"class"`
}

type xmlMethod struct {
	Name    string `xml:"name,attr"`
	ID      uint16 `xml:"index,attr"`
	Sync    bool   `xml:"synchronous,attr"`
	Content bool   `xml:"content,attr"`
	Chassis []struct {
		Name string `xml:"name,attr"` // who must implement it: who receives it
	} `xml:"chassis"`
	Fields []struct {
		Name   string `xml:"name,attr"`
		Domain string `xml:"domain,attr"`
		Type   string `xml:"type,attr"`
	} `xml:"field"`
}

// methodsOfXML returns the summary of each method by its name.
func methodsOfXML(data []byte) (map[string][]string, error) {
	var spec xmlSpec
	if err := xml.Unmarshal(data, &spec); err != nil {
		return nil, err
	}
	types := map[string]string{}
	for _, d := range spec.Domains {
		types[d.Name] = d.Type
	}
	out := map[string][]string{}
	for _, c := range spec.Classes {
		for _, x := range c.Methods {
			m := &method{class: c.Name, name: x.Name, classID: c.ID, methodID: x.ID, flags: x.flags()}
			for _, f := range x.Fields {
				typ := f.Type
				if f.Domain != "" {
					typ = types[f.Domain]
				}
				m.fields = append(m.fields, field{name: strings.TrimSpace(f.Name), typ: typ})
			}
			out[m.wireName()] = summary(m)
		}
	}
	return out, nil
}

func (x xmlMethod) flags() []string {
	var flags []string
	for _, c := range x.Chassis {
		flags = append(flags, map[string]string{"server": "client", "client": "server"}[c.Name])
	}
	if x.Sync {
		flags = append(flags, "sync")
	}
	if x.Content {
		flags = append(flags, "content")
	}
	return flags
}
