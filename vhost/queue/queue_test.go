package queue

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/leveretmq/leveret/amqp"
)

// A timer may be late, and what a client sees must not depend on it: here
// there is none.
func TestCoreWithoutTimer(t *testing.T) {
	var fx Effects
	limits := NoLimits()
	limits.TTL, limits.MaxLength, limits.Overflow, limits.DeadLetter = 10, 1, RejectPublish, true
	c := &core{limits: limits}
	if out := c.publish(message("a", 1), nil, 100, &fx); out != Accepted {
		t.Fatalf("a: outcome %d", out)
	}
	if d, ok, _ := c.get(true, 110, &fx); ok {
		t.Errorf("get at the time of death returned %s", d.Message.RoutingKey)
	}
	c.publish(message("b", 1), nil, 200, &fx)
	if out := c.publish(message("c", 1), nil, 209, &fx); out != Refused {
		t.Errorf("c while b lives: outcome %d", out)
	}
	if out := c.publish(message("d", 1), nil, 210, &fx); out != Accepted {
		t.Errorf("d when b is dead: outcome %d", out)
	}
	var dead []string
	for _, d := range fx.TakeDead() {
		dead = append(dead, d.Message.RoutingKey+" "+string(d.Reason))
	}
	if want := []string{"a expired", "b expired"}; !slices.Equal(dead, want) {
		t.Errorf("dead letters %v, want %v", dead, want)
	}
}

// A timer may be early too: it counts evenly, the clock can be set back.
func TestTimerFiresEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fx Effects
		limits := NoLimits()
		limits.TTL = 10 * time.Millisecond
		q := New(Options{Limits: limits})
		q.Publish(message("a", 1), nil, &fx)
		q.death.Stop()
		q.expireHead()
		if n := q.Stats().Ready; n != 1 {
			t.Fatalf("%d messages ready before their time is over, want 1", n)
		}
		<-time.After(10 * time.Millisecond)
		synctest.Wait()
		if n := q.Stats().Ready; n != 0 {
			t.Errorf("%d messages ready after that, want 0", n)
		}
	})
}

// Between the report that a queue is unused and its deletion it may be used
// again. It stays, and is reported anew when it is left alone again.
func TestUsedAgainBeforeDeleted(t *testing.T) {
	limits := NoLimits()
	limits.Expires = 100 * time.Millisecond
	for _, o := range []Options{
		{Name: "auto-delete", AutoDelete: true, Limits: NoLimits()},
		{Name: "x-expires", Limits: limits},
	} {
		t.Run(o.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { usedAgain(t, o) })
		})
	}
}

func usedAgain(t *testing.T, o Options) {
	reported := make(chan *Queue, 10)
	report := func(fx *Effects) {
		for _, q := range fx.TakeUnused() {
			reported <- q
		}
	}
	o.Apply = report
	q := New(o)
	var fx Effects
	leave := func(c *Consumer) {
		q.Cancel(c, &fx)
		report(&fx)
	}
	c, err := q.Consume(Spec{Receiver: &receiver{}})
	if err != nil {
		t.Fatal(err)
	}
	leave(c)
	<-reported
	if c, err = q.Consume(Spec{Receiver: &receiver{}}); err != nil {
		t.Fatal(err)
	}
	if q.DeleteUnused(&fx) {
		t.Fatal("deleted a queue that has a consumer")
	}
	leave(c)
	select {
	case <-reported:
	case <-time.After(time.Second):
		t.Fatal("not reported again in 1 s")
	}
	if !q.DeleteUnused(&fx) || !isClosed(q) {
		t.Error("not deleted when it was unused again")
	}
	if q.DeleteUnused(&fx) {
		t.Error("deleted twice")
	}
}

