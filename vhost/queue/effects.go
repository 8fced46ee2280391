package queue

import (
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

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
	// Exchange is where it goes; Key replaces its routing keys if HasKey.
	Exchange, Key string
	HasKey        bool
	// Attempts is how often the message was handed out, 0 where that is not to
	// be told.
	Attempts uint32
	// Again says that it may have been dead-lettered before a restart.
	Again bool
	// Keep says that it is still in its queue: whoever carries this out calls
	// Taken when some queue has it, else KeepDead of its queue.
	Keep bool
	item item // if Keep
}

// Taken ends the place of a dead letter that was kept.
func (d *DeadLetter) Taken(fx *Effects) { d.Queue.core.settle(&d.item, fx) }

// Effects collects what queues decided under their locks and what must be done
// after them. The zero value is ready. It belongs to one goroutine, which
// empties it with the Take functions; to carry an effect out may add others.
//
// What is to be stored is collected too: all that was noted between two calls
// of WakeAll is one batch, which the store has as a whole or not at all.
type Effects struct {
	store     persistence.Store // of the batch, once somebody has said which
	batch     persistence.Batch
	wakes     []Waker
	dead      []DeadLetter
	due       []Due
	posts     []*amqp.Message
	unused    []*Queue
	cancelled []*Consumer
	now       int64 // see Time; 0 until somebody has asked
}

// Time returns when something happened to be done between two calls of WakeAll, in
// Unix nanoseconds: all of it has one time, so that the clock is read once a batch.
// What must be exact looks itself.
func (fx *Effects) Time() int64 {
	if fx.now != 0 {
		return fx.now
	}
	return fx.look()
}

func (fx *Effects) look() int64 {
	fx.now = time.Now().UnixNano()
	return fx.now
}

// Wake notes a Waker to be woken once the batch is done.
func (fx *Effects) Wake(w Waker) { fx.wakes = append(fx.wakes, w) }

// Use says which store the batch is for. Queues that are stored say it by
// themselves; all that one Effects is used with must share one store.
func (fx *Effects) Use(s persistence.Store) { fx.store = s }

// Append notes a record to be stored, for which w, if not nil, waits. See
// [persistence.Batch]; this and the next four are its methods.
func (fx *Effects) Append(r *persistence.Record, w persistence.Waiter, number uint64) {
	fx.batch.Append(r, w, number)
}

// Settle notes that a place of a record has come to its end.
func (fx *Effects) Settle(r *persistence.Record, place int) { fx.batch.Settle(r, place) }

// Return notes that the message of a place came back for the nth time, and when
// it may be handed on, in Unix nanoseconds; 0: at once.
func (fx *Effects) Return(r *persistence.Record, place int, n uint32, due int64) {
	fx.batch.Return(r, place, n, due)
}

// Change notes a change of the definitions.
func (fx *Effects) Change(c persistence.Change) { fx.batch.Change(c) }

// Wait lets w be told when all that was noted since the last WakeAll is stored.
func (fx *Effects) Wait(w persistence.Waiter, number uint64) { fx.batch.Wait(w, number) }

// Pending reports whether there is anything to do but to store and to wake. It
// is to be done first: a dead letter that is published into the same Effects is
// stored with the end of its old place, or neither is.
func (fx *Effects) Pending() bool {
	return len(fx.dead) != 0 || len(fx.due) != 0 || len(fx.posts) != 0 || len(fx.unused) != 0 || len(fx.cancelled) != 0
}

// WakeAll hands what was noted to the store, then wakes whom it concerns, and
// forgets both.
func (fx *Effects) WakeAll() {
	if !fx.batch.Empty() {
		fx.flush()
	}
	for i, w := range fx.wakes {
		w.Wake()
		fx.wakes[i] = nil
	}
	fx.wakes = fx.wakes[:0]
	fx.now = 0
}

// flush hands the batch to the store. Without a store there is nothing to wait
// for, and nothing that could be stored: that would be a confirm without cause.
func (fx *Effects) flush() {
	if fx.store != nil {
		fx.store.Write(&fx.batch)
		return
	}
	b := &fx.batch
	if len(b.Appends)+len(b.Settles)+len(b.Changes) > 0 {
		panic("queue: something to be stored, and no store")
	}
	for _, w := range b.Waits {
		w.Waiter.Done([]uint64{w.Number}, nil)
	}
	b.Reset()
}

// TakeDead returns the messages to dead-letter, in the order they died.
func (fx *Effects) TakeDead() []DeadLetter {
	d := fx.dead
	fx.dead = nil
	return d
}

// TakeDue returns the messages to pass on, in the order in which they are due.
func (fx *Effects) TakeDue() []Due {
	d := fx.due
	fx.due = nil
	return d
}

// Posts returns how many messages the broker is to publish itself.
func (fx *Effects) Posts() int { return len(fx.posts) }

// Post notes a message that the broker is to publish itself, to the exchange that it
// names, before those that were noted when there were at of them, or after all.
func (fx *Effects) Post(m *amqp.Message, at int) {
	fx.posts = slices.Insert(fx.posts, min(at, len(fx.posts)), m)
}

// TakePosts returns the messages that the broker is to publish itself, in order.
func (fx *Effects) TakePosts() []*amqp.Message {
	p := fx.posts
	fx.posts = nil
	return p
}

// TakeUnused returns queues to delete, because they are auto-delete and lost
// their last consumer or because they expired. DeleteUnused decides.
func (fx *Effects) TakeUnused() []*Queue {
	u := fx.unused
	fx.unused = nil
	return u
}

// TakeCancelled returns consumers who are to be told that they are gone, because
// their queue is or because they were too slow: see Consumer.TimedOut.
func (fx *Effects) TakeCancelled() []*Consumer {
	c := fx.cancelled
	fx.cancelled = nil
	return c
}
