package vhost

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// inBubble runs a test with a clock of its own.
func inBubble(t *testing.T, run func(f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(newFixture(t)) })
}

// advance lets the clock of a bubble go on, and what then happens happen.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// headersOf takes a message that must be there and returns its headers.
func (f *fixture) headersOf(queue string) (amqp.Table, *amqp.Message) {
	f.t.Helper()
	m := f.take(queue)
	if m == nil {
		f.t.Fatalf("queue %s is empty", queue)
	}
	h, err := m.Headers()
	f.must(err)
	return h, m
}

func (f *fixture) wantHeaders(got, want amqp.Table) {
	f.t.Helper()
	if !reflect.DeepEqual(got, want) {
		f.t.Errorf("headers\n got %v\nwant %v", got, want)
	}
}

// entry is an x-death entry as RabbitMQ 4 writes it.
func entry(count int64, reason, queue string, at int64, exchange string, keys ...any) amqp.Table {
	return args("count", count, "reason", reason, "queue", queue, "time", amqp.Timestamp(at),
		"exchange", exchange, "routing-keys", amqp.Array(keys))
}

// namedDeath is the three headers of a first or last death.
func namedDeath(which, reason, queue, exchange string) amqp.Table {
	return args("x-"+which+"-death-reason", reason, "x-"+which+"-death-queue", queue, "x-"+which+"-death-exchange", exchange)
}

func TestDeadLetterRejected(t *testing.T) {
	inBubble(t, func(f *fixture) {
		now := time.Now().Unix()
		f.exchange("dlx", "fanout")
		f.queue("dead")
		f.bind("dead", "dlx", "")
		f.queue("q", "x-dead-letter-exchange", "dlx")
		m := message("", "q", "body", args("mine", int32(1)))
		m.Persistent, m.Priority = true, 3
		f.publish("", m)
		f.reject("q")
		headers, dead := f.headersOf("dead")
		want := args("mine", int32(1))
		want = append(want, namedDeath("first", "rejected", "q", "")...)
		want = append(want, args("x-death", amqp.Array{entry(1, "rejected", "q", now, "", "q")})...)
		want = append(want, namedDeath("last", "rejected", "q", "")...)
		f.wantHeaders(headers, want)
		if dead.Exchange != "dlx" || dead.RoutingKey != "q" || string(dead.Body) != "body" || !dead.Persistent || dead.Priority != 3 {
			t.Errorf("got %+v", dead)
		}
		if h, _ := m.Headers(); len(h) != 1 {
			t.Errorf("the message that others hold was changed: %v", h)
		}
	})
}

