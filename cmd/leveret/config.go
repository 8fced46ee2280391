package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/cmd/leveret/conf"
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

// The flags of serve.
const (
	flagDataDir       = "data-dir"
	flagInMemory      = "in-memory"
	flagSync          = "sync"
	flagMemoryLimit   = "memory-limit"
	flagDiskFreeLimit = "disk-free-limit"
	flagLogLevel      = "log-level"
	flagLogFormat     = "log-format"
)

const (
	// defaultDiskFreeLimit leaves the store room for several of its files, and
	// for what is on its way to it when publishers are stopped.
	defaultDiskFreeLimit = 512 << 20
)

// The modes of --sync.
const (
	syncAlways   = "always"
	syncInterval = "interval"
	syncNever    = "never"
)

// config is what serve runs with, checked.
type config struct {
	dataDir       string
	inMemory      bool
	listen        listenConfig
	tls           tlsConfig
	login         loginConfig
	sync          string
	syncInterval  time.Duration // of syncInterval
	memoryLimit   int64         // bytes
	diskFreeLimit int64         // bytes
	limits        limitConfig
	names         nameConfig
	firstUser     server.FirstUser
	loopbackUsers []string // not nil
	definitions   definitionsConfig
	warnings      []string    // about the configuration file
	effective     []effective // all of it
	logLevel      zerolog.Level
	logJSON       bool
}

func serveFlags() []cli.Flag {
	return slices.Concat([]cli.Flag{
		configFlag(),
		dataDirFlag(),
		&cli.BoolFlag{Name: flagInMemory, Usage: usage(flagInMemory, "keep everything in memory and leave the data directory alone")},
		&cli.StringFlag{Name: flagSync, Value: syncAlways, Usage: usage(flagSync, "`WHEN` what is confirmed is on the disk: always (before it is confirmed), interval=10ms (too, with one sync in that time at most) or never (when the system writes it)")},
		&cli.StringFlag{Name: flagMemoryLimit, Usage: usage(flagMemoryLimit, "`SIZE` of the memory to keep to, in bytes or like 512MiB, or a percentage of what there is (default: 40%, at least 256MiB)")},
		&cli.StringFlag{Name: flagDiskFreeLimit, Usage: usage(flagDiskFreeLimit, "`SIZE` of the free disk space under which publishers are stopped, in bytes or like 2GiB, or a percentage of the memory there is (default: "+amount(defaultDiskFreeLimit)+")")},
		&cli.StringFlag{Name: flagLogLevel, Value: "info", Usage: usage(flagLogLevel, "least `LEVEL` that is logged: "+strings.Join(levelNames(), ", "))},
		&cli.StringFlag{Name: flagLogFormat, Value: "console", Usage: usage(flagLogFormat, "`FORMAT` of the log lines: console or json")},
	}, listenFlags(), tlsFlags(), loginFlags(), userFlags(), limitFlags(), nameFlags())
}

func dataDirFlag() cli.Flag {
	return &cli.StringFlag{Name: flagDataDir, Value: "./leveret-data", Usage: usage(flagDataDir, "`DIRECTORY` of the broker's data; the broker creates it if it is not there")}
}

// usage adds the variable to a flag's text. It is not handed to the cli
// package, which would read the environment of the process behind our back.
func usage(flag, text string) string { return text + " [$" + variable(flag) + "]" }

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "LEVERET_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// settings finds what the user said about a flag.
type settings struct {
	cli    *cli.Context
	env    func(string) (string, bool)
	memory func() (int64, error) // as memguard.Available; nil = not known
	// file is what --config says, by flag; nil without one.
	file map[string]conf.Setting
}

// find returns the value of a flag and what to call it in an error. The
// command line wins over the environment, ours over RabbitMQ's, and that over the
// configuration file; the flags of serve win over those before it.
func (s settings) find(flag string) (value []string, name string) {
	value, name, _ = s.lookUp(flag)
	return value, name
}

// lookUp is find that also says where the value comes from: --FLAG, $VARIABLE,
// FILE:LINE or default.
func (s settings) lookUp(flag string) (value []string, name, from string) {
	for _, c := range s.cli.Lineage() {
		if c.Command != nil && slices.Contains(c.LocalFlagNames(), flag) {
			return values(c, flag), "--" + flag, "--" + flag
		}
	}
	for _, name := range []string{variable(flag), rabbitVariables[flag]} {
		if v, ok := s.env(name); ok && v != "" {
			return strings.Split(v, ","), name, "$" + name
		}
	}
	if at, ok := s.file[flag]; ok {
		return at.Values, at.Where + ": " + at.Key, at.Where
	}
	return values(s.cli, flag), "--" + flag, "default"
}

// fromFile reports whether it is the configuration file that says it.
func (s settings) fromFile(flag string) bool {
	_, _, from := s.lookUp(flag)
	at, ok := s.file[flag]
	return ok && from == at.Where
}

// text is find for a flag with one value, in which a comma is a comma.
func (s settings) text(flag string) (value, name string) {
	all, name := s.find(flag)
	return strings.Join(all, ","), name
}

func values(c *cli.Context, flag string) []string {
	switch v := c.Value(flag).(type) {
	case string:
		return []string{v}
	case bool:
		return []string{strconv.FormatBool(v)}
	case cli.StringSlice:
		return v.Value()
	}
	return nil
}

// newConfig reads and checks all settings. The error names the one at fault.
func newConfig(s settings) (config, error) {
	var c config
	for _, read := range []func(settings) error{
		c.readStore, c.readSync, c.readMemoryLimit, c.readDiskFreeLimit, c.readListeners, c.readTLS, c.readLogin,
		c.readLimits, c.readNames, c.readUsers, c.readDefinitions, c.readLog,
	} {
		if err := read(s); err != nil {
			return config{}, err
		}
	}
	return c, nil
}

func (c *config) readStore(s settings) error {
	text, name := s.text(flagInMemory)
	inMemory, err := strconv.ParseBool(text)
	if err != nil {
		return fmt.Errorf("%s %q is neither true nor false", name, text)
	}
	c.inMemory = inMemory
	c.dataDir, name = s.text(flagDataDir)
	if c.dataDir == "" && !inMemory {
		return fmt.Errorf("%s is empty", name)
	}
	return nil
}

func (c *config) readLog(s settings) error {
	text, name := s.text(flagLogLevel)
	level, ok := levels()[text]
	if !ok {
		return fmt.Errorf("%s %q is not one of %s", name, text, strings.Join(levelNames(), ", "))
	}
	c.logLevel = level
	text, name = s.text(flagLogFormat)
	if text != "console" && text != "json" {
		return fmt.Errorf("%s %q is neither console nor json", name, text)
	}
	c.logJSON = text == "json"
	return nil
}
