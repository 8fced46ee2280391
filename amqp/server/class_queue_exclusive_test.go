package server

import (
	"testing"

	"github.com/leveretmq/leveret/amqp"
)

func TestQueueDeclare_1_7_2_1_ExclusiveIsLocked(t *testing.T) {
	for _, m := range []amqp.Method{
		&amqp.QueueDeclare{Queue: "q", Exclusive: true},
		&amqp.QueueDeclare{Queue: "q", Passive: true},
		&amqp.QueueDeclare{Queue: "q"},
		&amqp.QueueDelete{Queue: "q"},
		&amqp.QueuePurge{Queue: "q"},
		&amqp.BasicGet{Queue: "q"},
		&amqp.BasicConsume{Queue: "q"},
		&amqp.QueueBind{Queue: "q", Exchange: "amq.direct", RoutingKey: "k"},
	} {
		t.Run(m.Name(), func(t *testing.T) {
			conforms(t, func(b *broker) {
				owner, other := b.peer(), b.peer()
				ask[*amqp.QueueDeclareOk](owner, 1, &amqp.QueueDeclare{Queue: "q", Exclusive: true})
				other.send(1, m)
				other.wantClose(1, 405, locked("q"), ids(m.ClassID(), m.MethodID()))
				owner.wantCounts(1, "q", 0, 0)
			})
		})
	}
}

func TestQueueDeclare_1_7_2_1_ExclusiveFlagMustNotChange(t *testing.T) {
	refusals(t, []refusal{
		{"lost", func(p *peer) { ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Exclusive: true}) },
			&amqp.QueueDeclare{Queue: "q"}, 405, locked("q"), ""},
		{"gained", q, &amqp.QueueDeclare{Queue: "q", Exclusive: true}, 405, locked("q"), ""},
	})
}

func TestQueueDeclare_RabbitMQ_ExclusiveMayBePublishedToAndUnbound(t *testing.T) {
	conforms(t, func(b *broker) {
		owner, other := b.peer(), b.peer()
		ask[*amqp.QueueDeclareOk](owner, 1, &amqp.QueueDeclare{Queue: "q", Exclusive: true})
		ask[*amqp.QueueUnbindOk](other, 1, &amqp.QueueUnbind{Queue: "q", Exchange: "amq.direct", RoutingKey: "absent"})
		other.publish(1, post{key: "q", body: "m"})
		other.probe(1)
		owner.wantBodies("q", "m")
	})
}

func TestQueueDeclare_RabbitMQ_ExclusiveGoesWithItsConnection(t *testing.T) {
	for how, end := range map[string]func(p *peer){
		"closed": func(p *peer) { p.bye() },
		"cut":    func(p *peer) { p.nc.Close(); p.b.settle() },
		"an error": func(p *peer) {
			p.send(1, &amqp.BasicQos{PrefetchSize: 1})
			p.wantClose(0, 540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)", amqp.IDBasicQos)
		},
	} {
		t.Run(how, func(t *testing.T) {
			conforms(t, func(b *broker) {
				p, other := b.peer(), b.peer()
				ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", Exclusive: true})
				end(p)
				other.send(1, &amqp.QueueDeclare{Queue: "q", Passive: true})
				other.wantClose(1, 404, "NOT_FOUND - no queue 'q' in vhost '/'", amqp.IDQueueDeclare)
			})
		})
	}
}

func TestQueueDeclare_RabbitMQ_ExclusiveStaysWithoutItsChannel(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		ask[*amqp.QueueDeclareOk](p, 2, &amqp.QueueDeclare{Queue: "q", Exclusive: true})
		ask[*amqp.ChannelCloseOk](p, 2, &amqp.ChannelClose{ReplyCode: 200})
		p.wantCounts(1, "q", 0, 0)
	})
}

func TestQueueDeclare_1_7_2_1_AutoDeleteGoesWithItsLastConsumer(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", AutoDelete: true})
		p.consume(1, "q", "a")
		p.consume(1, "q", "b")
		ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "a"})
		p.wantCounts(1, "q", 0, 1)
		ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "b"})
		b.settle()
		p.send(1, &amqp.QueueDeclare{Queue: "q", Passive: true})
		p.wantClose(1, 404, "NOT_FOUND - no queue 'q' in vhost '/'", amqp.IDQueueDeclare)
	})
}

