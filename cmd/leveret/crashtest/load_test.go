package crashtest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// load is clients at work on one run of a broker.
type load struct {
	l       *ledger
	c       *churn
	b       *broker
	workers sync.WaitGroup
}

// burst and rest set the pace: so many messages, then so long nothing.
const (
	burst = 20
	rest  = 5 * time.Millisecond
	// window is how many confirms a publisher leaves open.
	window = 300
)

// begin sets all clients to work. They end with the broker.
func begin(l *ledger, c *churn, b *broker) *load {
	w := &load{l: l, c: c, b: b}
	for _, flow := range []int{flowPlain, flowPriority, flowFan, flowReject, flowMove, flowDelay, flowRetry, flowOnce, flowOnce, flowExpire, flowFull} {
		w.client("publisher of "+flows[flow].name, func(conn *amqp091.Connection) error { return w.publisher(conn, flow) })
	}
	w.client("transactions", w.transactions)
	w.client("mover", w.mover)
	w.client("rejecter", w.rejecter)
	w.client("retrier", w.retrier)
	w.client("churn", c.work)
	for _, queue := range []string{
		"crash.plain", "crash.plain", "crash.priority", "crash.fan.fast", "crash.tx.even",
		"crash.due", "crash.givenup", "crash.once", "crash.expired", "crash.overflow",
	} {
		w.client("consumer of "+queue, func(conn *amqp091.Connection) error { return w.consumer(conn, queue, 50, 0) })
	}
	for _, queue := range []string{"crash.expire", "crash.full"} {
		w.client("lazy consumer of "+queue, func(conn *amqp091.Connection) error { return w.consumer(conn, queue, 20, 8*rest) })
	}
	w.client("slow consumer", w.slowConsumer)
	return w
}

// client runs work on a connection of its own.
func (w *load) client(who string, work func(*amqp091.Connection) error) {
	w.workers.Go(func() {
		conn, err := w.b.dial()
		if err != nil {
			w.l.failed(who, err)
			return
		}
		defer conn.Close()
		w.l.failed(who, work(conn))
	})
}

// publisher publishes with confirms.
func (w *load) publisher(conn *amqp091.Connection, flow int) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, window))
	returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
	open := make(chan message, window)
	var readers sync.WaitGroup
	readers.Go(func() {
		for c := range confirms { // one a publish, in order; closed with the channel
			m := <-open
			if c.Ack {
				w.l.confirm(m)
			} else {
				// Right on a disk that is gone.
				w.l.failed(m.String(), errors.New("it was refused"))
			}
		}
	})
	readers.Go(func() {
		for r := range returns {
			w.l.problem("%s came back unroutable: %s", r.MessageId, r.ReplyText)
		}
	})
	err = w.publishAll(ch, flow, open)
	ch.Close()
	readers.Wait()
	return err
}

func (w *load) publishAll(ch *amqp091.Channel, flow int, open chan<- message) error {
	closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
	next := func() message { return w.l.publish(flow) }
	if flows[flow].copied {
		next = w.copies(flow)
	}
	pause := rest
	if flows[flow].gentle {
		pause = 4 * rest
	}
	for n := 1; ; n++ {
		m := next()
		select {
		case open <- m:
		case err := <-closed:
			return orClosed(err)
		}
		exchange, key := m.route()
		if err := ch.Publish(exchange, key, true, false, m.publishing()); err != nil {
			return err
		}
		if n%burst == 0 {
			<-time.After(pause)
		}
	}
}

func orClosed(err *amqp091.Error) error {
	if err == nil {
		return amqp091.ErrClosed
	}
	return err
}

// transactions publishes in transactions.
func (w *load) transactions(conn *amqp091.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Tx(); err != nil {
		return err
	}
	for {
		group := make([]message, flows[flowTx].group)
		for i := range group { // all of them first, so that a crash leaves the numbers whole
			group[i] = w.l.publish(flowTx)
		}
		for _, m := range group {
			exchange, key := m.route()
			if err := ch.Publish(exchange, key, true, false, m.publishing()); err != nil {
				return err
			}
		}
		if err := ch.TxCommit(); err != nil {
			return err
		}
		w.l.confirm(group...)
		<-time.After(rest)
	}
}

// open starts to consume.
func (w *load) open(conn *amqp091.Connection, queue string, prefetch int, tx bool) (*amqp091.Channel, <-chan amqp091.Delivery, error) {
	ch, err := conn.Channel()
	if err == nil && tx {
		err = ch.Tx()
	}
	if err == nil {
		err = ch.Qos(prefetch, 0, false)
	}
	if err != nil {
		return nil, nil, err
	}
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	return ch, deliveries, err
}

