package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/cmd/leveret/ctl"
	"github.com/leveretmq/leveret/cmd/leveret/perf"
	"github.com/urfave/cli/v2"
)

// newApp describes the command line. serve may be left out, so the program
// itself has its flags as well. Its configuration goes to serve.
func newApp(p process, serve func(process, config) error) *cli.App {
	serveAction := func(c *cli.Context) error {
		if c.NArg() > 0 {
			return fmt.Errorf("there is no command %q: see leveret --help", c.Args().First())
		}
		s, warnings, err := newSettings(c, p)
		if err != nil {
			return err
		}
		conf, err := newConfig(s)
		if err != nil {
			return err
		}
		conf.warnings, conf.effective = append(warnings, conf.warnings...), s.effective(conf)
		return serve(p, conf)
	}
	return &cli.App{
		Name:      "leveret",
		Usage:     "an AMQP 0-9-1 broker",
		Version:   server.Version,
		UsageText: "leveret [serve] [flags]\nleveret ctl VERB\nleveret config effective\nleveret store check|stats|restore [--data-dir DIRECTORY]\nleveret perf run|compare\nleveret version",
		Description: "Each flag can be given as the environment variable in brackets too; the flag wins.\n" +
			"An empty variable counts as not given.",
		Flags:          serveFlags(),
		Action:         serveAction,
		Commands:       []*cli.Command{serveCommand(serveAction), configCommand(p), ctl.Command(p.ctlEnv()), storeCommand(p), perf.Command(), versionCommand(p)},
		Writer:         p.stdout,
		ErrWriter:      p.stderr,
		OnUsageError:   usageError,
		ExitErrHandler: func(*cli.Context, error) {}, // run decides
	}
}

func serveCommand(action cli.ActionFunc) *cli.Command {
	return &cli.Command{
		Name:            "serve",
		Usage:           "run the broker until a signal ends it",
		UsageText:       "leveret serve [flags]",
		Flags:           serveFlags(),
		Action:          action,
		HideHelpCommand: true,
		OnUsageError:    usageError,
	}
}

func versionCommand(p process) *cli.Command {
	return &cli.Command{
		Name:            "version",
		Usage:           "print the versions of Leveret and of Go",
		UsageText:       "leveret version",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return fmt.Errorf("version takes no argument, and got %q", c.Args().First())
			}
			info, _ := debug.ReadBuildInfo()
			_, err := fmt.Fprintln(p.stdout, versionLine(info))
			return err
		},
	}
}

// versionLine tells the versions of what was built; info may be nil.
func versionLine(info *debug.BuildInfo) string {
	var commit, changed string
	if info != nil {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = "commit " + s.Value[:min(12, len(s.Value))]
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = " with changes"
			}
		}
	}
	parts := []string{runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if commit != "" {
		parts = append([]string{commit + changed}, parts...)
	}
	return fmt.Sprintf("leveret %s (%s)", server.Version, strings.Join(parts, ", "))
}

// usageError puts what package flag says about a command line into our words;
// the default would print the whole help.
func usageError(_ *cli.Context, err error, _ bool) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return fmt.Errorf("there is no flag --%s: see leveret --help", strings.TrimLeft(name, "-"))
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return fmt.Errorf("flag --%s needs a value", strings.TrimLeft(name, "-"))
	}
	return errors.New(strings.Replace(text, " for -", " for --", 1))
}
