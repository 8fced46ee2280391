package server

import (
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

const defaultExchange = "ACCESS_REFUSED - operation not permitted on the default exchange"

// declared prepares an exchange.
func declared(m amqp.ExchangeDeclare) func(p *peer) {
	return func(p *peer) { ask[*amqp.ExchangeDeclareOk](p, 1, &m) }
}

func TestExchangeDeclare_1_6_2_1_Refusals(t *testing.T) {
	x := amqp.ExchangeDeclare{Exchange: "x", Type: "direct"}
	refusals(t, []refusal{
		{"passive and absent", nil, &amqp.ExchangeDeclare{Exchange: "absent", Type: "direct", Passive: true},
			404, "NOT_FOUND - no exchange 'absent' in vhost '/'", ""},
		{"nowait, passive and absent", nil, &amqp.ExchangeDeclare{Exchange: "absent", Passive: true, NoWait: true},
			404, "NOT_FOUND - no exchange 'absent' in vhost '/'", ""},
		{"reserved name", nil, &amqp.ExchangeDeclare{Exchange: "amq.foo", Type: "direct"},
			403, "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'", ""},
		{"reserved name, nowait", nil, &amqp.ExchangeDeclare{Exchange: "amq.foo", Type: "direct", NoWait: true},
			403, "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'", ""},
		{"reserved name, passive", nil, &amqp.ExchangeDeclare{Exchange: "amq.foo", Type: "direct", Passive: true},
			404, "NOT_FOUND - no exchange 'amq.foo' in vhost '/'", ""},
		{"predeclared otherwise", nil, &amqp.ExchangeDeclare{Exchange: "amq.direct", Type: "fanout", Durable: true},
			406, "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.direct' in vhost '/': received 'fanout' but current is 'direct'", ""},
		{"the default exchange", nil, &amqp.ExchangeDeclare{Exchange: "", Type: "direct", Durable: true}, 403, defaultExchange, ""},
		{"the default exchange, passive", nil, &amqp.ExchangeDeclare{Exchange: "", Passive: true}, 403, defaultExchange, ""},
		{"unknown type", nil, &amqp.ExchangeDeclare{Exchange: "x", Type: "x-nothing"},
			406, "PRECONDITION_FAILED - unknown exchange type 'x-nothing'", "3.10 closes the connection with 503, 4.x as here"},
		{"empty type", nil, &amqp.ExchangeDeclare{Exchange: "x", Type: ""},
			406, "PRECONDITION_FAILED - unknown exchange type ''", "3.10 closes the connection with 503, 4.x as here"},
		{"unknown type for one that exists", declared(x), &amqp.ExchangeDeclare{Exchange: "x", Type: "x-nothing"},
			406, "PRECONDITION_FAILED - unknown exchange type 'x-nothing'", "3.10 closes the connection with 503, 4.x as here"},
		{"alternate-exchange of a wrong type", nil,
			&amqp.ExchangeDeclare{Exchange: "x", Type: "direct", Arguments: table("alternate-exchange", int32(5))},
			406, "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'", ""},
	})
}

func TestExchangeDeclare_RabbitMQ_Inequivalent(t *testing.T) {
	alternate := func(name string) amqp.Table { return table("alternate-exchange", name) }
	for _, c := range []struct {
		name          string
		first, second amqp.ExchangeDeclare
		text          string
	}{
		{"type", amqp.ExchangeDeclare{Type: "direct"}, amqp.ExchangeDeclare{Type: "fanout"},
			"'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'"},
		{"durable lost", amqp.ExchangeDeclare{Durable: true}, amqp.ExchangeDeclare{},
			"'durable' for exchange 'x' in vhost '/': received 'false' but current is 'true'"},
		{"durable gained", amqp.ExchangeDeclare{}, amqp.ExchangeDeclare{Durable: true},
			"'durable' for exchange 'x' in vhost '/': received 'true' but current is 'false'"},
		{"auto-delete", amqp.ExchangeDeclare{AutoDelete: true}, amqp.ExchangeDeclare{},
			"'auto_delete' for exchange 'x' in vhost '/': received 'false' but current is 'true'"},
		{"internal", amqp.ExchangeDeclare{Internal: true}, amqp.ExchangeDeclare{},
			"'internal' for exchange 'x' in vhost '/': received 'false' but current is 'true'"},
		{"the type is named before durable", amqp.ExchangeDeclare{Durable: true}, amqp.ExchangeDeclare{Type: "fanout"},
			"'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'"},
		{"alternate", amqp.ExchangeDeclare{Arguments: alternate("a")}, amqp.ExchangeDeclare{Arguments: alternate("b")},
			"'alternate-exchange' for exchange 'x' in vhost '/': received 'b' but current is 'a'"},
		{"alternate lost", amqp.ExchangeDeclare{Arguments: alternate("a")}, amqp.ExchangeDeclare{},
			"'alternate-exchange' for exchange 'x' in vhost '/': received none but current is the value 'a' of type 'longstr'"},
		{"alternate gained", amqp.ExchangeDeclare{}, amqp.ExchangeDeclare{Arguments: alternate("a")},
			"'alternate-exchange' for exchange 'x' in vhost '/': received the value 'a' of type 'longstr' but current is none"},
	} {
		for _, m := range []*amqp.ExchangeDeclare{&c.first, &c.second} {
			m.Exchange = "x"
			if m.Type == "" {
				m.Type = "direct"
			}
		}
		refusals(t, []refusal{{c.name, declared(c.first), &c.second, 406, "PRECONDITION_FAILED - inequivalent arg " + c.text, ""}})
	}
}

func TestExchangeDeclare_1_6_2_1_Accepts(t *testing.T) {
	x := amqp.ExchangeDeclare{Exchange: "x", Type: "direct"}
	ok := &amqp.ExchangeDeclareOk{}
	replies(t, []reply{
		{"direct", nil, &x, ok},
		{"fanout", nil, &amqp.ExchangeDeclare{Exchange: "x", Type: "fanout"}, ok},
		{"topic", nil, &amqp.ExchangeDeclare{Exchange: "x", Type: "topic"}, ok},
		{"headers", nil, &amqp.ExchangeDeclare{Exchange: "x", Type: "headers"}, ok},
		{"again", declared(x), &x, ok},
		{"passive, another type", declared(x), &amqp.ExchangeDeclare{Exchange: "x", Type: "nonsense", Passive: true}, ok},
		{"unknown arguments do not count", declared(amqp.ExchangeDeclare{Exchange: "x", Type: "direct", Arguments: table("x-other", int32(1))}),
			&amqp.ExchangeDeclare{Exchange: "x", Type: "direct", Arguments: table("x-other", int32(2))}, ok},
		{"amq.direct as it is", nil, &amqp.ExchangeDeclare{Exchange: "amq.direct", Type: "direct", Durable: true}, ok},
		{"CR and LF are dropped from names", declared(amqp.ExchangeDeclare{Exchange: "a\r\nb", Type: "direct"}),
			&amqp.ExchangeDeclare{Exchange: "ab", Type: "direct", Passive: true}, ok},
		{"an alternate that is not there", nil,
			&amqp.ExchangeDeclare{Exchange: "x", Type: "direct", Arguments: table("alternate-exchange", "absent")}, ok},
	})
}

func TestExchangeDeclare_RabbitMQ_Predeclared(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		for name, kind := range map[string]string{"amq.direct": "direct", "amq.fanout": "fanout", "amq.topic": "topic",
			"amq.match": "headers", "amq.headers": "headers"} {
			ask[*amqp.ExchangeDeclareOk](p, 1, &amqp.ExchangeDeclare{Exchange: name, Type: kind, Durable: true})
		}
		ask[*amqp.ExchangeDeclareOk](p, 1, &amqp.ExchangeDeclare{Exchange: "amq.rabbitmq.trace", Type: "topic", Durable: true, Internal: true})
	})
}

