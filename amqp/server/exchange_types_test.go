package server

import (
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

const (
	noDelayed   = "the plugin is the community's, not of the release"
	noTypeGiven = "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type"
)

// declaring is an exchange.declare with arguments, pairs of a name and a value.
func declaring(kind string, arguments ...any) *amqp.ExchangeDeclare {
	return &amqp.ExchangeDeclare{Exchange: "x", Type: kind, Arguments: table(arguments...)}
}

func TestExchangeTypes_RabbitMQ_DeclareRefusals(t *testing.T) {
	const failed = "PRECONDITION_FAILED - "
	refusals(t, []refusal{
		{"hash-property", nil, declaring("x-consistent-hash", "hash-property", "foo"), 406, failed + "Unsupported property: foo", ""},
		{"hash-header and hash-property", nil, declaring("x-consistent-hash", "hash-property", "message_id", "hash-header", "h"),
			406, failed + "hash-header and hash-property are mutually exclusive", ""},
		{"hash-header of a wrong type", nil, declaring("x-consistent-hash", "hash-header", int32(1)),
			406, failed + "invalid type 'signedint' for arg 'hash-header' in exchange 'x' in vhost '/'", "RabbitMQ has an internal error"},
		{"a length of 0", nil, declaring("x-recent-history", "x-recent-history-length", int32(0)),
			406, failed + "Invalid argument 0, 'x-recent-history-length' must be a positive integer", ""},
		{"a length that is text", nil, declaring("x-recent-history", "x-recent-history-length", "a"),
			406, failed + `Invalid argument <<"a">>, 'x-recent-history-length' must be a positive integer`, ""},
		{"delayed, no type", nil, declaring("x-delayed-message"), 406, noTypeGiven, noDelayed},
		{"delayed, a type that is a number", nil, declaring("x-delayed-message", "x-delayed-type", int32(1)), 406, noTypeGiven, noDelayed},
		{"delayed, no such type", nil, declaring("x-delayed-message", "x-delayed-type", "foo"),
			406, failed + "unknown exchange type 'foo'", noDelayed},
		{"delayed, delayed", nil, declaring("x-delayed-message", "x-delayed-type", "x-delayed-message"),
			406, failed + "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'", noDelayed},
		{"delayed, arguments of its type", nil, declaring("x-delayed-message", "x-delayed-type", "x-consistent-hash", "hash-property", "foo"),
			406, failed + "Unsupported property: foo", noDelayed},
		// A type is an atom in RabbitMQ, which has quotes of its own if it has a hyphen.
		{"another type", declared(*declaring("x-random")), declaring("x-modulus-hash"),
			406, failed + "inequivalent arg 'type' for exchange 'x' in vhost '/': received ''x-modulus-hash'' but current is ''x-random''", ""},
	})
}

func TestExchangeTypes_RabbitMQ_BindRefusals(t *testing.T) {
	const failed = "PRECONDITION_FAILED - "
	prepare := func(p *peer) {
		p.queue("q")
		p.exchange("x", "x-consistent-hash")
	}
	bind := func(key string) *amqp.QueueBind { return &amqp.QueueBind{Queue: "q", Exchange: "x", RoutingKey: key} }
	refusals(t, []refusal{
		{"no weight", prepare, bind("a"), 406, failed + `The binding key must be an integer: <<"a">>`, ""},
		{"an empty weight", prepare, bind(""), 406, failed + "The binding key must be an integer: <<>>", ""},
		{"a weight of 0", prepare, bind("0"), 406, failed + "The binding key must be greater than 0", ""},
		{"a weight below 0", prepare, bind("-1"), 406, failed + "The binding key must be greater than 0", ""},
		{"too much weight", prepare, bind("10001"), 406, failed + "The binding key must not exceed 10000", "3.10 has no limit yet"},
		{"an exchange", prepare, &amqp.ExchangeBind{Destination: "amq.fanout", Source: "x", RoutingKey: "a"},
			406, failed + `The binding key must be an integer: <<"a">>`, ""},
	})
	t.Run("nothing is bound by it", func(t *testing.T) {
		conforms(t, func(b *broker) {
			p := b.peer()
			prepare(p)
			p.send(1, bind("a"))
			p.wantClose(1, 406, failed+`The binding key must be an integer: <<"a">>`, ids(50, 20))
			p.open(1)
			p.publish(1, post{exchange: "x", key: "k", body: "lost"})
			p.wantBodies("q")
		})
	})
}

// Of the arguments only alternate-exchange must agree.
func TestExchangeTypes_RabbitMQ_Accepts(t *testing.T) {
	ok := &amqp.ExchangeDeclareOk{}
	replies(t, []reply{
		{"another hash", declared(*declaring("x-consistent-hash", "hash-header", "a")), declaring("x-consistent-hash", "hash-property", "message_id"), ok},
		{"a hash that cannot be", declared(*declaring("x-consistent-hash")), declaring("x-consistent-hash", "hash-property", "foo"), ok},
		{"another length", declared(*declaring("x-recent-history")), declaring("x-recent-history", "x-recent-history-length", int32(5)), ok},
	})
}

// counted returns how many messages each of the queues q0 … has.
func (p *peer) counted(queues int) (counts []int) {
	p.t.Helper()
	p.b.settle()
	for i := range queues {
		ok := ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: fmt.Sprint("q", i), Passive: true})
		counts = append(counts, int(ok.MessageCount))
	}
	return counts
}

