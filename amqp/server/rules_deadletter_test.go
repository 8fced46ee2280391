package server_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// death is what x-death says of one queue and reason.
type death struct {
	reason, queue, exchange string
	keys                    []any
	count                   int64
	expiration              string // that it had then, or ""
}

// wantDeaths compares all that a dead letter says of its deaths, the latest
// first.
func wantDeaths(t *testing.T, d amqp091.Delivery, deaths ...death) {
	t.Helper()
	list, _ := d.Headers["x-death"].([]any)
	var got []death
	for _, e := range list {
		table, _ := e.(amqp091.Table)
		is := death{}
		is.reason, _ = table["reason"].(string)
		is.queue, _ = table["queue"].(string)
		is.exchange, _ = table["exchange"].(string)
		is.keys, _ = table["routing-keys"].([]any)
		is.count, _ = table["count"].(int64)
		fields := 6
		if v, ok := table["original-expiration"]; ok {
			fields++
			is.expiration, _ = v.(string)
		}
		if at, ok := table["time"].(time.Time); !ok || at.IsZero() || len(table) != fields {
			t.Errorf("the fields of x-death are %v", table)
		}
		got = append(got, is)
	}
	if !reflect.DeepEqual(got, deaths) {
		t.Errorf("x-death is\n%+v, want\n%+v", got, deaths)
	}
	first, last := deaths[len(deaths)-1], deaths[0]
	named(t, d, "x-first-death-", first)
	if !rabbit() { // x-last-death-… is of 3.13
		named(t, d, "x-last-death-", last)
	}
	if d.Expiration != "" {
		t.Errorf("expiration is still %s", d.Expiration)
	}
}

// named compares the three headers that name a death.
func named(t *testing.T, d amqp091.Delivery, prefix string, want death) {
	t.Helper()
	for name, value := range map[string]string{"reason": want.reason, "queue": want.queue, "exchange": want.exchange} {
		if d.Headers[prefix+name] != value {
			t.Errorf("%s%s is %v, want %s", prefix, name, d.Headers[prefix+name], value)
		}
	}
}

func TestRules_DeadLetter_Reasons(t *testing.T) {
	for name, rule := range map[string]struct {
		args   amqp091.Table
		m      amqp091.Publishing
		kill   func(b *bed)
		reason string
	}{
		"rejected": {nil, text("a"), func(b *bed) { must(b.t, b.take("a").Reject(false)) }, "rejected"},
		"nacked":   {nil, text("a"), func(b *bed) { must(b.t, b.take("a").Nack(false, false)) }, "rejected"},
		"rejected with an expiration": {nil, text("a", ttl(long)),
			func(b *bed) { must(b.t, b.take("a").Reject(false)) }, "rejected"},
		"expired by the queue":   {amqp091.Table{"x-message-ttl": 5}, text("a"), func(*bed) {}, "expired"},
		"expired by the message": {nil, text("a", ttl("5")), func(*bed) {}, "expired"},
		"dropped":                {amqp091.Table{"x-max-length": 1}, text("a"), func(b *bed) { b.fill("b") }, "maxlen"},
		"dropped for its bytes":  {amqp091.Table{"x-max-length-bytes": 1}, text("a"), func(b *bed) { b.fill("b") }, "maxlen"},
		"a quorum queue, rejected": {amqp091.Table{"x-queue-type": "quorum"}, text("a"),
			func(b *bed) { must(b.t, b.take("a").Reject(false)) }, "rejected"},
		"delivery limit": {amqp091.Table{"x-queue-type": "quorum", "x-delivery-limit": 0}, text("a"),
			func(b *bed) { must(b.t, b.take("a").Reject(true)) }, "delivery_limit"},
	} {
		t.Run(name, func(t *testing.T) {
			b := lay(t, rule.args)
			rule.m.Headers = amqp091.Table{"mine": int32(1)}
			rule.m.MessageId, rule.m.ContentType, rule.m.DeliveryMode = "id", "text/plain", amqp091.Persistent
			b.put(rule.m)
			rule.kill(b)
			d := next(t, b.dead)
			wantDeaths(t, d, death{rule.reason, b.queue, "", []any{b.queue}, 1, rule.m.Expiration})
			if string(d.Body) != "a" || d.Headers["mine"] != int32(1) || d.MessageId != "id" || d.ContentType != "text/plain" ||
				d.DeliveryMode != amqp091.Persistent || d.Exchange != "" || d.RoutingKey != b.name || d.Redelivered {
				t.Errorf("got %+v", d)
			}
		})
	}
}

