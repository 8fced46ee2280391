package crashtest

import (
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// publishOld publishes messages of a flow, an hour ago, up to one for which is
// holds.
func publishOld(l *ledger, flow int, is func(message) bool) message {
	for {
		m := l.publish(flow)
		l.books[flow].sent[m.seq] = time.Now().Add(-time.Hour)
		if is(m) {
			return m
		}
	}
}

func anyOf(message) bool { return true }

// nack gives a message back, a second ago, and the broker knows.
func nack(l *ledger, m message) {
	l.giveBack("crash.retry", held{m: m})
	l.gaveBack("crash.retry", []held{{m: m}})
	returns := l.fateLocked("crash.retry", m).returns
	last := &returns[len(returns)-1]
	last.asked, last.done.at = last.asked.Add(-time.Second), last.done.at.Add(-time.Second)
}

// prove has something confirmed, and acked, that was published now.
func prove(l *ledger) {
	m := l.publish(flowPlain)
	l.confirm(m)
	l.ack("crash.plain", []message{m})
}

// acked has a message come from a queue and acked.
func acked(l *ledger, queue string, m message, how ...func(*amqp091.Delivery)) {
	deliver(l, queue, m, order{}, how...)
	l.ack(queue, []message{m})
	l.settle(queue, []message{m}, false)
}

// playsAgain are about messages that come later, elsewhere, or again.
var playsAgain = map[string]play{
	"again after a crash and marked": {func(l *ledger) {
		m := l.publish(flowPlain)
		deliver(l, "crash.plain", m, order{})
		crash(l)
		deliver(l, "crash.plain", m, order{}, redelivered)
	}, ""},
	"again after a crash and not marked": {func(l *ledger) {
		m := l.publish(flowPlain)
		deliver(l, "crash.plain", m, order{})
		crash(l)
		deliver(l, "crash.plain", m, order{})
	}, "not marked as redelivered"},
	"again without a crash": {func(l *ledger) {
		m := l.publish(flowPlain)
		deliver(l, "crash.plain", m, order{})
		deliver(l, "crash.plain", m, order{}, redelivered)
	}, "comes twice, without a crash"},
	"delayed and in time": {func(l *ledger) {
		acked(l, "crash.due", publishOld(l, flowDelay, func(m message) bool { return m.delay() == late }))
	}, ""},
	"delayed and early": {func(l *ledger) {
		for {
			if m := l.publish(flowDelay); m.delay() == late {
				deliver(l, "crash.due", m, order{})
				return
			}
		}
	}, " early"},
	"delayed for years": {func(l *ledger) {
		l.confirm(publishOld(l, flowDelay, func(m message) bool { return m.delay() == never }))
	}, ""},
	"delayed for years and there": {func(l *ledger) {
		deliver(l, "crash.due", publishOld(l, flowDelay, func(m message) bool { return m.delay() == never }), order{})
	}, " early"},
	"expired early": {func(l *ledger) { deliver(l, "crash.expired", l.publish(flowExpire), order{}) }, " early"},
	"expired for another reason": {func(l *ledger) {
		deliver(l, "crash.expired", publishOld(l, flowExpire, anyOf), order{}, func(d *amqp091.Delivery) {
			d.Headers["x-first-death-reason"] = "rejected"
		})
	}, "died of \"rejected\""},
	"in neither queue": {func(l *ledger) { l.confirm(l.publish(flowFull)) }, "lost: full/0"},
	"in either queue": {func(l *ledger) {
		a, b := l.publish(flowFull), l.publish(flowFull)
		l.confirm(a, b)
		acked(l, "crash.full", a)
		acked(l, "crash.overflow", b)
	}, ""},
	"in both queues": {func(l *ledger) {
		m := l.publish(flowFull)
		deliver(l, "crash.full", m, order{})
		deliver(l, "crash.overflow", m, order{})
	}, "was delivered from crash.full as well"},
	"in one queue and after a crash in the other": {func(l *ledger) {
		m := l.publish(flowFull)
		deliver(l, "crash.full", m, order{})
		crash(l)
		deliver(l, "crash.overflow", m, order{}, redelivered)
	}, ""},
	"in one queue and after a crash in the other and not marked": {func(l *ledger) {
		m := l.publish(flowFull)
		deliver(l, "crash.overflow", m, order{})
		crash(l)
		deliver(l, "crash.full", m, order{})
	}, "not marked as redelivered"},
	"acked in one queue and after a crash in the other": {func(l *ledger) {
		m := l.publish(flowFull)
		acked(l, "crash.full", m)
		prove(l)
		crash(l)
		deliver(l, "crash.overflow", m, order{}, redelivered)
	}, "though it was acked in crash.full"},
	"acked in the second queue and after a crash in the first": {func(l *ledger) {
		m := l.publish(flowFull)
		acked(l, "crash.overflow", m)
		prove(l)
		crash(l)
		deliver(l, "crash.full", m, order{}, redelivered)
	}, "is back, and in crash.overflow too"},
	"a copy after a crash of what was not confirmed": {func(l *ledger) {
		m := l.publish(flowOnce)
		acked(l, "crash.once", m)
		prove(l)
		crash(l)
		l.confirm(m)
		acked(l, "crash.once", m)
	}, ""},
	"a copy after a crash of what was confirmed": {func(l *ledger) {
		m := l.publish(flowOnce)
		l.confirm(m)
		deliver(l, "crash.once", m, order{})
		crash(l)
		acked(l, "crash.once", m)
	}, "not marked as redelivered"},
	"a copy after a crash of what was confirmed and acked": {func(l *ledger) {
		m := l.publish(flowOnce)
		l.confirm(m)
		acked(l, "crash.once", m)
		prove(l)
		crash(l)
		deliver(l, "crash.once", m, order{}, redelivered)
	}, "is back, though it was settled"},
}

// playsRetry are about messages that were given back.
var playsRetry = map[string]play{
	"retried": {func(l *ledger) {
		m := l.publish(flowRetry)
		deliver(l, "crash.retry", m, order{})
		nack(l, m)
		deliver(l, "crash.retry", m, order{}, attempt(2))
	}, ""},
	"retried and counted twice": {func(l *ledger) {
		m := l.publish(flowRetry)
		deliver(l, "crash.retry", m, order{})
		nack(l, m)
		deliver(l, "crash.retry", m, order{}, attempt(3))
	}, "for attempt 3, and was nacked 1 times"},
	"retried early": {func(l *ledger) {
		m := l.publish(flowRetry)
		deliver(l, "crash.retry", m, order{})
		l.giveBack("crash.retry", held{m: m})
		deliver(l, "crash.retry", m, order{}, attempt(2))
	}, "for attempt 2, and "},
	"retried too often": {func(l *ledger) {
		m := l.publish(flowRetry)
		for i := range retryLimit + 2 {
			deliver(l, "crash.retry", m, order{}, attempt(i+1))
			nack(l, m)
		}
	}, "for attempt 5, and was nacked 4 times"},
	"given up": {func(l *ledger) {
		m := l.publish(flowRetry)
		l.confirm(m)
		for i := range retryLimit + 1 {
			deliver(l, "crash.retry", m, order{}, attempt(i+1))
			nack(l, m)
		}
		acked(l, "crash.givenup", m, attempt(retryLimit+1))
	}, ""},
	"given up too soon": {func(l *ledger) {
		m := l.publish(flowRetry)
		deliver(l, "crash.retry", m, order{})
		nack(l, m)
		deliver(l, "crash.givenup", m, order{}, attempt(2))
	}, "was given up with x-attempts 2, after it was nacked 1 times"},
	"an attempt that a crash took back": {func(l *ledger) {
		m := l.publish(flowRetry)
		deliver(l, "crash.retry", m, order{})
		nack(l, m)
		crash(l)
		deliver(l, "crash.retry", m, order{}, redelivered)
		nack(l, m)
		deliver(l, "crash.retry", m, order{}, attempt(2))
	}, ""},
	"an attempt that a crash must not take back": {func(l *ledger) {
		m := l.publish(flowRetry)
		deliver(l, "crash.retry", m, order{})
		nack(l, m)
		prove(l)
		crash(l)
		deliver(l, "crash.retry", m, order{}, redelivered)
	}, "though it was nacked 1 times, and "},
}
