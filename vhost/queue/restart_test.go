package queue

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
)

// TestRestart fills a queue with a backlog that does not fit into memory, takes
// some of it, and goes on after each of some restarts, until all was taken. The
// store is not the one that the other tests spy with.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, step = 20_000, 3000
		store := memory.New()
		id := persistence.QueueID(store.NewID())
		l := NoLimits()
		l.DeliveryLimit = 5
		var fx Effects
		fx.Use(store)
		fx.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindQueue, ID: uint64(id), Body: []byte{1}}})
		next := 0
		for run := 0; next < n; run++ {
			pager := NewPager(store, 2<<20, 1<<20)
			q := New(Options{ID: id, Store: store, Pager: pager, Limits: l})
			if err := store.Recover(func(r persistence.Recovered) bool {
				q.Recover(r)
				return true
			}); err != nil {
				t.Fatal(err)
			}
			if err := q.Recovered(); err != nil {
				t.Fatal(err)
			}
			if run == 0 {
				fill(q, &fx, n)
			} else if st := q.Stats(); st.Ready != n-next {
				t.Fatalf("%d messages are back, want %d", st.Ready, n-next)
			}
			<-time.After(time.Second)
			if m := pager.Memory(); m > 3<<20 {
				t.Errorf("%d KiB in memory", m>>10)
			}
			next = takeInOrder(t, q, &fx, next, min(step, n-next), run)
			q.Close()
			pager.Close()
			fx.WakeAll()
			store = store.Reopen()
			fx.Use(store)
		}
		if live := store.Stats().LivePlaces; live != 0 {
			t.Errorf("%d places are not settled in the end", live)
		}
	})
}

// takeInOrder gets and acks messages from number next on; it leaves some more
// unacked, and gives one of them back. It returns the next number.
func takeInOrder(t *testing.T, q *Queue, fx *Effects, next, n, run int) int {
	t.Helper()
	for i := range n + 10 {
		d, _, ok := q.Get(false, fx)
		if !ok {
			if i < n {
				t.Fatalf("message %d is not there", next)
			}
			break
		}
		if want := fmt.Sprint("m", next+max(i-n, 0)); d.Message.RoutingKey != want || len(d.Message.Body) != 100 {
			t.Fatalf("run %d: got %s, want %s", run, d.Message.RoutingKey, want)
		}
		if d.Redelivered != (run > 0) {
			t.Fatalf("run %d: %s is redelivered: %v", run, d.Message.RoutingKey, d.Redelivered)
		}
		if i < n {
			q.Ack([]ID{d.ID}, fx)
			next++
		}
		if i == n+5 {
			q.Requeue([]ID{d.ID}, CauseNack, fx)
			break
		}
	}
	fx.WakeAll()
	return next
}
