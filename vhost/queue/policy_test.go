package queue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// limitsUnder parses arguments, of a durable queue, and puts them under a policy.
func limitsUnder(t *testing.T, arguments amqp.Table, policy map[string]any) Limits {
	t.Helper()
	o := Options{Durable: true, Arguments: arguments, Policy: Applied{Definition: policy}}
	var err error
	if o.Limits, err = ParseArguments(o); err != nil {
		t.Fatal(err)
	}
	q := New(o)
	defer q.Close()
	return q.Limits()
}

func table(pairs ...any) (t amqp.Table) {
	for i := 0; i < len(pairs); i += 2 {
		t = append(t, amqp.Field{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return t
}

func TestPolicyMerge(t *testing.T) {
	type policy = map[string]any
	const quorum = "x-queue-type"
	retry := func(r Retry) func(*Limits) {
		return func(l *Limits) { l.Retry, l.CountDeliveries = r, r.Backoff != NoBackoff }
	}
	for _, c := range []struct {
		name      string
		arguments amqp.Table
		policy    policy
		want      func(*Limits)
	}{
		{"nothing", nil, policy{}, func(*Limits) {}},
		{"what is of no meaning here", nil, policy{"alternate-exchange": "x", "max-age": "1D", "queue-mode": "lazy"}, func(*Limits) {}},
		{"the policy alone", nil, policy{"message-ttl": int64(5), "expires": int64(6), "max-length": int64(7), "max-length-bytes": int64(8),
			"delivery-limit": int64(9), "consumer-timeout": int64(10)}, func(l *Limits) {
			l.TTL, l.Expires, l.ConsumerTimeout = 5*time.Millisecond, 6*time.Millisecond, 10*time.Millisecond
			l.MaxLength, l.MaxBytes, l.DeliveryLimit, l.CountDeliveries = 7, 8, 9, true
		}},
		{"the policy is less", table("x-message-ttl", int64(9), "x-expires", int64(9), "x-max-length", int64(9), "x-max-length-bytes", int64(9),
			"x-consumer-timeout", int64(9)), policy{"message-ttl": int64(0), "expires": int64(1), "max-length": int64(0), "max-length-bytes": int64(2),
			"consumer-timeout": int64(3)}, func(l *Limits) {
			l.TTL, l.Expires, l.ConsumerTimeout, l.MaxLength, l.MaxBytes = 0, time.Millisecond, 3*time.Millisecond, 0, 2
		}},
		{"the argument is less", table("x-message-ttl", int64(0), "x-expires", int64(1), "x-max-length", int64(0), "x-max-length-bytes", int64(2),
			"x-delivery-limit", int64(0), "x-consumer-timeout", int64(9)), policy{"message-ttl": int64(9), "expires": int64(9),
			"max-length": int64(9), "max-length-bytes": int64(9), "delivery-limit": int64(9), "consumer-timeout": int64(10)}, func(l *Limits) {
			l.TTL, l.Expires, l.ConsumerTimeout = 0, time.Millisecond, 9*time.Millisecond
			l.MaxLength, l.MaxBytes, l.DeliveryLimit, l.CountDeliveries = 0, 2, 0, true
		}},
		{"no limit is more than any", table("x-delivery-limit", int64(-1), "x-consumer-timeout", int64(0)),
			policy{"delivery-limit": int64(3), "consumer-timeout": int64(5)}, func(l *Limits) {
				l.DeliveryLimit, l.CountDeliveries, l.ConsumerTimeout = 3, true, 5*time.Millisecond
			}},
		{"in the policy too", table("x-delivery-limit", int64(3), "x-consumer-timeout", int64(5)),
			policy{"delivery-limit": int64(-1), "consumer-timeout": int64(0)}, func(l *Limits) {
				l.DeliveryLimit, l.CountDeliveries, l.ConsumerTimeout = 3, true, 5*time.Millisecond
			}},
		{"a time beyond all", nil, policy{"message-ttl": int64(1) << 62}, func(l *Limits) { l.TTL = maxDurationMs * time.Millisecond }},
		{"dead letters", nil, policy{"dead-letter-exchange": "x", "dead-letter-routing-key": "k"}, func(l *Limits) {
			l.DeadLetter, l.DeadLetterExchange, l.HasDeadLetterKey, l.DeadLetterKey = true, "x", true, "k"
		}},
		{"each argument for itself", table("x-dead-letter-exchange", ""), policy{"dead-letter-exchange": "x", "dead-letter-routing-key": "k"},
			func(l *Limits) { l.DeadLetter, l.HasDeadLetterKey, l.DeadLetterKey = true, true, "k" }},
		{"both arguments", table("x-dead-letter-exchange", "y", "x-dead-letter-routing-key", ""),
			policy{"dead-letter-exchange": "x", "dead-letter-routing-key": "k"}, func(l *Limits) {
				l.DeadLetter, l.DeadLetterExchange, l.HasDeadLetterKey = true, "y", true
			}},
		{"overflow", nil, policy{"overflow": "reject-publish-dlx"}, func(l *Limits) { l.Overflow = RejectPublishDLX }},
		{"overflow of a classic queue", table("x-overflow", "drop-head"), policy{"overflow": "reject-publish"}, func(*Limits) {}},
		{"strategy of a classic queue", table("x-overflow", "reject-publish"), policy{"dead-letter-strategy": "at-least-once", "dead-letter-exchange": "x"},
			func(l *Limits) { l.Overflow, l.DeadLetter, l.DeadLetterExchange = RejectPublish, true, "x" }},
		{"retry", nil, policy{"retry-backoff": "constant", "retry-min": int64(5), "retry-limit": int64(2)},
			retry(Retry{Backoff: Constant, Min: 5 * time.Millisecond, Limited: true, Limit: 2, Failed: true, Returned: true})},
		{"arguments are a whole", table("x-retry-backoff", "constant"), policy{"retry-backoff": "linear", "retry-min": int64(5), "retry-limit": int64(2)},
			retry(Retry{Backoff: Constant, Min: time.Second, Failed: true, Returned: true})},
		{"delayed retry", nil, policy{"delayed-retry-type": "failed", "delayed-retry-min": int64(5), "delayed-retry-max": int64(50)},
			retry(Retry{Backoff: Linear, Min: 5 * time.Millisecond, Max: 50 * time.Millisecond, Failed: true})},
		{"the other argument counts as well", table("x-delayed-retry-type", "disabled"), policy{"retry-backoff": "linear"}, retry(Retry{})},
	} {
		want := NoLimits()
		c.want(&want)
		if got := limitsUnder(t, c.arguments, c.policy); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, want)
		}
	}
	for _, c := range []struct {
		name             string
		argument, policy string // of overflow, "" for none
		want             Overflow
	}{
		{"none", "", "", DropHead}, {"argument", "reject-publish", "", RejectPublish}, {"policy", "", "reject-publish", RejectPublish},
		{"policy first", "reject-publish", "drop-head", DropHead}, {"not in quorum queues", "reject-publish", "reject-publish-dlx", DropHead},
	} {
		arguments, p := table(quorum, "quorum", "x-dead-letter-exchange", "x", "x-dead-letter-strategy", "at-least-once"), policy{"max-length": int64(5)}
		if c.argument != "" {
			arguments = append(arguments, table("x-overflow", c.argument)...)
		}
		if c.policy != "" {
			p["overflow"] = c.policy
		}
		l := limitsUnder(t, arguments, p)
		if l.Overflow != c.want || l.AtLeastOnce != (c.want == RejectPublish) || l.MaxPriority != 31 || !l.CountDeliveries {
			t.Errorf("quorum, %s: overflow %d, want %d: %+v", c.name, l.Overflow, c.want, l)
		}
	}
}

func TestPolicyStrategy(t *testing.T) {
	for _, c := range []struct {
		argument, policy any
		want             bool
	}{
		{nil, "at-least-once", true}, {nil, "at-most-once", false},
		{"at-most-once", "at-least-once", false}, {"at-least-once", "at-most-once", true},
	} {
		arguments := table("x-queue-type", "quorum", "x-overflow", "reject-publish")
		if c.argument != nil {
			arguments = append(arguments, table("x-dead-letter-strategy", c.argument)...)
		}
		l := limitsUnder(t, arguments, map[string]any{"dead-letter-strategy": c.policy, "dead-letter-exchange": "x"})
		if l.AtLeastOnce != c.want {
			t.Errorf("argument %v, policy %v: at least once is %v", c.argument, c.policy, l.AtLeastOnce)
		}
	}
}

// Of a queue that is far too long the head goes in steps, in order, and others
// have the queue in between.
func TestPolicyTrimsInSteps(t *testing.T) {
	const n, kept = 20*trimStep + 7, 5
	for _, pagerKiB := range []int64{0, 512} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var dead []string
			carryOut := func(fx *Effects) {
				mu.Lock()
				defer mu.Unlock()
				got := fx.TakeDead()
				if len(got) > trimStep {
					t.Errorf("%d messages dropped in one step", len(got))
				}
				for _, d := range got {
					dead = append(dead, d.Message.RoutingKey)
				}
				fx.WakeAll()
			}
			o := Options{Limits: NoLimits(), Apply: carryOut}
			if pagerKiB > 0 {
				store := newFakeStore(t)
				o.Store, o.Pager, o.ID = store, NewPager(store, pagerKiB<<10, pagerKiB<<9), persistence.QueueID(store.NewID())
				defer o.Pager.Close()
			}
			o.Limits.DeadLetter = true
			q := New(o)
			defer q.Close()
			var fx Effects
			var want []string
			publish := func(i int) {
				m := message(fmt.Sprint(i), 1)
				m.Persistent = true
				var rec *persistence.Record
				q.Publish(m, &rec, &fx)
				if rec != nil {
					fx.Append(rec, nil, 0)
				}
				want = append(want, m.RoutingKey)
			}
			for i := range n {
				publish(i)
			}
			fx.WakeAll()
			<-time.After(time.Second)
			synctest.Wait()
			if pagerKiB > 0 && q.Stats().PagedOut < n/2 {
				t.Fatalf("only %d messages are out of memory", q.Stats().PagedOut)
			}
			q.SetPolicy(Applied{Policy: "p", Definition: map[string]any{"max-length": int64(kept)}}, &fx)
			publish(n) // who comes in between need not do it
			if len(fx.dead) > 0 {
				t.Errorf("%d messages dropped at once", len(fx.dead))
			}
			carryOut(&fx)
			<-time.After(time.Second)
			synctest.Wait()
			if got := inLine(q); !slices.Equal(got, want[len(want)-kept:]) {
				t.Errorf("ready: %v", got)
			}
			if pagerKiB > 0 { // the loader drops some, and may be overtaken
				slices.SortFunc(dead, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
			}
			if !slices.Equal(dead, want[:len(want)-kept]) {
				t.Errorf("%d dead letters of %d, or out of order", len(dead), len(want)-kept)
			}
			if err := invariants(q); err != nil {
				t.Error(err)
			}
		})
	}
}