// fanned is a bed whose dead letters come through an exchange with their keys,
// and what comes from "in" into it.
func fanned(t *testing.T, args amqp091.Table) (b *bed, in, dlx string) {
	t.Helper()
	b = bare(t)
	in, dlx = b.exchange("fanout", nil), b.exchange("fanout", nil)
	with := amqp091.Table{"x-dead-letter-exchange": dlx}
	for name, value := range args {
		with[name] = value
	}
	b.queue = exclusive(t, b.ch, with)
	b.morgue = newMorgue(t, b.ch)
	must(t, b.ch.QueueBind(b.queue, "", in, false, nil))
	must(t, b.ch.QueueBind(b.name, "", dlx, false, nil))
	return b, in, dlx
}

func TestRules_DeadLetter_KeysAreKept(t *testing.T) {
	b, in, dlx := fanned(t, nil)
	b.send(in, "key", text("a", headers(amqp091.Table{"CC": []any{"c1", "c2"}, "BCC": []any{"hidden"}})))
	must(t, b.take("a").Reject(false))
	d := next(t, b.dead)
	wantDeaths(t, d, death{"rejected", b.queue, in, []any{"key", "c1", "c2"}, 1, ""})
	if d.Exchange != dlx || d.RoutingKey != "key" || fmt.Sprint(d.Headers["CC"]) != "[c1 c2]" || d.Headers["BCC"] != nil {
		t.Errorf("exchange %s, key %s, headers %v", d.Exchange, d.RoutingKey, d.Headers)
	}
}

func TestRules_DeadLetter_KeyOfItsOwn(t *testing.T) {
	b, in, dlx := fanned(t, amqp091.Table{"x-dead-letter-routing-key": "dead"})
	b.send(in, "key", text("a", headers(amqp091.Table{"CC": []any{"c1"}})))
	must(t, b.take("a").Reject(false))
	d := next(t, b.dead)
	wantDeaths(t, d, death{"rejected", b.queue, in, []any{"key", "c1"}, 1, ""})
	if _, ok := d.Headers["CC"]; ok || d.Exchange != dlx || d.RoutingKey != "dead" {
		t.Errorf("exchange %s, key %s, headers %v", d.Exchange, d.RoutingKey, d.Headers)
	}
}

// By its CC a dead letter is routed as the message was.
func TestRules_DeadLetter_CCRoutes(t *testing.T) {
	b := bare(t)
	b.queue = exclusive(t, b.ch, amqp091.Table{"x-dead-letter-exchange": "amq.direct"})
	b.morgue = newMorgue(t, b.ch)
	cc := unique("cc")
	must(t, b.ch.QueueBind(b.name, cc, "amq.direct", false, nil))
	b.put(text("a", headers(amqp091.Table{"CC": []any{cc}})))
	must(t, b.take("a").Reject(false))
	b.wantDead("a rejected")
}

