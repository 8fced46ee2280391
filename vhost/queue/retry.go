package queue

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// Backoff is how the delay grows with each time that a message comes back.
type Backoff uint8

// The kinds of backoff. With NoBackoff a message is ready again at once.
const (
	NoBackoff Backoff = iota
	// Constant: always Min.
	Constant
	// Linear: Min times the number of the return.
	Linear
	// Exponential: Min, and twice as long each time.
	Exponential
)

// Retry says when a message that comes back is ready again, and how often. It
// stands for the arguments x-retry-… or, with Linear, for x-delayed-retry-… of
// RabbitMQ 4.3. The zero value delays nothing.
type Retry struct {
	Backoff Backoff
	// Min is the first delay, Max the longest; Max 0 is no bound.
	Min, Max time.Duration
	// Jitter is by how many percent of itself, 0 to 100, a delay is made shorter
	// or longer at random.
	Jitter uint8
	// Limited says that a message may come back Limit times only; the next time
	// it is dead-lettered.
	Limited bool
	Limit   uint32
	// Failed and Returned say which causes are delayed: RabbitMQ tells those
	// that count as a failure from others (x-delayed-retry-type).
	Failed, Returned bool
}

// Cause is why a delivery comes back to its queue.
type Cause uint8

// The causes of a requeue. Those up to Lost are failures in the sense of
// x-delayed-retry-type, the others returns.
const (
	// CauseReject: basic.reject with requeue.
	CauseReject Cause = iota
	// CauseLost: the channel or connection of its consumer has ended.
	CauseLost
	// CauseNack: basic.nack with requeue.
	CauseNack
	// CauseTimeout: the consumer took too long to ack it.
	CauseTimeout
	// CauseRecover: basic.recover.
	CauseRecover
)

// failure reports whether the cause counts as a failure of the message.
func (c Cause) failure() bool { return c <= CauseLost }

// nextTry says when a message that has come back is ready again, in Unix
// nanoseconds; 0: at once. over says that it has come back too often.
func (c *core) nextTry(it *item, why Cause, now int64) (due int64, over bool) {
	r := c.limits.Retry
	if r.Backoff == NoBackoff {
		return 0, false
	}
	r.override(it.msg)
	switch {
	case r.Limited && it.returns > r.Limit:
		return 0, true
	case why.failure() && !r.Failed, !why.failure() && !r.Returned:
		return 0, false
	}
	if d := r.delay(it.returns); d > 0 {
		return now + int64(d), false
	}
	return 0, false
}

// delay is how long a message waits that has come back for the nth time.
func (r *Retry) delay(n uint32) time.Duration {
	most := r.Max
	if most <= 0 {
		most = maxDurationMs * time.Millisecond
	}
	d := r.Min
	switch {
	case r.Backoff == Linear && n > 1:
		if d = most; r.Min <= most/time.Duration(n) {
			d = r.Min * time.Duration(n)
		}
	case r.Backoff == Exponential:
		for ; n > 1 && d < most; n-- {
			d *= 2 // most is far from the largest Duration
		}
	}
	d = min(d, most)
	if span := int64(d) / 100 * int64(r.Jitter); span > 0 {
		d += time.Duration(rand.Int64N(2*span+1) - span)
	}
	return d
}

// override takes what the message itself says of its retries, by headers with
// the names of the arguments. What makes no sense is not heeded: there is nobody
// to be told.
func (r *Retry) override(m *amqp.Message) {
	if !m.HasHeaders {
		return
	}
	headers, err := m.Headers()
	if err != nil {
		return
	}
	for _, f := range headers {
		switch f.Name {
		case "x-retry-backoff":
			if s, ok := f.Value.(string); ok {
				if b := backoffOf(s); b != NoBackoff {
					r.Backoff, r.Failed, r.Returned = b, true, true
				}
			}
		case "x-retry-min":
			overrideDelay(&r.Min, f.Value)
		case "x-retry-max":
			overrideDelay(&r.Max, f.Value)
		case "x-retry-jitter":
			if n, ok := amqp.Int(f.Value); ok && n >= 0 && n <= 100 {
				r.Jitter = uint8(n)
			}
		case "x-retry-limit":
			if n, ok := amqp.Int(f.Value); ok && n >= 0 {
				r.Limited, r.Limit = true, uint32(min(n, math.MaxUint32))
			}
		}
	}
}

func overrideDelay(d *time.Duration, v any) {
	if n, ok := amqp.Int(v); ok && n > 0 && n <= maxDurationMs {
		*d = time.Duration(n) * time.Millisecond
	}
}

// backoffOf returns the kind of a name, NoBackoff if it is none.
func backoffOf(name string) Backoff {
	switch name {
	case "constant":
		return Constant
	case "linear":
		return Linear
	case "exponential":
		return Exponential
	}
	return NoBackoff
}
