package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// paged is queues with a pager and a store, in a bubble.
type paged struct {
	*testing.T
	store *fakeStore
	pager *Pager
	fx    Effects
	all   []*Queue
}

// inBubble runs a test with a pager of that many KiB; in the end all queues are
// closed.
func inBubble(t *testing.T, high, low int64, test func(*paged)) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(t)
		p := &paged{T: t, store: store, pager: NewPager(store, high<<10, low<<10)}
		defer func() {
			for _, q := range p.all {
				q.Close()
			}
			p.pager.Close()
			if n := p.pager.Memory(); n != 0 {
				t.Errorf("%d bytes are counted after all queues are closed", n)
			}
		}()
		test(p)
	})
}

func (p *paged) queue(stored bool, l Limits) *Queue {
	o := Options{Name: fmt.Sprint(len(p.all)), Limits: l, Store: p.store, Pager: p.pager}
	if stored {
		o.ID = persistence.QueueID(p.store.NewID())
	}
	q := New(o)
	p.all = append(p.all, q)
	return q
}

// publish publishes n messages of 1 KiB called m0 and so on, one after the
// other. They are persistent, as far as the queue is stored.
func (p *paged) publish(q *Queue, from, n int) {
	p.Helper()
	for i := range n {
		m := message(fmt.Sprint("m", from+i), 1024)
		m.Persistent = q.opts.ID != 0
		var rec *persistence.Record
		if out := q.Publish(m, &rec, &p.fx); out != Accepted {
			p.Fatalf("message %d: outcome %d", from+i, out)
		}
		if rec != nil {
			p.fx.Append(rec, nil, 0)
		}
		if i%50 == 49 {
			p.fx.WakeAll()
		}
	}
	p.fx.WakeAll()
}

// pass lets time pass.
func (p *paged) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// drain consumes all with a prefetch, acks, and returns what came.
func (p *paged) drain(q *Queue) []taken {
	p.Helper()
	r := &receiver{prefetch: 100}
	c, err := q.Consume(Spec{Receiver: r})
	if err != nil {
		p.Fatal(err)
	}
	q.Ready(c, &p.fx)
	for round := 0; ; round++ {
		synctest.Wait()
		ids := r.release(r.open())
		if len(ids) == 0 {
			break
		}
		q.Ack(ids, &p.fx)
		if r.unpark() {
			q.Ready(c, &p.fx)
		}
		p.fx.WakeAll()
		if round%20 > 0 {
			continue // it takes time
		}
		if err := invariants(q); err != nil {
			p.Fatal(err)
		}
	}
	q.Cancel(c, &p.fx)
	return r.tags
}

// drained checks that a queue gives m0 to before mn and then has nothing, nor has
// the store.
func (p *paged) drained(q *Queue, n int) {
	p.Helper()
	got := p.drain(q)
	if len(got) != n {
		p.Errorf("%d messages came, want %d", len(got), n)
	}
	for i, d := range got {
		if want := fmt.Sprint("m", i); d.Message.RoutingKey != want || len(d.Message.Body) != 1024 {
			p.Fatalf("delivery %d is %s of %d bytes", i, d.Message.RoutingKey, len(d.Message.Body))
		}
	}
	if st := q.Stats(); st.Ready+st.Unacked+st.PagedOut != 0 || st.ReadyBytes != 0 {
		p.Errorf("left: %+v", st)
	}
}

// nothingLeft checks that the store has nothing.
func (p *paged) nothingLeft() {
	p.Helper()
	if seqs, others := p.store.live(0); len(seqs)+others != 0 {
		p.Errorf("%d places are not settled", len(seqs)+others)
	}
}