func TestQueueDeclare_RabbitMQ_AutoDeleteGoesWithTheChannelOfItsConsumer(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", AutoDelete: true})
		p.consume(2, "q", "a")
		ask[*amqp.ChannelCloseOk](p, 2, &amqp.ChannelClose{ReplyCode: 200})
		b.settle()
		p.send(1, &amqp.QueueDeclare{Queue: "q", Passive: true})
		p.wantClose(1, 404, "NOT_FOUND - no queue 'q' in vhost '/'", amqp.IDQueueDeclare)
	})
}

func TestQueueDeclare_1_7_2_1_AutoDeleteStaysUnlessConsumed(t *testing.T) {
	conforms(t, func(b *broker) {
		p := b.peer()
		p.open(2)
		ask[*amqp.QueueDeclareOk](p, 2, &amqp.QueueDeclare{Queue: "q", AutoDelete: true})
		p.publish(2, post{key: "q", body: "m"})
		p.wantCounts(2, "q", 1, 0)
		p.send(2, &amqp.BasicGet{Queue: "q"})
		expectContent[*amqp.BasicGetOk](p, 2)
		ask[*amqp.ChannelCloseOk](p, 2, &amqp.ChannelClose{ReplyCode: 200})
		p.wantCounts(1, "q", 1, 0)
	})
}

func TestExchangeDeclare_1_6_2_1_AutoDelete(t *testing.T) {
	auto := func(p *peer, name string) {
		ask[*amqp.ExchangeDeclareOk](p, 1, &amqp.ExchangeDeclare{Exchange: name, Type: "direct", AutoDelete: true})
	}
	unbind := func(p *peer, key string) {
		ask[*amqp.QueueUnbindOk](p, 1, &amqp.QueueUnbind{Queue: "q", Exchange: "x", RoutingKey: key})
	}
	twice := func(p *peer) {
		auto(p, "x")
		p.queue("q")
		p.bind("q", "x", "a")
		p.bind("q", "x", "b")
		unbind(p, "a")
	}
	chain := func(p *peer) {
		auto(p, "x1")
		auto(p, "x")
		ask[*amqp.ExchangeBindOk](p, 1, &amqp.ExchangeBind{Destination: "x", Source: "x1", RoutingKey: "k"})
		ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: "q", AutoDelete: true})
		p.bind("q", "x", "k")
		p.consume(1, "q", "c")
		ask[*amqp.BasicCancelOk](p, 1, &amqp.BasicCancel{ConsumerTag: "c"})
		p.b.settle()
	}
	ok := &amqp.ExchangeDeclareOk{}
	passive := func(name string) amqp.Method { return &amqp.ExchangeDeclare{Exchange: name, Passive: true} }
	replies(t, []reply{
		{"stays while there is a binding", twice, passive("x"), ok},
		{"stays if it never had one", func(p *peer) { auto(p, "x") }, passive("x"), ok},
		{"stays when it is no destination any more", func(p *peer) {
			auto(p, "x")
			ask[*amqp.ExchangeBindOk](p, 1, &amqp.ExchangeBind{Destination: "x", Source: "amq.direct", RoutingKey: "k"})
			ask[*amqp.ExchangeUnbindOk](p, 1, &amqp.ExchangeUnbind{Destination: "x", Source: "amq.direct", RoutingKey: "k"})
		}, passive("x"), ok},
	})
	refusals(t, []refusal{
		{"goes with the last", func(p *peer) { twice(p); unbind(p, "b") }, passive("x"),
			404, "NOT_FOUND - no exchange 'x' in vhost '/'", ""},
		{"goes with its queue", func(p *peer) {
			twice(p)
			ask[*amqp.QueueDeleteOk](p, 1, &amqp.QueueDelete{Queue: "q"})
			p.b.settle()
		}, passive("x"), 404, "NOT_FOUND - no exchange 'x' in vhost '/'", ""},
		{"an auto-delete queue takes its exchange", chain, passive("x"), 404, "NOT_FOUND - no exchange 'x' in vhost '/'", ""},
		{"which takes another", chain, passive("x1"), 404, "NOT_FOUND - no exchange 'x1' in vhost '/'", ""},
	})
}
