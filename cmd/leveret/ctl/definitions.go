package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
)

func definitionVerbs() []verb {
	return []verb{
		{name: "export_definitions", usage: `<file_path | "-"> [--format json] [--timeout <timeout>]`, about: "Exports definitions in JSON",
			least: 1, most: 1, fileFormat: true, run: exportDefinitions},
		{name: "import_definitions", usage: `[<file_path | "-">] [--format json] [--timeout <timeout>]`, about: "Imports definitions in JSON",
			most: 1, fileFormat: true, run: importDefinitions},
	}
}

// definitionsPath is where definitions are: of all, or of a vhost if one is named.
// RabbitMQ's tools do not heed a vhost here, so neither do we under their names.
func (c *call) definitionsPath() string {
	if v := c.text("vhost"); v != "" && !c.tool.script() {
		return "/definitions" + pathOf(v)
	}
	return "/definitions"
}

func exportDefinitions(c *call) error {
	file := c.args[0]
	if file != "-" {
		if dir := filepath.Dir(file); !isDir(dir) {
			return misused(exitData, "Bad argument: Directory %s does not exist", dir)
		}
		c.say("Exporting definitions in JSON to a file at \"%s\" ...", file)
	}
	res, err := c.api.send(c.ctx, http.MethodGet, c.definitionsPath(), nil, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return c.api.broken(c.ctx, err)
	}
	if !json.Valid(body) {
		return failed(exitUnavailable, "what answers at %s is not a management API", c.api.base)
	}
	if file == "-" {
		_, err := c.env.Stdout.Write(body)
		return err
	}
	if err := saveFile(file, func(w io.Writer) error { _, err := w.Write(body); return err }); err != nil {
		return err
	}
	return c.done()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// saveFile writes a file that only its owner can read, because there are password
// hashes in it. What was there before stays until all is written.
func saveFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0) // a pipe or a device
		if err != nil {
			return failed(exitCannot, "%s", fileError(err))
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return failed(exitCannot, "%s", fileError(err))
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	for _, end := range []func() error{f.Sync, f.Close, func() error { return os.Rename(f.Name(), path) }} {
		if err := end(); err != nil {
			return failed(exitCannot, "%s", fileError(err))
		}
	}
	return nil
}

func importDefinitions(c *call) error {
	body, err := c.definitionsToImport()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, new(object)); err != nil {
		return failed(exitData, "Failed to deserialise input (format: JSON) (error: %s)", err)
	}
	bar := c.bar("importing", int64(len(body)), true)
	defer bar.end()
	path := c.definitionsPath()
	if !c.tool.script() {
		path += "?report=true" // RabbitMQ does not heed it
	}
	res, err := c.api.send(c.ctx, http.MethodPost, path, bar.reading(bytes.NewReader(body)), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	bar.end()
	report, err := io.ReadAll(io.LimitReader(res.Body, 1<<24))
	if err != nil {
		return c.api.broken(c.ctx, err)
	}
	if c.tool.script() || len(bytes.TrimSpace(report)) == 0 {
		return c.done()
	}
	return c.importReport(report)
}

// importReport shows what the broker says that it changed, which RabbitMQ does not.
func (c *call) importReport(report []byte) error {
	var changes object
	if err := decodeJSON(string(report), &changes); err != nil {
		return failed(exitUnavailable, "the report of the import is not JSON: %s", err)
	}
	if c.format == formatJSON {
		return c.json(changes)
	}
	counts := []string{"created", "changed", "unchanged"}
	var rows [][]any
	for _, kind := range slices.Sorted(maps.Keys(changes)) {
		counted, ok := changes[kind].(object)
		row, some := []any{kind}, false
		for _, name := range counts {
			row = append(row, counted[name])
			some = some || ok && text(counted[name]) != "0"
		}
		if some {
			rows = append(rows, row)
		}
	}
	if err := c.table(append([]string{"definitions"}, counts...), rows); err != nil {
		return err
	}
	skipped, _ := changes["skipped"].([]any)
	for _, sentence := range skipped {
		c.println("Left out: " + text(sentence))
	}
	return nil
}

func (c *call) definitionsToImport() ([]byte, error) {
	if len(c.args) == 0 || c.args[0] == "-" {
		c.say("Importing definitions in JSON from standard input ...")
		if c.env.Stdin == nil {
			return nil, nil
		}
		return io.ReadAll(c.env.Stdin)
	}
	body, err := os.ReadFile(c.args[0])
	if errors.Is(err, fs.ErrNotExist) {
		return nil, misused(exitData, "Bad argument: File %s does not exist", c.args[0])
	}
	if err != nil {
		return nil, failed(exitData, "%s", fileError(err))
	}
	c.say("Importing definitions in JSON from a file at \"%s\" ...", c.args[0])
	return body, nil
}
