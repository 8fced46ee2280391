package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server/servertest"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// These tests see the broker through a client library that many use. With
// RABBITMQ_URL set they see that broker instead, to keep us honest.

// patience is how long a client waits for what must come at once.
const patience = 10 * time.Second

// dialer opens connections to the broker under test.
type dialer func() *amqp091.Connection

func start(t *testing.T) dialer {
	t.Helper()
	url := os.Getenv("RABBITMQ_URL")
	if url == "" {
		return servertest.Start(t).Dial
	}
	return func() *amqp091.Connection {
		conn, err := amqp091.Dial(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
}

// channel opens a channel on a connection of its own.
func (dial dialer) channel(t *testing.T) *amqp091.Channel {
	t.Helper()
	return channel(t, dial())
}

func channel(t *testing.T, conn *amqp091.Connection) *amqp091.Channel {
	t.Helper()
	ch, err := conn.Channel()
	must(t, err)
	return ch
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exclusive declares a queue of a made-up name that goes with its connection.
func exclusive(t *testing.T, ch *amqp091.Channel, args amqp091.Table) string {
	t.Helper()
	q, err := ch.QueueDeclare("", false, false, true, false, args)
	must(t, err)
	return q.Name
}

func publish(t *testing.T, ch *amqp091.Channel, exchange, key string, m amqp091.Publishing) {
	t.Helper()
	must(t, ch.PublishWithContext(context.Background(), exchange, key, true, false, m))
}

func consume(t *testing.T, ch *amqp091.Channel, queue string, autoAck bool) <-chan amqp091.Delivery {
	t.Helper()
	deliveries, err := ch.Consume(queue, "", autoAck, false, false, false, nil)
	must(t, err)
	return deliveries
}

// next returns what comes next, and fails if nothing does.
func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-from:
		if !ok {
			t.Fatalf("the client closed its %T", from)
		}
		return v
	case <-time.After(patience):
		t.Fatalf("no %T came", *new(T))
	}
	panic("not reached")
}

func TestIntegration_PublishConfirmConsumeAck(t *testing.T) {
	ch := start(t).channel(t)
	queue := exclusive(t, ch, nil)
	must(t, ch.Confirm(false))
	deliveries := consume(t, ch, queue, false)
	for i, size := range []int{0, 1, 4096, 131064, 131065, 1_000_000} {
		body := bytes.Repeat([]byte{byte('a' + i)}, size)
		confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp091.Publishing{
			Body: body, ContentType: "text/plain", Headers: amqp091.Table{"n": int32(i)}, Timestamp: time.Unix(1700000000, 0)})
		must(t, err)
		d := next(t, deliveries)
		if !bytes.Equal(d.Body, body) || d.ContentType != "text/plain" || d.Headers["n"] != int32(i) || d.Timestamp.Unix() != 1700000000 || d.Redelivered {
			t.Errorf("size %d: got %d bytes, %q, %v, %v, redelivered %v", size, len(d.Body), d.ContentType, d.Headers, d.Timestamp, d.Redelivered)
		}
		must(t, d.Ack(false))
		if ok, err := confirm.WaitContext(context.Background()); !ok || err != nil {
			t.Errorf("size %d: confirm %v, %v", size, ok, err)
		}
	}
}

func TestIntegration_ReturnAndNack(t *testing.T) {
	ch := start(t).channel(t)
	queue := exclusive(t, ch, amqp091.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	must(t, ch.Confirm(false))
	returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
	confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, 3))
	publish(t, ch, "amq.direct", "absent", amqp091.Publishing{Body: []byte("m"), MessageId: "1"})
	if r := next(t, returns); r.ReplyCode != 312 || r.ReplyText != "NO_ROUTE" || r.MessageId != "1" || r.RoutingKey != "absent" {
		t.Errorf("returned %+v", r)
	}
	publish(t, ch, "", queue, amqp091.Publishing{Body: []byte("fits")})
	publish(t, ch, "", queue, amqp091.Publishing{Body: []byte("does not")})
	for tag, ack := range []bool{true, true, false} {
		if c := next(t, confirms); c.DeliveryTag != uint64(tag+1) || c.Ack != ack {
			t.Errorf("got %+v, want %d, %v", c, tag+1, ack)
		}
	}
}

