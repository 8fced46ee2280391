package ctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// format is how answers are printed.
type format string

const (
	formatTabs   format = "table"        // as rabbitmqctl: a tab between columns
	formatPretty format = "pretty_table" // aligned, within the terminal
	formatJSON   format = "json"
	formatCSV    format = "csv"
)

// chosenFormat is what --formatter or --format say.
func chosenFormat(t tool, inv *invocation, v verb) (format, error) {
	chosen, name := inv.text("formatter"), "--formatter"
	// Of these verbs --format is an option of their own in rabbitmqctl.
	if f := inv.text("format"); f != "" && v.fileFormat {
		if f != "json" {
			return "", misused(exitUsage, "--format %s is not supported by Leveret: definitions are JSON", f)
		}
	} else if f != "" {
		chosen, name = f, "--format"
	}
	switch format(strings.ToLower(chosen)) {
	case "":
		if t.script() {
			return formatTabs, nil
		}
		return formatPretty, nil
	case formatTabs:
		if name == "--format" {
			return formatPretty, nil
		}
		return formatTabs, nil
	case formatPretty:
		return formatPretty, nil
	case formatJSON:
		return formatJSON, nil
	case formatCSV:
		return formatCSV, nil
	}
	return "", misused(exitUsage, "%s %s is not supported by Leveret: use one of table, pretty_table, json, csv", name, chosen)
}

// quiet says whether only answers are wanted.
func (c *call) quiet() bool {
	return c.has("quiet") || c.has("silent") || c.format == formatJSON || c.format == formatCSV
}

// headless says whether a table has no header.
func (c *call) headless() bool { return c.has("silent") || c.has("no-table-headers") }

// say prints what is being done, unless only answers are wanted.
func (c *call) say(format string, args ...any) {
	if !c.quiet() {
		c.println(fmt.Sprintf(format, args...))
	}
}

// announce says what is about to be listed. A table of leveret ctl needs no such line.
func (c *call) announce(format string, args ...any) {
	if c.tool.script() {
		c.say(format, args...)
	}
}

func (c *call) println(text string) { fmt.Fprintln(c.env.Stdout, printable(text, "\n\t")) }

// done ends a verb that has no answer.
func (c *call) done() error {
	if c.format == formatJSON {
		return c.json(ordered{{"node", c.node()}, {"result", "ok"}})
	}
	return nil
}

// message ends a verb whose answer is a sentence.
func (c *call) message(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if c.format == formatJSON {
		return c.json(ordered{{"message", text}})
	}
	c.println(text)
	return nil
}

// json prints a value on a line.
func (c *call) json(v any) error {
	text, err := compact(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.env.Stdout, "%s\n", text)
	return err
}

// compact encodes a value as JSON without escaping what HTML would need.
func compact(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

// ordered is a JSON object whose members keep their order.
type ordered []member

type member struct {
	name  string
	value any
}

// MarshalJSON encodes the object.
func (o ordered) MarshalJSON() ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			buf.WriteByte(',')
		}
		name, err := compact(m.name)
		if err != nil {
			return nil, err
		}
		value, err := compact(m.value)
		if err != nil {
			return nil, err
		}
		buf.Write(name)
		buf.WriteByte(':')
		buf.Write(value)
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

// table prints rows of values under the names of their columns.
func (c *call) table(names []string, rows [][]any) error {
	switch c.format {
	case formatJSON:
		return c.jsonRows(names, rows)
	case formatCSV:
		return c.separated(names, rows, ",", func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` })
	case formatTabs:
		return c.separated(names, rows, "\t", func(s string) string { return s })
	}
	return c.aligned(names, rows)
}

// jsonRows prints an array with an object a line, as rabbitmqctl does.
func (c *call) jsonRows(names []string, rows [][]any) error {
	var b strings.Builder
	b.WriteString("[\n")
	for i, row := range rows {
		o := make(ordered, len(names))
		for j, name := range names {
			o[j] = member{name, jsonValue(row[j], c.tool.script())}
		}
		text, err := compact(o)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteString(",")
		}
		b.Write(text)
		b.WriteString("\n")
	}
	b.WriteString("]\n")
	_, err := io.WriteString(c.env.Stdout, b.String())
	return err
}

func (c *call) separated(names []string, rows [][]any, separator string, quote func(string) string) error {
	if len(rows) == 0 {
		return nil
	}
	var b strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			if i > 0 {
				b.WriteString(separator)
			}
			b.WriteString(quote(printable(cell, "\t")))
		}
		b.WriteString("\n")
	}
	if !c.headless() {
		line(names)
	}
	for _, row := range rows {
		line(texts(row))
	}
	_, err := io.WriteString(c.env.Stdout, b.String())
	return err
}

func texts(row []any) []string {
	cells := make([]string, len(row))
	for i, v := range row {
		cells[i] = text(v)
	}
	return cells
}
