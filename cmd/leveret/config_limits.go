package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/amqp/server"
	"github.com/urfave/cli/v2"
)

// The flags of serve about limits and names.
const (
	flagMaxMessageSize     = "max-message-size"
	flagMaxConsumers       = "consumer-max-per-channel"
	flagMaxConnections     = "max-connections"
	flagMaxUnauthenticated = "max-unauthenticated"
	flagMaxTLSHandshakes   = "max-tls-handshakes"
	flagHandshakeTimeout   = "handshake-timeout"
	flagFrameMax           = "frame-max"
	flagChannelMax         = "channel-max"
	flagHeartbeat          = "heartbeat"
	flagProductName        = "product-name"
	flagNodeName           = "node-name"
	flagClusterName        = "cluster-name"
	flagDefinitions        = "load-definitions"
	flagSkipUnsupported    = "definitions-skip-unsupported"
	flagSkipUnchanged      = "definitions-skip-if-unchanged"
)

const (
	defaultMaxMessageSize = 128 << 20
	// largestMessageSize is RabbitMQ's own upper limit.
	largestMessageSize = 512 << 20
	// mostConsumers is the highest limit of consumers.
	mostConsumers = 1 << 20
)

// limitConfig is how much of something there may be. What is 0 has no limit, or that
// of package server.
type limitConfig struct {
	messageSize                                 int64 // bytes
	consumers                                   int   // of a channel
	connections, unauthenticated, tlsHandshakes int
	handshake                                   time.Duration
	frameMax                                    uint32
	channelMax                                  uint16
	heartbeat                                   time.Duration // negative: none
}

// nameConfig is what others call the broker.
type nameConfig struct{ product, node, cluster string }

// definitionsConfig is what is loaded at the start.
type definitionsConfig struct {
	path                           string // empty: nothing
	skipUnsupported, skipUnchanged bool
}

func limitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: flagMaxMessageSize, Value: strconv.Itoa(defaultMaxMessageSize), Usage: usage(flagMaxMessageSize, "largest message body accepted, in `BYTES`, at most "+strconv.Itoa(largestMessageSize))},
		&cli.StringFlag{Name: flagMaxConsumers, Value: "0", Usage: usage(flagMaxConsumers, "how many consumers a channel may have, `COUNT`; 0 for no limit")},
		&cli.StringFlag{Name: flagMaxConnections, Value: "0", Usage: usage(flagMaxConnections, "how many connections there may be, `COUNT`; 0 for no limit")},
		&cli.StringFlag{Name: flagMaxUnauthenticated, Value: "0", Usage: usage(flagMaxUnauthenticated, "how many connections may be logging in at a time, `COUNT`; others wait to be accepted; 0 for 1024")},
		&cli.StringFlag{Name: flagMaxTLSHandshakes, Value: "0", Usage: usage(flagMaxTLSHandshakes, "how many TLS handshakes may compute at a time, `COUNT`; 0 for half of the processors")},
		&cli.StringFlag{Name: flagHandshakeTimeout, Value: "10s", Usage: usage(flagHandshakeTimeout, "`TIME` that a client may take to open its connection, PROXY header, TLS and log-in together")},
		&cli.StringFlag{Name: flagFrameMax, Value: strconv.Itoa(amqp.DefaultFrameMax), Usage: usage(flagFrameMax, "largest frame offered to clients, in `BYTES`, 4096 to 16777216")},
		&cli.StringFlag{Name: flagChannelMax, Value: "2047", Usage: usage(flagChannelMax, "how many channels a connection may have, `COUNT` from 1 to 65535")},
		&cli.StringFlag{Name: flagHeartbeat, Value: "60s", Usage: usage(flagHeartbeat, "`TIME` between heartbeats proposed to clients, in whole seconds; 0 for none")},
	}
}

func nameFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: flagProductName, Value: "Leveret", Usage: usage(flagProductName, "`NAME` that clients see; some use RabbitMQ's extensions, Celery its channel-wide prefetch, only if it is RabbitMQ")},
		&cli.StringFlag{Name: flagNodeName, Usage: usage(flagNodeName, "`NAME` of this broker in the management API and in metrics (default: leveret@ and the name of the machine)")},
		&cli.StringFlag{Name: flagClusterName, Usage: usage(flagClusterName, "`NAME` of the cluster that clients see, unless the global parameter cluster_name says otherwise (default: the node's)")},
		&cli.StringFlag{Name: flagDefinitions, Usage: usage(flagDefinitions, "`FILE` with definitions, or directory with several, that are imported at each start; then no first user is made")},
		&cli.StringFlag{Name: flagSkipUnsupported, Value: "false", Usage: usage(flagSkipUnsupported, "`true`: what is in that file and not supported, such as streams, is left out with a warning; else the start is refused")},
		&cli.StringFlag{Name: flagSkipUnchanged, Value: "false", Usage: usage(flagSkipUnchanged, "`true`: the file is imported only if it is another than the last time")},
	}
}

