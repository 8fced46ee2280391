package server_test

import (
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

func TestRules_SingleActiveConsumer(t *testing.T) {
	active := amqp091.Table{"x-single-active-consumer": true}
	for name, play := range map[string]func(b *bed){
		"the first gets all": func(b *bed) {
			_, first := b.consumer(0, false, nil)
			b.consumer(0, false, nil)
			b.fill("a", "b", "c")
			wantGot(b.t, first, "a", "b", "c")
		},
		"the next in line takes over": func(b *bed) {
			ch1, first := b.consumer(0, false, nil)
			ch2, second := b.consumer(0, false, nil)
			_, third := b.consumer(0, false, nil)
			b.fill("a")
			wantGot(b.t, first, "a")
			must(b.t, ch1.Close())
			wantGot(b.t, second, "a")[0].Ack(false)
			b.fill("b")
			wantGot(b.t, second, "b")
			must(b.t, ch2.Close())
			b.fill("c")
			wantGot(b.t, third, "b", "c")
		},
		"no other steps in while it has no credit": func(b *bed) {
			ch, first := b.consumer(1, false, nil)
			_, second := b.consumer(0, false, nil)
			b.fill("a", "b")
			a := wantGot(b.t, first, "a")[0]
			b.wantReadyCount(1)
			must(b.t, a.Ack(false))
			wantGot(b.t, first, "b")
			must(b.t, ch.Close())
			wantGot(b.t, second, "b")
		},
		"what a cancelled one has is its own": func(b *bed) {
			ch := channel(b.t, b.conn)
			first, err := ch.Consume(b.queue, "first", false, false, false, false, nil)
			must(b.t, err)
			b.fill("a")
			a := wantGot(b.t, first, "a")[0]
			_, second := b.consumer(0, false, nil)
			must(b.t, ch.Cancel("first", false))
			b.fill("b")
			wantGot(b.t, second, "b")
			must(b.t, a.Nack(false, true))
			if d := wantGot(b.t, second, "a")[0]; !d.Redelivered {
				b.t.Error("not marked as redelivered")
			}
		},
		"refuses an exclusive one": func(b *bed) {
			_, err := channel(b.t, b.conn).Consume(b.queue, "", false, true, false, false, nil)
			wantError(b.t, err, 403, "ACCESS_REFUSED - queue '"+b.queue+"' in vhost '/' in exclusive use")
			_, got := b.consumer(0, false, nil)
			_, err = channel(b.t, b.conn).Consume(b.queue, "", false, true, false, false, nil)
			wantError(b.t, err, 403, "ACCESS_REFUSED - queue '"+b.queue+"' in vhost '/' in exclusive use")
			b.fill("a")
			wantGot(b.t, got, "a")
		},
		"basic.get is not shut out": func(b *bed) {
			b.consumer(1, false, nil)
			b.fill("a", "b")
			b.wantReady("b")
		},
		"a higher priority takes over": func(b *bed) {
			ours(b.t, "3.10 has no takeover")
			_, low := b.consumer(0, false, nil)
			b.fill("a")
			a := wantGot(b.t, low, "a")[0]
			_, high := b.consumer(0, false, amqp091.Table{"x-priority": 1})
			b.fill("b")
			b.wantReadyCount(1) // while the other has something it stays, but gets no more
			must(b.t, a.Ack(false))
			wantGot(b.t, high, "b")
			b.fill("c")
			wantGot(b.t, high, "c")
		},
	} {
		t.Run(name, func(t *testing.T) { play(lay(t, active)) })
	}
}

func TestRules_SingleActiveConsumer_OnQuorum(t *testing.T) {
	b := lay(t, amqp091.Table{"x-queue-type": "quorum", "x-single-active-consumer": true})
	ch, first := b.consumer(5, false, nil)
	_, second := b.consumer(5, false, nil)
	b.fill("a", "b")
	wantGot(t, first, "a", "b")
	must(t, ch.Close())
	wantGot(t, second, "a", "b")
	closed := closing(b.ch)
	_, _, err := b.ch.Get(b.queue, true)
	const locked = "RESOURCE_LOCKED - cannot obtain access to locked queue '"
	const gets = "' in vhost '/'. basic.get operations are not supported by quorum queues with single active consumer"
	wantError(t, err, 405, locked+b.queue+gets)
	wantClosed(t, closed, 405, locked+b.queue+gets)
}

func TestRules_ExclusiveConsumer(t *testing.T) {
	b := lay(t, nil)
	refused := func(exclusive bool) {
		t.Helper()
		_, err := channel(t, b.conn).Consume(b.queue, "", false, exclusive, false, false, nil)
		wantError(t, err, 403, "ACCESS_REFUSED - queue '"+b.queue+"' in vhost '/' in exclusive use")
	}
	ch, got := b.consumer(0, true, nil)
	refused(false)
	refused(true)
	b.fill("a")
	wantGot(t, got, "a")[0].Ack(false)
	must(t, ch.Close())
	_, got = b.consumer(0, false, nil)
	refused(true)
	b.fill("b")
	wantGot(t, got, "b")
}

// An exclusive consumer does not shut out basic.get.
func TestRules_ExclusiveConsumer_AndGet(t *testing.T) {
	b := lay(t, nil)
	b.consumer(1, true, nil)
	b.fill("a", "b")
	b.wantReady("b")
}

func TestRules_ConsumerPriority(t *testing.T) {
	at := func(n any) amqp091.Table { return amqp091.Table{"x-priority": n} }
	b := lay(t, nil)
	_, low := b.consumer(1, false, at(-5))
	_, mid := b.consumer(1, false, nil)
	_, high := b.consumer(1, false, at(int64(10)))
	b.fill("a", "b", "c", "d")
	a := wantGot(t, high, "a")[0]
	wantGot(t, mid, "b")
	c := wantGot(t, low, "c")[0]
	b.wantReadyCount(1)
	must(t, c.Ack(false))
	wantGot(t, low, "d")
	must(t, a.Ack(false))
	b.fill("e")
	wantGot(t, high, "e")
}

// Turns are taken within a level.
func TestRules_ConsumerPriority_Level(t *testing.T) {
	b := lay(t, nil)
	one := amqp091.Table{"x-priority": 1}
	_, first := b.consumer(2, false, one)
	_, low := b.consumer(0, false, nil)
	_, second := b.consumer(2, false, one)
	b.fill("a", "b", "c", "d", "e")
	got := map[string]bool{}
	for _, from := range []<-chan amqp091.Delivery{first, second, first, second} {
		got[string(next(t, from).Body)] = true
	}
	if !got["a"] || !got["b"] || !got["c"] || !got["d"] {
		t.Errorf("the level got %v", got)
	}
	wantGot(t, low, "e")
}

func TestRules_ConsumerPriority_Refused(t *testing.T) {
	b := lay(t, nil)
	closed := closing(b.ch)
	_, err := b.ch.Consume(b.queue, "", false, false, false, false, amqp091.Table{"x-priority": "high"})
	wantError(t, err, 406, "PRECONDITION_FAILED - invalid arg 'x-priority' for queue '"+b.queue+"' in vhost '/': \"expected integer, got longstr\"")
	next(t, closed)
}

func TestRules_DeliveryLimit(t *testing.T) {
	for name, rule := range map[string]struct {
		args  amqp091.Table
		again int // how often it may come back
		why   string
	}{
		"quorum":         {amqp091.Table{"x-queue-type": "quorum", "x-delivery-limit": 2}, 2, ""},
		"quorum, 0":      {amqp091.Table{"x-queue-type": "quorum", "x-delivery-limit": 0}, 0, ""},
		"classic":        {amqp091.Table{"x-delivery-limit": 2}, 2, "a classic queue of RabbitMQ has no delivery limit"},
		"classic, of 64": {amqp091.Table{"x-delivery-limit": int64(1)}, 1, "a classic queue of RabbitMQ has no delivery limit"},
	} {
		for verb, back := range map[string]func(d amqp091.Delivery) error{
			"reject": func(d amqp091.Delivery) error { return d.Reject(true) },
			"nack":   func(d amqp091.Delivery) error { return d.Nack(false, true) },
		} {
			t.Run(name+" "+verb, func(t *testing.T) {
				if rule.why != "" {
					ours(t, rule.why)
				}
				b := lay(t, rule.args)
				b.fill("a")
				_, got := b.consumer(10, false, nil)
				for n := range rule.again + 1 {
					d := wantGot(t, got, "a")[0]
					count, ok := d.Headers["x-delivery-count"]
					if d.Redelivered != (n > 0) || ok != (n > 0) || ok && count != int64(n) {
						t.Errorf("delivery %d: redelivered %v, x-delivery-count %v", n+1, d.Redelivered, count)
					}
					must(t, back(d))
				}
				b.wantDead("a delivery_limit")
			})
		}
	}
}

// A consumer that is lost counts, too; and the dead letter says how often.
func TestRules_DeliveryLimit_LostConsumers(t *testing.T) {
	b := lay(t, amqp091.Table{"x-queue-type": "quorum", "x-delivery-limit": 1})
	b.fill("a")
	for range 2 {
		ch, got := b.consumer(10, false, nil)
		wantGot(t, got, "a")
		must(t, ch.Close())
	}
	b.wantDead("a delivery_limit")
}

// A quorum queue counts without a limit, a classic one does not.
func TestRules_DeliveryCount(t *testing.T) {
	for kind, want := range map[string]any{"quorum": int64(1), "classic": nil} {
		t.Run(kind, func(t *testing.T) {
			b := lay(t, amqp091.Table{"x-queue-type": kind})
			b.fill("a")
			must(t, b.take("a").Nack(false, true))
			if kind == "quorum" { // a get may come before what comes back, there
				until(t, "it comes back", func() bool { return b.readyCount() == 1 })
			}
			if d := b.take("a"); d.Headers["x-delivery-count"] != want || !d.Redelivered {
				t.Errorf("x-delivery-count is %v, redelivered %v", d.Headers["x-delivery-count"], d.Redelivered)
			}
		})
	}
}
