package crashtest

import (
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// drain receives everything that is left, queue by queue, the targets of
// transfers first.
func drain(l *ledger, b *broker) {
	b.t.Helper()
	_, ch := b.connect()
	for i := range flows {
		queues := flows[i].queues
		if flows[i].transfer {
			queues = []string{queues[1], queues[0]}
		}
		for _, q := range queues {
			drainQueue(l, b, ch, q)
		}
	}
}

func drainQueue(l *ledger, b *broker, ch *amqp091.Channel, queue string) {
	b.t.Helper()
	state, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(b.t, err, "look at queue %s", queue)
	must(b.t, ch.Qos(500, 0, false), "qos")
	deliveries, err := ch.Consume(queue, "drain", false, false, false, false, nil)
	must(b.t, err, "consume queue %s", queue)
	o := order{}
	highest := uint8(priorities)
	for n := 1; n <= state.Messages; n++ {
		var d amqp091.Delivery
		var open bool
		select {
		case d, open = <-deliveries:
		case <-time.After(time.Minute):
		}
		if !open {
			b.t.Fatalf("queue %s said that it had %d messages, and delivers %d\n%s", queue, state.Messages, n-1, b.log())
		}
		if m, ok := l.receive(queue, &d, o); ok {
			l.leave(queue, m)
		}
		if !d.Redelivered {
			l.problem("queue %s: %s came through a crash and is not marked as redelivered", queue, d.MessageId)
		}
		if queue == "crash.priority" {
			if d.Priority > highest {
				l.problem("queue %s: %s of priority %d comes after priority %d", queue, d.MessageId, d.Priority, highest)
			}
			highest = d.Priority
		}
		if n%100 == 0 || n == state.Messages {
			must(b.t, d.Ack(true), "ack")
		}
	}
	must(b.t, ch.Cancel("drain", false), "cancel")
	after, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(b.t, err, "look at queue %s", queue)
	if after.Messages != 0 {
		b.t.Errorf("queue %s has %d messages after all %d were acked", queue, after.Messages, state.Messages)
	}
}
