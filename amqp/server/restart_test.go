package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server/servertest"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// ends are the two ways in which a broker ends and starts again.
var ends = map[string]func(b *servertest.Broker){
	"restart": (*servertest.Broker).Restart,
	"kill":    (*servertest.Broker).Kill,
}

// acrossRestarts runs a test for each of them. again is the end and the start; it
// returns a channel.
func acrossRestarts(t *testing.T, test func(t *testing.T, b *servertest.Broker, again func() *amqp091.Channel)) {
	t.Helper()
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			b := servertest.Start(t)
			test(t, b, func() *amqp091.Channel {
				end(b)
				return b.Channel()
			})
		})
	}
}

// declare declares a durable queue.
func declare(t *testing.T, ch *amqp091.Channel, name string, args amqp091.Table) {
	t.Helper()
	_, err := ch.QueueDeclare(name, true, false, false, false, args)
	must(t, err)
}

// confirmed publishes, in confirm mode, and waits.
func confirmed(t *testing.T, ch *amqp091.Channel, exchange, key string, m amqp091.Publishing) {
	t.Helper()
	confirm, err := ch.PublishWithDeferredConfirm(exchange, key, false, false, m)
	must(t, err)
	if ok, err := confirm.WaitContext(context.Background()); !ok || err != nil {
		t.Fatalf("confirm of %s: %v, %v", m.Body, ok, err)
	}
}

// persistent makes a persistent message.
func persistent(body string) amqp091.Publishing {
	return amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: []byte(body)}
}

// wantMessages takes all messages of a queue, which must have come back.
func wantMessages(t *testing.T, ch *amqp091.Channel, queue string, bodies ...string) {
	t.Helper()
	for i, body := range bodies {
		d, ok, err := ch.Get(queue, true)
		if err != nil || !ok || string(d.Body) != body || !d.Redelivered {
			t.Fatalf("%s, message %d: got %q, redelivered %v, %v, %v; want %q", queue, i, d.Body, d.Redelivered, ok, err, body)
		}
	}
	if d, ok, err := ch.Get(queue, true); ok || err != nil {
		t.Errorf("%s has %q after the last, %v", queue, d.Body, err)
	}
}

// has reports whether a queue or exchange exists.
func has(t *testing.T, b *servertest.Broker, declarePassively func(ch *amqp091.Channel) error) bool {
	t.Helper()
	ch := b.Channel()
	defer ch.Close()
	return declarePassively(ch) == nil
}

func hasQueue(t *testing.T, b *servertest.Broker, name string) bool {
	return has(t, b, func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclarePassive(name, false, false, false, false, nil)
		return err
	})
}

func hasExchange(t *testing.T, b *servertest.Broker, name string) bool {
	return has(t, b, func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclarePassive(name, "", false, false, false, false, nil)
	})
}

