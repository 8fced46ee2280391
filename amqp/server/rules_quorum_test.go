package server_test

import (
	"fmt"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

func TestRules_Quorum_FlagsRefused(t *testing.T) {
	for property, declare := range map[string]func(ch *amqp091.Channel, name string, args amqp091.Table) error{
		"'non-durable'": func(ch *amqp091.Channel, name string, args amqp091.Table) error {
			_, err := ch.QueueDeclare(name, false, false, false, false, args)
			return err
		},
		"'auto-delete'": func(ch *amqp091.Channel, name string, args amqp091.Table) error {
			_, err := ch.QueueDeclare(name, true, true, false, false, args)
			return err
		},
		"'exclusive-owner'": func(ch *amqp091.Channel, name string, args amqp091.Table) error {
			_, err := ch.QueueDeclare(name, true, false, true, false, args)
			return err
		},
	} {
		b := bare(t)
		name := unique("flags")
		closed := closing(b.ch)
		text := "PRECONDITION_FAILED - invalid property " + property + " for queue '" + name + "' in vhost '/'"
		wantError(t, declare(b.ch, name, amqp091.Table{"x-queue-type": "quorum"}), 406, text)
		wantClosed(t, closed, 406, text)
		if b.exists(name) {
			t.Errorf("%s: it is declared", property)
		}
	}
	b := bare(t)
	_, err := b.ch.QueueDeclare("", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
	wantError(t, err, 406, "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue")
}

// What a quorum queue has not costs the connection.
func TestRules_Quorum_DeletesThatAreNotImplemented(t *testing.T) {
	for flag, remove := range map[string]func(ch *amqp091.Channel, name string) error{
		"if-unused": func(ch *amqp091.Channel, name string) error {
			_, err := ch.QueueDelete(name, true, false, false)
			return err
		},
		"if-empty": func(ch *amqp091.Channel, name string) error {
			_, err := ch.QueueDelete(name, false, true, false)
			return err
		},
	} {
		b := lay(t, amqp091.Table{"x-queue-type": "quorum"})
		conn := b.dial()
		closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
		text := "NOT_IMPLEMENTED - cannot delete queue '" + b.queue + "' in vhost '/'. queue.delete operations with " + flag +
			" flag set are not supported by quorum queues"
		wantError(t, remove(channel(t, conn), b.queue), 540, text)
		wantClosed(t, closed, 540, text)
		if !b.exists(b.queue) {
			t.Error("it is deleted")
		}
	}
}

// The exclusive flag of a consumer is not looked at.
func TestRules_Quorum_ExclusiveConsumers(t *testing.T) {
	b := lay(t, amqp091.Table{"x-queue-type": "quorum"})
	_, first := b.consumer(1, true, nil)
	_, second := b.consumer(1, true, nil)
	b.fill("a", "b")
	got := map[string]bool{string(next(t, first).Body): true, string(next(t, second).Body): true}
	if !got["a"] || !got["b"] {
		t.Errorf("got %v", got)
	}
}

func TestRules_Quorum_RejectPublish(t *testing.T) {
	b := lay(t, amqp091.Table{"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"})
	b.fill("a")
	if rabbit() { // it refuses one later than the queue is full
		b.fill("b")
		b.wantReadyCount(2)
	}
	b.wantRefused(text("c"))
	b.wantNoDead()
}

// A quorum queue does not know reject-publish-dlx: it drops the head.
func TestRules_Quorum_RejectPublishDLX(t *testing.T) {
	b := lay(t, amqp091.Table{"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish-dlx"})
	b.fill("a", "b")
	b.wantDead("a maxlen")
	b.wantReady("b")
}

func TestRules_Quorum_TTL(t *testing.T) {
	b := lay(t, amqp091.Table{"x-queue-type": "quorum", "x-message-ttl": 20})
	b.put(text("a"), text("b", ttl(long)))
	b.wantDead("a expired", "b expired")
	b.put(text("c", ttl("1")))
	d := next(t, b.dead)
	wantDeaths(t, d, death{"expired", b.queue, "", []any{b.queue}, 1, "1"})
}

// At-least-once: what its dead-letter exchange cannot route stays.
func TestRules_Quorum_AtLeastOnce(t *testing.T) {
	t.Parallel() // it takes some seconds until the broker tries again
	b := bare(t)
	b.morgue = newMorgue(t, b.ch)
	key := unique("key")
	b.queue = b.named("atleastonce", true, amqp091.Table{"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once",
		"x-overflow": "reject-publish", "x-dead-letter-exchange": "amq.direct", "x-dead-letter-routing-key": key})
	must(t, b.ch.QueueBind(b.name, key, "amq.direct", false, nil))
	b.fill("a", "b")
	must(t, b.take("a").Reject(false))
	b.wantDead("a rejected")
	must(t, b.ch.QueueUnbind(b.name, key, "amq.direct", nil))
	must(t, b.take("b").Reject(false))
	b.pass(20)
	b.wantNoDead()
	must(t, b.ch.QueueBind(b.name, key, "amq.direct", false, nil))
	b.fill("c")
	must(t, b.take("c").Reject(false))
	if rabbit() { // which tries again after three minutes
		b.wantDead("c rejected")
		return
	}
	got := map[string]bool{lastDeath(next(t, b.dead)): true, lastDeath(next(t, b.dead)): true}
	if !got["b rejected"] || !got["c rejected"] {
		t.Errorf("dead: %v", got)
	}
}

func TestRules_Quorum_Order(t *testing.T) {
	b := lay(t, amqp091.Table{"x-queue-type": "quorum"})
	var bodies []string
	for n := range 50 {
		bodies = append(bodies, fmt.Sprint(n))
	}
	b.fill(bodies...)
	_, got := b.consumer(100, false, nil)
	for _, d := range wantGot(t, got, bodies...) {
		must(t, d.Ack(false))
	}
}
