package server

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// after moves the clock.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestTTL_RabbitMQ_TheLowerOneWins(t *testing.T) {
	ttl := func(ms string) amqp.BasicProperties { return amqp.BasicProperties{Expiration: ms} }
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-message-ttl", int16(1000))
		p.publish(1, post{key: "q", body: "own", props: ttl("500")}, post{key: "q", body: "queue's", props: ttl("2000")})
		p.wantCounts(1, "q", 2, 0)
		after(499 * time.Millisecond)
		p.wantCounts(1, "q", 2, 0)
		after(2 * time.Millisecond)
		p.wantCounts(1, "q", 1, 0)
		after(497 * time.Millisecond)
		p.wantCounts(1, "q", 1, 0)
		after(3 * time.Millisecond)
		p.wantCounts(1, "q", 0, 0)
	})
}

// A message dies at the head of its queue: behind one that lives it waits.
func TestTTL_RabbitMQ_AtTheHeadOnly(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.queue("q")
		p.publish(1, post{key: "q", body: "long"}, post{key: "q", body: "short", props: amqp.BasicProperties{Expiration: "10"}})
		p.probe(1)
		after(time.Second)
		p.wantCounts(1, "q", 2, 0)
		p.wantGet(1, "q", true, handed{"", 1, false, "long"})
		p.wantCounts(1, "q", 0, 0)
	})
}

// The time does not begin anew when a message is requeued.
func TestTTL_RabbitMQ_RunsOnWhileUnacked(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-message-ttl", int32(1000))
		p.fill("q", "1", "2")
		p.wantGet(1, "q", false, handed{"", 1, false, "1"})
		p.wantGet(1, "q", false, handed{"", 2, false, "2"})
		after(600 * time.Millisecond)
		p.send(1, &amqp.BasicReject{DeliveryTag: 1, Requeue: true})
		p.wantCounts(1, "q", 1, 0)
		after(600 * time.Millisecond)
		p.wantCounts(1, "q", 0, 0)
		p.send(1, &amqp.BasicReject{DeliveryTag: 2, Requeue: true}) // it is dead by now
		p.wantCounts(1, "q", 0, 0)
	})
}

func TestTTL_RabbitMQ_ZeroIsNowOrNever(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-message-ttl", int32(0))
		p.fill("q", "lost")
		p.wantBodies("q")
		p.consume(1, "q", "c")
		p.fill("q", "kept")
		p.wantDeliver(1, handed{"c", 1, false, "kept"})
	})
}

func TestExpires_RabbitMQ_WhenUnused(t *testing.T) {
	gone := func(p *peer) {
		p.send(1, &amqp.QueueDeclare{Queue: "q", Passive: true})
		p.wantClose(1, 404, "NOT_FOUND - no queue 'q' in vhost '/'", amqp.IDQueueDeclare)
	}
	for name, use := range map[string]func(p *peer){
		"get":             func(p *peer) { ask[*amqp.BasicGetEmpty](p, 1, &amqp.BasicGet{Queue: "q"}) },
		"declare":         func(p *peer) { p.queue("q", "x-expires", int32(1000)) },
		"passive declare": func(p *peer) { p.wantCounts(1, "q", 0, 0) },
		"consume": func(p *peer) {
			p.consume(1, "q", "c")
			after(time.Hour)
			ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "c"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				p := b.peer()
				p.queue("q", "x-expires", int32(1000))
				for range 5 {
					after(900 * time.Millisecond)
					use(p)
				}
				after(1100 * time.Millisecond)
				gone(p)
			})
		})
	}
}

func TestMaxLength_RabbitMQ_DropsTheHead(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-max-length", int32(2))
		p.fill("q", "1", "2", "3")
		p.wantBodies("q", "2", "3")
		p.queue("b", "x-max-length-bytes", int32(10))
		p.fill("b", "12345", "67890")
		p.wantCounts(1, "b", 2, 0)
		p.fill("b", "x")
		p.wantBodies("b", "67890", "x")
	})
}

func TestPriority_RabbitMQ_Order(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-max-priority", int32(5))
		p.fill("q", "none")
		for _, priority := range []uint8{1, 5, 9, 0, 1} {
			props := amqp.BasicProperties{Priority: priority, Present: amqp.HasPriority}
			p.publish(1, post{key: "q", body: fmt.Sprint(priority), props: props})
		}
		p.wantBodies("q", "5", "9", "1", "1", "none", "0")
	})
}