func TestRestart_TopologyComesBack(t *testing.T) {
	acrossRestarts(t, func(t *testing.T, b *servertest.Broker, again func() *amqp091.Channel) {
		ch := b.Channel()
		args := amqp091.Table{"x-max-priority": int32(3), "x-max-length": int64(100), "x-mine": []any{int16(1), "a"}}
		declare(t, ch, "q", args)
		must(t, ch.ExchangeDeclare("x", "headers", true, false, false, false, amqp091.Table{"alternate-exchange": "amq.fanout"}))
		must(t, ch.ExchangeDeclare("inside", "topic", true, false, true, false, nil))
		must(t, ch.QueueBind("q", "a.#", "inside", false, nil))
		must(t, ch.ExchangeBind("inside", "", "x", false, amqp091.Table{"x-match": "any", "format": "pdf", "n": int32(1)}))
		must(t, ch.QueueBind("q", "", "amq.fanout", false, nil))
		// Not to come back:
		_, err := ch.QueueDeclare("transient", false, false, false, false, nil)
		must(t, err)
		_, err = ch.QueueDeclare("exclusive", true, false, true, false, nil)
		must(t, err)
		must(t, ch.ExchangeDeclare("passing", "direct", false, false, false, false, nil))
		must(t, ch.QueueBind("q", "k", "passing", false, nil))
		declare(t, ch, "gone", nil)
		_, err = ch.QueueDelete("gone", false, false, false)
		must(t, err)
		must(t, ch.QueueUnbind("q", "", "amq.fanout", nil))

		for range 2 {
			ch = again()
			for _, name := range []string{"transient", "exclusive", "gone"} {
				if hasQueue(t, b, name) {
					t.Errorf("queue %s came back", name)
				}
			}
			if hasExchange(t, b, "passing") {
				t.Error("a transient exchange came back")
			}
			declare(t, ch, "q", args) // or it would be refused
			must(t, ch.ExchangeDeclare("x", "headers", true, false, false, false, amqp091.Table{"alternate-exchange": "amq.fanout"}))
			for key, want := range map[string]int{"a.b": 1, "b": 0} {
				must(t, ch.PublishWithContext(context.Background(), "x", key, false, false,
					amqp091.Publishing{Headers: amqp091.Table{"n": int32(1)}, Body: []byte("m")}))
				if n, err := ch.QueuePurge("q", false); n != want || err != nil {
					t.Errorf("by key %s %d messages came, want %d, %v", key, n, want, err)
				}
			}
		}
	})
}

func TestRestart_MessagesComeBack(t *testing.T) {
	acrossRestarts(t, func(t *testing.T, b *servertest.Broker, again func() *amqp091.Channel) {
		ch := b.Channel()
		must(t, ch.Confirm(false))
		declare(t, ch, "q", nil)
		declare(t, ch, "ranked", amqp091.Table{"x-max-priority": int32(9)})
		must(t, ch.QueueBind("q", "k", "amq.direct", false, nil))
		m := amqp091.Publishing{
			DeliveryMode: amqp091.Persistent, ContentType: "text/plain", ContentEncoding: "utf-8", CorrelationId: "c", ReplyTo: "r",
			MessageId: "id", Type: "t", AppId: "app", UserId: "guest", Priority: 4, Expiration: "3600000", Timestamp: time.Unix(1700000000, 0),
			Headers: amqp091.Table{"n": int32(5), "list": []any{"a", int64(2)}, "nothing": nil}, Body: []byte("full"),
		}
		confirmed(t, ch, "amq.direct", "k", m)
		confirmed(t, ch, "", "q", amqp091.Publishing{Body: []byte("transient")})
		confirmed(t, ch, "", "q", persistent("")) // an empty body
		for i := range 300 {
			m := persistent(fmt.Sprint(i))
			m.Priority = uint8(i % 3)
			must(t, ch.PublishWithContext(context.Background(), "", "ranked", false, false, m))
		}
		confirmed(t, ch, "", "q", persistent("last"))

		ch = again()
		d, ok, err := ch.Get("q", false)
		if err != nil || !ok || !d.Redelivered || d.Exchange != "amq.direct" || d.RoutingKey != "k" || d.MessageCount != 2 {
			t.Fatalf("got %+v, %v, %v", d, ok, err)
		}
		got := amqp091.Publishing{
			DeliveryMode: d.DeliveryMode, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
			MessageId: d.MessageId, Type: d.Type, AppId: d.AppId, UserId: d.UserId, Priority: d.Priority, Expiration: d.Expiration, Timestamp: d.Timestamp,
			Headers: d.Headers, Body: d.Body,
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("got %+v\nwant %+v", got, m)
		}
		ch = again() // unacked: it comes back once more
		wantMessages(t, ch, "q", "full", "", "last")
		for _, priority := range []int{2, 1, 0} {
			for i := priority; i < 300; i += 3 {
				if d, ok, err := ch.Get("ranked", true); err != nil || !ok || string(d.Body) != fmt.Sprint(i) {
					t.Fatalf("want %d, got %s, %v", i, d.Body, err)
				}
			}
		}
	})
}

