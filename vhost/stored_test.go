package vhost

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/vhost/queue"
)

// recorder is a store that notes what each batch has of messages.
type recorder struct {
	*memory.Store

	mu      sync.Mutex
	names   map[persistence.QueueID]string
	batches []string // since the last take
}

func (r *recorder) Write(b *persistence.Batch) {
	var parts []string
	r.mu.Lock()
	for _, s := range b.Settles {
		what := "settle"
		if s.Returned {
			what = "return"
		}
		parts = append(parts, fmt.Sprintf("%s %s in %s", what, s.Record.Message.Body, r.names[s.Record.Places[s.Place].Queue]))
	}
	for _, a := range b.Appends {
		var to []string
		for _, p := range a.Record.Places {
			to = append(to, r.names[p.Queue])
		}
		parts = append(parts, fmt.Sprintf("append %s to %s", a.Record.Message.Body, strings.Join(to, "+")))
	}
	if len(parts) > 0 {
		slices.Sort(parts)
		r.batches = append(r.batches, strings.Join(parts, ", "))
	}
	r.mu.Unlock()
	r.Store.Write(b)
}

// recordedFixture is a fixture over a recorder.
type recordedFixture struct {
	*fixture
	store *recorder
}

func openRecorded(t testing.TB) *recordedFixture {
	t.Helper()
	store := &recorder{Store: memory.New(), names: map[persistence.QueueID]string{}}
	pager := queue.NewPager(store, 0, 0)
	t.Cleanup(pager.Close) // after the vhost
	return &recordedFixture{openFixture(t, Options{Store: store, Pager: pager}), store}
}

func (f *recordedFixture) durable(name string, arguments ...any) {
	f.t.Helper()
	q := f.fixture.durable(name, arguments...)
	f.store.mu.Lock()
	f.store.names[q.Options().ID] = name
	f.store.mu.Unlock()
}

// want compares the batches since the last time.
func (f *recordedFixture) want(what string, batches ...string) {
	f.t.Helper()
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	if !slices.Equal(f.store.batches, batches) {
		f.t.Errorf("%s: the store got\n%s\nwant\n%s", what, strings.Join(f.store.batches, "\n"), strings.Join(batches, "\n"))
	}
	f.store.batches = nil
}

// persistent makes a persistent message.
func persistent(exchange, key, body string) *amqp.Message {
	m := message(exchange, key, body, nil)
	m.Persistent = true
	return m
}

// A message has one record, with a place in each of its durable queues.
func TestPublishStoresOneRecord(t *testing.T) {
	f := openRecorded(t)
	f.exchange("x", "fanout")
	f.queue("transient")
	for _, q := range []string{"a", "b", "c"} {
		f.durable(q)
		f.bind(q, "x", "")
	}
	f.bind("transient", "x", "")
	if p := f.publish("x", persistent("x", "", "m")); p != (Published{Routed: true, Kept: true, Stored: true}) {
		t.Errorf("published: %+v", p)
	}
	f.want("fan-out", "append m to a+b+c")
	for name, p := range map[string]Published{
		"transient message": f.send("x", "", "n"),
		"transient queue":   f.publish("", persistent("", "transient", "m")),
	} {
		if p != (Published{Routed: true, Kept: true}) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p := f.publish("", persistent("", "nobody", "m")); p != (Published{}) {
		t.Errorf("unroutable: %+v", p)
	}
	f.want("what is not stored")
}

// A publish that some queue refuses is not waited for, though others have it.
func TestPublishRefusedBySomeIsNotWaitedFor(t *testing.T) {
	f := openRecorded(t)
	f.exchange("x", "fanout")
	f.durable("full", "x-max-length", int32(0), "x-overflow", "reject-publish")
	f.durable("open")
	f.bind("full", "x", "")
	f.bind("open", "x", "")
	x, err := f.router.Exchange([]byte("x"))
	f.must(err)
	w := newCommit()
	if p := f.router.Publish(x, persistent("x", "", "m"), Ticket{w, 1}, &f.fx); p != (Published{Routed: true, Kept: true, Refused: true, Stored: true}) {
		t.Errorf("published: %+v", p)
	}
	f.apply()
	f.want("publish", "append m to open")
	select {
	case <-w.done:
		t.Error("the waiter was told")
	default:
	}
	w = newCommit()
	f.must(f.UnbindQueue("full", "x", "", nil, me))
	f.router.Publish(x, persistent("x", "", "n"), Ticket{w, 1}, &f.fx)
	f.apply()
	if err := w.await(); err != nil {
		t.Error(err)
	}
}

// That a message leaves one queue and enters another by dying is one batch: after
// a crash it is in one of them.
func TestDeadLetterIsAtomic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openRecorded(t)
		dlx := []any{"x-dead-letter-exchange", "", "x-dead-letter-routing-key", "dead"}
		f.durable("dead")
		f.durable("q", append(dlx, "x-message-ttl", int32(1000))...)
		f.publish("", persistent("", "q", "m"))
		f.want("publish", "append m to q")
		f.reject("q")
		f.want("reject", "append m to dead, settle m in q")

		f.publish("", persistent("", "q", "n"))
		f.want("publish", "append n to q")
		advance(time.Second)
		f.want("expired", "append n to dead, settle n in q")

		f.durable("short", append(dlx, "x-max-length", int32(1))...)
		f.publish("", persistent("", "short", "1"))
		f.want("publish", "append 1 to short")
		f.publish("", persistent("", "short", "2"))
		f.want("pushed out", "append 1 to dead, append 2 to short, settle 1 in short")

		f.durable("quorum", append(dlx, "x-queue-type", "quorum", "x-delivery-limit", int32(1))...)
		f.publish("", persistent("", "quorum", "q"))
		f.want("publish", "append q to quorum")
		for _, want := range []string{"return q in quorum", "append q to dead, settle q in quorum"} {
			q, err := f.Queue("quorum", me)
			f.must(err)
			d, _, ok := q.Get(false, &f.fx)
			if !ok {
				t.Fatal("the queue is empty")
			}
			q.Requeue([]queue.ID{d.ID}, queue.CauseNack, &f.fx)
			f.apply()
			f.want("requeue", want)
		}
	})
}