// Of a deep queue all but the head leaves memory, and comes back in order.
func TestBacklogLeavesMemory(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprint("stored=", stored), func(t *testing.T) {
			inBubble(t, 4<<10, 2<<10, func(p *paged) {
				q := p.queue(stored, NoLimits())
				const n = 20_000
				for i := 0; i < n; i += 1000 {
					p.publish(q, i, 1000)
					p.pass(10 * time.Millisecond)
					if m := p.pager.Memory(); m > 5<<20 {
						t.Fatalf("%d KiB in memory", m>>10)
					}
				}
				st := q.Stats()
				if t.Logf("%d of %d paged out, %d KiB in memory", st.PagedOut, st.Ready, p.pager.Memory()>>10); st.PagedOut < n/2 || st.Ready != n {
					t.Errorf("%d of %d paged out", st.PagedOut, st.Ready)
				}
				if q.core.ready.front().msg == nil {
					t.Error("the head has left memory too")
				}
				if _, others := p.store.live(q.opts.ID); stored && others > 0 {
					t.Errorf("%d messages are in the store twice", others)
				}
				p.drained(q, n)
				p.nothingLeft()
			})
		})
	}
}

// The deepest queues give up memory first, so that small ones are left alone.
func TestDeepestQueueFirst(t *testing.T) {
	inBubble(t, 3<<10, 2<<10, func(p *paged) {
		small, deep := p.queue(false, NoLimits()), p.queue(false, NoLimits())
		p.publish(small, 0, 1000)
		p.publish(deep, 0, 6000)
		p.pass(time.Second)
		if n := small.Stats().PagedOut; n != 0 {
			t.Errorf("%d messages of the small queue are paged out", n)
		}
		if n := deep.Stats().PagedOut; n == 0 {
			t.Error("nothing of the deep queue is paged out")
		}
		p.drained(small, 1000)
		p.drained(deep, 6000)
		p.nothingLeft()
	})
}

// Many small queues are too much as well: then those that nobody takes from
// give up even their heads, and those that are busy do not.
func TestIdleHeadsLeaveMemory(t *testing.T) {
	inBubble(t, 4<<10, 3<<10, func(p *paged) {
		busy := p.queue(false, NoLimits())
		p.publish(busy, 0, 400)
		r := &receiver{prefetch: 1}
		c, err := busy.Consume(Spec{Receiver: r})
		if err != nil {
			t.Fatal(err)
		}
		busy.Ready(c, &p.fx)
		takeOne := func() {
			busy.Ack(r.release(r.open()), &p.fx)
			r.unpark()
			busy.Ready(c, &p.fx)
			p.fx.WakeAll()
		}
		for i := range 40 {
			p.publish(p.queue(i%2 == 0, NoLimits()), 0, 200)
			takeOne()
			p.pass(100 * time.Millisecond)
		}
		if m := p.pager.Memory(); m > 5<<20 {
			t.Errorf("%d KiB in memory", m>>10)
		}
		if busy.core.ready.front().msg == nil {
			t.Error("the head of the busy queue has left memory")
		}
		idle := 0
		for _, q := range p.all[1:] {
			if q.core.ready.front().msg == nil {
				idle++
			}
		}
		if idle < 5 {
			t.Errorf("%d of 40 idle queues have nothing in memory", idle)
		}
		busy.busyLocked(time.Now())
		p.pass(coldAfter)
		p.takeOut(busy) // fails if the head stays
		busy.Cancel(c, &p.fx)
		for _, q := range p.all[1:] {
			p.drained(q, q.Stats().Ready)
		}
		p.drain(busy)
		p.nothingLeft()
	})
}

