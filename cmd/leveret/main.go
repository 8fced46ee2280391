package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/cmd/leveret/ctl"
	"github.com/leveretmq/leveret/cmd/leveret/memguard"
	"github.com/leveretmq/leveret/persistence"
	"github.com/rs/zerolog"
)

func main() {
	if ctl.Alias(os.Args[0]) {
		os.Exit(ctl.RunAlias(process{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.LookupEnv}.ctlEnv(), os.Args))
	}
	signals, hangups := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	signal.Notify(hangups, syscall.SIGHUP)
	os.Exit(run(process{
		args:      os.Args[1:],
		env:       os.LookupEnv,
		memory:    memguard.Available,
		stdin:     os.Stdin,
		stdout:    os.Stdout,
		stderr:    os.Stderr,
		signals:   signals,
		hangups:   hangups,
		openStore: openBadger,
		open:      func(o server.Options) (broker, error) { return server.Open(o) },
	}))
}

// process is what the program gets from around it; tests make their own.
type process struct {
	args    []string                    // without the program's name
	env     func(string) (string, bool) // as os.LookupEnv
	memory  func() (int64, error)       // as memguard.Available; nil = not known
	stdin   io.Reader                   // passwords and files for ctl
	stdout  io.Writer                   // answers: help, version
	stderr  io.Writer                   // logs, and why it did not start
	signals <-chan os.Signal            // the first ends it, the second at once
	hangups <-chan os.Signal            // certificates are read again
	open    func(server.Options) (broker, error)
	// openStore opens the store in a directory of its own. Its error is a
	// sentence that names the directory.
	openStore func(dir string, c config, log *zerolog.Logger) (persistence.Store, error)
}

// ctlEnv is what ctl gets.
func (p process) ctlEnv() ctl.Env {
	return ctl.Env{Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr, Lookup: p.env, Version: server.Version}
}

// exit is an error that has been told already, or needs no telling: only the
// code is left to return.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

const (
	exitOK     = 0
	exitFailed = 1
	// exitKilled is what a shell makes of a process that a SIGINT ended.
	exitKilled = 130
)

// run is the program; it returns its exit code.
func run(p process) int {
	err := newApp(p, serve).Run(append([]string{"leveret"}, p.args...))
	var code exit
	var ctlCode ctl.Exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &ctlCode):
		return int(ctlCode)
	}
	fmt.Fprintln(p.stderr, "leveret:", err)
	return exitFailed
}
