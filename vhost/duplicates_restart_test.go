package vhost

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/vhost/queue"
)

func TestDuplicatesSurviveARestart(t *testing.T) {
	f := openStored(t)
	f.durable("q", "x-message-deduplication", true, "x-cache-size", int32(3))
	f.queue("passing", "x-message-deduplication", true)
	f.durableX("x", "direct", "x-message-deduplication", true)
	f.exchange("passing", "direct", "x-message-deduplication", true)
	f.bind("q", "x", "q")
	f.bind("passing", "passing", "passing")
	transient := keyed("", "q", "transient", "t")
	transient.Persistent = false
	f.publish("", keyed("", "q", "first", "first"))
	f.publish("", keyed("", "q", "m", "a"))
	f.publish("", transient)
	f.publish("x", keyed("x", "q", "n", "b"))
	f.publish("", keyed("", "passing", "m", "a"))
	f.publish("passing", keyed("passing", "passing", "m", "b"))
	if n := f.keys(); n != 4 { // three of the queue, one of the exchange
		t.Errorf("%d keys are stored", n)
	}
	for range 2 {
		f.restart()
		for _, id := range []string{"a", "t", "b"} {
			if p := f.publish("", keyed("", "q", "again", id)); p != (Published{Routed: true, Duplicate: true}) {
				t.Errorf("to the queue, %s: %+v", id, p)
			}
		}
		if p := f.publish("x", keyed("x", "q", "again", "b")); p != (Published{Routed: true, Duplicate: true}) {
			t.Errorf("to the exchange: %+v", p)
		}
	}
	f.wantBodies("q", "first", "m", "n")
	f.publish("", keyed("", "q", "m", "first")) // takes the room of a
	f.publish("", keyed("", "q", "m", "a"))
	f.restart()
	f.wantBodies("q", "m", "m")
	if n := f.keys(); n != 4 {
		t.Errorf("%d keys are stored in the end", n)
	}
}

// The keys go with what they belong to; what is handed over after that is dropped
// at the next start.
func TestDeleteDropsTheKeys(t *testing.T) {
	f := openStored(t)
	f.durable("q", "x-message-deduplication", true, "x-cache-size", int32(20_000))
	f.durable("r")
	for _, x := range []string{"x", "auto"} {
		f.must(f.DeclareExchange(ExchangeDeclare{Name: x, Type: "direct", Durable: true, AutoDelete: x == "auto",
			Arguments: args("x-message-deduplication", true, "x-cache-size", int32(100))}))
		f.bind("r", x, "r")
	}
	for i := range 10_000 {
		id := fmt.Sprint(i)
		f.publish("", keyed("", "q", id, id))
		f.publish("x", keyed("x", "r", id, id))
		f.publish("auto", keyed("x", "r", id, id))
	}
	if n := f.keys(); n != 10_200 {
		t.Fatalf("%d keys are stored", n)
	}
	late := f.publisher()
	late.publish(t, "", keyed("", "q", "m", "late"))
	f.must(f.DeleteExchange("x", false))
	_, err := f.DeleteQueue("q", me, false, false, &f.fx)
	f.must(err)
	f.apply()
	if n := f.keys(); n != 100 {
		t.Errorf("%d keys are left of the exchange auto", n)
	}
	f.must(f.UnbindQueue("r", "auto", "r", nil, me))
	if n := f.keys(); n != 0 || f.hasExchange("auto") {
		t.Errorf("%d keys are left", n)
	}
	late.flush(f.VHost)
	if n := f.keys(); n != 1 {
		t.Fatalf("%d keys are stored, want the late one", n)
	}
	f.restart()
	if n := f.keys(); n != 0 {
		t.Errorf("%d keys are left after a restart", n)
	}
	f.durable("q", "x-message-deduplication", true)
	if p := f.publish("", keyed("", "q", "m", "1")); p.Duplicate {
		t.Error("a new queue knows the keys of the one before")
	}
}