func TestExchangeDeclare_1_6_2_1_NoWaitAnswersNothing(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.queue("q")
		p.send(1, &amqp.ExchangeDeclare{Exchange: "x", Type: "direct", NoWait: true},
			&amqp.ExchangeDeclare{Exchange: "y", Type: "direct", NoWait: true},
			&amqp.ExchangeBind{Destination: "y", Source: "x", RoutingKey: "k", NoWait: true},
			&amqp.QueueBind{Queue: "q", Exchange: "y", RoutingKey: "k", NoWait: true})
		p.wantNothing(1)
		p.publish(1, post{exchange: "x", key: "k", body: "m"})
		p.wantBodies("q", "m")
		p.send(1, &amqp.ExchangeUnbind{Destination: "y", Source: "x", RoutingKey: "k", NoWait: true},
			&amqp.ExchangeDelete{Exchange: "y", NoWait: true})
		p.wantNothing(1)
		p.publish(1, post{exchange: "x", key: "k", body: "m", mandatory: true})
		p.wantReturn(1, "x", "k", "m")
	})
}

func TestExchangeDelete_1_6_2_3_Refusals(t *testing.T) {
	bound := func(p *peer) {
		p.exchange("x", "direct")
		p.queue("q")
		p.bind("q", "x", "k")
	}
	refusals(t, []refusal{
		{"the default exchange", nil, &amqp.ExchangeDelete{Exchange: ""}, 403, defaultExchange, ""},
		{"predeclared", nil, &amqp.ExchangeDelete{Exchange: "amq.direct"},
			403, "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed", ""},
		{"reserved and absent", nil, &amqp.ExchangeDelete{Exchange: "amq.absent"},
			403, "ACCESS_REFUSED - deletion of system exchange 'amq.absent' in vhost '/' not allowed", ""},
		{"if-unused and in use", bound, &amqp.ExchangeDelete{Exchange: "x", IfUnused: true},
			406, "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use", ""},
		{"it is gone for a passive declare", func(p *peer) {
			bound(p)
			ask[*amqp.ExchangeDeleteOk](p, 1, &amqp.ExchangeDelete{Exchange: "x"})
		}, &amqp.ExchangeDeclare{Exchange: "x", Passive: true}, 404, "NOT_FOUND - no exchange 'x' in vhost '/'", ""},
	})
	replies(t, []reply{
		{"absent", nil, &amqp.ExchangeDelete{Exchange: "absent"}, &amqp.ExchangeDeleteOk{}},
		{"in use, unconditionally", bound, &amqp.ExchangeDelete{Exchange: "x"}, &amqp.ExchangeDeleteOk{}},
		{"if-unused, a destination only", func(p *peer) {
			p.exchange("x", "direct")
			ask[*amqp.ExchangeBindOk](p, 1, &amqp.ExchangeBind{Destination: "x", Source: "amq.direct", RoutingKey: "k"})
		}, &amqp.ExchangeDelete{Exchange: "x", IfUnused: true}, &amqp.ExchangeDeleteOk{}},
	})
}

