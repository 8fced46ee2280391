package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server/servertest"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// declareDelayed declares a durable exchange that delays, and a durable queue
// that gets all from it.
func declareDelayed(t *testing.T, ch *amqp091.Channel, exchange, queue string) {
	t.Helper()
	must(t, ch.ExchangeDeclare(exchange, "x-delayed-message", true, false, false, false, amqp091.Table{"x-delayed-type": "fanout"}))
	declare(t, ch, queue, nil)
	must(t, ch.QueueBind(queue, "", exchange, false, nil))
}

func delayed(body string, d time.Duration) amqp091.Publishing {
	m := persistent(body)
	m.Headers = amqp091.Table{"x-delay": d.Milliseconds()}
	return m
}

// nextAt waits for a delivery and says when it came.
func nextAt(t *testing.T, deliveries <-chan amqp091.Delivery) (amqp091.Delivery, time.Time) {
	t.Helper()
	select {
	case d, ok := <-deliveries:
		if !ok {
			t.Fatal("the consumer was cancelled")
		}
		return d, time.Now()
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
	}
	return amqp091.Delivery{}, time.Time{}
}

func TestDelayed_InOrderAndNotEarly(t *testing.T) {
	ch := servertest.Start(t).Channel()
	must(t, ch.Confirm(false))
	declareDelayed(t, ch, "later", "q")
	deliveries := consume(t, ch, "q", false)
	start := time.Now()
	confirmed(t, ch, "later", "", delayed("300", 300*time.Millisecond))
	confirmed(t, ch, "later", "", delayed("100", 100*time.Millisecond))
	at := persistent("at")
	at.Headers = amqp091.Table{"x-deliver-at": start.Add(-time.Hour)}
	confirmed(t, ch, "later", "", at)
	confirmed(t, ch, "later", "", persistent("now"))
	for _, want := range []string{"at", "now", "100", "300"} {
		d, came := nextAt(t, deliveries)
		if string(d.Body) != want {
			t.Fatalf("got %s, want %s", d.Body, want)
		}
		must(t, d.Ack(false))
		var ms int64
		if _, err := fmt.Sscan(want, &ms); err == nil {
			if early := start.Add(time.Duration(ms) * time.Millisecond).Sub(came); early > 0 {
				t.Errorf("%s came %v early", want, early)
			}
			if fmt.Sprint(d.Headers["x-delay"]) != fmt.Sprint(-ms) || d.Exchange != "later" || d.Redelivered {
				t.Errorf("%s: headers %v, exchange %s, redelivered %v", want, d.Headers, d.Exchange, d.Redelivered)
			}
		}
	}
}

func TestDelayed_SurvivesRestarts(t *testing.T) {
	acrossRestarts(t, func(t *testing.T, b *servertest.Broker, again func() *amqp091.Channel) {
		ch := b.Channel()
		must(t, ch.Confirm(false))
		declareDelayed(t, ch, "later", "q")
		due := time.Now().Add(1500 * time.Millisecond)
		confirmed(t, ch, "later", "", delayed("b", 1500*time.Millisecond))
		transient := delayed("a", 500*time.Millisecond)
		transient.DeliveryMode = amqp091.Transient
		confirmed(t, ch, "later", "", transient)
		confirmed(t, ch, "later", "", delayed("in ten years", 10*365*24*time.Hour))
		for range 2 {
			ch = again()
		}
		deliveries := consume(t, ch, "q", false)
		for _, want := range []string{"a", "b"} {
			d, came := nextAt(t, deliveries)
			if string(d.Body) != want || !d.Redelivered {
				t.Fatalf("got %s, redelivered %v, want %s", d.Body, d.Redelivered, want)
			}
			if want == "b" && came.Before(due) {
				t.Errorf("b came %v early", due.Sub(came))
			}
			must(t, d.Ack(false))
		}
		must(t, ch.ExchangeDelete("later", false, false))
		wantMessages(t, again(), "q")
	})
}

