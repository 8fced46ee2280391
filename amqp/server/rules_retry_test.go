package server_test

import (
	"fmt"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// What RabbitMQ 3.10 has not: messages that come back later, and consumers that
// are too slow for their queue alone.

func TestRules_Retry(t *testing.T) {
	ours(t, noRetry)
	for name, rule := range map[string]struct {
		args   amqp091.Table
		back   func(d amqp091.Delivery) error
		rounds int
	}{
		"constant": {amqp091.Table{"x-retry-backoff": "constant", "x-retry-min": 5, "x-retry-limit": 3}, nacked, 3},
		"linear":   {amqp091.Table{"x-retry-backoff": "linear", "x-retry-min": 5, "x-retry-max": 8, "x-retry-limit": 3}, rejected, 3},
		"exponential": {amqp091.Table{"x-retry-backoff": "exponential", "x-retry-min": 2, "x-retry-max": 100, "x-retry-limit": 4,
			"x-retry-jitter": 50}, nacked, 4},
		"no second try":         {amqp091.Table{"x-retry-backoff": "constant", "x-retry-min": 5, "x-retry-limit": 0}, rejected, 0},
		"limited by deliveries": {amqp091.Table{"x-retry-backoff": "constant", "x-retry-min": 5, "x-delivery-limit": 2}, nacked, 2},
		"quorum":                {amqp091.Table{"x-queue-type": "quorum", "x-retry-backoff": "constant", "x-retry-min": 5, "x-retry-limit": 1}, nacked, 1},
		"as RabbitMQ 4.3": {amqp091.Table{"x-queue-type": "quorum", "x-delayed-retry-type": "all", "x-delayed-retry-min": 5,
			"x-delivery-limit": 2}, rejected, 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := lay(t, rule.args)
			_, got := b.consumer(10, false, nil)
			b.fill("a")
			for n := range rule.rounds + 1 {
				d := wantGot(t, got, "a")[0]
				attempts, ok := d.Headers["x-attempts"]
				if d.Redelivered != (n > 0) || ok != (n > 0) || ok && attempts != int64(n+1) {
					t.Errorf("attempt %d: redelivered %v, x-attempts %v", n+1, d.Redelivered, attempts)
				}
				must(t, rule.back(d))
			}
			b.wantDead("a delivery_limit")
		})
	}
}

func nacked(d amqp091.Delivery) error   { return d.Nack(false, true) }
func rejected(d amqp091.Delivery) error { return d.Reject(true) }

// While a message waits for its next try the others are served, and it is no
// ready one.
func TestRules_Retry_OthersGoOn(t *testing.T) {
	ours(t, noRetry)
	b := lay(t, amqp091.Table{"x-retry-backoff": "constant", "x-retry-min": 3600000})
	_, got := b.consumer(1, false, nil)
	b.fill("a", "b", "c")
	must(t, wantGot(t, got, "a")[0].Nack(false, true))
	b1 := wantGot(t, got, "b")[0]
	b.wantReadyCount(1)
	must(t, b1.Ack(false))
	must(t, wantGot(t, got, "c")[0].Ack(false))
	b.wantReadyCount(0)
	b.wantNoDead()
}

// A consumer that is lost is a failed attempt.
func TestRules_Retry_LostConsumer(t *testing.T) {
	ours(t, noRetry)
	b := lay(t, amqp091.Table{"x-retry-backoff": "constant", "x-retry-min": 5, "x-retry-limit": 1})
	b.fill("a")
	for n := range 2 {
		ch, got := b.consumer(1, false, nil)
		if d := wantGot(t, got, "a")[0]; n > 0 && d.Headers["x-attempts"] != int64(2) {
			t.Errorf("x-attempts is %v", d.Headers["x-attempts"])
		}
		must(t, ch.Close())
	}
	b.wantDead("a delivery_limit")
}

// Too slow a consumer loses its messages, and is told that it is one no longer.
func TestRules_ConsumerTimeout(t *testing.T) {
	ours(t, "3.10 has one timeout for all queues, and closes the channel")
	for _, kind := range []string{classic, quorum} {
		t.Run(kind, func(t *testing.T) {
			b := lay(t, amqp091.Table{"x-queue-type": kind, "x-consumer-timeout": 50})
			ch := channel(t, b.conn)
			cancels := ch.NotifyCancel(make(chan string, 1))
			b.fill("a", "b")
			slow, err := ch.Consume(b.queue, "slow", false, false, false, false, nil)
			must(t, err)
			late := wantGot(t, slow, "a", "b")
			if tag := next(t, cancels); tag != "slow" {
				t.Errorf("cancelled %s", tag)
			}
			_, quick := b.consumer(0, false, amqp091.Table{"x-consumer-timeout": 0})
			for _, d := range wantGot(t, quick, "a", "b") {
				if !d.Redelivered {
					t.Errorf("%s is not marked as redelivered", d.Body)
				}
			}
			must(t, late[0].Ack(false)) // is forgiven
			_, err = ch.QueueDeclarePassive(b.queue, true, false, false, false, nil)
			must(t, err)
		})
	}
}

// Times that a client asks for its own consumer.
func TestRules_ConsumerTimeout_Refused(t *testing.T) {
	ours(t, "3.10 does not know it")
	b := lay(t, nil)
	for _, v := range wrong(negative, noNumber, tooLong) {
		_, err := channel(t, b.conn).Consume(b.queue, "", false, false, false, false, amqp091.Table{"x-consumer-timeout": v.value})
		wantError(t, err, 406, fmt.Sprintf("PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue '%s' in vhost '/': %s", b.queue, v.term))
	}
}