// The policy is gone before all was dropped: the rest stays.
func TestPolicyTrimStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fx Effects
		q := New(Options{Limits: NoLimits()})
		defer q.Close()
		fill(q, &fx, 10*trimStep)
		q.SetPolicy(Applied{Definition: map[string]any{"max-length": int64(1)}}, &fx)
		q.SetPolicy(Applied{}, &fx)
		left := q.Stats().Ready
		<-time.After(time.Second)
		synctest.Wait()
		if got := q.Stats().Ready; got != left || left < 9*trimStep {
			t.Errorf("%d messages left, %d when the policy went", got, left)
		}
	})
}

func TestPolicyIsShown(t *testing.T) {
	a := Applied{Policy: "a", OperatorPolicy: "b", Definition: map[string]any{"max-length": int64(1)}}
	q := New(Options{Limits: NoLimits(), Policy: a})
	if got := q.Policy(); got.Policy != "a" || got.OperatorPolicy != "b" || q.Limits().MaxLength != 1 {
		t.Errorf("%+v, %+v", got, q.Limits())
	}
	var fx Effects
	q.SetPolicy(Applied{}, &fx)
	if got := q.Policy(); got.Policy != "" || got.Definition != nil || q.Limits() != NoLimits() {
		t.Errorf("%+v, %+v", got, q.Limits())
	}
	q.Close()
	q.SetPolicy(a, &fx)
	if got := q.Policy(); got.Policy != "" {
		t.Errorf("a queue that is closed took a policy: %+v", got)
	}
}

