package crashtest

import (
	"encoding/binary"
	"path/filepath"
	"slices"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

const (
	delayedRate     = 10_000 // messages due a second
	delayedExchange = "later"
	delayedQueue    = "due"
	delayedBody     = 256
)

// delayedRun is many messages that are due one after the other, published in
// another order.
type delayedRun struct {
	t    *testing.T
	n    int
	due  []time.Time // by number, as of the moment in which it was published
	seen []int       // how often each came
	late []time.Duration
	old  int // due before it could be delivered, as while the broker was down
}

func declareDelayed(t *testing.T, ch *amqp091.Channel) {
	t.Helper()
	must(t, ch.ExchangeDeclare(delayedExchange, "x-delayed-message", true, false, false, false, amqp091.Table{"x-delayed-type": "fanout"}), "declare")
	_, err := ch.QueueDeclare(delayedQueue, true, false, false, false, nil)
	must(t, err, "declare")
	must(t, ch.QueueBind(delayedQueue, "", delayedExchange, false, nil), "bind")
}

// publish publishes all with confirms, in a random order. Only a few are under
// way at a time, so that the broker has each right after its moment.
func (r *delayedRun) publish(b *broker, first time.Time) {
	conn, ch := b.connect()
	defer conn.Close()
	must(r.t, ch.Confirm(false), "confirm")
	const window = 100
	confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, window))
	open := 0
	confirm := func() {
		select {
		case c := <-confirms:
			if !c.Ack {
				r.t.Fatal("a message was refused")
			}
			open--
		case <-time.After(time.Minute):
			r.t.Fatalf("no confirm within a minute:\n%s", b.log())
		}
	}
	for _, i := range random(r.t).Perm(r.n) {
		if open == window {
			confirm()
		}
		now := time.Now()
		delay := max(first.Add(time.Duration(i)*time.Second/delayedRate).Sub(now).Milliseconds(), 0)
		r.due[i] = now.Add(time.Duration(delay) * time.Millisecond)
		body := binary.BigEndian.AppendUint64(make([]byte, 0, delayedBody), uint64(i))
		must(r.t, ch.Publish(delayedExchange, "", false, false, amqp091.Publishing{
			DeliveryMode: amqp091.Persistent, Body: body[:delayedBody], Headers: amqp091.Table{"x-delay": delay},
		}), "publish")
		open++
	}
	for open > 0 {
		confirm()
	}
}

// take takes deliveries until so many different messages have come. Those that
// were due before from do not count for the lateness.
func (r *delayedRun) take(b *broker, until int, from time.Time) {
	conn, ch := b.connect()
	defer conn.Close()
	must(r.t, ch.Qos(2000, 0, false), "qos")
	deliveries, err := ch.Consume(delayedQueue, "", false, false, false, false, nil)
	must(r.t, err, "consume")
	seen := 0
	for _, times := range r.seen {
		seen += min(times, 1)
	}
	for count := 1; seen < until; count++ {
		var d amqp091.Delivery
		select {
		case d = <-deliveries:
		case <-time.After(time.Minute):
		}
		now := time.Now()
		if len(d.Body) != delayedBody {
			r.t.Fatalf("nothing came within a minute, after %d messages:\n%s", seen, b.log())
		}
		i := int(binary.BigEndian.Uint64(d.Body))
		if now.Before(r.due[i]) {
			r.t.Fatalf("message %d came %v early", i, r.due[i].Sub(now))
		}
		if r.seen[i]++; r.seen[i] == 1 {
			seen++
		} else if !d.Redelivered {
			r.t.Fatalf("message %d came again and is not marked as redelivered", i)
		}
		if r.due[i].Before(from) {
			r.old++
		} else {
			r.late = append(r.late, now.Sub(r.due[i]))
		}
		if count%200 == 0 || seen == until {
			must(r.t, d.Ack(true), "ack")
		}
	}
	must(r.t, ch.Qos(2000, 0, false), "qos") // the acks are there
}

// report logs how late messages were, and fails if it was too late.
func (r *delayedRun) report(what string) {
	if len(r.late) == 0 {
		r.late = append(r.late, 0)
	}
	slices.Sort(r.late)
	at := func(share float64) time.Duration {
		return r.late[int(share*float64(len(r.late)-1))].Round(10 * time.Microsecond)
	}
	r.t.Logf("%s: %d messages delivered after they were due by %v (median), %v (p99), %v at most; %d were overdue",
		what, len(r.late), at(0.5), at(0.99), at(1), r.old)
	r.late, r.old = nil, 0
}

// A million messages that are due over 100 s are delivered when they are due, none
// early, and none is lost when the broker is killed half-way.
func TestDelayed(t *testing.T) {
	n := number(t, "LEVERET_TEST_DELAYED", 10_000, 1_000_000)
	for _, kill := range []bool{false, true} {
		name := "quiet"
		if kill {
			name = "killed"
		}
		t.Run(name, func(t *testing.T) { testDelayed(t, n, kill) })
	}
}

func testDelayed(t *testing.T, n int, kill bool) {
	dir := filepath.Join(roomyDir(t), "data")
	b := start(t, dir)
	_, ch := b.connect()
	declareDelayed(t, ch)
	m := newMeter(t)
	m.watch(b.cmd.Process.Pid)
	idle := m.peak()
	r := &delayedRun{t: t, n: n, due: make([]time.Time, n), seen: make([]int, n)}
	began := time.Now()
	r.publish(b, began.Add(time.Second+time.Duration(n)*time.Second/15_000))
	t.Logf("%d messages wait, published in %.1f s; anonymous memory %d MiB, at most %d MiB, %d MiB before; %d MiB on disk",
		n, time.Since(began).Seconds(), anonymous(b.cmd.Process.Pid)>>20, m.peak()>>20, idle>>20, diskUse(dir)>>20)
	if !kill {
		r.take(b, n, time.Time{})
		r.report("delayed")
	} else {
		r.take(b, n/2, time.Time{})
		r.report("before the kill")
		b.kill()
		b = start(t, dir)
		m.watch(b.cmd.Process.Pid)
		r.take(b, n, time.Now().Add(2*time.Second))
		r.report("after the kill")
		t.Logf("ready %v after the start; anonymous memory at most %d MiB", b.tookReady.Round(time.Millisecond), m.peak()>>20)
	}
	for i, times := range r.seen {
		if times == 0 {
			t.Fatalf("message %d is lost", i)
		}
	}
	t.Logf("anonymous memory at most %d MiB", m.peak()>>20)
	b.stop()
	checkStore(t, dir)
}
