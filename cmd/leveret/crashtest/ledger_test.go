package crashtest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// ledger notes what became of each message.
type ledger struct {
	mu      sync.Mutex
	books   []book // by flow
	current int    // the run of the broker that is under way, from 0
	// proofs are, by run, when the latest message was published that has been
	// confirmed. The store takes things in order: what was settled before is
	// safe with it. An ack alone may take its time, and be lost in a crash.
	proofs   []time.Time
	ending   bool      // a crash is under way: errors are no news
	cut      bool      // it is a power cut
	dark     time.Time // since when the disk takes nothing more
	problems []string
	overflow int // problems beyond the first
}

// book is that of one flow.
type book struct {
	confirmed []bool // by seq; its length is what was published
	sent      []time.Time
	runs      []int // of the broker, when that was
	// fates are those in each of the flow's queues, by seq
	fates map[string][]fate
}

// fate is that of one message in one queue.
type fate struct {
	seen    bool      // delivered at least once
	last    int       // in which run that was last
	acked   bool      // an end was asked for: ack, reject, or a commit
	settled time.Time // when the broker had surely dealt with that; zero = not known
	run     int       // in which run of the broker that was
	firm    bool      // settled by a commit, which no crash takes back
	left    bool      // found at the end
}

func newLedger() *ledger {
	l := &ledger{books: make([]book, len(flows)), proofs: make([]time.Time, 1)}
	for i := range l.books {
		l.books[i].fates = map[string][]fate{}
	}
	return l
}

const maxProblems = 30

func (l *ledger) problemLocked(format string, args ...any) {
	if len(l.problems) == maxProblems {
		l.overflow++
		return
	}
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// failed notes an error of a client, unless the broker is being ended.
func (l *ledger) failed(who string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && !l.ending {
		l.problemLocked("%s: %v", who, err)
	}
}

func (l *ledger) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problemLocked(format, args...)
}

// publish gives out the next message of a flow.
func (l *ledger) publish(flow int) message {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &l.books[flow]
	b.confirmed, b.runs, b.sent = append(b.confirmed, false), append(b.runs, l.current), append(b.sent, time.Now())
	for _, q := range flows[flow].queues {
		b.fates[q] = append(b.fates[q], fate{})
	}
	return message{flow, len(b.confirmed) - 1}
}

func (l *ledger) confirm(ms ...message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range ms {
		b := &l.books[m.flow]
		if l.cut && (l.dark.IsZero() || b.sent[m.seq].Before(l.dark)) {
			continue
		}
		b.confirmed[m.seq] = true
		if proof := &l.proofs[l.current]; !m.transient() && b.sent[m.seq].After(*proof) {
			*proof = b.sent[m.seq]
		}
	}
}

// fateLocked is nil for a message that was never published to the queue.
func (l *ledger) fateLocked(queue string, m message) *fate {
	fates := l.books[m.flow].fates[queue]
	if m.seq >= len(fates) {
		return nil
	}
	return &fates[m.seq]
}

// crash is to be called right before the broker is ended; over when its clients
// are gone.
func (l *ledger) crash() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending = true
}

// powerCut is crash for a broker that loses its disk first, and lightsOut is to
// be called when that is done. What is confirmed meanwhile does not count: an
// msync that is under way when Linux (6.18) shuts an ext4 down may succeed and
// be lost, and without power nobody would have heard of it. What is published in
// the dark and confirmed does count.
func (l *ledger) powerCut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending, l.cut, l.dark = true, true, time.Time{}
}

func (l *ledger) lightsOut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dark = time.Now()
}

func (l *ledger) over() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending, l.cut = false, false
	l.current++
	l.proofs = append(l.proofs, time.Time{})
}

// order is what one consumer has seen last.
type order map[[2]int]int

