package perf

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// config is one workload: a preset with what the flags changed in it.
type config struct {
	preset string
	usage  string
	uri    string

	// exchange is the type of the exchange: "" for the default exchange,
	// "fanout" or "topic".
	exchange  string
	queues    int
	bindings  int // topic only: of all queues together
	producers int // connections that publish
	consumers int // connections that consume; 0 leaves the messages there
	channels  int // of each connection, as far as it has queues for them

	size     int           // of the body in bytes
	time     time.Duration // how long is measured, unless messages limits it
	warmup   time.Duration // before that; checked, but not measured
	messages int           // of each producer; 0: by time
	rate     float64       // of each producer in messages a second; 0: no limit

	prefetch   int // of each consumer; 0: no limit
	autoAck    bool
	ackEvery   int // messages of a channel; the ack is a multiple one
	confirm    int // window of each producer; 0: no confirms
	persistent bool
	backlog    bool // consume only when all is published

	pid int // the broker's process; 0: not known
}

const (
	maxPrefetch = math.MaxUint16
	maxChannels = math.MaxUint16
	// maxWindow keeps the record of what is under way small.
	maxWindow = 1 << 20
)

// check says what makes no sense in a config.
func (c config) check() error {
	for _, n := range []struct {
		name       string
		value      int
		least, top int
	}{
		{"producers", c.producers, 1, math.MaxInt32},
		{"consumers", c.consumers, 0, math.MaxInt32},
		{"queues", c.queues, 1, math.MaxInt32},
		{"channels", c.channels, 1, maxChannels},
		{"size", c.size, stampSize, math.MaxInt32},
		{"messages", c.messages, 0, math.MaxInt32},
		{"prefetch", c.prefetch, 0, maxPrefetch},
		{"confirm", c.confirm, 0, maxWindow},
		{"multi-ack-every", c.ackEvery, 1, math.MaxInt32},
		{"bindings", c.bindings, 0, math.MaxInt32},
		{"pid", c.pid, 0, math.MaxInt32},
	} {
		if n.value < n.least || n.value > n.top {
			return fmt.Errorf("--%s must be from %d to %d, and is %d", n.name, n.least, n.top, n.value)
		}
	}
	switch {
	case c.rate < 0 || math.IsNaN(c.rate) || math.IsInf(c.rate, 0):
		return fmt.Errorf("--rate must be 0 or more, and is %g", c.rate)
	case c.warmup < 0:
		return fmt.Errorf("--warmup must be 0 or more, and is %s", c.warmup)
	case c.messages == 0 && c.time <= 0:
		return fmt.Errorf("--time must be more than 0, and is %s", c.time)
	case c.bindings > 0 && c.exchange != "topic":
		return fmt.Errorf("--bindings is for a topic exchange, and preset %s has none", c.preset)
	case c.exchange == "topic" && c.bindings == 0:
		return errors.New("--bindings must be 1 or more with a topic exchange")
	case c.bindings/maxTopicBindings >= c.queues:
		return fmt.Errorf("--bindings must be less than %d a queue", maxTopicBindings)
	case !c.autoAck && c.prefetch > 0 && c.prefetch < c.ackEvery:
		return fmt.Errorf("a prefetch of %d never lets %d messages be acknowledged together", c.prefetch, c.ackEvery)
	}
	return nil
}