// TestLongQueue goes over the sizes at which segments, heap and slots grow,
// shrink and are let go.
func TestLongQueue(t *testing.T) {
	const n = 5 * segmentMax
	random := rand.New(rand.NewPCG(1, 2))
	var fx Effects
	q := New(Options{Limits: NoLimits()})
	for round := range 3 {
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("%d-%d", round, i))
			q.Publish(message(want[i], 1), nil, &fx)
		}
		var ids []ID
		for range n - 10 {
			d, _, _ := q.Get(false, &fx)
			ids = append(ids, d.ID)
		}
		for s := q.core.ready.zero.fresh.head; s != nil; s = s.next {
			if len(s.items) > segmentMax {
				t.Fatalf("a segment of %d items", len(s.items))
			}
		}
		random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		for len(ids) > 0 {
			part := min(len(ids), random.IntN(700)+1)
			q.Requeue(ids[:part], CauseNack, &fx)
			ids = ids[part:]
		}
		if err := invariants(q); err != nil {
			t.Fatal(err)
		}
		if got := inLine(q); !slices.Equal(got, want) {
			t.Fatalf("round %d: the order is not that of publishing", round)
		}
		r := &receiver{}
		c, err := q.Consume(Spec{Receiver: r})
		if err != nil {
			t.Fatal(err)
		}
		q.Ready(c, &fx)
		for i, d := range r.tags {
			if got, want := d.Message.RoutingKey, want[i]; got != want || d.Redelivered != (i < n-10) {
				t.Fatalf("round %d: delivery %d is %s, redelivered %v; want %s", round, i, got, d.Redelivered, want)
			}
		}
		q.Ack(r.release(r.open()), &fx)
		q.Cancel(c, &fx)
		if st := q.Stats(); st.Ready+st.Unacked != 0 || st.ReadyBytes+st.UnackedBytes != 0 {
			t.Fatalf("round %d: left %+v", round, st)
		}
		if err := invariants(q); err != nil {
			t.Fatal(err)
		}
	}
}

// A queue keeps nothing alive of what has left it.
func TestQueueLetsGoOfMessages(t *testing.T) {
	const n = 3 * segmentMin
	take := func(q *Queue, fx *Effects) (ids []ID) {
		for range n {
			d, _, _ := q.Get(false, fx)
			ids = append(ids, d.ID)
		}
		return ids
	}
	for _, c := range []struct {
		name  string
		empty func(*Queue, *Effects)
	}{
		{"got", func(q *Queue, fx *Effects) {
			for range n {
				q.Get(true, fx)
			}
		}},
		{"acked", func(q *Queue, fx *Effects) { q.Ack(take(q, fx), fx) }},
		{"rejected", func(q *Queue, fx *Effects) { q.Reject(take(q, fx), fx) }},
		{"requeued and acked", func(q *Queue, fx *Effects) {
			q.Requeue(take(q, fx), CauseNack, fx)
			q.Ack(take(q, fx), fx)
		}},
		{"purged", func(q *Queue, fx *Effects) { q.Purge(fx) }},
		{"deleted", func(q *Queue, fx *Effects) {
			take(q, fx)
			q.Publish(message("m", 1), nil, fx)
			q.Delete(false, false, fx)
		}},
	} {
		q := New(Options{Limits: NoLimits()})
		var fx Effects
		var held []weak.Pointer[amqp.Message]
		for range n {
			m := message("m", 1)
			held = append(held, weak.Make(m))
			q.Publish(m, nil, &fx)
		}
		c.empty(q, &fx)
		runtime.GC()
		for i, m := range held {
			if m.Value() != nil {
				t.Errorf("%s: message %d of %d is still held", c.name, i, n)
			}
		}
		runtime.KeepAlive(q)
	}
}

// Nor of consumers, and with them of sessions.
func TestQueueLetsGoOfConsumers(t *testing.T) {
	q := New(Options{Limits: NoLimits()})
	var fx Effects
	gone := func() weak.Pointer[receiver] {
		r := &receiver{}
		c, err := q.Consume(Spec{Receiver: r})
		if err != nil {
			t.Fatal(err)
		}
		q.Ready(c, &fx)
		q.Publish(message("m", 1), nil, &fx)
		q.Cancel(c, &fx)
		q.Ack(r.release(r.open()), &fx)
		fx.WakeAll()
		return weak.Make(r)
	}()
	runtime.GC()
	if gone.Value() != nil {
		t.Error("the receiver of a cancelled consumer is still held")
	}
	runtime.KeepAlive(q)
	runtime.KeepAlive(&fx)
}

// counter counts how often it is woken.
type counter int

func (c *counter) Wake() { *c++ }

func TestEffectsAreTakenOnce(t *testing.T) {
	var fx Effects
	var w counter
	if fx.Pending() {
		t.Error("the zero value is pending")
	}
	fx.Wake(&w)
	fx.Wake(&w)
	if fx.Pending() {
		t.Error("pending though there is only waking to do")
	}
	fx.WakeAll()
	fx.WakeAll()
	if w != 2 {
		t.Errorf("woken %d times, want 2", w)
	}
	q := New(Options{AutoDelete: true, Limits: NoLimits()})
	c, err := q.Consume(Spec{Receiver: &receiver{}})
	if err != nil {
		t.Fatal(err)
	}
	q.Cancel(c, &fx)
	if !fx.Pending() {
		t.Error("not pending though a queue is unused")
	}
	if u := fx.TakeUnused(); len(u) != 1 || u[0] != q {
		t.Errorf("unused: %v", u)
	}
	if fx.Pending() || fx.TakeUnused() != nil {
		t.Error("still pending after it was taken")
	}
}