// Deaths of two queues, and the first of them again.
func TestRules_DeadLetter_Counts(t *testing.T) {
	b := bare(t)
	first, second := unique("first"), unique("second")
	for _, pair := range [][2]string{{first, second}, {second, first}} {
		_, err := b.ch.QueueDeclare(pair[0], false, false, true, false,
			amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": pair[1]})
		must(t, err)
	}
	of := map[string]<-chan amqp091.Delivery{first: consume(t, b.ch, first, false), second: consume(t, b.ch, second, false)}
	b.send("", first, text("a", ttl(long)))
	must(t, next(t, of[first]).Reject(false))

	d := next(t, of[second])
	one := death{"rejected", first, "", []any{first}, 1, long}
	wantDeaths(t, d, one)
	must(t, d.Nack(false, false))

	d = next(t, of[first])
	two := death{"rejected", second, "", []any{second}, 1, ""}
	wantDeaths(t, d, two, one)
	must(t, d.Reject(false))

	d = next(t, of[second])
	one.count = 2
	list, _ := d.Headers["x-death"].([]any)
	if len(list) != 2 || list[0].(amqp091.Table)["count"] != int64(2) || list[0].(amqp091.Table)["queue"] != first ||
		list[0].(amqp091.Table)["original-expiration"] != long {
		t.Errorf("x-death is %v", list)
	}
	named(t, d, "x-first-death-", one)
}

// Another reason in the same queue is a death of its own.
func TestRules_DeadLetter_ReasonsOfOneQueue(t *testing.T) {
	b := bare(t)
	b.queue = unique("loop")
	_, err := b.ch.QueueDeclare(b.queue, false, false, true, false, amqp091.Table{"x-dead-letter-exchange": "", "x-max-length": 1})
	must(t, err)
	deliveries := consume(t, b.ch, b.queue, false)
	b.fill("a")
	must(t, next(t, deliveries).Reject(false))
	d := next(t, deliveries)
	rejected := death{"rejected", b.queue, "", []any{b.queue}, 1, ""}
	wantDeaths(t, d, rejected)
	must(t, d.Reject(false))
	d = next(t, deliveries)
	rejected.count = 2
	wantDeaths(t, d, rejected)
}

func TestRules_DeadLetter_Circles(t *testing.T) {
	t.Run("of expiry", func(t *testing.T) {
		b := bare(t)
		b.queue = exclusive(t, b.ch, amqp091.Table{"x-dead-letter-exchange": "", "x-message-ttl": 1})
		b.fill("a")
		until(t, "it is dropped", func() bool { return b.readyCount() == 0 })
		b.pass(20)
		b.wantReady()
	})
	t.Run("of two queues that expire", func(t *testing.T) {
		b := bare(t)
		b.morgue = newMorgue(t, b.ch)
		first, second, x := unique("first"), unique("second"), b.exchange("fanout", nil)
		for name, args := range map[string]amqp091.Table{
			first:  {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": second, "x-message-ttl": 1},
			second: {"x-dead-letter-exchange": x, "x-message-ttl": 1},
		} {
			_, err := b.ch.QueueDeclare(name, false, false, true, false, args)
			must(t, err)
		}
		for _, name := range []string{first, b.name} {
			must(t, b.ch.QueueBind(name, "", x, false, nil))
		}
		b.send("", first, text("a"))
		b.wantDead("a expired")
		b.pass(20) // and the copy to the first is dropped there
		b.wantNoDead()
	})
	t.Run("with a reject", func(t *testing.T) {
		b := bare(t)
		b.queue = exclusive(t, b.ch, amqp091.Table{"x-dead-letter-exchange": ""})
		deliveries := consume(t, b.ch, b.queue, false)
		b.fill("a")
		for range 5 {
			must(t, wantGot(t, deliveries, "a")[0].Reject(false))
		}
	})
	t.Run("with a reject somewhere", func(t *testing.T) {
		b := bare(t)
		work, wait := unique("work"), unique("wait")
		for name, args := range map[string]amqp091.Table{
			work: {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait},
			wait: {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": work, "x-message-ttl": 1},
		} {
			_, err := b.ch.QueueDeclare(name, false, false, true, false, args)
			must(t, err)
		}
		deliveries := consume(t, b.ch, work, false)
		b.send("", work, text("a"))
		for n := range 5 {
			d := next(t, deliveries)
			if n > 0 {
				wantDeaths(t, d, death{"expired", wait, "", []any{wait}, int64(n), ""}, death{"rejected", work, "", []any{work}, int64(n), ""})
			}
			must(t, d.Reject(false))
		}
	})
}

// Where there is no such exchange, a message is just gone; the exchange counts
// that is there when a message dies.
func TestRules_DeadLetter_ExchangeComesLater(t *testing.T) {
	b := bare(t)
	dlx := unique("dlx")
	b.queue = exclusive(t, b.ch, amqp091.Table{"x-dead-letter-exchange": dlx})
	b.fill("a", "b")
	must(t, b.take("a").Reject(false))
	b.wantReadyCount(1)
	must(t, b.ch.ExchangeDeclare(dlx, "fanout", false, true, false, false, nil))
	b.morgue = newMorgue(t, b.ch)
	must(t, b.ch.QueueBind(b.name, "", dlx, false, nil))
	must(t, b.take("b").Reject(false))
	b.wantDead("b rejected")
	must(t, b.ch.ExchangeDelete(dlx, false, false))
	b.fill("c")
	must(t, b.take("c").Reject(false))
	b.wantReady()
	b.wantNoDead()
}

// Purge, delete and ack are no deaths, and a dead letter that nobody is bound for
// is gone.
func TestRules_DeadLetter_NotOfThese(t *testing.T) {
	b := lay(t, nil)
	b.fill("a", "b", "c")
	must(t, b.take("a").Ack(false))
	if n, err := b.ch.QueuePurge(b.queue, false); n != 2 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
	b.fill("d", "e")
	b.take("d")
	if n, err := b.ch.QueueDelete(b.queue, false, false, false); n != 1 || err != nil {
		t.Errorf("deleted with %d, %v", n, err)
	}
	b.wantNoDead()
	b.queue = exclusive(t, b.ch, amqp091.Table{"x-dead-letter-exchange": "amq.direct", "x-dead-letter-routing-key": unique("nobody")})
	b.fill("f")
	must(t, b.take("f").Reject(false))
	b.wantReady()
}

// To as many queues as the exchange routes them.
func TestRules_DeadLetter_ToSeveralQueues(t *testing.T) {
	b, in, dlx := fanned(t, nil)
	other := newMorgue(t, b.ch)
	must(t, b.ch.QueueBind(other.name, "", dlx, false, nil))
	b.send(in, "k", text("a"))
	must(t, b.take("a").Reject(false))
	b.wantDead("a rejected")
	if got := lastDeath(next(t, other.dead)); got != "a rejected" {
		t.Errorf("dead: %s", got)
	}
}

// Several at once die in their order.
func TestRules_DeadLetter_Order(t *testing.T) {
	b := lay(t, nil)
	b.fill("a", "b", "c")
	b.take("a")
	b.take("b")
	must(t, b.take("c").Nack(true, false))
	b.wantDead("a rejected", "b rejected", "c rejected")
}

// A dead letter that a client publishes again is counted on, as in RabbitMQ
// before 4.0: there is code that counts its attempts so.
func TestRules_DeadLetter_PublishedAgain(t *testing.T) {
	b := lay(t, nil)
	b.fill("a")
	for n := range 3 {
		must(t, b.take("a").Reject(false))
		d := next(t, b.dead)
		wantDeaths(t, d, death{"rejected", b.queue, "", []any{b.queue}, int64(n + 1), ""})
		b.put(text("a", headers(d.Headers)))
	}
}

func TestRules_DeadLetter_BadCC(t *testing.T) {
	b := lay(t, nil)
	for name, value := range map[string]any{"CC": "k", "BCC": int32(1)} {
		ch := channel(t, b.conn)
		closed := closing(ch)
		publish(t, ch, "", b.queue, text("a", headers(amqp091.Table{name: value})))
		kind := "longstr"
		if name == "BCC" {
			kind = "signedint"
		}
		wantClosed(t, closed, 406, `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"`+name+`",`+kind+`}`)
	}
	b.wantReady()
}