func TestExchangeBind_RabbitMQ_Refusals(t *testing.T) {
	refusals(t, []refusal{
		{"default destination", nil, &amqp.ExchangeBind{Destination: "", Source: "amq.direct"}, 403, defaultExchange, ""},
		{"default source", nil, &amqp.ExchangeBind{Destination: "amq.direct", Source: ""}, 403, defaultExchange, ""},
		{"unbind, default destination", nil, &amqp.ExchangeUnbind{Destination: "", Source: "amq.direct"}, 403, defaultExchange, ""},
		{"absent source", nil, &amqp.ExchangeBind{Destination: "amq.direct", Source: "absent"},
			404, "NOT_FOUND - no exchange 'absent' in vhost '/'", ""},
		{"absent destination", nil, &amqp.ExchangeBind{Destination: "absent", Source: "amq.direct"},
			404, "NOT_FOUND - no exchange 'absent' in vhost '/'", ""},
		{"both absent", nil, &amqp.ExchangeBind{Destination: "absent.d", Source: "absent.s"},
			404, "NOT_FOUND - no exchange 'absent.s' in vhost '/'", ""},
		{"absent, nowait", nil, &amqp.ExchangeBind{Destination: "absent", Source: "absent", NoWait: true},
			404, "NOT_FOUND - no exchange 'absent' in vhost '/'", ""},
	})
	internal := func(p *peer) {
		ask[*amqp.ExchangeDeclareOk](p, 1, &amqp.ExchangeDeclare{Exchange: "x", Type: "direct", Internal: true})
	}
	replies(t, []reply{
		{"unbind, both absent", nil, &amqp.ExchangeUnbind{Destination: "absent.d", Source: "absent.s"}, &amqp.ExchangeUnbindOk{}},
		{"unbind, absent binding", nil, &amqp.ExchangeUnbind{Destination: "amq.direct", Source: "amq.topic"}, &amqp.ExchangeUnbindOk{}},
		{"to an internal one", internal, &amqp.ExchangeBind{Destination: "x", Source: "amq.direct"}, &amqp.ExchangeBindOk{}},
		{"from an internal one", internal, &amqp.ExchangeBind{Destination: "amq.direct", Source: "x"}, &amqp.ExchangeBindOk{}},
	})
}
