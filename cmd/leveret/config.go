package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"
)

// The flags of serve.
const (
	flagDataDir        = "data-dir"
	flagInMemory       = "in-memory"
	flagAMQPListen     = "amqp-listen"
	flagHTTPListen     = "http-listen"
	flagSync           = "sync"
	flagMemoryLimit    = "memory-limit"
	flagDiskFreeLimit  = "disk-free-limit"
	flagMaxMessageSize = "max-message-size"
	flagMaxConsumers   = "consumer-max-per-channel"
	flagProductName    = "product-name"
	flagLogLevel       = "log-level"
	flagLogFormat      = "log-format"
)

const (
	// defaultDiskFreeLimit leaves the store room for several of its files, and
	// for what is on its way to it when publishers are stopped.
	defaultDiskFreeLimit = 512 << 20

	defaultMaxMessageSize = 128 << 20
	// largestMessageSize is RabbitMQ's own upper limit.
	largestMessageSize = 512 << 20
	// mostConsumers is the highest limit of consumers.
	mostConsumers = 1 << 20
)

// The modes of --sync.
const (
	syncAlways   = "always"
	syncInterval = "interval"
	syncNever    = "never"
)

// config is what serve runs with, checked.
type config struct {
	dataDir        string
	inMemory       bool
	amqpListen     []string // at least one host:port
	httpListen     string   // empty = off
	sync           string
	syncInterval   time.Duration // of syncInterval
	memoryLimit    int64         // bytes
	diskFreeLimit  int64         // bytes
	maxMessageSize int64         // bytes
	maxConsumers   int           // of a channel; 0 = no limit
	productName    string
	firstUser      server.FirstUser
	loopbackUsers  []string // not nil
	logLevel       zerolog.Level
	logJSON        bool
}

func serveFlags() []cli.Flag {
	return append([]cli.Flag{
		dataDirFlag(),
		&cli.BoolFlag{Name: flagInMemory, Usage: usage(flagInMemory, "keep everything in memory and leave the data directory alone")},
		&cli.StringSliceFlag{Name: flagAMQPListen, Value: cli.NewStringSlice(":5672"), Usage: usage(flagAMQPListen, "`ADDRESS` for AMQP, host:port; repeatable, or separated by commas; port 0 takes a free one")},
		&cli.StringFlag{Name: flagHTTPListen, Value: ":15672", Usage: usage(flagHTTPListen, "`ADDRESS` for HTTP; none turns it off")},
		&cli.StringFlag{Name: flagSync, Value: syncAlways, Usage: usage(flagSync, "`WHEN` what is confirmed is on the disk: always (before it is confirmed), interval=10ms (too, with one sync in that time at most) or never (when the system writes it)")},
		&cli.StringFlag{Name: flagMemoryLimit, Usage: usage(flagMemoryLimit, "`SIZE` of the memory to keep to, in bytes or like 512MiB, or a percentage of what there is (default: 40%, at least 256MiB)")},
		&cli.StringFlag{Name: flagDiskFreeLimit, Usage: usage(flagDiskFreeLimit, "`SIZE` of the free disk space under which publishers are stopped, in bytes or like 2GiB (default: "+amount(defaultDiskFreeLimit)+")")},
		&cli.StringFlag{Name: flagMaxMessageSize, Value: strconv.Itoa(defaultMaxMessageSize), Usage: usage(flagMaxMessageSize, "largest message body accepted, in `BYTES`, at most "+strconv.Itoa(largestMessageSize))},
		&cli.StringFlag{Name: flagMaxConsumers, Value: "0", Usage: usage(flagMaxConsumers, "how many consumers a channel may have, `COUNT`; 0 for no limit")},
		&cli.StringFlag{Name: flagProductName, Value: "Leveret", Usage: usage(flagProductName, "`NAME` that clients see; some use RabbitMQ's extensions, Celery its channel-wide prefetch, only if it is RabbitMQ")},
		&cli.StringFlag{Name: flagLogLevel, Value: "info", Usage: usage(flagLogLevel, "least `LEVEL` that is logged: "+strings.Join(levelNames(), ", "))},
		&cli.StringFlag{Name: flagLogFormat, Value: "console", Usage: usage(flagLogFormat, "`FORMAT` of the log lines: console or json")},
	}, userFlags()...)
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
}

// find returns the value of a flag and what to call it in an error. The
// command line wins over the environment, and the flags of serve over those
// before it.
func (s settings) find(flag string) (value []string, name string) {
	for _, c := range s.cli.Lineage() {
		if c.Command != nil && slices.Contains(c.LocalFlagNames(), flag) {
			return values(c, flag), "--" + flag
		}
	}
	if v, ok := s.env(variable(flag)); ok && v != "" {
		return strings.Split(v, ","), variable(flag)
	}
	return values(s.cli, flag), "--" + flag
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
		c.readStore, c.readSync, c.readMemoryLimit, c.readDiskFreeLimit, c.readListeners, c.readLimits, c.readUsers, c.readLog,
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

func (c *config) readListeners(s settings) error {
	addresses, name := s.find(flagAMQPListen)
	for _, a := range addresses {
		a = strings.TrimSpace(a)
		if err := checkAddress(a); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
		c.amqpListen = append(c.amqpListen, a)
	}
	if len(c.amqpListen) == 0 {
		return fmt.Errorf("%s is empty", name)
	}
	http, name := s.text(flagHTTPListen)
	if http == "" || http == "none" {
		return nil
	}
	if err := checkAddress(http); err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	c.httpListen = http
	return nil
}

func checkAddress(a string) error {
	_, port, err := net.SplitHostPort(a)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is not an address like 127.0.0.1:5672 or :5672", a)
	}
	return nil
}

func (c *config) readLimits(s settings) error {
	text, name := s.text(flagMaxMessageSize)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > largestMessageSize {
		return fmt.Errorf("%s %q is not a number of bytes from 1 to %d", name, text, largestMessageSize)
	}
	c.maxMessageSize = n
	text, name = s.text(flagMaxConsumers)
	if c.maxConsumers, err = strconv.Atoi(text); err != nil || c.maxConsumers < 0 || c.maxConsumers > mostConsumers {
		return fmt.Errorf("%s %q is not a number from 0 to %d", name, text, mostConsumers)
	}
	if c.productName, name = s.text(flagProductName); c.productName == "" {
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
