package queue

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// modelRetry is what a message says of its own retries; negative numbers and ""
// for what it does not say. Times are in milliseconds.
type modelRetry struct {
	backoff         string
	min, max, limit int64
}

// kill gives up a message. Its dead letter, if it is to be kept and nobody takes
// it, is held.
func (m *model) kill(msg modelMessage, why Reason) {
	l := m.limits
	if !l.DeadLetter {
		return
	}
	attempts := 0
	if l.Retry.Backoff != NoBackoff {
		attempts = int(msg.returns)
		if why == Rejected {
			attempts++
		}
	}
	// One that was paged out is said to come again if it was redelivered.
	m.dead = append(m.dead, fmt.Sprintf("%s %s to %q %d at %d%s", msg.name, why, l.DeadLetterExchange, attempts, m.now,
		m.again(msg, msg.redelivered)))
	if l.AtLeastOnce && m.refuses {
		msg.why = why
		m.hold(msg, m.now+int64(5*time.Second))
	}
}

// again says that a message may have left the queue before a restart.
func (m *model) again(msg modelMessage, perhaps bool) string {
	switch {
	case msg.place <= m.recovered || msg.passedOn:
		return " again"
	case perhaps:
		return " perhaps"
	}
	return ""
}

// comeBack puts a message back that was handed out, or lets it wait.
func (m *model) comeBack(msg modelMessage, why Cause) {
	msg.redelivered = true
	msg.returns++
	due, over := m.nextTry(&msg, why)
	l := m.limits
	if over || l.DeliveryLimit >= 0 && int64(msg.returns) > l.DeliveryLimit {
		m.kill(msg, DeliveryLimit)
		return
	}
	if l.CountDeliveries || l.DeliveryLimit >= 0 || l.Retry.Backoff != NoBackoff {
		msg.stored, msg.storedDue = msg.returns, due
	}
	if due > 0 {
		m.hold(msg, due)
	} else {
		m.insert(msg)
	}
}

// nextTry says when a message that has come back is ready again, 0 for at once,
// or that it has come back too often.
func (m *model) nextTry(msg *modelMessage, why Cause) (due int64, over bool) {
	r := m.limits.Retry
	if r.Backoff == NoBackoff {
		return 0, false
	}
	own := msg.retry
	if own.backoff == "constant" || own.backoff == "linear" || own.backoff == "exponential" {
		r.Backoff = map[string]Backoff{"constant": Constant, "linear": Linear, "exponential": Exponential}[own.backoff]
		r.Failed, r.Returned = true, true
	}
	if own.min > 0 {
		r.Min = time.Duration(own.min) * time.Millisecond
	}
	if own.max > 0 {
		r.Max = time.Duration(own.max) * time.Millisecond
	}
	if own.limit >= 0 {
		r.Limited, r.Limit = true, uint32(own.limit)
	}
	failed := why == CauseLost || why == CauseReject
	switch {
	case r.Limited && msg.returns > r.Limit:
		return 0, true
	case failed && !r.Failed || !failed && !r.Returned:
		return 0, false
	}
	wait := float64(r.Min)
	switch r.Backoff {
	case Linear:
		wait *= float64(msg.returns)
	case Exponential:
		wait *= math.Pow(2, float64(msg.returns-1))
	}
	if r.Max > 0 {
		wait = min(wait, float64(r.Max))
	}
	return m.now + int64(min(wait, maxDurationMs*1e6)), false
}

// hold puts a message among those that wait for their time.
func (m *model) hold(msg modelMessage, due int64) {
	msg.due = due
	i := 0
	for ; i < len(m.held); i++ {
		if o := m.held[i]; o.due > due || o.due == due && o.place > msg.place {
			break
		}
	}
	m.held = slices.Insert(m.held, i, msg)
}

// holdNew is for a queue that passes on what it holds.
func (m *model) holdNew(msg modelMessage, due int64) Outcome {
	if m.closed {
		return Closed
	}
	m.counts.Published++
	m.places++
	msg.place, msg.storedDue = m.places, due
	m.hold(msg, due)
	return Accepted
}

// release lets go on what is due, in the order in which it is.
func (m *model) release() {
	back := false
	for len(m.held) > 0 && m.held[0].due <= m.now && !m.stuck[m.held[0].place] {
		m.released = m.now
		msg := m.held[0]
		m.held = m.held[1:]
		switch {
		case m.hurt[msg.name]:
			m.counts.Damaged++
		case msg.why != "":
			m.kill(msg, msg.why)
		case m.passesOn:
			m.passed = append(m.passed, fmt.Sprintf("%s at %d%s", msg.name, m.now, m.again(msg, false)))
		default:
			m.insert(msg)
			back = true
		}
	}
	if back {
		m.trim()
		m.serve("")
	}
}

// nextDue is when something can be released next, or 0.
func (m *model) nextDue() int64 {
	for _, msg := range m.held {
		switch {
		case m.stuck[msg.place]:
			return 0
		case !m.hurt[msg.name]:
			return msg.due
		}
	}
	return 0
}

// rearm sets the timer for what is held, if it is to be set for another time:
// that, but not within a millisecond of the last release; a millisecond from now
// if it has been.
func (m *model) rearm() {
	at := m.nextDue()
	switch {
	case at == m.wakeAt:
		return
	case at <= m.now:
		m.wakes = m.now + int64(ms)
	default:
		m.wakes = max(at, m.released+int64(ms))
	}
	m.wakeAt = at
}

// cancelHeld drops a message that is held.
func (m *model) cancelHeld(place int) bool {
	before := len(m.held)
	m.held = slices.DeleteFunc(slices.Clone(m.held), func(msg modelMessage) bool { return msg.place == place })
	return len(m.held) < before
}

func (m *model) heldBytes() (sum int64) {
	for _, msg := range m.held {
		sum += msg.size
	}
	return sum
}

// learn hears which places are stuck from now on.
func (m *model) learn(stuck map[int]bool) {
	m.stuck = stuck
	m.rearm()
}

// unstick goes on when nothing is stuck any more.
func (m *model) unstick() {
	m.learn(nil)
	if m.behind {
		m.trim()
	}
	m.serve("")
}

// lose removes hurt messages that are not there any more.
func (m *model) lose(there map[string]bool) {
	lost := func(msg modelMessage) bool { return m.hurt[msg.name] && !there[msg.name] }
	n := len(m.ready) + len(m.held)
	m.ready, m.held = slices.DeleteFunc(slices.Clone(m.ready), lost), slices.DeleteFunc(slices.Clone(m.held), lost)
	m.counts.Damaged += uint64(n - len(m.ready) - len(m.held))
}
