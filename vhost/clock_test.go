package vhost

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/vhost/queue"
)

// slowStart is a store whose Recover takes ten seconds. It must not be written to
// before, or if that fails.
type slowStart struct {
	*memory.Store
	t         *testing.T
	fail      error
	recovered bool
}

func (s *slowStart) Recover(yield func(persistence.Recovered) bool) error {
	time.Sleep(10 * time.Second)
	if s.fail != nil {
		return s.fail
	}
	s.recovered = true
	return s.Store.Recover(yield)
}

func (s *slowStart) Write(b *persistence.Batch) {
	if !s.recovered {
		s.t.Error("something was written before the messages were recovered")
	}
	s.Store.Write(b)
}

// What queues do by the clock waits for the end of a recovery.
func TestClockWaitsForTheRecovery(t *testing.T) {
	for name, fail := range map[string]error{"slow": nil, "failing": errors.New("no such disk")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := openStored(t)
				f.durable("q", "x-expires", int32(1000))
				f.close()
				store := &slowStart{Store: f.store.Reopen(), t: t, fail: fail}
				r, err := New(Options{Store: store})
				if !errors.Is(err, fail) {
					t.Fatal(err)
				}
				advance(time.Hour)
				all, err := store.Definitions()
				f.must(err)
				if fail != nil {
					if len(all) != 1 {
						t.Error("the queue went though there was no start")
					}
					return
				}
				defer r.Close()
				if len(all) != 0 {
					t.Error("the queue did not go")
				}
			})
		})
	}
}

// stuck is a store whose Write blocks while there are no turns.
type stuck struct {
	*memory.Store
	turns chan struct{}
	wrote atomic.Int32
}

func (s *stuck) Write(b *persistence.Batch) {
	<-s.turns
	s.wrote.Add(1)
	s.Store.Write(b)
}

// Close waits for what is done by the clock at the moment, and nothing is done
// by it after that.
func TestCloseEndsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &stuck{Store: memory.New(), turns: make(chan struct{}, 2)}
		store.turns <- struct{}{} // for the declare
		store.turns <- struct{}{} // for the publish
		r, err := New(Options{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		v, err := r.VHost("/")
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{VHost: v, t: t, router: v.NewRouter()}
		f.durable("q", "x-message-ttl", int32(1000))
		f.publish("", persistent("", "q", "m"))
		advance(time.Second)
		closed := make(chan struct{})
		go func() { defer close(closed); r.Close() }()
		if settled(closed) {
			t.Fatal("Close did not wait")
		}
		close(store.turns)
		if !settled(closed) || store.wrote.Load() != 3 {
			t.Fatalf("Close goes on waiting; %d writes, want 3", store.wrote.Load())
		}
		var late queue.Effects
		late.Use(store)
		late.Settle(persistence.NewRecord(persistent("", "q", "m")), 0)
		v.onClock(&late)
		if store.wrote.Load() != 3 {
			t.Error("something was written after Close")
		}
	})
}
