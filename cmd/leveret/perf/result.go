package perf

import "time"

// result is what a run comes to.
type result struct {
	Preset string `json:"preset"`
	URI    string `json:"uri"`    // without the password
	Broker string `json:"broker"` // as it names itself

	Producers int  `json:"producers"`
	Consumers int  `json:"consumers"`
	Queues    int  `json:"queues"`
	Size      int  `json:"size_bytes"`
	Backlog   bool `json:"backlog"` // consumed only when all was published

	// Of the whole run, with warm-up and drain.
	Published uint64 `json:"published"`
	Delivered uint64 `json:"delivered"`
	Faults    faults `json:"faults"`

	// Of the measured part: messages a second.
	PublishRate float64 `json:"publish_rate"`
	DeliverRate float64 `json:"deliver_rate"`
	// PublishSeconds and DeliverSeconds are the time that these were measured
	// over.
	PublishSeconds float64 `json:"publish_seconds"`
	DeliverSeconds float64 `json:"deliver_seconds"`

	// Latency is from when a message should have been sent to when the read
	// that brought all of it returned; nil if not measured.
	Latency *percentiles `json:"latency,omitempty"`
	// ConfirmLatency is the same up to the confirm.
	ConfirmLatency *percentiles `json:"confirm_latency,omitempty"`

	// Blocked says that the broker stopped the publishing for a while, with
	// connection.blocked or channel.flow.
	Blocked bool `json:"blocked"`

	// CPU seconds of a million messages that were delivered, or published if
	// there are no consumers; 0 if not known.
	BrokerCPU    float64 `json:"broker_cpu_seconds_per_million"`
	GeneratorCPU float64 `json:"generator_cpu_seconds_per_million"`
	// Bytes of the broker's memory when publishing ended: resident, and of
	// these anonymous.
	BrokerRSS       int64 `json:"broker_rss_bytes"`
	BrokerAnonymous int64 `json:"broker_anonymous_bytes"`
}

// sample is the state of the counters at a moment.
type sample struct {
	at        int64 // of the clock
	published uint64
	received  uint64
	own       time.Duration // CPU
	broker    time.Duration // CPU
}

// rate is how much n is a second, over a time in nanoseconds.
func rate(n uint64, ns int64) float64 {
	if ns <= 0 {
		return 0
	}
	return float64(n) * 1e9 / float64(ns)
}

// perMillion is seconds a million messages, from nanoseconds.
func perMillion(ns int64, messages uint64) float64 {
	if messages == 0 {
		return 0
	}
	return float64(ns) / 1e9 * 1e6 / float64(messages)
}
