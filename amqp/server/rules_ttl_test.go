package server_test

import (
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// long is a time that no test lives to see, in milliseconds.
const long = "3600000"

func TestRules_TTL(t *testing.T) { play(t, ttlRules) }

var ttlRules = map[string]rule{
	"the queue's": {amqp091.Table{"x-message-ttl": 20}, func(b *bed) {
		b.fill("a", "b")
		b.wantDead("a expired", "b expired")
		b.wantReady()
	}},
	"the message's": {nil, func(b *bed) {
		b.put(text("a", ttl("20")), text("b", ttl("40")), text("c"))
		b.wantDead("a expired", "b expired")
		b.wantReady("c")
	}},
	"the lower one is the queue's": {amqp091.Table{"x-message-ttl": 20}, func(b *bed) {
		b.put(text("a", ttl(long)))
		b.wantDead("a expired")
	}},
	"the lower one is the message's": {amqp091.Table{"x-message-ttl": int64(3600000)}, func(b *bed) {
		b.fill("stays")
		b.take("stays")
		b.put(text("a", ttl("20")))
		b.wantDead("a expired")
	}},
	"at the head only": {nil, func(b *bed) {
		b.put(text("a"), text("b", ttl("1")), text("c"), text("d", ttl(long)))
		b.pass(20)
		b.wantReadyCount(4)
		b.wantNoDead()
		b.take("a")
		b.wantDead("b expired")
		b.wantReady("c", "d")
	}},
	"a dead one is not delivered": {nil, func(b *bed) {
		b.put(text("a"), text("b", ttl("1")), text("c"), text("d", ttl("1")), text("e"))
		b.pass(20)
		_, got := b.consumer(0, false, nil)
		wantGot(b.t, got, "a", "c", "e")
		b.wantDead("b expired", "d expired")
	}},
	"nor when a slow consumer comes to it": {nil, func(b *bed) {
		_, got := b.consumer(1, false, nil)
		b.put(text("a"), text("b"), text("c", ttl("1")), text("d"))
		a := wantGot(b.t, got, "a")[0]
		b.pass(20)
		must(b.t, a.Ack(false))
		must(b.t, wantGot(b.t, got, "b")[0].Ack(false))
		wantGot(b.t, got, "d")
		b.wantDead("c expired")
	}},
	"0 without a consumer": {amqp091.Table{"x-message-ttl": 0}, func(b *bed) {
		b.fill("a")
		b.wantDead("a expired")
		b.wantReady()
	}},
	"0 with one that can take it": {amqp091.Table{"x-message-ttl": 0}, func(b *bed) {
		_, got := b.consumer(1, false, nil)
		b.fill("a", "b")
		wantGot(b.t, got, "a")
		b.wantDead("b expired")
	}},
	"0 of the message": {nil, func(b *bed) {
		b.put(text("a", ttl("0")))
		b.wantDead("a expired")
		b.put(text("b"), text("c", ttl("0")))
		_, got := b.consumer(0, false, nil)
		wantGot(b.t, got, "b")
		b.wantDead("c expired")
		b.put(text("d", ttl("0")))
		wantGot(b.t, got, "d")
	}},
	"0 does not come back": {amqp091.Table{"x-message-ttl": 0}, func(b *bed) {
		_, got := b.consumer(1, false, nil)
		b.fill("a")
		must(b.t, wantGot(b.t, got, "a")[0].Nack(false, true))
		b.wantDead("a expired")
	}},
	"not while unacked": {amqp091.Table{"x-message-ttl": 20}, func(b *bed) {
		_, got := b.consumer(1, false, nil)
		b.fill("a")
		a := wantGot(b.t, got, "a")[0]
		b.pass(50)
		must(b.t, a.Ack(false))
		b.fill("b")
		wantGot(b.t, got, "b") // the ack is done
		b.wantNoDead()
	}},
	"the time is kept when it comes back": {amqp091.Table{"x-message-ttl": 50}, func(b *bed) {
		_, got := b.consumer(1, false, nil)
		b.fill("a")
		a := wantGot(b.t, got, "a")[0]
		b.pass(60)
		must(b.t, a.Nack(false, true))
		b.wantDead("a expired")
		b.fill("b")
		wantGot(b.t, got, "b")
	}},
	"what comes back goes before the dying": {nil, func(b *bed) {
		b.fill("a")
		a := b.take("a")
		b.put(text("b", ttl("500")))
		must(b.t, a.Nack(false, true))
		b.pass(510)
		b.wantReadyCount(2)
		b.wantNoDead()
		b.take("a")
		b.wantDead("b expired")
	}},
	"the dead make room": {amqp091.Table{"x-message-ttl": 20, "x-max-length": 1, "x-overflow": "reject-publish"}, func(b *bed) {
		b.fill("a")
		b.wantDead("a expired")
		b.fill("b")
		b.wantDead("b expired")
	}},
	"ten years": {amqp091.Table{"x-message-ttl": int64(315360000000)}, func(b *bed) {
		b.put(text("a", ttl("315360000000")))
		b.wantReady("a")
	}},
	"delivered with its expiration": {nil, func(b *bed) {
		b.put(text("a", ttl(long)))
		if d := b.take("a"); d.Expiration != long {
			b.t.Errorf("expiration is %q", d.Expiration)
		}
	}},
}

// Without a dead-letter exchange the dead are just gone.
func TestRules_TTLWithoutDeadLetters(t *testing.T) {
	b := bare(t)
	b.queue = exclusive(t, b.ch, amqp091.Table{"x-message-ttl": 20})
	b.fill("a", "b")
	until(t, "the queue is empty", func() bool { return b.readyCount() == 0 })
}

func TestRules_Expiration_Refused(t *testing.T) {
	b := bare(t)
	b.queue = exclusive(t, b.ch, nil)
	for value, term := range map[string]string{
		"-1": "{value_negative,-1}", "abc": "no_integer", "10ms": `{leftover_string,"ms"}`, "1.5": `{leftover_string,".5"}`,
		"315360000001": "{value_too_large,315360000001}", " 1": "no_integer",
	} {
		ch := channel(t, b.conn)
		closed := closing(ch)
		publish(t, ch, "", b.queue, text("m", ttl(value)))
		wantClosed(t, closed, 406, "PRECONDITION_FAILED - invalid expiration '"+value+"': "+term)
	}
	b.wantReady()
}

func TestRules_Expires(t *testing.T) {
	t.Run("unused", func(t *testing.T) {
		b := lay(t, amqp091.Table{"x-expires": 50})
		b.fill("not a dead letter")
		until(t, "the queue goes", func() bool { return !b.exists(b.queue) }) // publishing is no use
		b.wantNoDead()
	})
	t.Run("not while it has a consumer", func(t *testing.T) {
		b := lay(t, amqp091.Table{"x-expires": 500})
		ch, got := b.consumer(0, false, nil)
		b.pass(600)
		b.fill("a")
		wantGot(t, got, "a")
		must(t, ch.Close())
		until(t, "the queue goes", func() bool { return !b.exists(b.queue) })
	})
}

// A queue that is used goes after one that is younger, and is not.
func TestRules_Expires_RenewedByUse(t *testing.T) {
	declare := func(ch *amqp091.Channel, queue string, args amqp091.Table) error {
		_, err := ch.QueueDeclare(queue, true, false, false, false, args)
		return err
	}
	passive := func(ch *amqp091.Channel, queue string, _ amqp091.Table) error {
		_, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err
	}
	get := func(ch *amqp091.Channel, queue string, _ amqp091.Table) error {
		_, _, err := ch.Get(queue, true)
		return err
	}
	consumer := func(ch *amqp091.Channel, queue string, _ amqp091.Table) error {
		if _, err := ch.Consume(queue, "c", true, false, false, false, nil); err != nil {
			return err
		}
		return ch.Cancel("c", false)
	}
	for _, c := range []struct {
		name, kind string
		use        func(ch *amqp091.Channel, queue string, args amqp091.Table) error
		renews     bool
	}{
		{"get", classic, get, true}, {"get", quorum, get, true},
		{"declare", classic, declare, true}, {"declare", quorum, declare, false},
		{"passive declare", classic, passive, true}, {"passive declare", quorum, passive, false},
		{"a consumer that leaves", classic, consumer, true}, {"a consumer that leaves", quorum, consumer, true},
	} {
		t.Run(c.name+"/"+c.kind, func(t *testing.T) {
			if c.kind == quorum {
				ours(t, "RabbitMQ looks only every five seconds, and one that publishes to a queue that goes then waits as long")
			}
			t.Parallel()
			b := bare(t)
			for expires := 500; ; expires *= 2 { // this machine may be so slow
				args := amqp091.Table{"x-expires": expires, "x-queue-type": c.kind}
				if first, ok := firstToGo(b, args, expires/3, c.use); ok {
					if first != c.renews {
						t.Errorf("the queue that is not used goes first: %v", first)
					}
					return
				}
				if expires > int(patience.Milliseconds()) {
					t.Fatal("the queue is never there when it is to be used")
				}
			}
		})
	}
}

// firstToGo declares a queue and, so many milliseconds later, another one, uses
// the first as much later, and reports whether the other goes first. It is not ok
// if there was none any more when it was to be used, or nobody saw which was the
// first.
func firstToGo(b *bed, args amqp091.Table, later int, use func(ch *amqp091.Channel, queue string, args amqp091.Table) error) (other, ok bool) {
	b.t.Helper()
	used := b.named("used", true, args)
	b.pass(later)
	unused := b.named("unused", true, args)
	b.pass(later)
	ch := channel(b.t, b.conn)
	if err := use(ch, used, args); err != nil {
		return false, false
	}
	defer ch.Close()
	usedGone, unusedGone := false, false
	until(b.t, "a queue goes", func() bool {
		usedGone, unusedGone = !b.exists(used), !b.exists(unused)
		return usedGone || unusedGone
	})
	until(b.t, "the other goes", func() bool { return !b.exists(used) && !b.exists(unused) })
	return unusedGone, usedGone != unusedGone
}
