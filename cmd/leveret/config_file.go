package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/leveretmq/leveret/cmd/leveret/conf"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/urfave/cli/v2"
)

// flagConfig is the flag of the configuration file.
const flagConfig = "config"

func configFlag() cli.Flag {
	return &cli.StringFlag{Name: flagConfig, Usage: "`FILE` in the form of rabbitmq.conf, or directory of *.conf; what flags and variables say counts before it [$" + variable(flagConfig) + ", $" + rabbitVariables[flagConfig] + "]"}
}

// newSettings finds the configuration file and reads it. Its warnings are for the log.
func newSettings(c *cli.Context, p process) (s settings, warnings []string, err error) {
	s = settings{cli: c, env: p.env, memory: p.memory}
	path, _ := s.text(flagConfig)
	if path == "" {
		return s, nil, nil
	}
	f, err := conf.Load(path)
	if err != nil {
		return s, nil, err
	}
	s.file = f.Settings
	return s, f.Warnings, nil
}

// effective is a setting that is in force.
type effective struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// secrets are flags whose values are nobody's business.
var secrets = []string{flagDefaultPass}

// effective are all settings, by name, with what defaults have come to.
func (s settings) effective(c config) (all []effective) {
	worked := map[string]string{
		flagMemoryLimit: strconv.FormatInt(c.memoryLimit, 10), flagDiskFreeLimit: strconv.FormatInt(c.diskFreeLimit, 10),
		flagNodeName: c.names.node, flagClusterName: c.names.cluster,
		flagDefaultUser: auth.Guest, flagDefaultPass: auth.Guest, flagDefaultVHost: vhost.DefaultName,
		flagDefaultTags: defaultTag, flagDefaultConfigure: auth.All.Configure, flagDefaultWrite: auth.All.Write, flagDefaultRead: auth.All.Read,
	}
	for _, f := range serveFlags() {
		name := f.Names()[0]
		values, _, from := s.lookUp(name)
		value := strings.Join(values, ",")
		if value == "" {
			value = worked[name]
		}
		if slices.Contains(secrets, name) && value != "" {
			value = "(hidden)"
		}
		all = append(all, effective{name, value, from})
	}
	slices.SortFunc(all, func(a, b effective) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// configCommand tells how serve would be configured.
func configCommand(p process) *cli.Command {
	return &cli.Command{
		Name:            "config",
		Usage:           "tell how the broker would be configured",
		UsageText:       "leveret config effective [flags of serve]",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Subcommands: []*cli.Command{{
			Name:            "effective",
			Usage:           "print each setting with where it comes from",
			UsageText:       "leveret config effective [flags of serve]",
			Flags:           serveFlags(),
			HideHelpCommand: true,
			OnUsageError:    usageError,
			Action: func(ctx *cli.Context) error {
				if ctx.NArg() > 0 {
					return fmt.Errorf("config effective takes no argument, and got %q", ctx.Args().First())
				}
				s, warnings, err := newSettings(ctx, p)
				if err != nil {
					return err
				}
				c, err := newConfig(s)
				if err != nil {
					return err
				}
				for _, w := range warnings {
					fmt.Fprintln(p.stderr, "leveret:", w)
				}
				return printEffective(p.stdout, s.effective(c))
			},
		}},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return fmt.Errorf("config has no command %q: see leveret config --help", c.Args().First())
			}
			return errors.New("config needs the command effective: see leveret config --help")
		},
	}
}

func printEffective(out io.Writer, all []effective) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, e := range all {
		value := e.Value
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.Name, value, e.From)
	}
	return w.Flush()
}
