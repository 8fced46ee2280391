package crashtest

import (
	"testing"
	"time"
)

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
		published, confirmed, left, moved := len(b.confirmed), 0, 0, 0
		for seq, safe := range b.confirmed {
			confirmed += count(safe)
			for _, q := range flows[flow].queues {
				f := l.fateLocked(q, message{flow, seq})
				left += count(f.left)
				moved += count(flows[flow].transfer && f.seen && q == flows[flow].queues[1])
			}
		}
		t.Logf("%-8s %7d published %7d confirmed %7d deliveries, %6d of them not the first, %6d moved %7d left at the end",
			flows[flow].name, published, confirmed, b.deliveries, b.again, moved, left)
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
		if !safe || m.transient() || m.delay() == never {
			continue
		}
		for _, q := range m.places() {
			f := l.fateLocked(q, m)
			held := f.left || f.acked
			if to.transfer {
				moved := l.fateLocked(to.queues[1], m)
				held = f.left || moved.left || to.either && (f.acked || moved.acked)
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

// latestDue is when the last message is due that does not outlast the test.
func (l *ledger) latestDue() (due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for seq, sent := range l.books[flowDelay].sent {
		if d := (message{flowDelay, seq}).delay(); d != never && sent.Add(d).After(due) {
			due = sent.Add(d)
		}
	}
	return due
}

// outlasting is how many messages outlast the test: those that are confirmed, and
// all.
func (l *ledger) outlasting() (least, most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for seq, safe := range l.books[flowDelay].confirmed {
		if (message{flowDelay, seq}).delay() == never {
			most++
			least += count(safe)
		}
	}
	return least, most
}
