package server

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// tally counts how often each message was settled for good.
type tally struct {
	mu      sync.Mutex
	settled map[string]int
	seen    map[string]bool // delivered at least once
}

// deliver notes a delivery; it must be marked as redelivered if it is one.
func (c *tally) deliver(t testing.TB, body string, redelivered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[body] && !redelivered {
		t.Errorf("%s is delivered again and not marked", body)
	}
	c.seen[body] = true
}

func (c *tally) settle(bodies ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, body := range bodies {
		c.settled[body]++
	}
}

// worker is a consumer who does all that a consumer may do, and ends each of its
// sessions in another way.
type worker struct {
	b    *broker
	r    *rand.Rand
	c    *tally
	held map[uint64]string // unacked, by tag
}

func (w *worker) session() {
	w.held = map[uint64]string{}
	p := w.b.peer()
	defer p.nc.Close()
	if w.r.IntN(3) == 0 {
		p.prefetch(1, uint16(1+w.r.IntN(20)))
	}
	if w.r.IntN(4) == 0 {
		p.global(uint16(1 + w.r.IntN(10)))
	}
	p.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", Arguments: table("x-priority", int32(w.r.IntN(3)))})
	for range w.r.IntN(60) {
		e, ok := p.try(10 * time.Millisecond)
		if !ok {
			break
		}
		w.hear(e)
		if w.r.IntN(3) == 0 {
			w.act(p)
		}
	}
	switch w.r.IntN(4) {
	case 0:
		p.send(1, &amqp.ChannelClose{ReplyCode: 200})
	case 1:
		p.send(1, &amqp.BasicCancel{ConsumerTag: "c"}, &amqp.BasicRecoverAsync{Requeue: true})
	case 2:
		p.send(0, &amqp.ConnectionClose{ReplyCode: 200})
	}
}

func (w *worker) hear(e event) {
	switch m := e.m.(type) {
	case *amqp.BasicDeliver:
		w.c.deliver(w.b.t, e.body, m.Redelivered)
		w.held[m.DeliveryTag] = e.body
	case *amqp.BasicGetOk:
		w.c.deliver(w.b.t, e.body, m.Redelivered)
		w.held[m.DeliveryTag] = e.body
	case *amqp.BasicConsumeOk, *amqp.BasicGetEmpty, *amqp.BasicQosOk, *amqp.BasicCancelOk:
	default:
		w.b.t.Errorf("a worker got %v", e)
	}
}

// act settles something, or asks for more.
func (w *worker) act(p *peer) {
	tag := uint64(0)
	for at := range w.held {
		tag = at // any
		break
	}
	switch n := w.r.IntN(10); {
	case n == 0:
		p.send(1, &amqp.BasicGet{Queue: "q"})
	case tag == 0:
	case n < 5:
		w.c.settle(w.held[tag])
		delete(w.held, tag)
		p.send(1, &amqp.BasicAck{DeliveryTag: tag})
	case n < 7:
		for at, body := range w.held {
			if at <= tag {
				w.c.settle(body)
				delete(w.held, at)
			}
		}
		p.send(1, &amqp.BasicAck{DeliveryTag: tag, Multiple: true})
	case n < 9:
		delete(w.held, tag)
		p.send(1, &amqp.BasicReject{DeliveryTag: tag, Requeue: true})
	default:
		for at := range w.held {
			if at <= tag {
				delete(w.held, at)
			}
		}
		p.send(1, &amqp.BasicNack{DeliveryTag: tag, Multiple: true, Requeue: true})
	}
}

// Whatever consumers do, at once and in any order, each message is settled once:
// none is lost, none comes back after it was acked.
func TestChaos_EachMessageIsSettledOnce(t *testing.T) {
	const publishers, each, workers, sessions = 3, 400, 6, 30
	for name, args := range map[string][]any{
		"plain": nil, "single active consumer": {"x-single-active-consumer", true}, "priorities": {"x-max-priority", int32(3)},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *broker) {
				owner := b.peer()
				owner.queue("q", args...)
				c := &tally{settled: map[string]int{}, seen: map[string]bool{}}
				var all sync.WaitGroup
				for i := range publishers {
					p := b.peer()
					confirming(p)
					all.Go(func() {
						for n := range each {
							p.publish(1, post{key: "q", body: fmt.Sprint(i, ".", n), props: amqp.BasicProperties{Priority: uint8(n % 5)}})
							if got := p.settled(uint64(n+1), 1); len(got) != 0 {
								t.Errorf("refused: %v", got)
							}
						}
					})
				}
				for i := range workers {
					w := &worker{b: b, r: rand.New(rand.NewPCG(uint64(i), 3)), c: c}
					all.Go(func() {
						for range sessions {
							w.session()
						}
					})
				}
				all.Wait()
				owner.b.settle()
				for {
					owner.send(1, &amqp.BasicGet{Queue: "q", NoAck: true})
					e := owner.next("a message or none")
					if _, empty := e.m.(*amqp.BasicGetEmpty); empty {
						break
					}
					c.settle(e.body)
				}
				if len(c.seen) < publishers*each/4 {
					t.Errorf("the workers saw only %d of %d messages", len(c.seen), publishers*each)
				}
				left := ask[*amqp.QueueDeclareOk](owner, 1, &amqp.QueueDeclare{Queue: "q", Passive: true})
				if left.ConsumerCount != 0 || b.srv.Connections() != 1+publishers {
					t.Errorf("%d consumers and %d connections are left", left.ConsumerCount, b.srv.Connections())
				}
				for i := range publishers {
					for n := range each {
						if body := fmt.Sprint(i, ".", n); c.settled[body] != 1 {
							t.Errorf("message %s was settled %d times", body, c.settled[body])
						}
					}
				}
			})
		})
	}
}

