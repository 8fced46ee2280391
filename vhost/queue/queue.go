package queue

import (
	"sync"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// Options describe a queue. What a declare says is here as it was said, to be
// shown and compared; Limits is what it comes to.
type Options struct {
	VHost, Name         string
	Durable, AutoDelete bool
	// Owner is the connection that an exclusive queue belongs to, 0 for a
	// queue that is not exclusive.
	Owner     uint64
	Arguments amqp.Table
	Limits    Limits
	// Policy is what policies say of it at first; see SetPolicy.
	Policy Applied
	// ID names the queue in Store; persistent messages are then stored. 0 for a
	// queue whose messages do not outlive the broker.
	ID persistence.QueueID
	// PassesOn is for a queue that only holds messages until they are due: see
	// Hold.
	PassesOn bool
	// Store keeps messages; nil if nothing is stored.
	Store persistence.Store
	// Pager takes messages out of memory and brings them back, by way of Store,
	// which must be the pager's; nil if all stay in memory.
	Pager *Pager
	// Apply carries out the effects of what happens by the clock alone; nil
	// wakes and no more.
	Apply func(*Effects)
}

// Queue is a classic queue: core under a mutex. Its methods may be called from
// any goroutine; the caller carries out fx afterwards, holding no queue's lock.
type Queue struct {
	// immutable
	opts   Options
	quorum bool

	loading sync.Mutex // held while messages come back from the store; before mu

	mu   sync.Mutex
	core core
	// guarded by mu
	closed   bool
	death    *time.Timer // runs while a head can expire
	deathAt  int64       // when it fires, 0 while it is stopped
	idle     *time.Timer // runs while x-expires is set and nobody consumes
	lastUsed time.Time
	slow     *time.Timer // runs while a consumer can be too slow
	dueAt    int64       // when it fires, 0 while it is stopped
	trimmer  *time.Timer // runs when trim has left something over
	trimming bool        // it does, or what was trimmed is carried out
	applied  Applied
	recovery *recovery // until Recovered
	// wake runs until something is to be done for what is held, at wakeAt; not
	// while what was released is carried out.
	wake       *time.Timer
	wakeAt     int64
	releasedAt int64 // when something was, last
	releasing  bool
	paging     paging
}

// New returns an empty queue.
func New(o Options) *Queue {
	if o.Apply == nil {
		o.Apply = (*Effects).WakeAll
	}
	kind := Type(o.Arguments)
	q := &Queue{opts: o, quorum: kind == TypeQuorum, lastUsed: time.Now(), applied: o.Policy}
	q.core.owner = q
	q.core.active = q.lastUsed.UnixNano()
	q.core.id, q.core.store = o.ID, o.Store
	if o.Pager != nil {
		q.core.store = o.Pager.store
		o.Pager.enter(q)
	}
	if q.core.store == nil {
		q.core.id = 0
	}
	q.core.passesOn = o.PassesOn
	q.core.pages = o.Pager != nil
	q.core.limits = o.Limits.under(kind, o.Arguments.Get, o.Policy.Definition)
	q.core.ready = newLines(o.Limits.MaxPriority)
	q.core.consumers.single = o.Limits.SingleActive
	q.core.seen = q.newSeen()
	if term := q.core.limits.Expires; term > 0 {
		q.mu.Lock() // the timer may fire before its field is set
		q.idle = time.AfterFunc(term, q.expireUnused)
		q.mu.Unlock()
	}
	return q
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.opts.Name }

// Options returns what the queue was made with.
func (q *Queue) Options() Options { return q.opts }

// Publish adds a message and hands on what can be handed on. A queue that is
// stored gives a persistent message, if it accepts it, a place in *rec, and makes
// the record if *rec is nil: the caller gives the same rec to all queues of the
// message and then, if there is a record, notes it with [Effects.Append].
func (q *Queue) Publish(m *amqp.Message, rec **persistence.Record, fx *Effects) Outcome {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return Closed
	}
	now := q.nowLocked(m)
	out := q.core.publish(m, rec, now, fx)
	q.afterLocked(now)
	return out
}

// nowLocked is the time if anything in the queue, or m, can expire, else 0: the
// clock is not read for queues that have no use for it.
func (q *Queue) nowLocked(m *amqp.Message) int64 {
	if q.core.mortal > 0 || q.core.limits.TTL >= 0 || (m != nil && m.Expiration >= 0) ||
		q.core.limits.Retry.Backoff != NoBackoff || q.core.held.count() > 0 || q.core.consumers.timed {
		return time.Now().UnixNano()
	}
	return 0
}

// Get takes the first ready message for basic.get and returns how many stay
// ready. ok is false if there is none, or if it cannot be read from the store.
func (q *Queue) Get(noAck bool, fx *Effects) (d Delivery, left int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return Delivery{}, 0, false
	}
	q.lastUsed = time.Now()
	now := q.nowLocked(nil)
	d, ok, away := q.core.get(noAck, now, fx)
	for away {
		q.mu.Unlock()
		err := q.loadAndLock(fx)
		if err != nil || q.closed {
			break
		}
		now = q.nowLocked(nil)
		d, ok, away = q.core.get(noAck, now, fx)
	}
	q.afterLocked(now)
	return d, q.core.ready.count, ok
}

// Ack settles deliveries for good.
func (q *Queue) Ack(ids []ID, fx *Effects) {
	q.mu.Lock()
	q.core.ack(ids, fx)
	if q.core.consumers.yielding {
		q.yieldLocked(fx)
	}
	q.mu.Unlock()
}

// Reject settles deliveries that nobody wants: they are dead-lettered or dropped.
func (q *Queue) Reject(ids []ID, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.core.reject(ids, fx)
	if q.core.consumers.yielding {
		q.yieldLocked(fx)
	}
}

// Requeue gives deliveries back, and says why. Each goes to its place in line,
// marked as redelivered.
func (q *Queue) Requeue(ids []ID, why Cause, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.core.requeue(ids, why, q.nowLocked(nil), fx)
	now := q.nowLocked(nil) // what came back may have an expiry
	if q.core.consumers.yielding {
		q.core.takeOver(q.core.consumers.succeed())
	}
	q.core.dispatch(now, fx)
	q.afterLocked(now)
}

// Touch renews an expiring queue, as a declare does. It is nothing to a quorum
// queue, as in RabbitMQ.
func (q *Queue) Touch() {
	if q.quorum {
		return
	}
	q.mu.Lock()
	q.lastUsed = time.Now()
	q.mu.Unlock()
}