// Messages that were consumed before the store has written them are not written.
func TestSpilledAndTakenBeforeWritten(t *testing.T) {
	inBubble(t, 1<<10, 512, func(p *paged) {
		p.store.setHeld(true)
		q := p.queue(false, NoLimits())
		p.publish(q, 0, 5000)
		p.pass(time.Second)
		if q.Stats().PagedOut != 0 || len(p.store.waiting) == 0 {
			t.Fatalf("paged out %d before anything was written, %d batches", q.Stats().PagedOut, len(p.store.waiting))
		}
		if got := p.drain(q); len(got) != 5000 {
			t.Errorf("%d messages came", len(got))
		}
		p.store.setHeld(false)
		if p.store.elided == 0 {
			t.Error("the store has written all")
		}
		if _, others := p.store.live(0); others != 0 {
			t.Errorf("%d places are not settled", others)
		}
		p.pass(time.Second)
		if n := p.pager.spilling.Load(); n != 0 {
			t.Errorf("%d bytes count as being written", n)
		}
	})
}

// Publishers wait for the disk, as long as that gets on.
func TestAwait(t *testing.T) {
	inBubble(t, 1<<10, 512, func(p *paged) {
		p.pager.Await()
		q := p.queue(false, NoLimits())
		p.publish(q, 0, 500)
		p.store.setHeld(true)
		p.publish(q, 500, 2000)
		p.pass(time.Second)
		waited := make(chan struct{})
		go func() {
			p.pager.Await()
			close(waited)
		}()
		synctest.Wait()
		select {
		case <-waited:
			t.Errorf("did not wait with %d KiB in memory", p.pager.Memory()>>10)
		default:
		}
		p.store.setHeld(false)
		<-waited
		if m := p.pager.Memory(); m > 1536<<10 {
			t.Errorf("waited until %d KiB are in memory", m>>10)
		}
	})
}

// There is no waiting for what does not happen: messages that the store will not
// take, or an end.
func TestAwaitNothing(t *testing.T) {
	inBubble(t, 100, 50, func(p *paged) {
		q := p.queue(true, NoLimits())
		p.store.setHeld(true) // so that the sweeper can do nothing
		p.publish(q, 0, 1000)
		p.pass(time.Second)
		p.pager.Await()
		p.publish(p.queue(false, NoLimits()), 0, 1000)
		p.pass(time.Second)
		waited := make(chan struct{})
		go func() {
			p.pager.Await()
			close(waited)
		}()
		synctest.Wait()
		for _, q := range p.all {
			q.Close()
		}
		<-waited
		p.store.setHeld(false)
	})
}