// How often a message came back is remembered by queues that count.
func TestRestart_DeliveryCountsComeBack(t *testing.T) {
	acrossRestarts(t, func(t *testing.T, b *servertest.Broker, again func() *amqp091.Channel) {
		ch := b.Channel()
		must(t, ch.Confirm(false))
		declare(t, ch, "dead", nil)
		declare(t, ch, "q", amqp091.Table{"x-queue-type": "quorum", "x-delivery-limit": int32(4),
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
		confirmed(t, ch, "", "q", persistent("m"))
		for n := range 5 {
			d, ok, err := ch.Get("q", false)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			if count, _ := d.Headers["x-delivery-count"].(int64); int(count) != n {
				t.Errorf("round %d: x-delivery-count is %v", n, d.Headers["x-delivery-count"])
			}
			must(t, d.Nack(false, true))
			declare(t, ch, fmt.Sprint("barrier", n), nil) // what came before it is in the store
			ch = again()
		}
		if _, ok, err := ch.Get("dead", true); !ok || err != nil {
			t.Errorf("the dead letter: %v, %v", ok, err)
		}
	})
}

// A queue with consumers that is auto-delete goes with them, also when it is the
// broker that ends, as in RabbitMQ. After a crash it is there.
func TestRestart_AutoDeleteQueues(t *testing.T) {
	acrossRestarts(t, func(t *testing.T, b *servertest.Broker, again func() *amqp091.Channel) {
		ch := b.Channel()
		for _, name := range []string{"idle", "used"} {
			_, err := ch.QueueDeclare(name, true, true, false, false, nil)
			must(t, err)
		}
		must(t, ch.ExchangeDeclare("x", "fanout", true, true, false, false, nil))
		must(t, ch.QueueBind("used", "", "x", false, nil))
		used := channel(t, b.Dial())
		consume(t, used, "used", false)
		again()
		crashed := t.Name() == "TestRestart_AutoDeleteQueues/kill"
		if !hasQueue(t, b, "idle") || hasQueue(t, b, "used") != crashed || hasExchange(t, b, "x") != crashed {
			t.Errorf("idle: %v, used: %v, its exchange: %v", hasQueue(t, b, "idle"), hasQueue(t, b, "used"), hasExchange(t, b, "x"))
		}
	})
}

// What the disk has not taken by the time of a crash is not there, and was not
// confirmed.
func TestKill_LosesWhatWasNotConfirmed(t *testing.T) {
	b := servertest.Start(t)
	ch := b.Channel()
	must(t, ch.Confirm(false))
	declare(t, ch, "q", nil)
	confirmed(t, ch, "", "q", persistent("stays"))
	confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, 10))
	b.Store().Hold()
	for range 3 {
		must(t, ch.PublishWithContext(context.Background(), "", "q", false, false, persistent("goes")))
	}
	if q, err := ch.QueueDeclarePassive("q", true, false, false, false, nil); err != nil || q.Messages != 4 {
		t.Errorf("there are %d messages, %v", q.Messages, err)
	}
	b.Kill()
	for c := range confirms {
		if c.Ack {
			t.Errorf("%d was confirmed", c.DeliveryTag)
		}
	}
	wantMessages(t, b.Channel(), "q", "stays")
}

// kills is how often the broker is killed, and crowd how many publish and consume
// meanwhile.
const (
	kills = 20
	crowd = 3
)

// ledger is what clients know of messages.
type ledger struct {
	mu        sync.Mutex
	confirmed map[string]bool
	acked     map[string]bool
	seen      map[string]int // deliveries that were not marked as redelivered
}

func (l *ledger) note(set map[string]bool, body string) {
	l.mu.Lock()
	set[body] = true
	l.mu.Unlock()
}

