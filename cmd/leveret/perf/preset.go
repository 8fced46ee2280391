package perf

import "time"

// presets are the workloads by name, in the order of the help.
func presets() []config {
	base := config{
		queues: 1, producers: 1, consumers: 1, channels: 1,
		size: 16, time: 10 * time.Second, warmup: time.Second,
		autoAck: true, ackEvery: 1,
	}
	var all []config
	preset := func(name, usage string, change func(*config)) {
		c := base
		c.preset, c.usage = name, usage
		change(&c)
		all = append(all, c)
	}
	acking := func(c *config) {
		c.size, c.autoAck, c.ackEvery, c.prefetch = 1024, false, 50, 1000
	}
	preset("transient", "16 B transient messages, no acknowledgements", func(*config) {})
	preset("ack", "1 KiB transient messages, acknowledged 50 at a time, prefetch 1000", acking)
	preset("confirm", "1 KiB persistent messages, at most 1000 of them not confirmed", func(c *config) {
		acking(c)
		c.persistent, c.confirm = true, 1000
	})
	preset("confirm1", "1 KiB persistent messages, each confirmed before the next", func(c *config) {
		acking(c)
		c.persistent, c.confirm = true, 1
	})
	preset("fanout", "16 B messages to 10 queues each", func(c *config) {
		c.exchange, c.queues, c.consumers = "fanout", 10, 10
	})
	preset("topic", "16 B messages through 10,000 topic bindings of 100 queues", func(c *config) {
		c.exchange, c.bindings, c.queues, c.consumers = "topic", 10_000, 100, 10
	})
	preset("many", "16 B messages to 1,000 queues over 10 connections of 100 channels", func(c *config) {
		c.queues, c.producers, c.consumers, c.channels = 1000, 10, 10, 100
	})
	preset("backlog", "300,000 persistent messages of 1 KiB in, and then out", func(c *config) {
		acking(c)
		c.persistent, c.confirm, c.backlog = true, 1000, true
		c.messages, c.warmup = 300_000, 0
	})
	return all
}