func TestDelayed_GoesOnToOtherExchanges(t *testing.T) {
	ch := servertest.Start(t).Channel()
	must(t, ch.Confirm(false))
	declareDelayed(t, ch, "later", "q")
	declare(t, ch, "direct", nil)
	must(t, ch.QueueBind("direct", "", "amq.fanout", false, nil))
	must(t, ch.ExchangeBind("later", "", "amq.fanout", false, nil))
	deliveries := consume(t, ch, "q", false)
	confirmed(t, ch, "amq.fanout", "k", delayed("m", 200*time.Millisecond))
	d, ok, err := ch.Get("direct", true)
	if err != nil || !ok || d.Headers["x-delay"] != int64(200) {
		t.Fatalf("at once: %v, %v, %v", d.Headers, ok, err)
	}
	if d, _ := nextAt(t, deliveries); d.RoutingKey != "k" || d.Exchange != "amq.fanout" {
		t.Errorf("later: key %s, exchange %s", d.RoutingKey, d.Exchange)
	}
}

func TestRetry_ComesBackLater(t *testing.T) {
	ch := servertest.Start(t).Channel()
	declare(t, ch, "failed", nil)
	declare(t, ch, "q", amqp091.Table{
		"x-retry-backoff": "exponential", "x-retry-min": 100, "x-retry-max": 1000, "x-retry-limit": 2,
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "failed",
	})
	deliveries, failed := consume(t, ch, "q", false), consume(t, ch, "failed", false)
	must(t, ch.Publish("", "q", false, false, persistent("m")))
	var tries []string
	last := time.Now()
	for n := range 3 {
		d, came := nextAt(t, deliveries)
		tries = append(tries, fmt.Sprintf("%v %v", d.Headers["x-attempts"], d.Redelivered))
		if least := time.Duration(n) * 100 * time.Millisecond; came.Sub(last) < least {
			t.Errorf("attempt %d came after %v, want %v at least", n+1, came.Sub(last), least)
		}
		last = time.Now()
		must(t, d.Nack(false, true))
	}
	if got, want := strings.Join(tries, ", "), "<nil> false, 2 true, 3 true"; got != want {
		t.Errorf("attempts: %s\nwant: %s", got, want)
	}
	d, _ := nextAt(t, failed)
	if d.Headers["x-first-death-reason"] != "delivery_limit" || d.Headers["x-attempts"] != int64(3) {
		t.Errorf("dead letter: %v", d.Headers)
	}
}

// The message says itself how it is to be tried again.
func TestRetry_AsTheMessageSays(t *testing.T) {
	ch := servertest.Start(t).Channel()
	declare(t, ch, "q", amqp091.Table{"x-retry-backoff": "constant", "x-retry-min": int64(time.Hour / time.Millisecond)})
	deliveries := consume(t, ch, "q", false)
	m := persistent("m")
	m.Headers = amqp091.Table{"x-retry-min": int32(50), "x-retry-limit": int32(1)}
	must(t, ch.Publish("", "q", false, false, m))
	d, _ := nextAt(t, deliveries)
	must(t, d.Nack(false, true))
	d, _ = nextAt(t, deliveries)
	must(t, d.Nack(false, true)) // the limit, and there is no dead-letter exchange
	q, err := ch.QueueDeclarePassive("q", true, false, false, false, nil)
	if err != nil || q.Messages != 0 {
		t.Errorf("%d messages, %v", q.Messages, err)
	}
}

func TestRetry_SurvivesRestarts(t *testing.T) {
	acrossRestarts(t, func(t *testing.T, b *servertest.Broker, again func() *amqp091.Channel) {
		ch := b.Channel()
		must(t, ch.Confirm(false))
		declare(t, ch, "q", amqp091.Table{"x-retry-backoff": "constant", "x-retry-min": int32(1500)})
		confirmed(t, ch, "", "q", persistent("m"))
		deliveries := consume(t, ch, "q", false)
		d, _ := nextAt(t, deliveries)
		due := time.Now().Add(1500 * time.Millisecond)
		must(t, d.Nack(false, true))
		confirmed(t, ch, "", "q", persistent("n")) // and what came before is stored
		d, _ = nextAt(t, deliveries)
		must(t, d.Ack(false))
		confirmed(t, ch, "", "nowhere", persistent(""))
		declare(t, ch, "a change of the definitions", nil) // waits for the ack
		ch = again()
		d, came := nextAt(t, consume(t, ch, "q", false))
		if string(d.Body) != "m" || !d.Redelivered || d.Headers["x-attempts"] != int64(2) || came.Before(due) {
			t.Errorf("got %s, redelivered %v, attempts %v, %v early", d.Body, d.Redelivered, d.Headers["x-attempts"], due.Sub(came))
		}
	})
}
