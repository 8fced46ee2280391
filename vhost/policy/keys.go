package policy

import "regexp"

// key is a setting that a policy may have.
type key struct {
	good func(v any) bool
	// complaint follows a value that is not good.
	complaint string
	// merge is how an operator policy limits what a policy says; nil: operator
	// policies do not know the key.
	merge func(user, operator any) any
	// never are the kinds to which a policy with the key does not apply at all.
	never Kind
}

// maxMilliseconds is ten years, the longest time of RabbitMQ's arguments. Its
// policies take longer ones, which its timers do not.
const maxMilliseconds = 315360000000

// maxSegment is the largest segment of a stream, in bytes.
const maxSegment = 3_000_000_000

// keys are those of RabbitMQ 3.10 and 4.3 and, as retry-…, those that x-retry-… is
// for. What is about replication (ha-…, the sizes of groups, locators) and about
// where messages lie (queue-mode, queue-version, max-in-memory-…) has no meaning
// here; it is taken because nothing is lost by it. Keys of streams wait for them.
//
// A policy with a key that a kind of queue does not have is not for that kind, as in
// RabbitMQ; but delivery-limit, consumer-timeout and delayed-retry-… are for classic
// queues too, as their arguments are.
var keys = map[string]key{
	"alternate-exchange": {good: isText, complaint: "is not a valid alternate exchange name"},

	"message-ttl":      {good: between(0, maxMilliseconds), complaint: "is not a valid message TTL", merge: least, never: Streams},
	"expires":          {good: between(1, maxMilliseconds), complaint: "is not a valid queue expiry", merge: least, never: Streams},
	"max-length":       {good: isCount, complaint: "is not a valid maximum length", merge: least, never: Streams},
	"max-length-bytes": {good: isCount, complaint: "is not a valid maximum length in bytes", merge: least},
	"overflow": {good: oneOf("drop-head", "reject-publish", "reject-publish-dlx"), complaint: "is not a valid overflow value",
		merge: operators, never: Streams},
	"delivery-limit": {good: isWhole, complaint: "is not a valid delivery limit", merge: leastLimit, never: Streams},

	"dead-letter-exchange":    {good: isText, complaint: "is not a valid dead letter exchange name", never: Streams},
	"dead-letter-routing-key": {good: isText, complaint: "is not a valid dead letter routing key", never: Streams},
	"dead-letter-strategy": {good: oneOf("at-most-once", "at-least-once"), complaint: "is not a valid dead letter strategy",
		never: Classic | Streams},

	"consumer-timeout":              {good: between(0, maxMilliseconds), complaint: "is not a valid consumer timeout"},
	"consumer-disconnected-timeout": {good: between(0, maxMilliseconds), complaint: "is not a valid consumer disconnected timeout"},
	"delayed-retry-type": {good: oneOf("disabled", "all", "failed", "returned"), complaint: "is not a valid delayed retry type",
		merge: operators, never: Streams},
	"delayed-retry-min": {good: between(0, maxMilliseconds), complaint: "is not a valid delayed retry minimum", merge: most, never: Streams},
	"delayed-retry-max": {good: between(0, maxMilliseconds), complaint: "is not a valid delayed retry maximum", merge: least, never: Streams},

	"retry-backoff": {good: oneOf("exponential", "linear", "constant"), complaint: "is not a valid retry backoff", never: Streams},
	"retry-min":     {good: between(1, maxMilliseconds), complaint: "is not a valid retry minimum", never: Streams},
	"retry-max":     {good: between(1, maxMilliseconds), complaint: "is not a valid retry maximum", never: Streams},
	"retry-jitter":  {good: between(0, 100), complaint: "is not a valid retry jitter", never: Streams},
	"retry-limit":   {good: isCount, complaint: "is not a valid retry limit", never: Streams},

	"max-in-memory-length": {good: isCount, complaint: "is not a valid maximum memory in bytes", merge: least, never: Streams},
	"max-in-memory-bytes":  {good: isCount, complaint: "is not a valid maximum memory in bytes", merge: least, never: Streams},
	"queue-mode":           {good: oneOf("default", "lazy"), complaint: "is not a valid queue-mode value", never: Quorum | Streams},
	"queue-version":        {good: between(1, 2), complaint: "is not a valid queue-version value", merge: operators},
	"queue-leader-locator": {good: oneOf("client-local", "balanced", "random", "least-leaders"),
		complaint: "is not a valid queue leader locator value"},
	"initial-cluster-size": {good: isCount, complaint: "is not a valid cluster size", never: Classic | Quorum},
	"target-group-size": {good: between(1, 1<<63-1), complaint: "is not a valid qq target count value", merge: most,
		never: Classic | Streams},

	"ha-mode":                {good: oneOf("all", "exactly", "nodes"), complaint: "is not a valid ha-mode value", never: Quorum | Streams},
	"ha-params":              {good: isParams, complaint: "is not a valid ha-params value", never: Quorum | Streams},
	"ha-sync-mode":           {good: oneOf("automatic", "manual"), complaint: "is not a valid ha-sync-mode value", never: Quorum | Streams},
	"ha-sync-batch-size":     {good: between(1, 1<<63-1), complaint: "is not a valid ha-sync-batch-size value"},
	"ha-promote-on-shutdown": {good: oneOf("always", "when-synced"), complaint: "is not a valid ha-promote-on-shutdown value", never: Quorum | Streams},
	"ha-promote-on-failure":  {good: oneOf("always", "when-synced"), complaint: "is not a valid ha-promote-on-failure value", never: Quorum | Streams},
	"queue-master-locator": {good: oneOf("min-masters", "client-local", "random"), complaint: "invalid queue-master-locator value",
		never: Quorum | Streams},

	"max-age":                       {good: isAge, complaint: "is not a valid max age", never: Classic | Quorum},
	"stream-max-segment-size-bytes": {good: between(0, maxSegment), complaint: "is not a valid segment size", never: Classic | Quorum},
	"stream-filter-size-bytes": {good: between(16, 255), complaint: "is not a valid filter size. Valid range is 16-255",
		never: Classic | Quorum},
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

func isWhole(v any) bool {
	_, ok := v.(int64)
	return ok
}

func isCount(v any) bool {
	n, ok := v.(int64)
	return ok && n >= 0
}

func between(low, high int64) func(any) bool {
	return func(v any) bool {
		n, ok := v.(int64)
		return ok && n >= low && n <= high
	}
}

func oneOf(words ...string) func(any) bool {
	return func(v any) bool {
		for _, w := range words {
			if v == w {
				return true
			}
		}
		return false
	}
}

// isParams takes how many mirrors there should be, or the nodes they are on.
func isParams(v any) bool {
	list, ok := v.([]any)
	for _, item := range list {
		ok = ok && isText(item)
	}
	return ok || isCount(v)
}

var age = regexp.MustCompile(`^[0-9]+[YMDhms]$`)

func isAge(v any) bool {
	s, ok := v.(string)
	return ok && age.MatchString(s)
}

func operators(_, operator any) any { return operator }

func least(user, operator any) any { return min(user.(int64), operator.(int64)) }

func most(user, operator any) any { return max(user.(int64), operator.(int64)) }

// leastLimit is least where what is negative is no limit.
func leastLimit(user, operator any) any {
	switch {
	case operator.(int64) < 0:
		return user
	case user.(int64) < 0:
		return operator
	}
	return least(user, operator)
}
