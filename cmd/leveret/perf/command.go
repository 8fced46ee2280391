package perf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

const defaultURI = "amqp://guest:guest@127.0.0.1:5672/"

// Command is leveret perf: it measures one broker (run) or two in turn
// (compare). Both fail if a broker lost, doubled or disordered a message. The
// answer goes to the app's Writer and, on a terminal, a line of progress to its
// ErrWriter. The first SIGINT or SIGTERM ends the measuring early and properly,
// the second one at once; either way nothing stays on the broker.
func Command() *cli.Command {
	return &cli.Command{
		Name:            "perf",
		Usage:           "measure this or another AMQP 0-9-1 broker",
		UsageText:       "leveret perf run PRESET [flags]\nleveret perf compare PRESET --a URI --b URI [flags]",
		Subcommands:     []*cli.Command{runCommand(), compareCommand()},
		Action:          missing("run or compare"),
		OnUsageError:    usageError,
		HideHelpCommand: true,
	}
}

func runCommand() *cli.Command {
	own := []cli.Flag{
		&cli.StringFlag{Name: "uri", Value: defaultURI, Usage: "`URI` of the broker"},
		&cli.IntFlag{Name: "pid", Usage: "process `ID` of the broker, for its CPU and memory; its children count too"},
	}
	return perPreset("run", "measure one broker", own, []string{"a"}, func(c *cli.Context, conf config) error {
		conf.uri, conf.pid = c.String("uri"), c.Int("pid")
		return withSignals(func(ctx context.Context, stop <-chan struct{}) error {
			res, err := execute(ctx, stop, conf, terminal(c.App.ErrWriter))
			if res == nil {
				return err
			}
			return errors.Join(err, answer(c, res))
		})
	})
}

func compareCommand() *cli.Command {
	own := []cli.Flag{
		&cli.StringFlag{Name: "a", Usage: "`URI` of the one broker; both must be given"},
		&cli.StringFlag{Name: "b", Usage: "`URI` of the other"},
		&cli.IntFlag{Name: "pid-a", Usage: "process `ID` of a"},
		&cli.IntFlag{Name: "pid-b", Usage: "process `ID` of b"},
		&cli.IntFlag{Name: "rounds", Value: 5, Usage: "`N` runs of each, in turn"},
	}
	return perPreset("compare", "measure two brokers in turn", own, nil, func(c *cli.Context, conf config) error {
		if c.String("a") == "" || c.String("b") == "" {
			return errors.New("compare needs the flags --a and --b")
		}
		rounds := c.Int("rounds")
		if rounds < 1 {
			return fmt.Errorf("--rounds must be 1 or more, and is %d", rounds)
		}
		a, b := conf, conf
		a.uri, a.pid = c.String("a"), c.Int("pid-a")
		b.uri, b.pid = c.String("b"), c.Int("pid-b")
		return withSignals(func(ctx context.Context, stop <-chan struct{}) error {
			progress := terminal(c.App.ErrWriter)
			run := func(conf config) (*result, error) { return execute(ctx, stop, conf, progress) }
			each := func(r round) {
				if progress != nil {
					fmt.Fprintf(progress, "delivered %s : %s msg/s\n", thousands(r.A.DeliverRate), thousands(r.B.DeliverRate))
				}
			}
			res, err := compare(ctx, stop, a, b, rounds, run, each)
			if err != nil {
				return err
			}
			return answer(c, res)
		})
	})
}

// perPreset makes a command with a subcommand for each preset, because flags
// that come after a plain argument are not seen.
func perPreset(name, usage string, own []cli.Flag, autoAckAlias []string, action func(*cli.Context, config) error) *cli.Command {
	cmd := &cli.Command{
		Name:            name,
		Usage:           usage,
		UsageText:       "leveret perf " + name + " PRESET [flags]",
		Action:          missing("a preset"),
		OnUsageError:    usageError,
		HideHelpCommand: true,
	}
	for _, conf := range presets() {
		cmd.Subcommands = append(cmd.Subcommands, &cli.Command{
			Name:            conf.preset,
			Usage:           conf.usage,
			UsageText:       "leveret perf " + name + " " + conf.preset + " [flags]",
			Flags:           append(append([]cli.Flag{}, own...), workloadFlags(conf, autoAckAlias)...),
			OnUsageError:    usageError,
			HideHelpCommand: true,
			Action: func(c *cli.Context) error {
				if c.NArg() > 0 {
					return fmt.Errorf("%q is one argument too many", c.Args().First())
				}
				conf := overridden(c, conf)
				if err := conf.check(); err != nil {
					return err
				}
				return action(c, conf)
			},
		})
	}
	return cmd
}

// missing answers a command that lacks its next word.
func missing(what string) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.NArg() > 0 {
			return fmt.Errorf("perf does not know %q: see leveret perf --help", c.Args().First())
		}
		return fmt.Errorf("perf needs %s: see leveret perf --help", what)
	}
}

func usageError(_ *cli.Context, err error, _ bool) error { return err }

// answer writes the result, as text or JSON.
func answer(c *cli.Context, res interface{ writeText(io.Writer) error }) error {
	if !c.Bool("json") {
		return res.writeText(c.App.Writer)
	}
	enc := json.NewEncoder(c.App.Writer)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(res)
}

// withSignals closes stop at the first signal and ends ctx at the second.
func withSignals(do func(ctx context.Context, stop <-chan struct{}) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	stop := make(chan struct{})
	go func() {
		for _, react := range []func(){func() { close(stop) }, cancel} {
			select {
			case <-signals:
				react()
			case <-ctx.Done():
				return
			}
		}
	}()
	return do(ctx, stop)
}

// terminal returns w if it is one, else nil.
func terminal(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(info, null) {
		return nil
	}
	return w
}