// What a consumer has had for a time is settled or not: the timer runs once more
// at most, and there is none without a timeout.
func TestTimeoutTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fx Effects
		q := New(Options{Limits: NoLimits()})
		defer q.Close()
		r := &receiver{name: "r"}
		r.consumer, _ = q.Consume(Spec{Receiver: r})
		q.Ready(r.consumer, &fx)
		q.Publish(message("a", 1), nil, &fx)
		if q.slow != nil || q.core.unacked.slots[0].since != 0 {
			t.Fatal("a timer without a timeout")
		}
		q.SetPolicy(Applied{Definition: map[string]any{"consumer-timeout": int64(10)}}, &fx)
		if q.dueAt != time.Now().Add(10*time.Millisecond).UnixNano() {
			t.Errorf("timer at %d", q.dueAt)
		}
		q.Ack(r.release([]int{1}), &fx)
		<-time.After(10 * time.Millisecond)
		synctest.Wait()
		if q.dueAt != 0 || len(q.Consumers()) != 1 {
			t.Errorf("timer at %d with nothing unacked", q.dueAt)
		}
	})
}

func TestConsumerTimeoutArgument(t *testing.T) {
	const in = "invalid arg 'x-consumer-timeout' for queue 'q' in vhost '/': "
	for _, c := range []struct {
		value any
		want  time.Duration
		text  string
	}{
		{int32(0), 0, ""}, {uint8(5), 5 * time.Millisecond, ""}, {int64(maxDurationMs), maxDurationMs * time.Millisecond, ""},
		{int64(maxDurationMs + 1), 0, in + "{value_too_large,315360000001}"}, {int32(-1), 0, in + "{value_negative,-1}"},
		{"5", 0, in + `"expected integer, got longstr"`}, {nil, 0, in + `"expected integer, got void"`},
	} {
		d, ok, err := ConsumerTimeout("/", "q", table("x-consumer-timeout", c.value))
		text := ""
		if err != nil {
			text = err.(*amqp.Error).Text
		}
		if d != c.want || text != c.text || ok != (c.text == "") {
			t.Errorf("%v: %v, %v, %v", c.value, d, ok, err)
		}
	}
	if d, ok, err := ConsumerTimeout("/", "q", table("x-priority", int32(1))); d != 0 || ok || err != nil {
		t.Errorf("without: %v, %v, %v", d, ok, err)
	}
}
