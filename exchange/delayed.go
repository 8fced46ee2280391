package exchange

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

const (
	delayedTypeArgument = "x-delayed-type"
	// delayHeader is how many milliseconds a message is delayed, as in RabbitMQ's
	// community plugin: any number, or a text that is an integer; what is not above
	// 0 is no delay. The plugin does not delay what is above 2^32-1, here it is.
	delayHeader = "x-delay"
	// deliverAtHeader is when a message is due: a timestamp, or seconds since 1970
	// in the forms of delayHeader. If there are both headers, the later counts.
	deliverAtHeader = "x-deliver-at"
)

// Held says that an exchange holds a message.
type Held struct {
	// Exchange is of type x-delayed-message. Once the message is due it is to be
	// routed from there: see Released.
	Exchange *Exchange
	// Due is when, in Unix nanoseconds; what would be after the year 2262 is
	// math.MaxInt64.
	Due int64
}

// hold holds the message at x, unless it is not to be delayed.
func (r *Result) hold(x *Exchange, msg *amqp.Message) bool {
	r.notByKey = true
	if x == r.release {
		return false
	}
	if !r.dueRead {
		r.due, r.dueRead = due(r.headers(msg)), true
	}
	if r.due == 0 {
		return false
	}
	r.held = append(r.held, Held{x, r.due})
	return true
}

// due returns when a message with these headers is due, in Unix nanoseconds; 0 if
// it is at once.
func due(headers amqp.Table) int64 {
	delay, delayed := headers.Get(delayHeader)
	at, dated := headers.Get(deliverAtHeader)
	if !delayed && !dated {
		return 0
	}
	now, latest := time.Now().UnixNano(), int64(0)
	if n, ok := number(delay); ok && n > 0 {
		latest = now + min(saturated(n, time.Millisecond), math.MaxInt64-now)
	}
	if t, ok := at.(amqp.Timestamp); ok {
		at = int64(min(t, math.MaxInt64))
	}
	if n, ok := number(at); ok && n > 0 {
		latest = max(latest, saturated(n, time.Second))
	}
	if latest <= now {
		return 0
	}
	return latest
}

// saturated is n units in nanoseconds, math.MaxInt64 if it is more than that.
func saturated(n int64, unit time.Duration) int64 {
	if n > math.MaxInt64/int64(unit) {
		return math.MaxInt64
	}
	return n * int64(unit)
}

// number reads an integer from any value that is one, without fractions; what is
// out of range has the nearest value.
func number(v any) (n int64, ok bool) {
	if n, ok := amqp.Int(v); ok {
		return n, true
	}
	switch v := v.(type) {
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if errors.Is(err, strconv.ErrRange) { // what follows has not been read
			return n, strings.Trim(v[1:], "0123456789") == ""
		}
		return n, err == nil
	case []byte:
		return number(string(v))
	case float32:
		return number(float64(v))
	case float64:
		switch {
		case math.IsNaN(v):
			return 0, false
		case v >= math.MaxInt64:
			return math.MaxInt64, true
		case v <= math.MinInt64:
			return math.MinInt64, true
		}
		return int64(v), true
	case amqp.Decimal:
		return int64(float64(v.Value) / math.Pow10(int(v.Scale))), true
	}
	return 0, false
}

// Released returns the message that is to be routed, by Result.Release, when one
// that an exchange held is due: a copy whose header x-delay, if it has delayed the
// message, is negated, so that no other exchange delays it once more and consumers
// can tell [the plugin].
func Released(m *amqp.Message) *amqp.Message {
	out := *m
	headers, err := m.Headers()
	if err != nil {
		return &out // it has delayed nothing then
	}
	v, _ := headers.Get(delayHeader)
	n, ok := number(v)
	if !ok || n <= 0 {
		return &out
	}
	var negated any = -n
	if n <= math.MaxInt32 {
		negated = int32(-n) // as wide as the plugin's
	}
	if p, err := m.Properties.WithHeaders(headers.With(delayHeader, negated)); err == nil {
		out.Properties = p
	}
	return &out
}

// delayedType returns the type by which an exchange of type x-delayed-message
// routes; 406 if the argument does not say.
func delayedType(args amqp.Table) (string, error) {
	var name string
	switch v, _ := args.Get(delayedTypeArgument); v := v.(type) {
	case string:
		name = v
	case []byte:
		name = string(v)
	default:
		return "", amqp.PreconditionFailed("Invalid argument, '%s' must be an existing exchange type", delayedTypeArgument)
	}
	if name == TypeDelayed {
		return "", amqp.PreconditionFailed("Invalid argument, '%s' can't be used for '%s'", TypeDelayed, delayedTypeArgument)
	}
	return name, CheckType(name)
}