func TestIntegration_PrefetchAndRequeue(t *testing.T) {
	dial := start(t)
	ch := dial.channel(t)
	queue := exclusive(t, ch, nil)
	must(t, ch.Qos(2, 0, false))
	for i := range 5 {
		publish(t, ch, "", queue, amqp091.Publishing{Body: []byte(fmt.Sprint(i))})
	}
	deliveries := consume(t, ch, queue, false)
	first, second := next(t, deliveries), next(t, deliveries)
	if q, err := ch.QueueDeclarePassive(queue, false, false, true, false, nil); err != nil || q.Messages != 3 || q.Consumers != 1 {
		t.Errorf("the queue has %+v, %v", q, err)
	}
	must(t, second.Ack(false))
	if d := next(t, deliveries); string(d.Body) != "2" {
		t.Errorf("got %s", d.Body)
	}
	must(t, first.Nack(false, true))
	if d := next(t, deliveries); string(d.Body) != "0" || !d.Redelivered {
		t.Errorf("got %s, redelivered %v", d.Body, d.Redelivered)
	}
}

func TestIntegration_RedeliveredAfterALostConnection(t *testing.T) {
	dial := start(t)
	ch := dial.channel(t)
	queue := fmt.Sprintf("leveret.test.lost.%d", time.Now().UnixNano())
	_, err := ch.QueueDeclare(queue, false, false, false, false, nil)
	must(t, err)
	defer func() { _, _ = ch.QueueDelete(queue, false, false, false) }()
	for i := range 3 {
		publish(t, ch, "", queue, amqp091.Publishing{Body: []byte(fmt.Sprint(i))})
	}
	other := dial()
	deliveries := consume(t, channel(t, other), queue, false)
	for range 3 {
		next(t, deliveries)
	}
	must(t, other.Close())
	again := consume(t, ch, queue, true)
	for i := range 3 {
		if d := next(t, again); string(d.Body) != fmt.Sprint(i) || !d.Redelivered {
			t.Errorf("got %s, redelivered %v", d.Body, d.Redelivered)
		}
	}
}

func TestIntegration_TopicToManyQueues(t *testing.T) {
	ch := start(t).channel(t)
	var all []<-chan amqp091.Delivery
	for _, key := range []string{"#", "stock.*", "stock.#", "*.nyse.*", "bond.*"} {
		queue := exclusive(t, ch, nil)
		must(t, ch.QueueBind(queue, key, "amq.topic", false, nil))
		all = append(all, consume(t, ch, queue, true))
	}
	for _, key := range []string{"stock.nyse.ibm", "stock.ibm", "end"} {
		must(t, ch.PublishWithContext(context.Background(), "amq.topic", key, false, false, amqp091.Publishing{Body: []byte(key)}))
	}
	for i, want := range [][]string{{"stock.nyse.ibm", "stock.ibm", "end"}, {"stock.ibm"}, {"stock.nyse.ibm", "stock.ibm"}, {"stock.nyse.ibm"}, nil} {
		for _, key := range want {
			if d := next(t, all[i]); string(d.Body) != key {
				t.Errorf("queue %d: got %s, want %s", i, d.Body, key)
			}
		}
	}
}

