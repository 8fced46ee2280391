package queue

import (
	"fmt"
	"math"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// Arguments of the two ways to ask for a delay of what comes back: our own, and
// that of RabbitMQ 4.3, which only knows a linear one. A queue has one or the
// other.
const (
	argBackoff      = "x-retry-backoff"
	argRetryMin     = "x-retry-min"
	argRetryMax     = "x-retry-max"
	argDelayedRetry = "x-delayed-retry-type"
)

// What holds if an argument is left out. A delay that is always the same has no
// longest one; one of x-delayed-retry has its shortest as its longest, as in
// RabbitMQ.
const (
	defaultRetryMin = time.Second
	defaultRetryMax = time.Hour // or x-retry-min, if that is longer
)

// noBackoff is the complaint about x-retry-… without x-retry-backoff.
const noBackoff = "no_retry_backoff_defined"

func parseDelayedRetryType(v any, _ amqp.Table, _ *Limits) string {
	_, term := oneOf(v, "invalid_delayed_retry_type", "disabled", "all", "failed", "returned")
	return term
}

func parseBackoff(v any, args amqp.Table, _ *Limits) string {
	_, term := oneOf(v, "invalid_retry_backoff", "exponential", "linear", "constant")
	if other, ok := args.Get(argDelayedRetry); term == "" && ok && other != "disabled" {
		term = fmt.Sprintf("{conflicts_with,%q}", argDelayedRetry)
	}
	return term
}

func hasBackoff(args amqp.Table) bool {
	_, ok := args.Get(argBackoff)
	return ok
}

func parseRetryMin(v any, args amqp.Table, _ *Limits) string {
	_, term := milliseconds(v, positive)
	if term == "" && !hasBackoff(args) {
		term = noBackoff
	}
	return term
}

// parseRetryMax relies on parseRetryMin having been there before.
func parseRetryMax(v any, args amqp.Table, _ *Limits) string {
	most, term := milliseconds(v, positive)
	if term == "" && !hasBackoff(args) {
		term = noBackoff
	}
	if least, ok := args.Get(argRetryMin); term == "" && ok {
		if d, _ := milliseconds(least, positive); d > most {
			term = fmt.Sprintf("{less_than_retry_min,%d}", most.Milliseconds())
		}
	}
	return term
}

func parseRetryJitter(v any, args amqp.Table, _ *Limits) string {
	n, term := count(v)
	switch {
	case term != "":
	case n > 100:
		term = fmt.Sprintf("{max_value_exceeded,%d}", n)
	case !hasBackoff(args):
		term = noBackoff
	}
	return term
}

func parseRetryLimit(v any, args amqp.Table, _ *Limits) string {
	_, term := count(v)
	if term == "" && !hasBackoff(args) {
		term = noBackoff
	}
	return term
}

// retryOf is what the arguments that get finds come to; they were checked before,
// and what is not good is as if it were not there.
func retryOf(get func(name string) (any, bool)) Retry {
	word := func(name string) string {
		v, _ := get(name)
		s, _ := v.(string)
		return s
	}
	if b := backoffOf(word(argBackoff)); b != NoBackoff {
		return ownRetry(b, get)
	}
	r := Retry{Backoff: Linear, Min: defaultRetryMin}
	switch word(argDelayedRetry) {
	case "all":
		r.Failed, r.Returned = true, true
	case "failed":
		r.Failed = true
	case "returned":
		r.Returned = true
	default:
		return Retry{}
	}
	if d, ok := delayOf(get, "x-delayed-retry-min"); ok {
		r.Min = d
	}
	r.Max = r.Min
	if d, ok := delayOf(get, "x-delayed-retry-max"); ok {
		r.Max = d
	}
	if r.Min == 0 || r.Max == 0 {
		return Retry{}
	}
	return r
}

// ownRetry is retryOf for x-retry-….
func ownRetry(b Backoff, get func(name string) (any, bool)) Retry {
	r := Retry{Backoff: b, Failed: true, Returned: true, Min: defaultRetryMin}
	least, hasMin := delayOf(get, argRetryMin)
	most, hasMax := delayOf(get, argRetryMax)
	if hasMin {
		r.Min = least
	}
	switch {
	case hasMax:
		r.Max = most
		r.Min = min(r.Min, most)
	case b != Constant:
		r.Max = max(defaultRetryMax, r.Min)
	}
	if n, ok := numberOf(get, "x-retry-jitter"); ok {
		r.Jitter = uint8(min(n, 100))
	}
	if n, ok := numberOf(get, "x-retry-limit"); ok {
		r.Limited, r.Limit = true, uint32(min(n, math.MaxUint32))
	}
	return r
}

// numberOf finds a number that is not negative.
func numberOf(get func(name string) (any, bool), name string) (n int64, ok bool) {
	v, _ := get(name)
	n, ok = amqp.Int(v)
	return n, ok && n >= 0
}

// delayOf finds a time in milliseconds.
func delayOf(get func(name string) (any, bool), name string) (time.Duration, bool) {
	n, ok := numberOf(get, name)
	return time.Duration(min(n, maxDurationMs)) * time.Millisecond, ok
}