func TestAlternateExchange_RabbitMQ(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.exchange("last", "fanout")
		p.exchange("middle", "direct", "alternate-exchange", "last")
		p.exchange("first", "direct", "alternate-exchange", "middle")
		p.exchange("circle", "direct", "alternate-exchange", "circle")
		p.exchange("lost", "direct", "alternate-exchange", "absent")
		p.queue("q")
		p.bind("q", "last", "")
		p.publish(1, post{exchange: "first", key: "nobody", body: "m", mandatory: true})
		p.wantNothing(1)
		if m, _ := p.wantGet(1, "q", true, handed{"", 1, false, "m"}); m.Exchange != "first" || m.RoutingKey != "nobody" {
			t.Errorf("got %+v", m)
		}
		for _, name := range []string{"circle", "lost"} {
			p.publish(1, post{exchange: name, key: "nobody", body: "m", mandatory: true})
			p.wantReturn(1, name, "nobody", "m")
		}
	})
}

func TestExchangeBind_RabbitMQ_OnceAQueueAlsoInACircle(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		for _, name := range []string{"x", "y", "z"} {
			p.exchange(name, "topic")
		}
		p.queue("q")
		for _, pair := range [][2]string{{"x", "y"}, {"y", "z"}, {"z", "x"}, {"x", "z"}} {
			ask[*amqp.ExchangeBindOk](p, 1, &amqp.ExchangeBind{Source: pair[0], Destination: pair[1], RoutingKey: "#"})
		}
		for _, name := range []string{"x", "y", "z"} {
			p.bind("q", name, "a.*")
			p.bind("q", name, "*.b")
		}
		p.publish(1, post{exchange: "x", key: "a.b", body: "once"}, post{exchange: "x", key: "c.d", body: "never"})
		p.wantBodies("q", "once")
	})
}

func TestTopicExchange_RabbitMQ_Words(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"#", []string{"", "a", "a.b.c", ".", "a..b"}, nil},
		{"*", []string{"a", "Ä"}, []string{"a.b", "a."}},
		{"a.*", []string{"a.b"}, []string{"a", "a.b.c", "b.a"}},
		{"a.#", []string{"a", "a.b", "a.b.c", "a."}, []string{"b", "ab"}},
		{"#.c", []string{"c", "b.c", "a.b.c", ".c"}, []string{"c.a"}},
		{"a.#.c", []string{"a.c", "a.b.c", "a.b.b.c", "a..c"}, []string{"a", "c", "ac"}},
		{"*.*", []string{"a.b"}, []string{"", "a", "a.b.c"}},
		{"a..b", []string{"a..b"}, []string{"a.b", "a.c.b"}},
		{"a*", []string{"a*"}, []string{"ab", "a.b"}},
		{"", []string{""}, []string{"a"}},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.peer()
				q(p)
				p.exchange("x", "topic")
				p.bind("q", "x", c.pattern)
				for _, key := range append(c.yes, c.no...) {
					p.publish(1, post{exchange: "x", key: key, body: key})
				}
				p.probe(1)
				p.wantBodies("q", c.yes...)
			})
		})
	}
}

func TestHeadersExchange_RabbitMQ(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		for _, name := range []string{"none", "all", "any"} {
			p.queue(name)
		}
		p.bind("none", "amq.headers", "")
		p.bind("all", "amq.headers", "", "x-match", "all", "a", int32(1), "x-b", int32(2))
		p.bind("any", "amq.headers", "", "x-match", "any", "a", int32(1), "c", nil)
		headers := func(body string, args ...any) post {
			return post{exchange: "amq.headers", body: body, props: amqp.BasicProperties{Headers: table(args...)}}
		}
		p.publish(1, post{exchange: "amq.headers", body: "bare"}, headers("a", "a", int32(1)), headers("a as long", "a", int64(1)),
			headers("a as string", "a", "1"), headers("c", "c", "x"))
		p.wantBodies("none", "bare", "a", "a as long", "a as string", "c")
		p.wantBodies("all", "a", "a as long")
		p.wantBodies("any", "a", "a as long", "c")
	})
}

