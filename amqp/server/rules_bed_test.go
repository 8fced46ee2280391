package server_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// The rules of testdata/queue over the wire, through a client that many use.
// With RABBITMQ_URL set they are asked of that broker, where it has the rule.
// What must not happen is shown by what comes first instead, or by a look at the
// queue: nothing here depends on how fast a broker is.

// rabbit reports whether the broker under test is RabbitMQ 3.10.
func rabbit() bool { return os.Getenv("RABBITMQ_URL") != "" }

// ours ends a test there that RabbitMQ 3.10 cannot pass, and says why.
func ours(t *testing.T, why string) {
	t.Helper()
	if rabbit() {
		t.Skip(why)
	}
}

// bed is a queue under test on a channel in confirm mode, with a consumer at the
// queue of its dead letters.
type bed struct {
	t     *testing.T
	dial  dialer
	conn  *amqp091.Connection
	ch    *amqp091.Channel
	queue string
	morgue
}

// lay declares the queue, a classic one that goes with its connection; its dead
// letters come by the default exchange.
func lay(t *testing.T, args amqp091.Table) *bed {
	t.Helper()
	b := bare(t)
	b.morgue = newMorgue(t, b.ch)
	with := amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": b.name}
	for name, value := range args {
		with[name] = value
	}
	if with["x-queue-type"] != "quorum" {
		b.queue = exclusive(t, b.ch, with)
		return b
	}
	b.queue = b.named("quorum", true, with)
	return b
}

// rule is one of a queue with these arguments, and how it shows.
type rule struct {
	args amqp091.Table
	play func(b *bed)
}

// play shows rules, each on a bed of its own.
func play(t *testing.T, rules map[string]rule) {
	t.Helper()
	for name, r := range rules {
		t.Run(name, func(t *testing.T) { r.play(lay(t, r.args)) })
	}
}

// bare is a bed without a queue.
func bare(t *testing.T) *bed {
	t.Helper()
	dial := start(t)
	conn := dial()
	b := &bed{t: t, dial: dial, conn: conn, ch: channel(t, conn)}
	must(t, b.ch.Confirm(false))
	return b
}

// unique makes up a name that the broker of the test has not.
func unique(word string) string {
	return fmt.Sprintf("leveret.test.%s.%d", word, time.Now().UnixNano())
}

// named declares a queue that is deleted when the test ends.
func (b *bed) named(word string, durable bool, args amqp091.Table) string {
	b.t.Helper()
	name := unique(word)
	_, err := b.ch.QueueDeclare(name, durable, false, false, false, args)
	must(b.t, err)
	b.tidy(name)
	return name
}

// tidy deletes a queue when the test ends, if there is one.
func (b *bed) tidy(name string) {
	b.t.Cleanup(func() {
		if ch, err := b.dial().Channel(); err == nil {
			_, _ = ch.QueueDelete(name, false, false, false)
		}
	})
}

// exchange declares one that is deleted when the test ends.
func (b *bed) exchange(kind string, args amqp091.Table) (name string) {
	b.t.Helper()
	name = unique(kind)
	must(b.t, b.ch.ExchangeDeclare(name, kind, false, false, false, false, args))
	b.t.Cleanup(func() {
		if ch, err := b.dial().Channel(); err == nil {
			_ = ch.ExchangeDelete(name, false, false)
		}
	})
	return name
}

// morgue is a queue for dead letters and its consumer.
type morgue struct {
	name string
	dead <-chan amqp091.Delivery
}

func newMorgue(t *testing.T, ch *amqp091.Channel) morgue {
	t.Helper()
	name := exclusive(t, ch, nil)
	return morgue{name, consume(t, ch, name, true)}
}

// text makes a message, with properties as the test wants them.
func text(body string, with ...func(m *amqp091.Publishing)) amqp091.Publishing {
	m := amqp091.Publishing{Body: []byte(body)}
	for _, set := range with {
		set(&m)
	}
	return m
}

func ttl(ms string) func(m *amqp091.Publishing) {
	return func(m *amqp091.Publishing) { m.Expiration = ms }
}

func priority(n uint8) func(m *amqp091.Publishing) {
	return func(m *amqp091.Publishing) { m.Priority = n }
}

func headers(h amqp091.Table) func(m *amqp091.Publishing) {
	return func(m *amqp091.Publishing) { m.Headers = h }
}

