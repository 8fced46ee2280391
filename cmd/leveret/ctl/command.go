package ctl

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// Env is what the client gets from around it; tests make their own.
type Env struct {
	// Stdin gives passwords, and definitions to import.
	Stdin io.Reader
	// Stdout gets answers.
	Stdout io.Writer
	// Stderr gets errors and, if it is a terminal, progress.
	Stderr io.Writer
	// Lookup is os.LookupEnv; nil: no variable is set.
	Lookup func(string) (string, bool)
	// Width is the width of the terminal that Stdout is, in columns, 0 if it is
	// none; nil: look.
	Width func() int
	// Terminal says whether Stderr is a terminal; nil: look.
	Terminal func() bool
	// Version is what the verb version prints; empty for "unknown".
	Version string
	// Commands are the program's own commands, for shell completion. Command
	// takes them from its app.
	Commands []string
}

// Exit is a code to end the program with. Why is on Stderr already.
type Exit int

// ExitCode returns the code, as package cli wants it.
func (e Exit) ExitCode() int { return int(e) }

// Error names the code.
func (e Exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// tool is the name that the program was started under, which decides the form of
// what it prints.
type tool string

const (
	own         tool = "leveret ctl"
	rabbitmqctl tool = "rabbitmqctl"
	diagnostics tool = "rabbitmq-diagnostics"
)

// script says whether output must be as RabbitMQ's tools print it, because scripts
// read it.
func (t tool) script() bool { return t != own }

// Command is leveret ctl. Its Action returns nil or an Exit.
func Command(env Env) *cli.Command {
	return &cli.Command{
		Name:            "ctl",
		Usage:           "administer a broker over its management API",
		UsageText:       "leveret ctl [--uri URI] [--format table|json] VERB [arguments] [options]",
		SkipFlagParsing: true,
		HideHelp:        true,
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			for _, sub := range c.App.VisibleCommands() {
				env.Commands = append(env.Commands, sub.Name)
			}
			if code := execute(c.Context, env, own, c.Args().Slice()); code != exitOK {
				return Exit(code)
			}
			return nil
		},
	}
}

// Alias says whether the program was started under the name of one of RabbitMQ's
// tools: rabbitmqctl or rabbitmq-diagnostics, in any directory, with or without
// ".exe".
func Alias(arg0 string) bool { return aliased(arg0) != own }

func aliased(arg0 string) tool {
	switch name := tool(strings.TrimSuffix(filepath.Base(arg0), ".exe")); name {
	case rabbitmqctl, diagnostics:
		return name
	}
	return own
}

// RunAlias is the program under the name in args[0], for which Alias is true. It
// returns the exit code.
func RunAlias(env Env, args []string) int {
	return execute(context.Background(), env, aliased(args[0]), args[1:])
}

func (e Env) lookup(name string) string {
	if e.Lookup == nil {
		return ""
	}
	value, _ := e.Lookup(name)
	return value
}

// width is how many columns a line of Stdout may have; 0 = any number.
func (e Env) width() int {
	if e.Width != nil {
		return e.Width()
	}
	if f, ok := e.Stdout.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			return w
		}
	}
	return 0
}

// progress says whether somebody sees a progress bar.
func (e Env) progress() bool {
	if e.Terminal != nil {
		return e.Terminal()
	}
	f, ok := e.Stderr.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