// As RabbitMQ 3.10.8 does it: the latest in front, one entry a queue and reason,
// which keeps its time and keys.
func TestDeadLetterTwiceByTwoQueues(t *testing.T) {
	inBubble(t, func(f *fixture) {
		start := time.Now().Unix()
		f.exchange("dlx", "fanout")
		f.queue("q", "x-dead-letter-exchange", "dlx")
		f.queue("dead2", "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "q")
		f.bind("dead2", "dlx", "")
		f.send("", "q", "a")
		f.reject("q")
		advance(5 * time.Second)
		f.reject("dead2")
		advance(5 * time.Second)
		f.reject("q")
		headers, _ := f.headersOf("dead2")
		deaths, _ := headers.Get("x-death")
		want := amqp.Array{
			entry(2, "rejected", "q", start, "", "q"),
			entry(1, "rejected", "dead2", start+5, "dlx", "q"),
		}
		if !reflect.DeepEqual(deaths, want) {
			t.Errorf("x-death\n got %v\nwant %v", deaths, want)
		}
		for name, want := range map[string]string{
			"x-first-death-queue": "q", "x-last-death-queue": "q", "x-last-death-exchange": "",
		} {
			if got, _ := headers.Get(name); got != want {
				t.Errorf("%s is %v, want %q", name, got, want)
			}
		}
	})
}

func TestDeadLetterExpired(t *testing.T) {
	inBubble(t, func(f *fixture) {
		now := time.Now().Unix()
		f.exchange("dlx", "fanout")
		f.queue("dead")
		f.bind("dead", "dlx", "")
		f.queue("q", "x-message-ttl", int32(10_000), "x-dead-letter-exchange", "dlx")
		m := message("x", "q", "by the queue", args("CC", amqp.Array{"elsewhere", int32(5)}))
		m.ExtraKeys = []string{"elsewhere", "hidden"}
		f.publish("", m)
		own := message("", "q", "by the message", nil)
		props := amqp.BasicProperties{Expiration: "7000", ContentType: "text"}
		var err error
		own.Properties, err = props.Append(nil)
		f.must(err)
		own.Expiration = 7000
		advance(10*time.Second - 1)
		f.publish("", own) // dies at 17 s, seven seconds after the first
		f.wantReady("dead", 0)
		advance(1)
		headers, dead := f.headersOf("dead")
		got, _ := headers.Get("x-death")
		if want := (amqp.Array{entry(1, "expired", "q", now+10, "x", "q", "elsewhere")}); !reflect.DeepEqual(got, want) {
			t.Errorf("x-death\n got %v\nwant %v", got, want)
		}
		if !slices.Equal(dead.ExtraKeys, []string{"elsewhere", "hidden"}) {
			t.Errorf("routed on with the extra keys %q", dead.ExtraKeys)
		}
		advance(7*time.Second - 1)
		headers, dead = f.headersOf("dead")
		got, _ = headers.Get("x-death")
		want := append(args("original-expiration", "7000"), entry(1, "expired", "q", now+16, "", "q")...)
		if !reflect.DeepEqual(got, amqp.Array{want}) {
			t.Errorf("x-death\n got %v\nwant %v", got, want)
		}
		left, err := dead.Properties.Decode()
		f.must(err)
		if left.Expiration != "" || dead.Expiration != amqp.NoExpiration || left.ContentType != "text" {
			t.Errorf("properties of the dead letter: %+v, expiration %d", left, dead.Expiration)
		}
	})
}

func TestDeadLetterMaxLength(t *testing.T) {
	f := newFixture(t)
	f.exchange("dlx", "fanout")
	f.queue("dead")
	f.bind("dead", "dlx", "")
	f.queue("drops", "x-max-length", int32(1), "x-dead-letter-exchange", "dlx")
	f.queue("refuses", "x-max-length", int32(1), "x-overflow", "reject-publish-dlx", "x-dead-letter-exchange", "dlx")
	f.send("", "drops", "a")
	if p := f.send("", "drops", "b"); p.Refused {
		t.Error("drop-head refused a message")
	}
	f.send("", "refuses", "c")
	if p := f.send("", "refuses", "d"); !p.Refused {
		t.Error("reject-publish-dlx did not refuse a message")
	}
	if got := f.bodies("dead"); !slices.Equal(got, []string{"a", "d"}) {
		t.Errorf("dead: %q", got)
	}
}

func TestDeadLetterDeliveryLimit(t *testing.T) {
	f := newFixture(t)
	f.queue("dead")
	q, err := f.DeclareQueue(QueueDeclare{Name: "q", Durable: true, Arguments: args("x-queue-type", "quorum",
		"x-delivery-limit", int32(0), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "dead")}, me)
	f.must(err)
	f.send("", "q", "a")
	d, _, _ := q.Get(false, &f.fx)
	q.Requeue([]queue.ID{d.ID}, queue.CauseNack, &f.fx)
	f.apply()
	headers, _ := f.headersOf("dead")
	if got, _ := headers.Get("x-first-death-reason"); got != "delivery_limit" {
		t.Errorf("the reason is %v", got)
	}
}

func TestDeadLetterRoutingKeys(t *testing.T) {
	f := newFixture(t)
	f.must(f.DeclareExchange(ExchangeDeclare{Name: "dlx", Type: "direct", Internal: true}))
	for _, key := range []string{"rk", "cc", "bcc", "dk"} {
		f.queue(key)
		f.bind(key, "dlx", key)
	}
	f.queue("plain", "x-dead-letter-exchange", "dlx")
	f.queue("keyed", "x-dead-letter-exchange", "dlx", "x-dead-letter-routing-key", "dk")
	f.bind("plain", "amq.fanout", "")
	f.bind("keyed", "amq.fanout", "")
	m := message("amq.fanout", "rk", "a", args("CC", amqp.Array{"cc"}))
	m.ExtraKeys = []string{"cc", "bcc"}
	f.publish("amq.fanout", m)
	f.reject("plain")
	for _, q := range []string{"rk", "cc", "bcc"} {
		headers, dead := f.headersOf(q)
		if _, ok := headers.Get("CC"); !ok || dead.RoutingKey != "rk" {
			t.Errorf("queue %s: key %q, headers %v", q, dead.RoutingKey, headers)
		}
	}
	f.wantReady("dk", 0)
	f.reject("keyed")
	headers, dead := f.headersOf("dk")
	if _, ok := headers.Get("CC"); ok || dead.RoutingKey != "dk" || len(dead.ExtraKeys) != 0 {
		t.Errorf("own key: key %q, extra %q, headers %v", dead.RoutingKey, dead.ExtraKeys, headers)
	}
	deaths, _ := headers.Get("x-death")
	first := deaths.(amqp.Array)[0].(amqp.Table)
	if keys, _ := first.Get("routing-keys"); !reflect.DeepEqual(keys, amqp.Array{"rk", "cc"}) {
		t.Errorf("routing-keys are %v", keys)
	}
	for _, q := range []string{"rk", "cc", "bcc"} {
		f.wantReady(q, 0)
	}
}

func TestDeadLetterNowhere(t *testing.T) {
	f := newFixture(t)
	f.queue("q", "x-dead-letter-exchange", "absent")
	f.queue("dead")
	f.bind("dead", "amq.fanout", "")
	f.queue("purged", "x-dead-letter-exchange", "amq.fanout")
	f.send("", "q", "a")
	f.reject("q")
	f.send("", "purged", "a")
	_, err := f.PurgeQueue("purged", me, &f.fx)
	f.must(err)
	f.send("", "purged", "b")
	_, err = f.DeleteQueue("purged", me, false, false, &f.fx)
	f.must(err)
	f.apply()
	f.wantReady("q", 0)
	f.wantReady("dead", 0)
}

// A queue that expires takes its messages along, and is found gone.
func TestQueueExpires(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.queue("dead")
		f.bind("dead", "amq.fanout", "")
		f.autoExchange("x")
		f.queue("q", "x-expires", int32(1000), "x-dead-letter-exchange", "amq.fanout")
		f.bind("q", "x", "k")
		f.send("", "q", "a")
		for range 3 { // each declare begins the term anew
			advance(900 * time.Millisecond)
			f.queue("q", "x-expires", int32(1000), "x-dead-letter-exchange", "amq.fanout")
		}
		advance(900 * time.Millisecond)
		if !f.hasQueue("q") { // and so does a passive one
			t.Fatal("the queue went too early")
		}
		advance(999 * time.Millisecond)
		if _, err := f.Queue("q", me); err != nil {
			t.Fatal("the queue went too early")
		}
		advance(time.Millisecond)
		if f.hasQueue("q") || f.hasExchange("x") {
			t.Error("queue or exchange is still there")
		}
		f.wantReady("dead", 0)
	})
}