// catchUp reads what has come until now, and opens the channel again if it was
// closed.
func (p *peer) catchUp() {
	p.t.Helper()
	p.send(1, &amqp.ExchangeDeclare{Exchange: "amq.direct", Passive: true})
	for {
		switch e := p.next("the answer to a probe"); m := e.m.(type) {
		case *amqp.ExchangeDeclareOk, *amqp.ChannelOpenOk:
			return
		case *amqp.ChannelClose:
			p.send(1, &amqp.ChannelCloseOk{}, &amqp.ChannelOpen{})
		case *amqp.ConnectionClose:
			p.t.Fatalf("the connection was closed: %+v", m)
		}
	}
}

// tinker changes the topology in all ways, in the midst of traffic. Some of what
// it does is refused.
func tinker(p *peer, r *rand.Rand, operations int) {
	name := func(kind string, of int) string { return fmt.Sprint(kind, r.IntN(of)) }
	for n := range operations {
		if n%5 == 0 {
			p.catchUp()
		}
		q, x, y, key := name("q", 4), name("x", 3), name("x", 3), name("k", 2)
		switch r.IntN(12) {
		case 0:
			p.send(1, &amqp.QueueDeclare{Queue: q, Durable: q < "q2", AutoDelete: r.IntN(2) == 0, NoWait: true,
				Arguments: table("x-dead-letter-exchange", y, "x-max-length", int32(3))})
		case 1:
			p.send(1, &amqp.QueueDeclare{Queue: name("e", 4), Exclusive: true, NoWait: true})
		case 2:
			p.send(1, &amqp.ExchangeDeclare{Exchange: x, Type: []string{"direct", "topic", "fanout"}[r.IntN(3)],
				Durable: x < "x2", AutoDelete: r.IntN(2) == 0, NoWait: true, Arguments: table("alternate-exchange", y)})
		case 3:
			p.send(1, &amqp.QueueBind{Queue: q, Exchange: x, RoutingKey: key, NoWait: true})
		case 4:
			p.send(1, &amqp.ExchangeBind{Source: x, Destination: y, RoutingKey: key, NoWait: true})
		case 5:
			p.send(1, &amqp.QueueUnbind{Queue: q, Exchange: x, RoutingKey: key})
		case 6:
			p.send(1, &amqp.BasicConsume{Queue: q, ConsumerTag: fmt.Sprint(n), NoAck: r.IntN(2) == 0, NoWait: true})
		case 7:
			p.send(1, &amqp.BasicCancel{ConsumerTag: fmt.Sprint(n - 1 - r.IntN(20)), NoWait: true})
		case 8:
			p.send(1, &amqp.QueueDelete{Queue: q, NoWait: true})
		case 9:
			p.send(1, &amqp.ExchangeDelete{Exchange: x, NoWait: true})
		case 10:
			p.send(1, &amqp.BasicNack{Multiple: true, Requeue: r.IntN(2) == 0})
		default:
			m := lasting(q, "m")
			p.publish(1, post{exchange: x, key: key, mandatory: true, body: "m"}, m, post{exchange: x, key: key, props: m.props, body: "m"})
		}
	}
	p.catchUp()
}

// Declares, binds and deletes by many, with messages on their way: nothing hangs,
// nothing fails.
func TestChaos_Topology(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { inBubble(t, Options{}, chaosTopology) })
	t.Run("stored", func(t *testing.T) {
		withStore(t, func(b *broker, store *recorder) {
			chaosTopology(b)
			b.srv.Close()
			again := store.Reopen()
			srv, err := Open(Options{Store: again})
			if err != nil {
				t.Fatal(err)
			}
			srv.Close()
		})
	})
}

func chaosTopology(b *broker) {
	var all sync.WaitGroup
	for i := range 5 {
		p := b.peer()
		all.Go(func() {
			tinker(p, rand.New(rand.NewPCG(uint64(i), 4)), 2000)
			p.nc.Close()
		})
	}
	all.Wait()
	b.settle()
	if n := b.srv.Connections(); n != 0 {
		b.t.Errorf("%d connections are left", n)
	}
	p := b.peer()
	for i := range 4 {
		name := fmt.Sprint("e", i)
		p.send(1, &amqp.QueueDeclare{Queue: name, Passive: true})
		p.wantClose(1, 404, "NOT_FOUND - no queue '"+name+"' in vhost '/'", amqp.IDQueueDeclare)
		p.open(1)
	}
}
