package queue

import "github.com/leveretmq/leveret/amqp"

// Waker is something that waits to be told that it has work: a session's
// outbox.
type Waker interface {
	// Wake must not block and must tolerate repeats.
	Wake()
}

// Reason says why a message left its queue other than by an ack. The words are
// those of the x-death header.
type Reason string

// The reasons of RabbitMQ's x-death.
const (
	Rejected      Reason = "rejected"
	Expired       Reason = "expired"
	MaxLen        Reason = "maxlen"
	DeliveryLimit Reason = "delivery_limit"
)

// DeadLetter is a message that a queue gave up and that its dead-letter
// exchange is to get.
type DeadLetter struct {
	Queue   *Queue
	Message *amqp.Message
	Reason  Reason
}

// Effects collects what queues decided under their locks and what must be done
// after them. The zero value is ready. It belongs to one goroutine, which
// empties it with the Take functions; to carry an effect out may add others.
type Effects struct {
	wakes     []Waker
	dead      []DeadLetter
	unused    []*Queue
	cancelled []*Consumer
}

// Wake notes a Waker to be woken once the batch is done.
func (fx *Effects) Wake(w Waker) { fx.wakes = append(fx.wakes, w) }

// Pending reports whether there is anything to do but to wake.
func (fx *Effects) Pending() bool {
	return len(fx.dead) != 0 || len(fx.unused) != 0 || len(fx.cancelled) != 0
}

// WakeAll wakes what was noted and forgets it.
func (fx *Effects) WakeAll() {
	for i, w := range fx.wakes {
		w.Wake()
		fx.wakes[i] = nil
	}
	fx.wakes = fx.wakes[:0]
}

// TakeDead returns the messages to dead-letter, in the order they died.
func (fx *Effects) TakeDead() []DeadLetter {
	d := fx.dead
	fx.dead = nil
	return d
}

// TakeUnused returns queues to delete, because they are auto-delete and lost
// their last consumer or because they expired. DeleteUnused decides.
func (fx *Effects) TakeUnused() []*Queue {
	u := fx.unused
	fx.unused = nil
	return u
}

// TakeCancelled returns consumers whose queue is gone and who are to be told.
func (fx *Effects) TakeCancelled() []*Consumer {
	c := fx.cancelled
	fx.cancelled = nil
	return c
}