func TestIntegration_DeadLetter(t *testing.T) {
	ch := start(t).channel(t)
	dead := exclusive(t, ch, nil)
	queue := exclusive(t, ch, amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-message-ttl": 20})
	publish(t, ch, "", queue, amqp091.Publishing{Body: []byte("m")})
	d := next(t, consume(t, ch, dead, true))
	deaths, _ := d.Headers["x-death"].([]any)
	if len(deaths) != 1 || string(d.Body) != "m" {
		t.Fatalf("got %s with %v", d.Body, d.Headers)
	}
	if death := deaths[0].(amqp091.Table); death["queue"] != queue || death["reason"] != "expired" || death["count"] != int64(1) {
		t.Errorf("x-death is %v", death)
	}
}

func TestIntegration_Transaction(t *testing.T) {
	dial := start(t)
	conn := dial()
	ch, look := channel(t, conn), channel(t, conn)
	queue := exclusive(t, ch, nil)
	must(t, ch.Tx())
	count := func(want int) {
		t.Helper()
		if q, err := look.QueueDeclarePassive(queue, false, false, true, false, nil); err != nil || q.Messages != want {
			t.Errorf("the queue has %d messages, %v, want %d", q.Messages, err, want)
		}
	}
	publish(t, ch, "", queue, amqp091.Publishing{Body: []byte("never")})
	must(t, ch.TxRollback())
	publish(t, ch, "", queue, amqp091.Publishing{Body: []byte("m")})
	count(0)
	must(t, ch.TxCommit())
	count(1)
	d, ok, err := ch.Get(queue, false)
	if !ok || err != nil || string(d.Body) != "m" {
		t.Fatalf("got %s, %v, %v", d.Body, ok, err)
	}
	must(t, d.Ack(false))
	must(t, ch.TxCommit())
	count(0)
}

func TestIntegration_DirectReplyTo(t *testing.T) {
	dial := start(t)
	worker, asker := dial.channel(t), dial.channel(t)
	queue := exclusive(t, worker, nil)
	requests := consume(t, worker, queue, true)
	go func() {
		for d := range requests {
			_ = worker.PublishWithContext(context.Background(), "", d.ReplyTo, false, false,
				amqp091.Publishing{CorrelationId: d.CorrelationId, Body: append([]byte("re: "), d.Body...)})
		}
	}()
	replies := consume(t, asker, "amq.rabbitmq.reply-to", true)
	for i := range 20 {
		id := fmt.Sprint(i)
		publish(t, asker, "", queue, amqp091.Publishing{ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: id, Body: []byte(id)})
		if d := next(t, replies); d.CorrelationId != id || string(d.Body) != "re: "+id {
			t.Errorf("asked %s, got %s, %s", id, d.CorrelationId, d.Body)
		}
	}
}

func TestIntegration_ChannelErrorsLeaveTheConnection(t *testing.T) {
	conn := start(t)()
	broken, other := channel(t, conn), channel(t, conn)
	_, err := broken.QueueDeclarePassive("leveret.test.absent", false, false, false, false, nil)
	var e *amqp091.Error
	if !errors.As(err, &e) || e.Code != 404 || e.Reason != "NOT_FOUND - no queue 'leveret.test.absent' in vhost '/'" || !e.Server {
		t.Errorf("got %v", err)
	}
	exclusive(t, other, nil)
	exclusive(t, channel(t, conn), nil)
}

func TestIntegration_CancelNotify(t *testing.T) {
	dial := start(t)
	conn := dial()
	ch, other := channel(t, conn), channel(t, conn)
	queue := exclusive(t, ch, nil)
	cancels := ch.NotifyCancel(make(chan string, 1))
	_, err := ch.Consume(queue, "tag", true, false, false, false, nil)
	must(t, err)
	_, err = other.QueueDelete(queue, false, false, false)
	must(t, err)
	if tag := next(t, cancels); tag != "tag" {
		t.Errorf("cancelled %q", tag)
	}
}

// Several publishers and consumers on several queues: each message arrives once,
// and those of one publisher in order.
func TestIntegration_ManyAtOnce(t *testing.T) {
	const publishers, queues, each = 4, 3, 500
	dial := start(t)
	owner := dial.channel(t)
	var names []string
	for range queues {
		names = append(names, exclusive(t, owner, nil))
	}
	var all sync.WaitGroup
	for p := range publishers {
		ch := dial.channel(t)
		must(t, ch.Confirm(false))
		all.Go(func() {
			for i := range each {
				publish(t, ch, "", names[i%queues], amqp091.Publishing{AppId: fmt.Sprint(p), Timestamp: time.Unix(int64(i+1), 0)})
			}
		})
	}
	for n, name := range names {
		deliveries := consume(t, owner, name, false)
		all.Go(func() {
			last := map[string]int64{}
			for range publishers * ((each + queues - 1 - n) / queues) {
				d := next(t, deliveries)
				if at := d.Timestamp.Unix(); at <= last[d.AppId] || d.Redelivered {
					t.Errorf("%d of publisher %s after %d, redelivered %v", at, d.AppId, last[d.AppId], d.Redelivered)
				} else {
					last[d.AppId] = at
				}
				if err := d.Ack(false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, name := range names {
		if n, err := owner.QueuePurge(name, false); err != nil || n != 0 {
			t.Errorf("%d messages are left, %v", n, err)
		}
	}
}
