package queue

import (
	"strings"
	"time"
)

// Applied is what policies say of a queue: their names, empty for none, and what
// they come to together, by key as in a policy: "message-ttl", not
// "x-message-ttl". Values are int64, string or bool and have been checked; keys
// that mean nothing to a queue do not matter. Who made it does not change it any
// more.
type Applied struct {
	Policy, OperatorPolicy string
	Definition             map[string]any
}

// Policy returns what was applied last.
func (q *Queue) Policy() Applied {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.applied
}

// Limits returns the limits in force: what arguments and policies come to.
func (q *Queue) Limits() Limits {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.core.limits
}

// SetPolicy applies policies in the place of those before, at once. What is over
// a new length is then dropped from the head and dead-lettered, bit by bit, so
// that others can have the queue meanwhile. The terms of x-expires and of
// consumers begin or end. A message that is there keeps the expiry that it was
// published with, as in RabbitMQ.
func (q *Queue) SetPolicy(a Applied, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	now := time.Now().UnixNano()
	c := &q.core
	term := c.limits.Expires
	q.applied = a
	c.limits = q.opts.Limits.under(Type(q.opts.Arguments), q.opts.Arguments.Get, a.Definition)
	q.setExpiresLocked(term)
	c.setTimeouts(now)
	if c.over = c.tooLong(); c.over && !q.trimming && int64(c.ready.count)-max(c.limits.MaxLength, 0) <= trimStep {
		c.trimSome(trimStep, fx) // that is all
	}
	if !c.over {
		c.expire(now, fx)
	}
	q.afterLocked(now)
}

// under returns what limits, which are those of a queue's arguments, come to
// under a policy. Of two numbers the less holds. What arguments say of dead
// letters goes before what the policy says, each for itself; what they say of
// retries goes before all that the policy says of them. A quorum queue heeds the
// policy's overflow first, a classic one its argument, as RabbitMQ has it.
func (l Limits) under(kind string, arg func(string) (any, bool), policy map[string]any) Limits {
	if len(policy) == 0 {
		return l
	}
	l.TTL = lessTime(l.TTL, policy["message-ttl"], Unlimited)
	l.Expires = lessTime(l.Expires, policy["expires"], 0)
	l.MaxLength = less(l.MaxLength, policy["max-length"])
	l.MaxBytes = less(l.MaxBytes, policy["max-length-bytes"])
	l.DeliveryLimit = less(l.DeliveryLimit, policy["delivery-limit"])
	l.ConsumerTimeout = lessTime(l.ConsumerTimeout, policy["consumer-timeout"], 0)
	if name, ok := policy["overflow"].(string); ok {
		if _, said := arg(argOverflow); !said || kind == TypeQuorum {
			l.Overflow = overflowOf(name)
		}
	}
	if name, ok := policy["dead-letter-exchange"].(string); ok && !l.DeadLetter {
		l.DeadLetter, l.DeadLetterExchange = true, name
	}
	if key, ok := policy["dead-letter-routing-key"].(string); ok && !l.HasDeadLetterKey {
		l.HasDeadLetterKey, l.DeadLetterKey = true, key
	}
	if kind == TypeQuorum {
		strategy, said := arg(argStrategy)
		if !said {
			strategy = policy["dead-letter-strategy"]
		}
		l.AtLeastOnce = strategy == atLeastOnce
	}
	_, own := arg(argBackoff)
	_, delayed := arg(argDelayedRetry)
	if !own && !delayed {
		l.Retry = retryOf(func(name string) (any, bool) {
			v, ok := policy[strings.TrimPrefix(name, "x-")]
			return v, ok
		})
	}
	l.settle(kind)
	return l
}

// less returns the lower of a limit and what a policy says, if that is a limit;
// a negative one is none.
func less(limit int64, policy any) int64 {
	if n, ok := policy.(int64); ok && n >= 0 && (limit < 0 || n < limit) {
		return n
	}
	return limit
}

// lessTime is less for times, of which none is a limit if it is at most none. A
// policy says them in milliseconds.
func lessTime(limit time.Duration, policy any, none time.Duration) time.Duration {
	n, ok := policy.(int64)
	if !ok || n < 0 {
		return limit
	}
	d := time.Duration(min(n, maxDurationMs)) * time.Millisecond
	if d > none && (limit <= none || d < limit) {
		return d
	}
	return limit
}

// setExpiresLocked begins a new term of x-expires if it is another than before.
func (q *Queue) setExpiresLocked(before time.Duration) {
	term := q.core.limits.Expires
	switch {
	case term == before:
	case term == 0:
		q.idle.Stop()
	case q.idle == nil:
		q.idle = time.AfterFunc(term, q.expireUnused)
	default:
		q.idle.Reset(term)
	}
}

// trimMoreLocked has trimming go on by itself, unless it waits for messages to
// come to memory.
func (q *Queue) trimMoreLocked() {
	switch {
	case q.trimming || q.core.want:
	case q.trimmer == nil:
		q.trimming = true
		q.trimmer = time.AfterFunc(0, q.trimMore)
	default:
		q.trimming = true
		q.trimmer.Reset(0)
	}
}

// trimMore runs on the timer's goroutine.
func (q *Queue) trimMore() {
	var fx Effects
	q.mu.Lock()
	if !q.closed && q.core.over {
		q.core.trimSome(trimStep, &fx)
	}
	q.mu.Unlock()
	q.opts.Apply(&fx)
	q.mu.Lock()
	q.trimming = false // not before, so that dead letters come in order
	if !q.closed {
		q.afterLocked(q.nowLocked(nil))
	}
	q.mu.Unlock()
}
