package crashtest

import (
	"math/rand/v2"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// copies gives out the messages of a flow that is published more than once: each
// right away again, and at times one of the latest, which another publisher may
// be about to publish too. It begins with what a crash may have swallowed, and
// with what should be known in spite of it.
func (w *load) copies(flow int) func() message {
	const latest = 60
	again := w.l.unsure(flow, latest)
	var last message
	n := 0
	return func() message {
		if len(again) > 0 {
			m := again[0]
			again = again[1:]
			return m
		}
		n++
		switch n % 3 {
		case 1:
			last = w.l.publish(flow)
		case 0:
			return w.l.copy(flow, rand.IntN(latest))
		}
		return last
	}
}

// retrier gives messages back as often as their number says, and then acks them.
func (w *load) retrier(conn *amqp091.Connection) error {
	const queue = "crash.retry"
	ch, deliveries, err := w.open(conn, queue, 100, false)
	if err != nil {
		return err
	}
	return w.batches(deliveries, queue, 50, func(_ uint64, hand []held) error {
		var acked, returned []held
		for _, h := range hand {
			var err error
			if h.attempt <= h.m.nacks() {
				returned = append(returned, h)
				w.l.giveBack(queue, h)
				err = ch.Nack(h.tag, false, true)
			} else {
				acked = append(acked, h)
				w.l.ack(queue, []message{h.m})
				err = ch.Ack(h.tag, false)
			}
			if err != nil {
				return err
			}
		}
		if err := ch.Qos(100, 0, false); err != nil {
			return err
		}
		w.l.settle(queue, messages(acked), false)
		w.l.gaveBack(queue, returned)
		return nil
	})
}