// number reads a flag that is a whole number within a range.
func (s settings) number(flag string, least, most int64) (int64, error) {
	text, name := s.text(flag)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s %q is not a number from %d to %d", name, text, least, most)
	}
	return n, nil
}

// period reads a flag that is a time within a range.
func (s settings) period(flag string, least, most time.Duration) (time.Duration, error) {
	text, name := s.text(flag)
	d, err := time.ParseDuration(text)
	if text == "0" {
		d, err = 0, nil
	}
	if err != nil || d < least || d > most {
		return 0, fmt.Errorf("%s %q is not a time from %s to %s, like 10s", name, text, least, most)
	}
	return d, nil
}

func (c *config) readLimits(s settings) (err error) {
	l := &c.limits
	text, name := s.text(flagMaxMessageSize)
	if l.messageSize, err = strconv.ParseInt(text, 10, 64); err != nil || l.messageSize < 1 || l.messageSize > largestMessageSize {
		return fmt.Errorf("%s %q is not a number of bytes from 1 to %d", name, text, largestMessageSize)
	}
	for _, of := range []struct {
		flag string
		most int64
		to   *int
	}{
		{flagMaxConsumers, mostConsumers, &l.consumers}, {flagMaxConnections, math.MaxInt32, &l.connections},
		{flagMaxUnauthenticated, 1 << 20, &l.unauthenticated}, {flagMaxTLSHandshakes, 1 << 16, &l.tlsHandshakes},
	} {
		n, err := s.number(of.flag, 0, of.most)
		if err != nil {
			return err
		}
		*of.to = int(n)
	}
	if l.handshake, err = s.period(flagHandshakeTimeout, time.Millisecond, time.Hour); err != nil {
		return err
	}
	frame, err := s.number(flagFrameMax, amqp.MinFrameMax, 16<<20)
	if err != nil {
		return err
	}
	channels, err := s.number(flagChannelMax, 1, math.MaxUint16)
	if err != nil {
		return err
	}
	l.frameMax, l.channelMax = uint32(frame), uint16(channels)
	if l.heartbeat, err = s.period(flagHeartbeat, 0, math.MaxUint16*time.Second); err != nil {
		return err
	}
	if text, name := s.text(flagHeartbeat); l.heartbeat%time.Second != 0 {
		return fmt.Errorf("%s %q is not a whole number of seconds", name, text)
	}
	if l.heartbeat == 0 {
		l.heartbeat = -1
	}
	return nil
}

// apply sets what the broker has to know of it.
func (l limitConfig) apply(o *server.Options) {
	o.MaxMessageSize, o.MaxConsumersPerChannel = l.messageSize, l.consumers
	o.MaxConnections, o.MaxUnauthenticated, o.MaxTLSHandshakes = l.connections, l.unauthenticated, l.tlsHandshakes
	o.HandshakeTimeout, o.FrameMax, o.ChannelMax, o.Heartbeat = l.handshake, l.frameMax, l.channelMax, l.heartbeat
}

func (c *config) readNames(s settings) error {
	var name string
	if c.names.product, name = s.text(flagProductName); c.names.product == "" {
		return fmt.Errorf("%s is empty", name)
	}
	c.names.node, _ = s.text(flagNodeName)
	if c.names.node == "" {
		c.names.node = server.DefaultNodeName()
	}
	if c.names.cluster, _ = s.text(flagClusterName); c.names.cluster == "" {
		c.names.cluster = c.names.node
	}
	return nil
}

func (c *config) readDefinitions(s settings) (err error) {
	d := &c.definitions
	d.path, _ = s.text(flagDefinitions)
	if d.skipUnsupported, err = s.boolean(flagSkipUnsupported); err != nil {
		return err
	}
	d.skipUnchanged, err = s.boolean(flagSkipUnchanged)
	return err
}