// spread declares an exchange with four queues.
func (p *peer) spread(kind string, arguments ...any) {
	p.t.Helper()
	p.exchange("x", kind, arguments...)
	for i := range 4 {
		p.queue(fmt.Sprint("q", i))
		p.bind(fmt.Sprint("q", i), "x", "100")
	}
}

// Each message goes to one queue, and by a hash those that agree go to the same.
func TestExchangeTypes_RabbitMQ_ChooseOneQueue(t *testing.T) {
	type props = amqp.BasicProperties
	key := func(n int) post { return post{key: fmt.Sprint("key", n)} }
	for _, c := range []struct {
		name, kind string
		arguments  []any
		post       func(n int) post
		agree      bool
	}{
		{"consistent, key", "x-consistent-hash", nil, key, true},
		{"consistent, header", "x-consistent-hash", []any{"hash-header", "h"},
			func(n int) post { return post{props: props{Headers: table("a", true, "h", fmt.Sprint("value", n))}} }, true},
		{"consistent, correlation_id", "x-consistent-hash", []any{"hash-property", "correlation_id"},
			func(n int) post { return post{props: props{CorrelationID: fmt.Sprint("id", n)}} }, true},
		{"consistent, message_id", "x-consistent-hash", []any{"hash-property", "message_id"},
			func(n int) post { return post{props: props{MessageID: fmt.Sprint("id", n)}} }, true},
		{"consistent, timestamp", "x-consistent-hash", []any{"hash-property", "timestamp"},
			func(n int) post { return post{props: props{Timestamp: amqp.Timestamp(1_700_000_000 + n)}} }, true},
		{"modulus", "x-modulus-hash", nil, key, true},
		{"random", "x-random", nil, key, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p := b.peer()
				p.spread(c.kind, c.arguments...)
				for n := range 40 {
					m := c.post(n)
					m.exchange = "x"
					for range 6 {
						p.addPost(1, m)
					}
				}
				p.flush()
				total := 0
				for _, n := range p.counted(4) {
					total += n
					if n == 0 || c.agree && n%6 != 0 {
						t.Errorf("a queue has %d messages", n)
					}
				}
				if total != 240 {
					t.Errorf("%d messages in all, want 240", total)
				}
			})
		})
	}
}

// Without the header all messages go to one queue.
func TestExchangeTypes_RabbitMQ_HashOfNothing(t *testing.T) {
	for argument, value := range map[string]string{"hash-header": "h", "hash-property": "message_id"} {
		conforms(t, func(b *broker) {
			p := b.peer()
			p.spread("x-consistent-hash", argument, value)
			for n := range 20 {
				p.addPost(1, post{exchange: "x", key: fmt.Sprint(n)})
				p.addPost(1, post{exchange: "x", key: fmt.Sprint(n), props: amqp.BasicProperties{Headers: table("other", int32(n))}})
			}
			p.flush()
			used := 0
			for _, n := range p.counted(4) {
				if n > 0 {
					used++
				}
			}
			if used != 1 {
				t.Errorf("%s: %d queues are used, want 1", argument, used)
			}
		})
	}
}

func TestExchangeTypes_RabbitMQ_RecentHistory(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.exchange("x", "x-recent-history", "x-recent-history-length", int32(3))
		p.queue("q")
		for n := range 5 {
			p.addPost(1, post{exchange: "x", key: "k", body: fmt.Sprint(n)})
		}
		p.addPost(1, post{exchange: "x", body: "no", props: amqp.BasicProperties{Headers: table("x-recent-history-no-store", true)}})
		p.flush()
		b.settle()
		p.bind("q", "x", "a")
		p.wantBodies("q", "2", "3", "4")
		p.bind("q", "x", "a")
		p.wantBodies("q")
		p.publish(1, post{exchange: "x", body: "5"})
		p.wantBodies("q", "5")

		p.exchange("y", "direct")
		p.queue("q2")
		p.bind("q2", "y", "k")
		b.ours("RabbitMQ gives an exchange the newest first, and fails where it routes to no queue")
		ask[*amqp.ExchangeBindOk](p, 1, &amqp.ExchangeBind{Destination: "y", Source: "x", RoutingKey: "a"})
		p.wantBodies("q2", "3", "4")
	})
}

// A message without a delay goes by the type that the argument names.
func TestExchangeTypes_DelayedWithoutDelay(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		p.exchange("x", "x-delayed-message", "x-delayed-type", "topic")
		p.queue("q")
		p.bind("q", "x", "a.*")
		p.publish(1, post{exchange: "x", key: "a.b", body: "1"}, post{exchange: "x", key: "b", body: "none"},
			post{exchange: "x", key: "a.c", body: "2", props: amqp.BasicProperties{Headers: table("x-delay", int32(0))}},
			post{exchange: "x", key: "a.c", body: "3", props: amqp.BasicProperties{Headers: table("x-deliver-at", amqp.Timestamp(1))}})
		p.wantBodies("q", "1", "2", "3")
		p.publish(1, post{exchange: "x", key: "b", body: "returned", mandatory: true})
		p.wantReturn(1, "x", "b", "returned")
	})
}