func TestDeadLetter_RabbitMQ_Reasons(t *testing.T) {
	for _, c := range []struct {
		reason string
		args   []any
		props  amqp.BasicProperties
		die    func(p *peer)
		body   string
	}{
		{"rejected", nil, amqp.BasicProperties{}, func(p *peer) {
			p.wantGet(1, "q", false, handed{"", 1, false, "m"})
			p.send(1, &amqp.BasicReject{DeliveryTag: 1})
		}, "m"},
		{"expired", []any{"x-message-ttl", int32(5)}, amqp.BasicProperties{}, func(*peer) {}, "m"},
		{"expired", nil, amqp.BasicProperties{Expiration: "5"}, func(*peer) {}, "m"},
		{"maxlen", []any{"x-max-length", int32(1)}, amqp.BasicProperties{}, func(p *peer) { p.fill("q", "more") }, "m"},
		{"maxlen", []any{"x-max-length", int32(1), "x-overflow", "reject-publish-dlx"}, amqp.BasicProperties{},
			func(p *peer) { p.fill("q", "more") }, "more"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.peer()
				p.exchange("dlx", "fanout")
				p.queue("dead")
				p.bind("dead", "dlx", "")
				p.queue("q", append(c.args, "x-dead-letter-exchange", "dlx")...)
				p.publish(1, post{key: "q", body: "m", props: c.props})
				p.b.settle()
				c.die(p)
				if b.srv != nil {
					after(time.Second)
				}
				p.b.settle()
				p.send(1, &amqp.BasicGet{Queue: "dead", NoAck: true})
				m, e := expectContent[*amqp.BasicGetOk](p, 1)
				if m.Exchange != "dlx" || m.RoutingKey != "q" || m.Redelivered || e.body != c.body || e.props.Expiration != "" {
					t.Errorf("got %v", e)
				}
				deaths, _ := e.props.Headers.Get("x-death")
				if list, _ := deaths.(amqp.Array); len(list) != 1 {
					t.Fatalf("x-death is %v", deaths)
				}
				death := deaths.(amqp.Array)[0].(amqp.Table)
				want := table("count", int64(1), "reason", c.reason, "queue", "q", "exchange", "", "routing-keys", amqp.Array{"q"})
				if c.props.Expiration != "" {
					want = append(want, amqp.Field{Name: "original-expiration", Value: c.props.Expiration})
				}
				if _, ok := death.Get("time"); !ok || len(death) != len(want)+1 {
					t.Errorf("x-death is %v", death)
				}
				for _, f := range want {
					if v, _ := death.Get(f.Name); !reflect.DeepEqual(v, f.Value) {
						t.Errorf("%s in x-death is %v, want %v", f.Name, v, f.Value)
					}
				}
				for name, want := range map[string]string{"x-first-death-exchange": "", "x-first-death-queue": "q", "x-first-death-reason": c.reason} {
					if v, _ := e.props.Headers.Get(name); v != want {
						t.Errorf("%s is %v, want %q", name, v, want)
					}
				}
			})
		})
	}
}

// A message that dies by the clock reaches who waits for it.
func TestDeadLetter_RabbitMQ_IsDeliveredWhenItsTimeComes(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p, other := b.peer(), b.peer()
		p.queue("dead")
		p.queue("q", "x-message-ttl", int32(5000), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "dead")
		other.consume(1, "dead", "c")
		start := time.Now()
		p.fill("q", "m")
		other.patience = time.Minute
		m, _ := other.wantDeliver(1, handed{"c", 1, false, "m"})
		if took := time.Since(start); took < 5*time.Second || took > 6*time.Second || m.RoutingKey != "dead" {
			t.Errorf("%+v came after %s", m, took)
		}
	})
}

func TestDeadLetter_RabbitMQ_CirclesEnd(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q", "x-message-ttl", int32(0), "x-dead-letter-exchange", "")
		p.queue("r", "x-dead-letter-exchange", "")
		p.fill("q", "m")
		p.fill("r", "m")
		p.b.settle()
		p.wantBodies("q")
		for i := range 5 { // with a reject in it a circle goes on
			p.b.settle()
			p.wantGet(1, "r", false, handed{"", uint64(i + 1), false, "m"})
			p.send(1, &amqp.BasicReject{DeliveryTag: uint64(i + 1)})
		}
	})
}
