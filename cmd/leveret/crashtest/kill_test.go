package crashtest

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trial is one data directory through many crashes.
type trial struct {
	t    *testing.T
	dir  string
	args []string
	r    *rand.Rand
	l    *ledger
	c    churn

	starts  []time.Duration // how long each took to be ready
	worked  time.Duration
	crashed int
}

func newTrial(t *testing.T, dir string, args ...string) *trial {
	return &trial{t: t, dir: dir, args: args, r: random(t), l: newLedger()}
}

// start starts the broker and checks what it remembers of the topology.
func (x *trial) start() *broker {
	x.t.Helper()
	b := start(x.t, x.dir, x.args...)
	x.starts = append(x.starts, b.tookReady)
	conn, ch := b.connect()
	defer conn.Close()
	if x.crashed == 0 {
		must(x.t, declare(ch), "declare")
		must(x.t, bind(ch), "bind")
		return b
	}
	for i := range flows {
		for _, q := range flows[i].all() {
			if !exists(x.t, conn, q) {
				x.t.Fatalf("queue %s is gone after crash %d\n%s", q, x.crashed, b.log())
			}
		}
	}
	must(x.t, declare(ch), "declare again")
	x.c.verify(x.t, conn, 10)
	return b
}

// round lets clients work for a while and then has the broker crashed, of which
// the ledger is told first.
func (x *trial) round(crash func(*broker)) {
	x.t.Helper()
	b := x.start()
	w := begin(x.l, &x.c, b)
	work := 100*time.Millisecond + time.Duration(x.r.ExpFloat64()*float64(time.Second))
	work = min(work, 5*time.Second)
	x.worked += work
	<-time.After(work)
	b.alive()
	crash(b)
	w.workers.Wait()
	x.l.over()
	x.c.setDeaf(false)
	x.crashed++
}

// finish starts the broker for the last time, and holds what is left against
// the ledger.
func (x *trial) finish() {
	x.t.Helper()
	b := x.start()
	conn, _ := b.connect()
	x.c.verify(x.t, conn, len(x.c.states))
	conn.Close()
	x.quiet()
	drain(x.l, b)
	b.stop()
	checkStore(x.t, x.dir)
	x.empty()
	x.outlasting()
	x.l.report(x.t)
	var slowest time.Duration
	for _, d := range x.starts {
		slowest = max(slowest, d)
	}
	x.t.Logf("%d crashes in %.1f s of work; slowest start %v", x.crashed, x.worked.Seconds(), slowest.Round(time.Millisecond))
}

// quiet waits until everything is where it is to stay.
func (x *trial) quiet() {
	const grace = 2 * time.Second
	still := time.Now().Add(max(expireAfter, retryMax, patience))
	if due := x.l.latestDue(); due.After(still) {
		still = due
	}
	<-time.After(time.Until(still) + grace)
}

// outlasting checks that what is due in years is there, and nothing else.
func (x *trial) outlasting() {
	x.t.Helper()
	_, out := tool(x.t, "store", "stats", "--data-dir", x.dir)
	least, most := x.l.outlasting()
	if n := figure(out, "messages held by exchanges"); n < least || n > most {
		x.t.Errorf("%d messages wait that are due in years, and %d of %d were confirmed:\n%s", n, least, most, out)
	}
	if n := figure(out, "messages in queues"); n != 0 {
		x.t.Errorf("%d messages are in queues that were drained:\n%s", n, out)
	}
}

// figure is the number behind some words at the start of a line, or 0.
func figure(text, words string) (n int) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, words); ok {
			fmt.Sscan(rest, &n)
		}
	}
	return n
}

// empty checks that a broker which was stopped gracefully remembers every ack.
func (x *trial) empty() {
	x.t.Helper()
	b := start(x.t, x.dir, x.args...)
	_, ch := b.connect()
	for i := range flows {
		for _, name := range flows[i].all() {
			q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
			must(x.t, err, "look at queue %s", name)
			if q.Messages != 0 {
				x.t.Errorf("queue %s was drained, and has %d messages after a graceful end\n%s", name, q.Messages, b.log())
			}
		}
	}
	b.stop()
}

// Killed at any moment, the broker loses nothing that it has confirmed, brings
// nothing back that was settled before something that it has confirmed, keeps
// the order, and carries a transaction or a dead-lettering out wholly or not at
// all. What it holds back comes when it is due and not before, what is given back
// comes as often as it should, a duplicate does not come, and what comes twice is
// marked.
func TestKill(t *testing.T) {
	x := newTrial(t, filepath.Join(roomyDir(t), "data"))
	for range number(t, "LEVERET_TEST_KILLS", 3, 50) {
		x.round(func(b *broker) {
			x.l.crash()
			b.kill()
		})
		if t.Failed() {
			break
		}
	}
	x.finish()
}