// receive checks a delivery; ok is false if it is not to be settled.
func (l *ledger) receive(queue string, d *amqp091.Delivery, o order) (m message, ok bool) {
	m, err := identify(d)
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
	f.seen, f.last = true, l.current
	if !f.settled.IsZero() {
		l.settledLocked(queue, m, f)
	}
	if fl := &flows[m.flow]; fl.transfer && queue == fl.queues[0] {
		if moved := l.fateLocked(fl.queues[1], m); moved.seen {
			l.problemLocked("queue %s: %v is back, and in %s too", queue, m, fl.queues[1])
		}
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

// settledLocked judges that a message is back which had been settled.
func (l *ledger) settledLocked(queue string, m message, f *fate) {
	if f.run == l.current {
		l.problemLocked("queue %s: %v is back after it was settled, without a crash", queue, m)
		return
	}
	if before := l.proofs[f.run].Sub(f.settled); f.firm || before > 0 {
		l.problemLocked("queue %s: %v is back, though it was settled, and %v later a message was published that is confirmed", queue, m, before)
	}
}

// ack notes that an end of the messages in a queue is asked for.
func (l *ledger) ack(queue string, ms []message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range ms {
		l.fateLocked(queue, m).acked = true
	}
}

// settle notes that the broker has dealt with it.
func (l *ledger) settle(queue string, ms []message, firm bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range ms {
		f := l.fateLocked(queue, m)
		f.settled, f.firm, f.run = now, firm && !l.cut, l.current
	}
}

// leave notes what was still there at the end.
func (l *ledger) leave(queue string, m message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.fateLocked(queue, m)
	if f.left {
		l.problemLocked("queue %s holds %v twice", queue, m)
	}
	f.left = true
	if m.transient() {
		l.problemLocked("queue %s: %v is not persistent, and survived", queue, m)
	}
}

// report checks the whole at the end, when everything that was left has been
// received, and fails the test if anything is wrong.
func (l *ledger) report(t *testing.T) {
	t.Helper()
	for _, p := range l.judge() {
		t.Error(p)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.overflow > 0 {
		t.Errorf("and %d more problems", l.overflow)
	}
	for flow := range l.books {
		b := &l.books[flow]
		published, confirmed, left, delivered := len(b.confirmed), 0, 0, 0
		for seq, safe := range b.confirmed {
			confirmed += count(safe)
			for _, q := range flows[flow].queues {
				f := l.fateLocked(q, message{flow, seq})
				left += count(f.left)
				delivered += count(f.seen)
			}
		}
		t.Logf("%-8s %7d published %7d confirmed %7d delivered %7d left at the end", flows[flow].name, published, confirmed, delivered, left)
	}
}

// judge returns all problems.
func (l *ledger) judge() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for flow := range l.books {
		l.accountLocked(flow)
		l.atomicLocked(flow)
	}
	return l.problems
}

// accountLocked looks for confirmed messages that are nowhere.
func (l *ledger) accountLocked(flow int) {
	to := &flows[flow]
	for seq, safe := range l.books[flow].confirmed {
		m := message{flow, seq}
		if !safe || m.transient() {
			continue
		}
		for _, q := range m.places() {
			f := l.fateLocked(q, m)
			held := f.left || f.acked
			if to.transfer {
				held = f.left || l.fateLocked(to.queues[1], m).left
			}
			if !held {
				l.problemLocked("lost: %v of queue %s was confirmed", m, q)
			}
		}
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// atomicLocked looks for transactions that were carried out in part: after the
// run in which one was published, some of its messages were there and others
// were not. In that run they may have been delivered before they were safe.
func (l *ledger) atomicLocked(flow int) {
	group := flows[flow].group
	if group == 0 {
		return
	}
	b := &l.books[flow]
	for first := 0; first < len(b.confirmed); first += group {
		there, gone := 0, 0
		for seq := first; seq < first+group; seq++ {
			m := message{flow, seq}
			f := l.fateLocked(m.places()[0], m)
			switch {
			case f.left, f.seen && f.last > b.runs[seq]:
				there++
			case !f.acked:
				gone++
			}
		}
		if there > 0 && gone > 0 {
			l.problemLocked("of the transaction from %v on %d messages are there and %d are not", message{flow, first}, there, gone)
		}
	}
}
