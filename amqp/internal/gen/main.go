// Command gen writes methods_gen.go from spec.txt. Run it in package amqp's
// directory, as go generate does; with -check it writes nothing and fails if
// the file is stale.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
)

const (
	specFile   = "spec.txt"
	outputFile = "methods_gen.go"
)

func main() {
	check := flag.Bool("check", false, "fail if "+outputFile+" is stale, write nothing")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	text, err := os.ReadFile(specFile)
	if err != nil {
		return err
	}
	methods, err := parseSpec(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", specFile, err)
	}
	want, err := generate(methods)
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(outputFile, want, 0o644)
	}
	have, err := os.ReadFile(outputFile)
	if err == nil && !bytes.Equal(have, want) {
		err = errors.New(outputFile + " is stale: run go generate ./amqp")
	}
	return err
}
