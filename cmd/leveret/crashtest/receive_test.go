package crashtest

import (
	"fmt"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// order is what one consumer has seen last.
type order map[[2]int]int

// receive checks a delivery; ok is false if it is not to be settled.
func (l *ledger) receive(queue string, d *amqp091.Delivery, o order) (m message, ok bool) {
	m, err := identify(d)
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.problemLocked("queue %s: %v", queue, err)
		return m, false
	}
	f := l.fateLocked(queue, m)
	if f == nil {
		l.problemLocked("queue %s holds %v, which was never published to it", queue, m)
		return m, false
	}
	if early := l.books[m.flow].sent[m.seq].Add(m.earliest(queue)).Sub(now); early > 0 {
		l.problemLocked("queue %s: %v comes %v early", queue, m, early)
	}
	l.settledLocked(queue, m, f)
	l.twiceLocked(queue, m, f, d)
	if flows[m.flow].transfer {
		l.transferLocked(queue, m, f, d)
	}
	if queue == "crash.retry" {
		l.attemptLocked(queue, m, f, attemptOf(d), now)
	}
	f.seen, f.last, f.attempt = true, l.current, attemptOf(d)
	l.books[m.flow].deliveries++
	if flows[m.flow].unordered {
		return m, true
	}
	key := [2]int{m.flow, 0}
	if queue == "crash.priority" {
		key[1] = int(m.priority())
	}
	if last, seen := o[key]; seen && m.seq <= last {
		l.problemLocked("queue %s: %v comes after %d", queue, m, last)
	}
	o[key] = m.seq
	return m, true
}

// keptLocked says why the broker cannot have forgotten what it had dealt with;
// it is empty if a crash may have taken it back.
func (l *ledger) keptLocked(s moment) string {
	if s.at.IsZero() {
		return ""
	}
	if s.run == l.current {
		return "without a crash"
	}
	if before := l.proofs[s.run].Sub(s.at); s.firm || before > 0 {
		return fmt.Sprintf("and %v later a message was published that is confirmed", before)
	}
	return ""
}

// settledLocked judges that a message is back which had been settled.
func (l *ledger) settledLocked(queue string, m message, f *fate) {
	if flows[m.flow].copied && !l.sureLocked(m, f.settled.run) {
		return // the crash took it away, and what is back was published after it
	}
	if why := l.keptLocked(f.settled); why != "" {
		l.problemLocked("queue %s: %v is back, though it was settled, %s", queue, m, why)
	}
}

// sureLocked reports whether a message was confirmed by the end of a run.
func (l *ledger) sureLocked(m message, run int) bool {
	b := &l.books[m.flow]
	return b.confirmed[m.seq] && b.sure[m.seq] <= run
}

// twiceLocked judges that a message has come before. Nothing goes back to a queue
// but in a crash or by a nack, and everything that did is marked.
func (l *ledger) twiceLocked(queue string, m message, f *fate, d *amqp091.Delivery) {
	came := f.seen
	if fl := &flows[m.flow]; fl.transfer {
		for _, q := range fl.queues {
			other := l.fateLocked(q, m)
			came = came || other.seen && other.last < l.current
		}
	}
	if !came {
		return
	}
	l.books[m.flow].again++
	switch {
	case f.seen && f.last == l.current && attemptOf(d) <= f.attempt:
		l.problemLocked("queue %s: %v comes twice, without a crash", queue, m)
	case d.Redelivered:
	case flows[m.flow].copied && !l.sureLocked(m, l.current-1):
		// The crash took it away, and it was published again.
	default:
		l.problemLocked("queue %s: %v came before, in run %d of %d, and is not marked as redelivered", queue, m, f.last, l.current)
	}
}

// transferLocked judges in which of the two queues of a transfer a message is.
func (l *ledger) transferLocked(queue string, m message, f *fate, d *amqp091.Delivery) {
	fl := &flows[m.flow]
	source, target := fl.queues[0], fl.queues[1]
	if queue == source {
		moved := l.fateLocked(target, m)
		why := l.keptLocked(moved.settled)
		if moved.seen && moved.last == l.current {
			why = "without a crash"
		}
		if why != "" {
			l.problemLocked("queue %s: %v is back, and in %s too, %s", source, m, target, why)
		}
		return
	}
	if reason, _ := d.Headers["x-first-death-reason"].(string); reason != fl.reason {
		l.problemLocked("queue %s: %v died of %q, want %q", target, m, reason, fl.reason)
	}
	before := l.fateLocked(source, m)
	switch {
	case !fl.either:
	case m.flow == flowRetry:
		if n := len(before.returns); n <= retryLimit || attemptOf(d) != retryLimit+1 {
			l.problemLocked("queue %s: %v was given up with x-attempts %d, after it was nacked %d times", target, m, attemptOf(d), n)
		}
	case before.seen && before.last == l.current:
		l.problemLocked("queue %s: %v was delivered from %s as well, without a crash", target, m, source)
	}
	if fl.either {
		if why := l.keptLocked(before.settled); why != "" {
			l.problemLocked("queue %s: %v is there, though it was acked in %s, %s", target, m, source, why)
		}
	}
}

// attemptOf is which attempt a delivery is, as the broker counts them.
func attemptOf(d *amqp091.Delivery) int {
	if n, ok := d.Headers["x-attempts"].(int64); ok {
		return int(n)
	}
	return 1
}

// attemptLocked judges which attempt comes, and when.
func (l *ledger) attemptLocked(queue string, m message, f *fate, attempt int, now time.Time) {
	n := attempt - 1
	if n > min(len(f.returns), retryLimit) {
		l.problemLocked("queue %s: %v comes for attempt %d, and was nacked %d times", queue, m, attempt, len(f.returns))
		return
	}
	for i, r := range f.returns[n:] {
		if why := l.keptLocked(r.done); why != "" {
			l.problemLocked("queue %s: %v comes for attempt %d, though it was nacked %d times, %s", queue, m, attempt, n+i+1, why)
			break
		}
	}
	f.returns = f.returns[:n]
	if n == 0 {
		return
	}
	if early := f.returns[n-1].asked.Add(m.backoff(n)).Sub(now); early > 0 {
		l.problemLocked("queue %s: %v comes for attempt %d, and %v early", queue, m, attempt, early)
	}
}
