package queue_test

import (
	"math"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

func TestParseArgumentsRetryRefuses(t *testing.T) {
	const in = " for queue 'q' in vhost '/': "
	linear := func(pairs ...any) queue.Options {
		return classic(append([]any{"x-retry-backoff", "linear"}, pairs...)...)
	}
	for _, c := range []struct {
		name string
		o    queue.Options
		text string
	}{
		{"backoff", classic("x-retry-backoff", "foo"), "invalid arg 'x-retry-backoff'" + in + "invalid_retry_backoff"},
		{"backoff int", classic("x-retry-backoff", int32(1)), "invalid arg 'x-retry-backoff'" + in + "{unacceptable_type,signedint}"},
		{"min zero", linear("x-retry-min", int32(0)), "invalid arg 'x-retry-min'" + in + "{value_zero,0}"},
		{"min negative", linear("x-retry-min", int32(-1)), "invalid arg 'x-retry-min'" + in + "{value_negative,-1}"},
		{"min huge", linear("x-retry-min", int64(315360000001)), "invalid arg 'x-retry-min'" + in + "{value_too_large,315360000001}"},
		{"min string", linear("x-retry-min", "1"), "invalid arg 'x-retry-min'" + in + `"expected integer, got longstr"`},
		{"max zero", linear("x-retry-max", int32(0)), "invalid arg 'x-retry-max'" + in + "{value_zero,0}"},
		{"max huge", linear("x-retry-max", int64(315360000001)), "invalid arg 'x-retry-max'" + in + "{value_too_large,315360000001}"},
		{"max below min", linear("x-retry-max", int32(9), "x-retry-min", int32(10)), "invalid arg 'x-retry-max'" + in + "{less_than_retry_min,9}"},
		{"jitter", linear("x-retry-jitter", int32(101)), "invalid arg 'x-retry-jitter'" + in + "{max_value_exceeded,101}"},
		{"jitter negative", linear("x-retry-jitter", int32(-1)), "invalid arg 'x-retry-jitter'" + in + "{value_negative,-1}"},
		{"jitter double", linear("x-retry-jitter", 0.5), "invalid arg 'x-retry-jitter'" + in + `"expected integer, got double"`},
		{"limit", linear("x-retry-limit", int32(-1)), "invalid arg 'x-retry-limit'" + in + "{value_negative,-1}"},
		{"min alone", classic("x-retry-min", int32(1)), "invalid arg 'x-retry-min'" + in + "no_retry_backoff_defined"},
		{"max alone", classic("x-retry-max", int32(1)), "invalid arg 'x-retry-max'" + in + "no_retry_backoff_defined"},
		{"jitter alone", classic("x-retry-jitter", int32(1)), "invalid arg 'x-retry-jitter'" + in + "no_retry_backoff_defined"},
		{"limit alone", classic("x-retry-limit", int32(1)), "invalid arg 'x-retry-limit'" + in + "no_retry_backoff_defined"},
		{"both ways", quorum("x-retry-backoff", "linear", "x-delayed-retry-type", "all"), "invalid arg 'x-retry-backoff'" + in + `{conflicts_with,"x-delayed-retry-type"}`},
		{"delayed type", quorum("x-delayed-retry-type", "foo"), "invalid arg 'x-delayed-retry-type'" + in + "invalid_delayed_retry_type"},
		{"delayed type int", quorum("x-delayed-retry-type", true), "invalid arg 'x-delayed-retry-type'" + in + "{unacceptable_type,bool}"},
		{"delayed min", quorum("x-delayed-retry-min", int32(-1)), "invalid arg 'x-delayed-retry-min'" + in + "{value_negative,-1}"},
		{"delayed max", classic("x-delayed-retry-max", int64(math.MaxInt64)), "invalid arg 'x-delayed-retry-max'" + in + "{value_too_large,9223372036854775807}"},
		{"consumer timeout", classic("x-consumer-timeout", int32(-1)), "invalid arg 'x-consumer-timeout'" + in + "{value_negative,-1}"},
		{"consumer timeout huge", quorum("x-consumer-timeout", int64(math.MaxInt64)), "invalid arg 'x-consumer-timeout'" + in + "{value_too_large,9223372036854775807}"},
		{"disconnected timeout", quorum("x-consumer-disconnected-timeout", "a"), "invalid arg 'x-consumer-disconnected-timeout'" + in + `"expected integer, got longstr"`},
		{"delivery limit", classic("x-delivery-limit", "a"), "invalid arg 'x-delivery-limit'" + in + `"expected integer, got longstr"`},
	} {
		_, err := queue.ParseArguments(c.o)
		wantError(t, c.name, err, amqp.CodePreconditionFailed, c.text)
	}
}

func TestParseArgumentsRetry(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	own := func(b queue.Backoff, least, most time.Duration) queue.Retry {
		return queue.Retry{Backoff: b, Min: least, Max: most, Failed: true, Returned: true}
	}
	delayed := func(failed, returned bool, least, most time.Duration) queue.Retry {
		return queue.Retry{Backoff: queue.Linear, Min: least, Max: most, Failed: failed, Returned: returned}
	}
	full := own(queue.Exponential, ms(10), ms(500))
	full.Jitter, full.Limited, full.Limit = 100, true, 7
	never := own(queue.Constant, time.Second, 0)
	never.Limited = true
	huge := own(queue.Constant, time.Second, 0)
	huge.Limited, huge.Limit = true, math.MaxUint32
	for _, c := range []struct {
		name string
		args []any
		want queue.Retry
	}{
		{"exponential", []any{"x-retry-backoff", "exponential"}, own(queue.Exponential, time.Second, time.Hour)},
		{"linear", []any{"x-retry-backoff", "linear", "x-delayed-retry-type", "disabled"}, own(queue.Linear, time.Second, time.Hour)},
		{"constant", []any{"x-retry-backoff", "constant", "x-retry-min", int32(5)}, own(queue.Constant, ms(5), 0)},
		{"all", []any{"x-retry-backoff", "exponential", "x-retry-min", int8(10), "x-retry-max", int32(500),
			"x-retry-jitter", uint8(100), "x-retry-limit", int64(7)}, full},
		{"a shortest that is longer than the longest is by default", []any{"x-retry-backoff", "linear", "x-retry-min", int32(7200000)},
			own(queue.Linear, 2*time.Hour, 2*time.Hour)},
		{"a longest that is shorter than the shortest is by default", []any{"x-retry-backoff", "linear", "x-retry-max", int32(5)},
			own(queue.Linear, ms(5), ms(5))},
		{"the same", []any{"x-retry-backoff", "linear", "x-retry-max", int32(5), "x-retry-min", int64(5)}, own(queue.Linear, ms(5), ms(5))},
		{"no second try", []any{"x-retry-backoff", "constant", "x-retry-limit", int32(0)}, never},
		{"a limit beyond all", []any{"x-retry-backoff", "constant", "x-retry-limit", int64(math.MaxInt64)}, huge},
		{"delayed", []any{"x-delayed-retry-type", "all", "x-delayed-retry-min", int32(5), "x-delayed-retry-max", int32(50)}, delayed(true, true, ms(5), ms(50))},
		{"delayed failed", []any{"x-delayed-retry-type", "failed", "x-delayed-retry-min", int32(5)}, delayed(true, false, ms(5), ms(5))},
		{"delayed returned", []any{"x-delayed-retry-type", "returned", "x-delayed-retry-max", int32(5000)}, delayed(false, true, time.Second, ms(5000))},
		{"delayed, not at all", []any{"x-delayed-retry-type", "all", "x-delayed-retry-min", int32(0)}, queue.Retry{}},
		{"disabled", []any{"x-delayed-retry-type", "disabled", "x-delayed-retry-min", int32(5)}, queue.Retry{}},
		{"no type", []any{"x-delayed-retry-min", int32(5)}, queue.Retry{}},
	} {
		for _, o := range []queue.Options{classic(c.args...), quorum(c.args...)} {
			l, err := queue.ParseArguments(o)
			if err != nil || l.Retry != c.want {
				t.Errorf("%s: got %+v, %v\nwant %+v", c.name, l.Retry, err, c.want)
			}
			if want := queue.Type(o.Arguments) == queue.TypeQuorum || c.want.Backoff != queue.NoBackoff; l.CountDeliveries != want {
				t.Errorf("%s: counts deliveries: %v", c.name, l.CountDeliveries)
			}
		}
	}
}
