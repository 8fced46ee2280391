package crashtest

import (
	"fmt"
	"sync"
	"time"
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
	sure      []int  // in which run of the broker that was
	sent      []time.Time
	runs      []int // of the broker, when that was
	// fates are those in each of the flow's queues, by seq
	fates map[string][]fate
	// deliveries is how many there were, and again how many of them were of
	// messages that had come before.
	deliveries, again int
}

// fate is that of one message in one queue.
type fate struct {
	seen    bool   // delivered at least once
	last    int    // in which run that was last
	attempt int    // and which attempt that was
	acked   bool   // an end was asked for: ack, reject, or a commit
	settled moment // when the broker had surely dealt with that
	left    bool   // found at the end
	// returns are those that the broker may know of.
	returns []comeback
}

// moment is when the broker had surely dealt with something.
type moment struct {
	at   time.Time // zero = not known
	run  int       // of the broker
	firm bool      // by a commit, which no crash takes back
}

// comeback is that of a message that was given back.
type comeback struct {
	asked time.Time
	done  moment
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
	b.confirmed, b.sure = append(b.confirmed, false), append(b.sure, 0)
	b.runs, b.sent = append(b.runs, l.current), append(b.sent, time.Now())
	for _, q := range flows[flow].queues {
		b.fates[q] = append(b.fates[q], fate{})
	}
	return message{flow, len(b.confirmed) - 1}
}

// copy names one of the latest messages of a flow, to be published again: the
// one before so many others. If there are not so many, it gives out the next.
func (l *ledger) copy(flow, before int) message {
	l.mu.Lock()
	n := len(l.books[flow].confirmed)
	l.mu.Unlock()
	if n <= before {
		return l.publish(flow)
	}
	return message{flow, n - 1 - before}
}

// unsure lists the messages of a flow that are not confirmed, and the latest.
func (l *ledger) unsure(flow, latest int) (ms []message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &l.books[flow]
	for seq, safe := range b.confirmed {
		if !safe || seq >= len(b.confirmed)-latest {
			ms = append(ms, message{flow, seq})
		}
	}
	return ms
}

func (l *ledger) confirm(ms ...message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range ms {
		b := &l.books[m.flow]
		if l.cut && (l.dark.IsZero() || b.sent[m.seq].Before(l.dark)) {
			continue
		}
		if !b.confirmed[m.seq] {
			b.confirmed[m.seq], b.sure[m.seq] = true, l.current
		}
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
		l.fateLocked(queue, m).settled = moment{now, l.current, firm && !l.cut}
	}
}

// giveBack notes that a message is about to be nacked, to come again.
func (l *ledger) giveBack(queue string, h held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.fateLocked(queue, h.m)
	f.returns = append(f.returns, comeback{asked: time.Now()})
}

// gaveBack notes that the broker has dealt with it.
func (l *ledger) gaveBack(queue string, hand []held) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range hand {
		returns := l.fateLocked(queue, h.m).returns
		returns[len(returns)-1].done = moment{at: now, run: l.current}
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