func TestRecoverRefusesDamagedKeys(t *testing.T) {
	store := memory.New()
	var b persistence.Batch
	b.Change(persistence.Change{Definition: persistence.Definition{
		Kind: persistence.KindDuplicate, ID: store.NewID(), Body: []byte{1, 2},
	}})
	store.Write(&b)
	_, err := New(Options{Store: store.Reopen()})
	if err == nil || !strings.Contains(err.Error(), "the definition of duplicate 1 cannot be used: it is cut short") {
		t.Errorf("got %v", err)
	}
}

// The store fails at random moments, what is not confirmed is published again
// after the restart, by somebody else, and what is confirmed sometimes: each
// message is there once.
func TestDuplicatesAndCrashes(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 2))
		f := openStored(t)
		f.durable("q", "x-message-deduplication", true, "x-cache-size", int32(100))
		f.durable("r")
		f.durableX("x", "fanout", "x-message-deduplication", true, "x-cache-size", int32(100))
		f.bind("r", "x", "")
		confirmed := map[string]bool{}
		for round := 0; len(confirmed) < 200; round++ {
			publishers := [3]*publisher{f.publisher(), f.publisher(), f.publisher()}
			release := f.store.Hold()
			if round > 6 {
				release() // enough
			}
			sent := map[*publisher][]string{}
			for n := range random.IntN(60) + 40 {
				p := publishers[random.IntN(3)]
				id := fmt.Sprint((n + random.IntN(30)) % 100)
				if random.IntN(2) == 0 {
					p.publishOnce(t, sent, "", "q", id)
				} else {
					p.publishOnce(t, sent, "x", "r", id)
				}
				if random.IntN(4) == 0 {
					p.flush(f.VHost)
				}
				if random.IntN(60) == 0 {
					release()
				}
			}
			if round > 6 {
				for i := range 200 {
					p := publishers[i%3]
					p.publishOnce(t, sent, []string{"", "x"}[i%2], []string{"q", "r"}[i%2], fmt.Sprint(i/2))
				}
				for _, p := range publishers {
					p.flush(f.VHost)
				}
			} else {
				f.store.Fail(errors.New("a crash"))
			}
			for p, ids := range sent {
				p.confirmed(ids, confirmed)
			}
			f.restart()
			f.wantOnce(seed, confirmed)
		}
	}
}

// publishOnce publishes a message with a key and notes which it was.
func (p *publisher) publishOnce(t *testing.T, sent map[*publisher][]string, exchange, queue, id string) {
	t.Helper()
	done := p.publish(t, exchange, keyed(exchange, queue, id, id))
	sent[p] = append(sent[p], queue+" "+id)
	if !done.Stored {
		p.Done([]uint64{p.last}, nil) // as the session does
	}
}

// confirmed adds what a publisher was told of.
func (p *publisher) confirmed(ids []string, all map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, id := range ids {
		if slices.Contains(p.list, fmt.Sprint(n+1, " ", nil)) {
			all[id] = true
		}
	}
}

// wantOnce checks that nothing is there twice, and all that was confirmed is.
func (f *storedFixture) wantOnce(seed uint64, confirmed map[string]bool) {
	f.t.Helper()
	found := map[string]bool{}
	for _, name := range []string{"q", "r"} {
		q, err := f.Queue(name, me)
		f.must(err)
		var ids []queue.ID
		for {
			d, _, ok := q.Get(false, &f.fx)
			if !ok {
				break
			}
			id := name + " " + string(d.Message.Body)
			if found[id] {
				f.t.Fatalf("seed %d: %s is there twice", seed, id)
			}
			found[id] = true
			ids = append(ids, d.ID)
		}
		q.Requeue(ids, queue.CauseRecover, &f.fx)
		f.apply()
	}
	for id := range confirmed {
		if !found[id] {
			f.t.Fatalf("seed %d: %s was confirmed and is lost", seed, id)
		}
	}
}
