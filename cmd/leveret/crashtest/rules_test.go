package crashtest

import (
	"maps"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// deliver is a message as a broker would deliver it, for the first time unless
// how says otherwise.
func deliver(l *ledger, queue string, m message, o order, how ...func(*amqp091.Delivery)) {
	p := m.publishing()
	d := amqp091.Delivery{
		Body: p.Body, MessageId: p.MessageId, ContentType: p.ContentType, Priority: p.Priority,
		DeliveryMode: p.DeliveryMode, Expiration: p.Expiration, Headers: p.Headers,
	}
	if m.flow == flowDelay {
		d.Headers["x-delay"] = m.delayedHeader()
	}
	if f := &flows[m.flow]; f.reason != "" && queue == f.queues[1] {
		d.Headers["x-first-death-reason"] = f.reason
	}
	for _, set := range how {
		set(&d)
	}
	l.receive(queue, &d, o)
}

func redelivered(d *amqp091.Delivery) { d.Redelivered = true }

func attempt(n int) func(*amqp091.Delivery) {
	return func(d *amqp091.Delivery) { d.Headers["x-attempts"], d.Redelivered = int64(n), n > 1 }
}

func crash(l *ledger) {
	l.crash()
	l.over()
}

// play is something that the ledger has to find out about.
type play struct {
	play func(l *ledger)
	want string // what the one problem says; empty for none
}

var plays = map[string]play{
	"all is well": {func(l *ledger) {
		a, b := l.publish(flowPlain), l.publish(flowPlain)
		l.confirm(a, b)
		deliver(l, "crash.plain", a, order{})
		l.ack("crash.plain", []message{a})
		l.settle("crash.plain", []message{a}, false)
		crash(l)
		deliver(l, "crash.plain", b, order{})
		l.leave("crash.plain", b)
	}, ""},
	"lost": {func(l *ledger) { l.confirm(l.publish(flowPlain)) }, "lost: plain/0"},
	"lost in one of three queues": {func(l *ledger) {
		m := l.publish(flowFan)
		l.confirm(m)
		l.leave("crash.fan.fast", m)
		l.leave("crash.fan.idle", m)
	}, "lost: fan/0 of queue crash.fan.slow"},
	"confirmed while the power went": {func(l *ledger) {
		m := l.publish(flowPlain)
		l.powerCut()
		l.confirm(m)
		l.lightsOut()
		l.confirm(m)
	}, ""},
	"confirmed in the dark": {func(l *ledger) {
		l.powerCut()
		l.lightsOut()
		l.confirm(l.publish(flowPlain))
	}, "lost: plain/0"},
	"never confirmed": {func(l *ledger) { l.publish(flowPlain) }, ""},
	"acked after what was confirmed and back": {func(l *ledger) {
		m := l.publish(flowPlain)
		l.ack("crash.plain", []message{m})
		l.settle("crash.plain", []message{m}, false)
		crash(l)
		deliver(l, "crash.plain", m, order{})
	}, ""},
	"acked before what was confirmed and back": {func(l *ledger) {
		m := l.publish(flowPlain)
		l.settle("crash.plain", []message{m}, false)
		later := l.publish(flowFan)
		l.confirm(later)
		crash(l)
		deliver(l, "crash.plain", m, order{})
		for _, q := range later.places() {
			l.leave(q, later)
		}
	}, "is back, though it was settled, and "},
	"committed and back": {func(l *ledger) {
		m := l.publish(flowMove)
		l.settle("crash.move", []message{m}, true)
		crash(l)
		deliver(l, "crash.move", m, order{})
	}, "is back, though it was settled"},
	"back without a crash": {func(l *ledger) {
		m := l.publish(flowPlain)
		l.settle("crash.plain", []message{m}, false)
		deliver(l, "crash.plain", m, order{})
	}, "without a crash"},
	"twice": {func(l *ledger) {
		m := l.publish(flowPlain)
		l.leave("crash.plain", m)
		l.leave("crash.plain", m)
	}, "holds plain/0 twice"},
	"in both queues of a transfer": {func(l *ledger) {
		m := l.publish(flowReject)
		deliver(l, "crash.dead", m, order{})
		deliver(l, "crash.reject", m, order{})
	}, "and in crash.dead too"},
	"out of order": {func(l *ledger) {
		a, b := l.publish(flowPlain), l.publish(flowPlain)
		o := order{}
		deliver(l, "crash.plain", b, o)
		deliver(l, "crash.plain", a, o)
	}, "plain/0 comes after 1"},
	"invented": {func(l *ledger) { deliver(l, "crash.plain", message{flowPlain, 5}, order{}) }, "was never published"},
	"in a wrong queue": {func(l *ledger) {
		deliver(l, "crash.priority", l.publish(flowPlain), order{})
	}, "was never published to it"},
	"another body": {func(l *ledger) {
		p := l.publish(flowPlain).publishing()
		p.Body[len(p.Body)-1] ^= 1
		l.receive("crash.plain", &amqp091.Delivery{Body: p.Body}, order{})
	}, "wrong body"},
	"transient": {func(l *ledger) {
		var m message
		for !m.transient() {
			m = l.publish(flowPlain)
		}
		l.leave("crash.plain", m)
	}, "not persistent, and survived"},
	"half a transaction": {func(l *ledger) {
		for range flows[flowTx].group {
			l.publish(flowTx)
		}
		crash(l)
		deliver(l, "crash.tx.even", message{flowTx, 2}, order{})
	}, "1 messages are there and 5 are not"},
	"a client that failed": {func(l *ledger) { l.failed("client", amqp091.ErrClosed) }, "client: "},
	"a client of a killed broker": {func(l *ledger) {
		l.crash()
		l.failed("client", amqp091.ErrClosed)
	}, ""},
}

// The ledger is worth what it finds.
func TestLedgerCanComplain(t *testing.T) {
	maps.Copy(plays, playsAgain)
	maps.Copy(plays, playsRetry)
	for name, c := range plays {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			c.play(l)
			problems := l.judge()
			switch {
			case c.want == "" && len(problems) > 0:
				t.Errorf("problems %q, want none", problems)
			case c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0], c.want)):
				t.Errorf("problems %q, want %q", problems, c.want)
			}
		})
	}
}

// What is published comes back as itself, and its size varies.
func TestIdentify(t *testing.T) {
	sizes := map[int]bool{}
	for seq := range 2000 {
		m := message{flowPlain, seq}
		p := m.publishing()
		sizes[len(p.Body)] = true
		got, err := identify(&amqp091.Delivery{
			Body: p.Body, MessageId: p.MessageId, ContentType: p.ContentType, Priority: p.Priority,
			DeliveryMode: p.DeliveryMode, Expiration: p.Expiration, Headers: p.Headers,
		})
		if err != nil || got != m {
			t.Fatalf("%v is taken for %v: %v", m, got, err)
		}
	}
	if len(sizes) < 200 {
		t.Errorf("only %d different sizes", len(sizes))
	}
}