// send publishes and returns whether the broker took the message.
func (b *bed) send(exchange, key string, m amqp091.Publishing) bool {
	b.t.Helper()
	confirm, err := b.ch.PublishWithDeferredConfirm(exchange, key, false, false, m)
	must(b.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ok, err := confirm.WaitContext(ctx)
	must(b.t, err)
	return ok
}

// put gives the queue messages, which it must take.
func (b *bed) put(messages ...amqp091.Publishing) {
	b.t.Helper()
	for _, m := range messages {
		if !b.send("", b.queue, m) {
			b.t.Fatalf("%s is refused", m.Body)
		}
	}
}

// fill is put for messages without properties.
func (b *bed) fill(bodies ...string) {
	b.t.Helper()
	for _, body := range bodies {
		b.put(text(body))
	}
}

// wantRefused gives the queue a message that it must not take.
func (b *bed) wantRefused(m amqp091.Publishing) {
	b.t.Helper()
	if b.send("", b.queue, m) {
		b.t.Errorf("%s is taken", m.Body)
	}
}

// take gets the next message, to be settled.
func (b *bed) take(body string) amqp091.Delivery {
	b.t.Helper()
	d, ok, err := b.ch.Get(b.queue, false)
	if err != nil || !ok || string(d.Body) != body {
		b.t.Fatalf("got %q, %v, %v, want %q", d.Body, ok, err, body)
	}
	return d
}

// wantReady takes all that the queue has.
func (b *bed) wantReady(bodies ...string) {
	b.t.Helper()
	if got := drain(b.t, b.ch, b.queue); fmt.Sprint(got) != fmt.Sprint(bodies) {
		b.t.Errorf("the queue had %v, want %v", got, bodies)
	}
}

// drain takes all that a queue has.
func drain(t *testing.T, ch *amqp091.Channel, queue string) (bodies []string) {
	t.Helper()
	for {
		d, ok, err := ch.Get(queue, true)
		must(t, err)
		if !ok {
			return bodies
		}
		bodies = append(bodies, string(d.Body))
	}
}

// wantReadyCount looks how many messages are ready. RabbitMQ answers before it has
// done what was sent before, if that asks for no answer.
func (b *bed) wantReadyCount(want int) {
	b.t.Helper()
	if rabbit() {
		until(b.t, fmt.Sprint(want, " are ready"), func() bool { return b.readyCount() == want })
	} else if got := b.readyCount(); got != want {
		b.t.Errorf("%d are ready, want %d", got, want)
	}
}

func (b *bed) readyCount() int {
	b.t.Helper()
	q, err := b.ch.QueueDeclarePassive(b.queue, false, false, false, false, nil)
	must(b.t, err)
	return q.Messages
}

// lastDeath is a body and the reason of the latest death of a message.
func lastDeath(d amqp091.Delivery) string {
	deaths, _ := d.Headers["x-death"].([]any)
	if len(deaths) == 0 {
		return string(d.Body) + " without a death"
	}
	last, _ := deaths[0].(amqp091.Table)
	return fmt.Sprintf("%s %v", d.Body, last["reason"])
}

// wantDead waits for dead letters: each a body and a reason. They come in this
// order.
func (b *bed) wantDead(letters ...string) {
	b.t.Helper()
	for _, want := range letters {
		if got := lastDeath(next(b.t, b.dead)); got != want {
			b.t.Fatalf("dead: %s, want %s", got, want)
		}
	}
}

// wantNoDead shows that none waits to be seen.
func (b *bed) wantNoDead() {
	b.t.Helper()
	b.send("", b.name, text("probe"))
	if d := next(b.t, b.dead); string(d.Body) != "probe" {
		b.t.Errorf("dead: %s", lastDeath(d))
	}
}

// pass waits until the broker says that so many milliseconds are over: those of
// a message that dies then.
func (b *bed) pass(ms int) {
	b.t.Helper()
	ch := channel(b.t, b.conn)
	defer ch.Close()
	end := newMorgue(b.t, ch)
	clock := exclusive(b.t, ch, amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": end.name})
	publish(b.t, ch, "", clock, text("over", ttl(fmt.Sprint(ms))))
	next(b.t, end.dead)
	_, err := ch.QueueDelete(clock, false, false, false)
	must(b.t, err)
}

// exists reports whether there is a queue, without using it: a message to it
// comes back if there is none.
func (b *bed) exists(queue string) bool {
	b.t.Helper()
	ch := channel(b.t, b.conn)
	defer ch.Close()
	must(b.t, ch.Confirm(false))
	returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
	confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, text("are you there?"))
	must(b.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err = confirm.WaitContext(ctx) // a queue that goes at this moment may refuse it
	must(b.t, err)
	select { // a return comes before the confirm
	case <-returns:
		return false
	default:
		return true
	}
}

// until asks again and again, for as long as a client is patient.
func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !reached(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// wantGot wants a consumer to have these next, and returns them.
func wantGot(t *testing.T, from <-chan amqp091.Delivery, bodies ...string) (got []amqp091.Delivery) {
	t.Helper()
	for _, want := range bodies {
		d := next(t, from)
		if string(d.Body) != want {
			t.Fatalf("got %s, want %s", d.Body, want)
		}
		got = append(got, d)
	}
	return got
}

// consumer starts a consumer on a channel of its own, with a prefetch.
func (b *bed) consumer(prefetch int, exclusive bool, args amqp091.Table) (*amqp091.Channel, <-chan amqp091.Delivery) {
	b.t.Helper()
	ch := channel(b.t, b.conn)
	must(b.t, ch.Qos(prefetch, 0, false))
	deliveries, err := ch.Consume(b.queue, "", false, exclusive, false, false, args)
	must(b.t, err)
	return ch, deliveries
}

// wantError wants what a client was refused for, in the broker's words.
func wantError(t *testing.T, err error, code int, reason string) {
	t.Helper()
	var e *amqp091.Error
	if !errors.As(err, &e) || e.Code != code || e.Reason != reason || !e.Server {
		t.Errorf("got %v\nwant %d %q", err, code, reason)
	}
}

// wantClosed wants the broker to close a channel or a connection.
func wantClosed(t *testing.T, closed <-chan *amqp091.Error, code int, reason string) {
	t.Helper()
	wantError(t, next(t, closed), code, reason)
}

// closing watches a channel.
func closing(ch *amqp091.Channel) <-chan *amqp091.Error {
	return ch.NotifyClose(make(chan *amqp091.Error, 1))
}

// spelled is a string of so many bytes.
func spelled(n int) string { return strings.Repeat("x", n) }
