package vhost

import (
	"testing"

	"github.com/leveretmq/leveret/vhost/queue"
)

// heard takes what was told into a queue, which is the routing keys.
func heard(t *testing.T, q *queue.Queue) (keys []string) {
	t.Helper()
	var fx queue.Effects
	for {
		d, _, ok := q.Get(true, &fx)
		if !ok {
			fx.WakeAll()
			return keys
		}
		keys = append(keys, d.Message.RoutingKey)
	}
}

// Who listened before a restart does so after it, and what was told is stored.
func TestEvents_AfterARestart(t *testing.T) {
	f := openStored(t)
	_, err := f.DeclareQueue(QueueDeclare{Name: "events", Durable: true}, me)
	f.must(err)
	f.bind("events", EventExchange, "queue.#")
	f.queue("one")
	f.registry.clock.running.Wait() // so that it is told
	f.restart()
	if !f.registry.Listened() {
		t.Fatal("nobody listens")
	}
	f.queue("two")
	f.registry.clock.running.Wait()
	q, err := f.Queue("events", me)
	f.must(err)
	if keys := heard(t, q); len(keys) != 2 || keys[0] != "queue.created" || keys[1] != "queue.created" {
		t.Errorf("told: %v", keys)
	}
}

// More than can wait is dropped, and the rest is told in order; at the end of the broker
// nothing is told.
func TestEvents_TooMany(t *testing.T) {
	f := newFixture(t)
	r := f.VHost.events.registry
	events := f.queue("events")
	f.bind("events", EventExchange, "#")
	r.clock.running.Wait()
	heard(t, events)
	r.events.mu.Lock()
	r.events.busy = true // as if it were slow
	r.events.mu.Unlock()
	for range eventsMost + 10 {
		r.Tell("something", nil)
	}
	r.events.mu.Lock()
	if n := len(r.events.waiting); n != eventsMost || r.events.lost != 10 {
		t.Errorf("%d wait and %d are lost", n, r.events.lost)
	}
	r.events.busy = false
	r.events.mu.Unlock()
	r.Tell("last", nil) // one too many, but it starts the others
	r.clock.running.Wait()
	if n := len(heard(t, events)); n != eventsMost {
		t.Errorf("%d were told", n)
	}
	r.Close()
	r.Tell("after the end", nil)
}
