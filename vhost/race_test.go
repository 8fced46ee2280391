package vhost

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/vhost/queue"
)

const (
	publishers = 3
	each       = 2000
)

// actor is a fixture of its own on the same vhost, for another goroutine.
func (f *fixture) actor() *fixture {
	return &fixture{VHost: f.VHost, t: f.t, router: f.NewRouter()}
}

// Publishers go on while all around is declared, bound, deleted and dropped:
// queues that stay get every message once and in the order of its publisher,
// those behind a dead-letter exchange too.
func TestPublishWhileTopologyChanges(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { publishWhileTopologyChanges(t, newFixture(t)) })
	t.Run("stored", func(t *testing.T) {
		f := openStored(t)
		publishWhileTopologyChanges(t, f.fixture)
		for i := range 4 { // or they expire in the midst of what follows
			_, _ = f.DeleteQueue(fmt.Sprint("q", i), me, false, false, &f.fx)
		}
		f.wantSame()
	})
}

func publishWhileTopologyChanges(t *testing.T, f *fixture) {
	for _, q := range []string{"stays", "dead"} {
		f.durable(q)
	}
	f.durable("gives up", "x-max-length", int32(0), "x-dead-letter-exchange", "dlx")
	f.exchange("fan", "fanout")
	f.exchange("in", "topic")
	f.exchange("dlx", "fanout")
	f.bind("stays", "fan", "")
	f.bind("gives up", "fan", "")
	f.bind("dead", "dlx", "")
	f.bindX("fan", "in", "#")

	done := make(chan struct{})
	var churn, publish sync.WaitGroup
	for i := range 3 {
		a := f.actor()
		churn.Go(func() { a.churn(uint64(i+10), done) })
	}
	for i := range publishers {
		a := f.actor()
		publish.Go(func() {
			for n := range each {
				key := fmt.Sprint("k", n%7)
				m := message("in", key, fmt.Sprintf("%d %d", i, n), nil)
				m.Persistent = n%2 == 0
				a.publish("in", m)
			}
		})
	}
	publish.Wait()
	close(done)
	churn.Wait()
	for _, q := range []string{"stays", "dead"} {
		bodies := f.bodies(q)
		if len(bodies) != publishers*each {
			t.Errorf("queue %s has %d messages, want %d", q, len(bodies), publishers*each)
		}
		if q == "stays" {
			wantInOrder(t, bodies)
		}
	}
	f.wantReady("gives up", 0)
}

func wantInOrder(t *testing.T, bodies []string) {
	t.Helper()
	var next [publishers]int
	for _, body := range bodies {
		var who, n int
		if _, err := fmt.Sscan(body, &who, &n); err != nil {
			t.Fatal(err)
		}
		if n != next[who] {
			t.Fatalf("publisher %d: message %d where %d was due", who, n, next[who])
		}
		next[who]++
	}
}

// churn changes what it can, as connection conn.
func (f *fixture) churn(conn uint64, done <-chan struct{}) {
	choice := rand.New(rand.NewPCG(conn, 1))
	for round := 0; ; round++ {
		select {
		case <-done:
			f.DropExclusive(conn, &f.fx)
			f.apply()
			return
		default:
		}
		name := fmt.Sprint("q", choice.IntN(4))
		x := fmt.Sprint("x", choice.IntN(2))
		// Others do the same to the same names, so that most of it may fail.
		durable := choice.IntN(2) == 0
		_ = f.DeclareExchange(ExchangeDeclare{Name: x, Type: "fanout", Durable: durable, AutoDelete: true})
		_, _ = f.DeclareQueue(QueueDeclare{Name: name, Durable: durable, AutoDelete: true, Arguments: args("x-expires", int32(1+choice.IntN(5)))}, conn)
		_ = f.BindExchange(x, "in", "k1.#", nil)
		_ = f.BindQueue(name, x, "", nil, conn)
		_ = f.BindQueue(name, "fan", "", nil, conn)
		own, err := f.DeclareQueue(QueueDeclare{Exclusive: true}, conn)
		if err != nil {
			f.t.Errorf("own queue: %v", err)
		}
		if err := f.BindQueue(own.Name(), "in", "*", nil, conn); err != nil {
			f.t.Errorf("bind own queue: %v", err)
		}
		f.consumeAndCancel(name, conn)
		switch choice.IntN(5) {
		case 0:
			_, _ = f.DeleteQueue(name, conn, false, false, &f.fx)
		case 1:
			_ = f.DeleteExchange(x, false)
		case 2:
			_ = f.UnbindQueue(name, "fan", "", nil, conn)
		case 3:
			f.DropExclusive(conn, &f.fx)
		}
		if reply, err := f.OpenReply(conn); err == nil {
			f.send("", reply.Name(), "a")
			f.CloseReply(reply, &f.fx)
		}
		f.apply()
		if round%20 == 0 && len(f.Bindings()) == 0 {
			f.t.Error("no bindings at all")
		}
	}
}

// consumeAndCancel makes an auto-delete queue unused.
func (f *fixture) consumeAndCancel(name string, conn uint64) {
	q, err := f.Queue(name, conn)
	if err != nil {
		return // somebody has deleted it
	}
	c, err := q.Consume(queue.Spec{Receiver: deaf{}})
	if err != nil {
		return
	}
	q.Ready(c, &f.fx)
	q.Cancel(c, &f.fx)
	f.apply()
}

// Of many who declare a queue or exchange at once, one makes it and the others
// find it.
func TestDeclareAtOnce(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	const many = 8
	var found [many]*queue.Queue
	for round := range 50 {
		name := fmt.Sprint("q", round)
		for i := range many {
			wg.Go(func() {
				q, err := f.DeclareQueue(QueueDeclare{Name: name}, uint64(i+1))
				if err != nil {
					t.Error(err)
				}
				found[i] = q
				if err := f.DeclareExchange(ExchangeDeclare{Name: name, Type: "direct"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, q := range found {
			if q != found[0] {
				t.Fatalf("two queues are called %s", name)
			}
		}
		differ := 0
		var mu sync.Mutex
		for i := range many {
			wg.Go(func() {
				_, err := f.DeclareQueue(QueueDeclare{Name: "differs" + name, Durable: i%2 == 0}, me)
				if err != nil && !strings.Contains(err.Error(), "inequivalent arg 'durable'") {
					t.Error(err)
				}
				if err != nil {
					mu.Lock()
					differ++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if differ != many/2 {
			t.Errorf("%d of %d were refused, want half", differ, many)
		}
	}
}