func TestDeadLetterCycles(t *testing.T) {
	inBubble(t, func(f *fixture) {
		f.queue("alone", "x-message-ttl", int32(1), "x-dead-letter-exchange", "")
		f.send("", "alone", "a")
		advance(time.Second)
		f.wantReady("alone", 0)

		f.queue("full", "x-max-length", int32(0), "x-dead-letter-exchange", "")
		f.send("", "full", "a")
		f.wantReady("full", 0)

		f.queue("self", "x-dead-letter-exchange", "")
		f.send("", "self", "a")
		for range 3 {
			f.reject("self")
		}
		f.wantReady("self", 1)

		// Work queue and delay queue: the usual way to try again later. The
		// reject makes it no circle; without one it is cut.
		f.queue("work", "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "delay")
		f.queue("delay", "x-message-ttl", int32(100), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "work")
		f.send("", "work", "a")
		for range 5 {
			f.reject("work")
			f.wantReady("delay", 1)
			advance(100 * time.Millisecond)
			f.wantReady("work", 1)
		}
		headers, _ := f.headersOf("work")
		deaths, _ := headers.Get("x-death")
		list := deaths.(amqp.Array)
		if len(list) != 2 {
			t.Fatalf("x-death has %d entries: %v", len(list), list)
		}
		for i, want := range []string{"delay", "work"} {
			e := list[i].(amqp.Table)
			q, _ := e.Get("queue")
			count, _ := e.Get("count")
			if q != want || count != int64(5) {
				t.Errorf("entry %d: %v", i, e)
			}
		}

		f.queue("ping", "x-message-ttl", int32(10), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "pong")
		f.queue("pong", "x-message-ttl", int32(10), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "ping")
		f.send("", "ping", "a")
		advance(10 * time.Millisecond)
		f.wantReady("pong", 1)
		advance(10 * time.Millisecond)
		f.wantReady("ping", 0)
		f.wantReady("pong", 0)
	})
}

// One Apply follows a message through all queues that give it up at once, and
// ends where a circle is longer than the list of deaths.
func TestDeadLetterChains(t *testing.T) {
	f := newFixture(t)
	const length = maxDeaths + 20
	link := func(kind string, i, to int) {
		f.queue(fmt.Sprint(kind, i), "x-max-length", int32(0), "x-dead-letter-exchange", "",
			"x-dead-letter-routing-key", fmt.Sprint(kind, to))
	}
	for i := range length {
		link("chain", i, i+1)
		link("ring", i, (i+1)%length)
	}
	f.queue(fmt.Sprint("chain", length))
	f.send("", "chain0", "a")
	f.send("", "ring0", "a")
	headers, _ := f.headersOf(fmt.Sprint("chain", length))
	deaths, _ := headers.Get("x-death")
	if n := len(deaths.(amqp.Array)); n != maxDeaths {
		t.Errorf("x-death has %d entries, want the latest %d", n, maxDeaths)
	}
	if got, _ := headers.Get("x-first-death-queue"); got != "chain0" {
		t.Errorf("x-first-death-queue is %v", got)
	}
	for _, q := range f.Queues() {
		if n := q.Stats().Ready; n != 0 {
			t.Errorf("queue %s has %d messages", q.Name(), n)
		}
	}
}