// A consumer that goes with a great many unacked messages gives them back to a
// queue that cannot keep them in memory. They keep their places all the same.
func TestReturnedLeaveMemory(t *testing.T) {
	const n, kept = 3000 + shelfMax, 100
	inBubble(t, 4<<10, 2<<10, func(p *paged) {
		q := p.queue(true, NoLimits())
		fill(q, &p.fx, n)
		var ids []ID
		for range n - kept {
			d, _, ok := q.Get(false, &p.fx)
			if !ok {
				t.Fatal("there should be more")
			}
			ids = append(ids, d.ID)
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		q.Requeue(ids, CauseNack, &p.fx)
		fill(q, &p.fx, kept)
		p.pass(5 * time.Second)
		if m := p.pager.Memory(); m > 4<<20 {
			t.Errorf("%d KiB in memory", m>>10)
		}
		if late := len(q.core.ready.zero.late); late != 2 {
			t.Errorf("%d fifos of what came back, want 2", late)
		}
		got := p.drain(q)
		if len(got) != n+kept {
			t.Fatalf("%d messages came, want %d", len(got), n+kept)
		}
		for i, d := range got {
			if want := fmt.Sprint("m", i%n); d.Message.RoutingKey != want || d.Redelivered != (i < n-kept) {
				t.Fatalf("delivery %d is %s, redelivered: %v", i, d.Message.RoutingKey, d.Redelivered)
			}
		}
		p.nothingLeft()
	})
}

// While the store cannot read, nothing is lost and nothing is tried without end.
func TestReadFails(t *testing.T) {
	inBubble(t, 0, 0, func(p *paged) {
		q := p.queue(true, NoLimits())
		p.publish(q, 0, 1000)
		p.takeOut(q)
		p.store.failing = errors.New("no such disk")
		r := &receiver{}
		c, err := q.Consume(Spec{Receiver: r})
		if err != nil {
			t.Fatal(err)
		}
		q.Ready(c, &p.fx)
		p.publish(q, 1000, 10)
		p.pass(10*time.Second + time.Millisecond)
		if n := p.store.reads; n > 11 || n < 10 {
			t.Errorf("%d attempts in 10 s", n)
		}
		if _, _, ok := q.Get(true, &p.fx); ok || len(r.tags) > 0 {
			t.Error("delivered what could not be read")
		}
		if st := q.Stats(); st.Ready != 1010 || st.Damaged != 0 {
			t.Errorf("%+v", st)
		}
		if err := invariants(q); err != nil {
			t.Error(err)
		}
		p.store.mu.Lock()
		p.store.failing = nil
		p.store.mu.Unlock()
		p.pass(loadRetry)
		if len(r.tags) != 1010 {
			t.Errorf("%d delivered when the store works again", len(r.tags))
		}
		for i, d := range r.tags {
			if d.Message.RoutingKey != fmt.Sprint("m", i) {
				t.Fatalf("delivery %d is %s", i, d.Message.RoutingKey)
			}
		}
	})
}

// takeOut takes all that can go out of memory.
func (p *paged) takeOut(q *Queue) {
	p.Helper()
	w := sweeper{Pager: p.pager}
	for {
		x := step{segments: stepSegments, tries: stepTries, spill: spillMax, batch: &w.batch, writer: p.pager, packer: &w.packer}
		q.pageOut(&x, true)
		w.hand()
		if !x.done {
			break
		}
	}
	if st := q.Stats(); st.PagedOut != st.Ready {
		p.Fatalf("%d of %d are out", st.PagedOut, st.Ready)
	}
}

// What cannot be read any more is lost, and counted; the rest is delivered.
func TestDamaged(t *testing.T) {
	for _, c := range []struct {
		name string
		lost func(i int) bool
	}{
		{"some", func(i int) bool { return i%7 == 0 }},
		{"the first segments", func(i int) bool { return i < 1100 }},
		{"one in the middle", func(i int) bool { return i >= 512 && i < 1100 }},
		{"the last ones", func(i int) bool { return i >= 2000 }},
		{"all", func(int) bool { return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, 0, 0, func(p *paged) {
				const n = 3000
				l := NoLimits()
				l.TTL = time.Hour
				q := p.queue(true, l)
				p.publish(q, 0, n)
				p.takeOut(q)
				p.store.damaged = func(m *amqp.Message) bool {
					var i int
					_, _ = fmt.Sscanf(m.RoutingKey, "m%d", &i)
					return c.lost(i)
				}
				var want []string
				for i := range n {
					if !c.lost(i) {
						want = append(want, fmt.Sprint("m", i))
					}
				}
				var got []string
				for _, d := range p.drain(q) {
					got = append(got, d.Message.RoutingKey)
				}
				if strings.Join(got, " ") != strings.Join(want, " ") {
					t.Errorf("%d messages came, want %d", len(got), len(want))
				}
				st := q.Stats()
				if st.Damaged != uint64(n-len(want)) || st.Ready+st.PagedOut != 0 || st.ReadyBytes != 0 {
					t.Errorf("%+v", st)
				}
				p.publish(q, 0, 5)
				if st := q.Stats(); st.Ready != 5 {
					t.Errorf("%d of 5 new messages are ready", st.Ready)
				}
				if err := invariants(q); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// basic.get does not wait for the loader.
func TestGetLoadsByItself(t *testing.T) {
	inBubble(t, 0, 0, func(p *paged) {
		q := p.queue(true, NoLimits())
		p.publish(q, 0, 2000)
		p.takeOut(q)
		for i := range 2000 {
			d, left, ok := q.Get(i%2 == 0, &p.fx)
			if !ok || d.Message.RoutingKey != fmt.Sprint("m", i) || left != 1999-i {
				t.Fatalf("get %d: %v, %d left", i, ok, left)
			}
			if i%2 != 0 {
				q.Ack([]ID{d.ID}, &p.fx)
			}
		}
		p.fx.WakeAll()
		if seqs, _ := p.store.live(q.opts.ID); len(seqs) != 0 {
			t.Errorf("%d places are not settled", len(seqs))
		}
	})
}

// What is next comes to memory before anybody has to wait for it.
func TestLoadsAhead(t *testing.T) {
	inBubble(t, 0, 0, func(p *paged) {
		q := p.queue(true, NoLimits())
		const n = 10_000
		p.publish(q, 0, n)
		p.takeOut(q)
		if _, _, ok := q.Get(true, &p.fx); !ok {
			t.Fatal("nothing there")
		}
		for i := 1; i < n; i++ {
			synctest.Wait()
			q.mu.Lock()
			if q.core.ready.front().msg == nil {
				t.Fatalf("message %d is not in memory", i)
			}
			if held := q.core.ready.count - q.core.away; held > (2+loadAhead)*segmentMax {
				t.Fatalf("%d messages in memory", held)
			}
			q.mu.Unlock()
			q.Get(true, &p.fx)
		}
		p.fx.WakeAll()
	})
}

// Deadlines hold for messages that are not in memory, and their dead letters
// are whole.
func TestExpireWhilePagedOut(t *testing.T) {
	inBubble(t, 0, 0, func(p *paged) {
		l := NoLimits()
		l.TTL, l.DeadLetter = 100*time.Millisecond, true
		after := &aftermath{}
		q := New(Options{ID: 1, Store: p.store, Pager: p.pager, Limits: l, Apply: after.carryOut})
		p.all = append(p.all, q)
		p.publish(q, 0, 3000)
		p.takeOut(q)
		p.pass(99 * time.Millisecond)
		if dead, _ := after.news(); len(dead) != 0 || q.Stats().Ready != 3000 {
			t.Fatalf("%d are dead too early", len(dead))
		}
		p.pass(time.Millisecond)
		dead, _ := after.news()
		if len(dead) != 3000 || dead[0] != "m0 expired" || dead[2999] != "m2999 expired" {
			t.Errorf("%d are dead", len(dead))
		}
		if seqs, _ := p.store.live(1); len(seqs) != 0 {
			t.Errorf("%d places are not settled", len(seqs))
		}
		if q.deathAt != 0 {
			t.Error("the timer is set for an empty queue")
		}
	})
}

// A length limit holds also while the head of the queue cannot be read, as far
// as others are before it.
func TestTrimBeforeWhatCannotBeRead(t *testing.T) {
	inBubble(t, 0, 0, func(p *paged) {
		l := NoLimits()
		l.MaxLength, l.MaxPriority, l.DeadLetter = 2, 1, true
		after := &aftermath{}
		q := New(Options{ID: 1, Store: p.store, Pager: p.pager, Limits: l, Apply: after.carryOut})
		p.all = append(p.all, q)
		p.publish(q, 0, 2)
		p.takeOut(q)
		p.store.failReads(errors.New("reading fails"))
		p.publish(q, 2, 1)
		synctest.Wait()
		for range 2 {
			m := message("high", 1)
			m.Priority = 1
			var rec *persistence.Record
			q.Publish(m, &rec, &p.fx)
			after.carryOut(&p.fx)
		}
		if dead, _ := after.news(); strings.Join(dead, ",") != "high maxlen,high maxlen" {
			t.Errorf("dead: %v", dead)
		}
		p.store.failReads(nil)
		p.pass(loadRetry)
		if dead, _ := after.news(); strings.Join(dead, ",") != "m0 maxlen" || q.Stats().Ready != 2 {
			t.Errorf("dead: %v, and %d ready", dead, q.Stats().Ready)
		}
	})
}