// However many queues a message goes through by dying in each, it is one batch,
// and of no more than one of its lives anything is stored.
func TestDeadLetterChainIsAtomic(t *testing.T) {
	f := openRecorded(t)
	const length = 5
	for i := range length {
		f.durable(fmt.Sprint("chain", i), "x-max-length", int32(0), "x-dead-letter-exchange", "",
			"x-dead-letter-routing-key", fmt.Sprint("chain", i+1))
	}
	f.durable(fmt.Sprint("chain", length))
	f.publish("", persistent("", "chain0", "m"))
	var want []string
	for i := range length {
		want = append(want, fmt.Sprintf("append m to chain%d", i), fmt.Sprintf("settle m in chain%d", i))
	}
	want = append(want, fmt.Sprintf("append m to chain%d", length))
	slices.Sort(want)
	f.want("publish", strings.Join(want, ", "))
	if s := f.store.Stats(); s.Records != 1 || s.Elided != length {
		t.Errorf("%d records were written and %d were not, want 1 and %d", s.Records, s.Elided, length)
	}
}

// A dead letter whose exchange leads nowhere is the end of its place and no more.
func TestDeadLetterWithoutAPlace(t *testing.T) {
	f := openRecorded(t)
	f.durable("q", "x-dead-letter-exchange", "absent")
	f.queue("transient")
	f.durable("r", "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "transient")
	for _, q := range []string{"q", "r"} {
		f.publish("", persistent("", q, "m"))
		f.want("publish", "append m to "+q)
		f.reject(q)
		f.want("reject", "settle m in "+q)
	}
	f.wantReady("transient", 1)
}

func TestPurgeAndDeleteSettle(t *testing.T) {
	f := openRecorded(t)
	f.durable("q")
	for _, body := range []string{"1", "2"} {
		f.publish("", persistent("", "q", body))
	}
	f.want("publish", "append 1 to q", "append 2 to q")
	_, err := f.PurgeQueue("q", me, &f.fx)
	f.must(err)
	f.apply()
	f.want("purge", "settle 1 in q, settle 2 in q")
	f.publish("", persistent("", "q", "3"))
	f.want("publish", "append 3 to q")
	_, err = f.DeleteQueue("q", me, false, false, &f.fx)
	f.must(err)
	f.apply()
	f.want("delete", "settle 3 in q")
}

func TestPublishStoredAllocatesTheRecord(t *testing.T) {
	f := openRecorded(t)
	f.durable("q")
	s := &swallow{}
	q, err := f.Queue("q", me)
	f.must(err)
	c, err := q.Consume(queue.Spec{Receiver: s, NoAck: true})
	f.must(err)
	q.Ready(c, &f.fx)
	x, err := f.router.Exchange(nil)
	f.must(err)
	m := persistent("", "q", "m")
	f.router.Publish(x, m, Ticket{}, &f.fx)
	got := testing.AllocsPerRun(1000, func() { f.router.Publish(x, m, Ticket{}, &f.fx) })
	if got > 1.5 { // the batch grows meanwhile
		t.Errorf("%v allocations a publish, want the record", got)
	}
	f.apply()
}
