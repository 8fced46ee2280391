package server_test

import (
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

func TestRules_Priority(t *testing.T) { play(t, priorityRules) }

var priorityRules = map[string]rule{
	"higher first, in order within a level": {amqp091.Table{"x-max-priority": 10}, func(b *bed) {
		b.put(text("a"), text("b", priority(5)), text("c", priority(10)), text("d", priority(5)), text("e"))
		b.wantReady("c", "b", "d", "a", "e")
	}},
	"to a consumer too": {amqp091.Table{"x-max-priority": 2}, func(b *bed) {
		b.put(text("a"), text("b", priority(1)), text("c", priority(2)))
		_, got := b.consumer(0, false, nil)
		wantGot(b.t, got, "c", "b", "a")
	}},
	"above the maximum is the maximum": {amqp091.Table{"x-max-priority": 3}, func(b *bed) {
		b.put(text("a", priority(3)), text("b", priority(200)), text("c", priority(4)), text("d", priority(2)))
		b.wantReady("a", "b", "c", "d")
	}},
	"255 levels": {amqp091.Table{"x-max-priority": 255}, func(b *bed) {
		b.put(text("a"), text("b", priority(63)), text("c", priority(64)), text("d", priority(128)), text("e", priority(255)))
		b.wantReady("e", "d", "c", "b", "a")
	}},
	"one level": {amqp091.Table{"x-max-priority": 1}, func(b *bed) {
		b.put(text("a"), text("b", priority(1)), text("c", priority(9)))
		b.wantReady("b", "c", "a")
	}},
	"a maximum of 0": {amqp091.Table{"x-max-priority": 0}, func(b *bed) {
		b.put(text("a"), text("b", priority(9)))
		b.wantReady("a", "b")
	}},
	"without x-max-priority it means nothing": {nil, func(b *bed) {
		b.put(text("a"), text("b", priority(9)), text("c", priority(255)))
		b.wantReady("a", "b", "c")
	}},
	"back to the place in its level": {amqp091.Table{"x-max-priority": 5}, func(b *bed) {
		b.put(text("a", priority(1)), text("b", priority(5)), text("c", priority(1)))
		high := b.take("b")
		low := b.take("a")
		b.put(text("d", priority(5)), text("e", priority(1)))
		must(b.t, low.Nack(false, true))
		must(b.t, high.Reject(true))
		b.wantReady("b", "d", "a", "c", "e")
	}},
	"a lower one dies when no higher one is before it": {amqp091.Table{"x-max-priority": 5}, func(b *bed) {
		b.put(text("a", priority(5)), text("b", ttl("1")))
		b.pass(20)
		b.wantReadyCount(2)
		b.wantNoDead()
		b.take("a")
		b.wantDead("b expired")
	}},
	"the queue's TTL, on every level": {amqp091.Table{"x-max-priority": 5, "x-message-ttl": 20}, func(b *bed) {
		b.put(text("a"), text("b", priority(5)))
		dead := map[string]bool{lastDeath(next(b.t, b.dead)): true, lastDeath(next(b.t, b.dead)): true}
		if !dead["a expired"] || !dead["b expired"] {
			b.t.Errorf("dead: %v", dead)
		}
	}},
	"drop-head takes the head, the highest": {amqp091.Table{"x-max-priority": 5, "x-max-length": 2}, func(b *bed) {
		b.put(text("a", priority(5)), text("b"), text("c"))
		b.wantDead("a maxlen")
		b.wantReady("b", "c")
	}},
	"dead letters keep it": {amqp091.Table{"x-max-priority": 5}, func(b *bed) {
		b.put(text("a", priority(200)))
		must(b.t, b.take("a").Reject(false))
		if d := next(b.t, b.dead); d.Priority != 200 {
			b.t.Errorf("priority %d", d.Priority)
		}
	}},
}

// Quorum queues have 32 levels without asking, as in RabbitMQ 4.3; one of 3.10
// knows no priorities.
func TestRules_PriorityOnQuorum(t *testing.T) {
	ours(t, "a quorum queue of 3.10 has no priorities")
	b := lay(t, amqp091.Table{"x-queue-type": "quorum"})
	b.put(text("a"), text("b", priority(31)), text("c", priority(1)), text("d", priority(200)), text("e", priority(31)))
	b.wantReady("b", "d", "e", "c", "a")
}
