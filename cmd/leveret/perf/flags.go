package perf

import "github.com/urfave/cli/v2"

// workloadFlags are the flags that change a preset, with its values as their
// defaults. autoAckAlias is a short name for --autoack, if there is room for it.
func workloadFlags(conf config, autoAckAlias []string) []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "producers", Aliases: []string{"x"}, Value: conf.producers, Usage: "`N` connections that publish"},
		&cli.IntFlag{Name: "consumers", Aliases: []string{"y"}, Value: conf.consumers, Usage: "`N` connections that consume; 0: nothing is consumed"},
		&cli.IntFlag{Name: "channels", Value: conf.channels, Usage: "`N` channels of each connection, if it has as many queues"},
		&cli.IntFlag{Name: "queues", Value: conf.queues, Usage: "`N` queues"},
		&cli.IntFlag{Name: "bindings", Value: conf.bindings, Usage: "`N` bindings, with a topic exchange"},
		&cli.IntFlag{Name: "size", Aliases: []string{"s"}, Value: conf.size, Usage: "`BYTES` of a message's body, 16 or more"},
		&cli.DurationFlag{Name: "time", Aliases: []string{"z"}, Value: conf.time, Usage: "how long to measure, such as 10s"},
		&cli.DurationFlag{Name: "warmup", Value: conf.warmup, Usage: "how long to run before that; 0 if --messages is given"},
		&cli.IntFlag{Name: "messages", Aliases: []string{"C"}, Value: conf.messages, Usage: "`N` messages of each producer instead of a time; 0: by time"},
		&cli.Float64Flag{Name: "rate", Aliases: []string{"r"}, Value: conf.rate, Usage: "`N` messages a second of each producer; 0: as many as it can"},
		&cli.IntFlag{Name: "prefetch", Aliases: []string{"q"}, Value: conf.prefetch, Usage: "`N` messages that a consumer may hold; 0: no limit"},
		&cli.BoolFlag{Name: "autoack", Aliases: autoAckAlias, Value: conf.autoAck, Usage: "consume without acknowledgements"},
		&cli.IntFlag{Name: "multi-ack-every", Aliases: []string{"A"}, Value: conf.ackEvery, Usage: "acknowledge `N` messages at a time"},
		&cli.IntFlag{Name: "confirm", Aliases: []string{"c"}, Value: conf.confirm, Usage: "`N` messages a producer may have unconfirmed; 0: no confirms"},
		&cli.BoolFlag{Name: "persistent", Value: conf.persistent, Usage: "persistent messages and durable queues"},
		&cli.BoolFlag{Name: "json", Usage: "answer in JSON"},
	}
}

// overridden is the preset with the values of the flags.
func overridden(c *cli.Context, conf config) config {
	conf.producers, conf.consumers = c.Int("producers"), c.Int("consumers")
	conf.channels, conf.queues, conf.bindings = c.Int("channels"), c.Int("queues"), c.Int("bindings")
	conf.size, conf.time, conf.warmup = c.Int("size"), c.Duration("time"), c.Duration("warmup")
	conf.messages, conf.rate = c.Int("messages"), c.Float64("rate")
	conf.prefetch, conf.autoAck, conf.ackEvery = c.Int("prefetch"), c.Bool("autoack"), c.Int("multi-ack-every")
	conf.confirm, conf.persistent = c.Int("confirm"), c.Bool("persistent")
	if conf.messages > 0 && !c.IsSet("warmup") {
		conf.warmup = 0
	}
	// A time means that the preset's number of messages does not.
	if c.IsSet("time") && !c.IsSet("messages") {
		conf.messages = 0
	}
	// To acknowledge several at a time is to acknowledge.
	if c.IsSet("multi-ack-every") && !c.IsSet("autoack") {
		conf.autoAck = false
	}
	return conf
}