// publish publishes until its connection is gone.
func (l *ledger) publish(conn *amqp091.Connection, name string) {
	ch, err := conn.Channel()
	if err != nil || ch.Confirm(false) != nil {
		return
	}
	var waits []*amqp091.DeferredConfirmation
	for i := 0; ; i++ {
		exchange, key := "", "q"
		if i%3 == 0 {
			exchange, key = "amq.fanout", ""
		}
		c, err := ch.PublishWithDeferredConfirm(exchange, key, false, false, persistent(fmt.Sprint(name, ".", i)))
		if err != nil {
			break
		}
		waits = append(waits, c)
		if i >= 20 {
			_, _ = waits[i-20].WaitContext(context.Background())
		}
	}
	for i, c := range waits {
		if c.Acked() {
			l.note(l.confirmed, fmt.Sprint(name, ".", i))
		}
	}
}

// consume acks what comes until its connection is gone.
func (l *ledger) consume(conn *amqp091.Connection, r *rand.Rand) {
	ch, err := conn.Channel()
	if err != nil || ch.Qos(10, 0, false) != nil {
		return
	}
	deliveries, err := ch.Consume("q", "", false, false, false, false, nil)
	if err != nil {
		return
	}
	for d := range deliveries {
		if !d.Redelivered {
			l.mu.Lock()
			l.seen[string(d.Body)]++
			l.mu.Unlock()
		}
		switch r.IntN(5) {
		case 0:
			_ = d.Nack(false, true)
		default:
			if d.Ack(false) == nil {
				l.note(l.acked, string(d.Body))
			}
		}
	}
}

// However often and whenever the broker is killed, what was confirmed is there
// until somebody has acked it, in its order, and once.
func TestKill_KeepsWhatWasConfirmed(t *testing.T) {
	b := servertest.Start(t)
	ch := b.Channel()
	declare(t, ch, "q", nil)
	declare(t, ch, "all", nil)
	for _, q := range []string{"q", "all"} {
		must(t, ch.QueueBind(q, "", "amq.fanout", false, nil))
	}
	l := &ledger{confirmed: map[string]bool{}, acked: map[string]bool{}, seen: map[string]int{}}
	r := rand.New(rand.NewPCG(1, 6))
	rounds := kills
	if testing.Short() {
		rounds /= 4
	}
	for round := range rounds {
		var all sync.WaitGroup
		for i := range crowd {
			p, c := b.Dial(), b.Dial()
			name, seed := fmt.Sprintf("%02d.%d", round, i), r.Uint64()
			all.Go(func() { l.publish(p, name) })
			all.Go(func() { l.consume(c, rand.New(rand.NewPCG(seed, 7))) })
		}
		for range r.IntN(20) { // so much later
			_, err := b.Channel().QueueDeclarePassive("all", true, false, false, false, nil)
			must(t, err)
		}
		b.Kill()
		all.Wait()
	}
	drain := func(queue string) map[string]int {
		got, last := map[string]int{}, map[string]int{}
		ch := b.Channel()
		for {
			d, ok, err := ch.Get(queue, true)
			must(t, err)
			if !ok {
				return got
			}
			got[string(d.Body)]++
			var round, who, n int
			if _, err := fmt.Sscanf(string(d.Body), "%d.%d.%d", &round, &who, &n); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprint(round, who)
			if at, ok := last[name]; ok && n < at {
				t.Errorf("%s: %s comes after %d", queue, d.Body, at)
			}
			last[name] = n
		}
	}
	q, copies := drain("q"), drain("all")
	for body := range l.confirmed {
		var round, who, n int
		_, _ = fmt.Sscanf(body, "%d.%d.%d", &round, &who, &n)
		if !l.acked[body] && q[body] == 0 {
			t.Errorf("%s was confirmed and is lost", body)
		}
		if n%3 == 0 && copies[body] != 1 {
			t.Errorf("%s was confirmed, and there are %d of it in the other queue", body, copies[body])
		}
	}
	for body, n := range l.seen {
		if n > 1 {
			t.Errorf("%s was delivered %d times without the mark", body, n)
		}
	}
	for body, n := range q {
		if n > 1 {
			t.Errorf("there are %d of %s", n, body)
		}
	}
	t.Logf("%d confirmed, %d acked, %d and %d left", len(l.confirmed), len(l.acked), len(q), len(copies))
}