// held is a message that is not settled yet.
type held struct {
	tag     uint64
	m       message
	attempt int
}

func messages(hand []held) (ms []message) {
	for _, h := range hand {
		ms = append(ms, h.m)
	}
	return ms
}

// batches hands over the deliveries of a queue, up to most together, until the
// connection ends.
func (w *load) batches(deliveries <-chan amqp091.Delivery, queue string, most int, each func(last uint64, hand []held) error) error {
	o := order{}
	for d := range deliveries {
		hand := make([]held, 0, most)
		for more := true; more; {
			m, ok := w.l.receive(queue, &d, o)
			if ok {
				hand = append(hand, held{d.DeliveryTag, m, attemptOf(&d)})
			}
			if len(hand) == most {
				break
			}
			select {
			case next, open := <-deliveries:
				if more = open; more {
					d = next
				}
			default:
				more = false
			}
		}
		if err := each(d.DeliveryTag, hand); err != nil {
			return err
		}
	}
	return amqp091.ErrClosed
}

// consumer acks up to most together, and rests after so many. The answer to the qos after
// it says that the broker has read the ack.
func (w *load) consumer(conn *amqp091.Connection, queue string, most int, pause time.Duration) error {
	ch, deliveries, err := w.open(conn, queue, 2*most, false)
	if err != nil {
		return err
	}
	sinceRest := 0
	return w.batches(deliveries, queue, most, func(last uint64, hand []held) error {
		ms := messages(hand)
		w.l.ack(queue, ms)
		if err := ch.Ack(last, true); err != nil {
			return err
		}
		if err := ch.Qos(2*most, 0, false); err != nil {
			return err
		}
		w.l.settle(queue, ms, false)
		if sinceRest += len(ms); sinceRest >= most && pause > 0 {
			sinceRest = 0
			<-time.After(pause)
		}
		return nil
	})
}

// rejecter dead-letters everything.
func (w *load) rejecter(conn *amqp091.Connection) error {
	const queue = "crash.reject"
	ch, deliveries, err := w.open(conn, queue, 40, false)
	if err != nil {
		return err
	}
	return w.batches(deliveries, queue, 20, func(last uint64, hand []held) error {
		ms := messages(hand)
		w.l.ack(queue, ms)
		if err := ch.Nack(last, true, false); err != nil {
			return err
		}
		if err := ch.Qos(40, 0, false); err != nil {
			return err
		}
		w.l.settle(queue, ms, false)
		return nil
	})
}

// mover moves messages to another queue in transactions of acks and publishes.
func (w *load) mover(conn *amqp091.Connection) error {
	const queue = "crash.move"
	ch, deliveries, err := w.open(conn, queue, 20, true)
	if err != nil {
		return err
	}
	return w.batches(deliveries, queue, 10, func(last uint64, hand []held) error {
		ms := messages(hand)
		w.l.ack(queue, ms)
		for _, m := range ms {
			if err := ch.Publish("", "crash.moved", true, false, m.publishing()); err != nil {
				return err
			}
		}
		if err := ch.Ack(last, true); err != nil {
			return err
		}
		if err := ch.TxCommit(); err != nil {
			return err
		}
		w.l.settle(queue, ms, true)
		return nil
	})
}

// slowConsumer acks some of what it holds, in any order.
func (w *load) slowConsumer(conn *amqp091.Connection) error {
	const queue = "crash.fan.slow"
	ch, deliveries, err := w.open(conn, queue, 50, false)
	if err != nil {
		return err
	}
	var hand []held
	o := order{}
	for d := range deliveries {
		if m, ok := w.l.receive(queue, &d, o); ok {
			hand = append(hand, held{tag: d.DeliveryTag, m: m})
		}
		if len(hand) < 50 {
			continue
		}
		rand.Shuffle(len(hand), func(i, j int) { hand[i], hand[j] = hand[j], hand[i] })
		ms := messages(hand[:10])
		for i, h := range hand[:10] {
			w.l.ack(queue, ms[i:i+1])
			if err := ch.Ack(h.tag, false); err != nil {
				return err
			}
		}
		if err := ch.Qos(50, 0, false); err != nil {
			return err
		}
		w.l.settle(queue, ms, false)
		hand = append(hand[:0], hand[10:]...)
		<-time.After(2 * rest)
	}
	return amqp091.ErrClosed
}
