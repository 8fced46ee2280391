package queue

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

const (
	stressQueues     = 2
	stressPublishers = 3
	stressSessions   = 3
	stressMessages   = 1500 // of each publisher to each queue
)

// stress is publishers and sessions around some queues, all at once.
type stress struct {
	t       *testing.T
	requeue bool // some deliveries come back
	leave   bool // consumers leave and come back
	store   *fakeStore
	pager   *Pager // nil if all stays in memory
	queues  []*Queue
	settled []atomic.Int32 // by index
	left    atomic.Int64   // messages to be settled
	done    chan struct{}
}

func TestStress(t *testing.T) {
	for _, c := range []struct {
		name           string
		requeue, leave bool
		set            func(*Limits)
		ttl            int64 // ms, of every fifth message
		high           int64 // KiB of memory, 0 without a pager
		stored         bool  // queues; every third message is persistent
	}{
		{name: "in order", ttl: -1},
		{name: "requeue", requeue: true, ttl: -1},
		{name: "come and go", requeue: true, leave: true, ttl: -1},
		{name: "single active", leave: true, ttl: -1, set: func(l *Limits) { l.SingleActive = true }},
		{name: "priority", requeue: true, ttl: -1, set: func(l *Limits) { l.MaxPriority = 9 }},
		{name: "expiry", requeue: true, ttl: 1},
		{name: "drop-head", requeue: true, ttl: -1, set: func(l *Limits) { l.MaxLength = 50 }},
		{name: "reject-publish", ttl: -1, set: func(l *Limits) {
			l.MaxLength, l.Overflow = 20, RejectPublishDLX
		}},
		{name: "stored", requeue: true, leave: true, ttl: 1, stored: true},
		{name: "paged", ttl: -1, high: 100},
		{name: "paged, come and go", requeue: true, leave: true, ttl: -1, high: 100},
		{name: "paged and stored", ttl: -1, high: 100, stored: true},
		{name: "paged and stored, come and go", requeue: true, leave: true, ttl: 1, high: 100, stored: true},
		{name: "paged, priority", requeue: true, ttl: -1, high: 100, stored: true, set: func(l *Limits) { l.MaxPriority = 9 }},
		{name: "paged, drop-head", requeue: true, ttl: 1, high: 10, stored: true, set: func(l *Limits) { l.MaxLength = 500 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			limits := NoLimits()
			limits.DeadLetter = true
			if c.set != nil {
				c.set(&limits)
			}
			s := &stress{t: t, requeue: c.requeue, leave: c.leave, done: make(chan struct{})}
			s.store = newFakeStore(t)
			if c.high > 0 {
				s.pager = NewPager(s.store, c.high<<10, c.high<<9)
			}
			s.run(limits, c.ttl, c.stored)
		})
	}
}

func (s *stress) run(limits Limits, ttl int64, stored bool) {
	total := stressQueues * stressPublishers * stressMessages
	s.settled = make([]atomic.Int32, total)
	s.left.Store(int64(total))
	for i := range stressQueues {
		o := Options{Name: fmt.Sprint(i), Limits: limits, Apply: s.carryOut, Store: s.store, Pager: s.pager}
		if stored {
			o.ID = persistence.QueueID(s.store.NewID())
		}
		s.queues = append(s.queues, New(o))
	}
	var all, publishers sync.WaitGroup
	for i := range stressPublishers {
		publishers.Go(func() { s.publish(i, ttl) })
	}
	if s.pager != nil {
		publishers.Wait() // so that there is a backlog
	}
	s.store.setHeld(true)
	all.Go(s.write)
	for i := range stressSessions {
		all.Go(newSession(s, uint64(i)).run)
	}
	all.Go(s.takeSome)
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		for _, q := range s.queues {
			s.t.Errorf("queue %s: %+v", q.Name(), q.Stats())
		}
		s.t.Fatalf("%d of %d messages not settled after a minute", s.left.Load(), total)
	}
	publishers.Wait()
	all.Wait()
	s.check()
}

// write lets the store write now and then.
func (s *stress) write() {
	for {
		select {
		case <-s.done:
			s.store.setHeld(false)
			return
		default:
			s.store.write()
			runtime.Gosched()
		}
	}
}

// check looks at what is left when all is settled.
func (s *stress) check() {
	for i := range s.settled {
		if n := s.settled[i].Load(); n != 1 {
			s.t.Errorf("message %d was settled %d times", i, n)
		}
	}
	for _, q := range s.queues {
		if st := q.Stats(); st.Ready+st.Unacked != 0 {
			s.t.Errorf("queue %s still has %+v", q.Name(), st)
		}
		if err := invariants(q); err != nil {
			s.t.Errorf("queue %s: %v", q.Name(), err)
		}
		q.Delete(false, false, &Effects{})
	}
	if s.pager != nil {
		s.pager.Close()
		s.t.Logf("%d times read", s.store.reads)
	}
	if seqs, others := s.store.live(0); len(seqs)+others > 0 {
		s.t.Errorf("%d places in the store are not settled", len(seqs)+others)
	}
}

// index is what the body of a message says: the place in settled.
func index(m *amqp.Message) int { return int(binary.BigEndian.Uint32(m.Body)) }

func (s *stress) settle(m *amqp.Message) {
	s.settled[index(m)].Add(1)
	if s.left.Add(-1) == 0 {
		close(s.done)
	}
}

// carryOut takes a dead letter for settled, whatever it died of.
func (s *stress) carryOut(fx *Effects) {
	for _, d := range fx.TakeDead() {
		s.settle(d.Message)
	}
	fx.WakeAll()
}

func (s *stress) publish(publisher int, ttl int64) {
	var fx Effects
	for n := range stressMessages {
		for i, q := range s.queues {
			m := message("", 0)
			m.AppendBody(binary.BigEndian.AppendUint32(nil,
				uint32((i*stressPublishers+publisher)*stressMessages+n)))
			m.Priority, m.Persistent = uint8(n%11), n%3 == 0
			if n%5 == 0 {
				m.Expiration = ttl
			}
			var rec *persistence.Record
			q.Publish(m, &rec, &fx)
			if rec != nil {
				fx.Append(rec, nil, 0)
			}
		}
		if n%7 == 0 {
			s.carryOut(&fx)
		}
	}
	s.carryOut(&fx)
}

// takeSome takes messages by basic.get beside the consumers.
func (s *stress) takeSome() {
	var fx Effects
	for n := range stressMessages / 10 {
		q := s.queues[n%len(s.queues)]
		d, _, ok := q.Get(n%3 == 0, &fx)
		switch {
		case !ok:
		case n%3 == 0:
			s.settle(d.Message)
		case n%3 == 1 && s.requeue:
			q.Requeue([]ID{d.ID}, CauseNack, &fx)
		default:
			q.Ack([]ID{d.ID}, &fx)
			s.settle(d.Message)
		}
		s.carryOut(&fx)
	}
}

// session has a consumer on each queue and one prefetch for all of them, as a
// channel can. Its lock is below the queues'.
type session struct {
	stress *stress
	random *rand.Rand
	wake   chan struct{}
	links  []*link // owned by run

	mu       sync.Mutex
	prefetch int
	unacked  int
	inbox    []arrival
	parked   []*link
}

// link is a session's consumer on one queue.
type link struct {
	session  *session
	queue    *Queue
	consumer *Consumer
	last     [stressPublishers]int // highest number of each publisher, owned by the session
	closing  bool                  // guarded by the session's mu
}

type arrival struct {
	Delivery
	link *link
}

func newSession(s *stress, seed uint64) *session {
	x := &session{stress: s, random: rand.New(rand.NewPCG(seed, 7)), wake: make(chan struct{}, 1)}
	x.prefetch = 1 + x.random.IntN(40)
	return x
}

func (x *session) Wake() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (l *link) Offer(d Delivery, fx *Effects) bool {
	x := l.session
	x.mu.Lock()
	defer x.mu.Unlock()
	if l.closing || x.unacked >= x.prefetch {
		x.parked = append(x.parked, l)
		return false
	}
	x.unacked++
	x.inbox = append(x.inbox, arrival{d, l})
	fx.Wake(x)
	return true
}

func (x *session) run() {
	var fx Effects
	for _, q := range x.stress.queues {
		x.links = append(x.links, x.join(q, &fx))
	}
	for {
		x.stress.carryOut(&fx)
		select {
		case <-x.stress.done:
			x.leaveAll(&fx)
			x.stress.carryOut(&fx)
			return
		case <-x.wake:
		}
		x.mu.Lock()
		got := x.inbox
		x.inbox = nil
		x.mu.Unlock()
		for len(got) > 0 {
			n := min(len(got), 1+x.random.IntN(8))
			x.answer(got[:n], &fx)
			got = got[n:]
		}
		if x.stress.leave && x.random.IntN(20) == 0 {
			x.rejoin(x.random.IntN(len(x.links)), &fx)
		}
	}
}

// join consumes from a queue. Exclusive use does not occur, so there is no error.
func (x *session) join(q *Queue, fx *Effects) *link {
	l := &link{session: x, queue: q}
	for i := range l.last {
		l.last[i] = -1
	}
	c, err := q.Consume(Spec{Receiver: l, Priority: int64(x.random.IntN(2))})
	if err != nil {
		x.stress.t.Error(err)
	}
	l.consumer = c
	q.Ready(c, fx)
	return l
}

// rejoin lets one consumer go with all it has, as when its channel closes, and
// comes back with another.
func (x *session) rejoin(i int, fx *Effects) {
	l := x.links[i]
	x.mu.Lock()
	l.closing = true
	var back []ID
	keep := x.inbox[:0]
	for _, a := range x.inbox {
		if a.link == l {
			back = append(back, a.ID)
		} else {
			keep = append(keep, a)
		}
	}
	x.inbox = keep
	x.mu.Unlock()
	l.queue.Requeue(back, CauseNack, fx)
	l.queue.Cancel(l.consumer, fx)
	x.release(len(back), fx)
	x.links[i] = x.join(l.queue, fx)
}

func (x *session) leaveAll(fx *Effects) {
	for _, l := range x.links {
		l.queue.Cancel(l.consumer, fx)
	}
}

// release gives credit back and goes on with what was parked for want of it.
func (x *session) release(n int, fx *Effects) {
	x.mu.Lock()
	x.unacked -= n
	parked := x.parked
	x.parked = nil
	x.mu.Unlock()
	for _, l := range parked {
		l.queue.Ready(l.consumer, fx)
	}
}

// answer settles deliveries, those of each queue together.
func (x *session) answer(got []arrival, fx *Effects) {
	verb := x.random.IntN(4)
	for _, q := range x.stress.queues {
		var ids []ID
		var messages []*amqp.Message
		for _, a := range got {
			if a.link.queue == q {
				x.order(a)
				ids = append(ids, a.ID)
				messages = append(messages, a.Message)
			}
		}
		switch {
		case verb == 0 && x.stress.requeue:
			q.Requeue(ids, CauseNack, fx)
		case verb == 1:
			q.Reject(ids, fx)
		default:
			q.Ack(ids, fx)
			for _, m := range messages {
				x.stress.settle(m)
			}
		}
	}
	x.release(len(got), fx)
}

// order checks that a consumer gets each publisher's messages in order, where
// nothing comes back and no priorities are in the way.
func (x *session) order(a arrival) {
	if x.stress.requeue || x.stress.leave {
		return
	}
	publisher, n := index(a.Message)/stressMessages%stressPublishers, index(a.Message)%stressMessages
	if last := a.link.last[publisher]; n <= last {
		x.stress.t.Errorf("publisher %d: message %d came after %d", publisher, n, last)
	}
	a.link.last[publisher] = n
}

// Whoever publishes while a queue is deleted learns of it, and each message
// that was accepted before went to the consumer or with the queue.
func TestDeleteWhileInUse(t *testing.T) {
	for range 20 {
		q := New(Options{VHost: "/", Name: "q", Limits: NoLimits()})
		r := &receiver{prefetch: 100}
		var fx Effects
		c, err := q.Consume(Spec{Receiver: r})
		if err != nil {
			t.Fatal(err)
		}
		q.Ready(c, &fx)
		var accepted atomic.Int64
		var all sync.WaitGroup
		begun := make(chan struct{}, 2)
		for range cap(begun) {
			all.Go(func() {
				var fx Effects
				for n := 0; q.Publish(message("m", 1), nil, &fx) == Accepted; n++ {
					accepted.Add(1)
					if n == 100 {
						begun <- struct{}{}
					}
				}
			})
		}
		<-begun
		ready, err := q.Delete(false, false, &fx)
		if err != nil {
			t.Fatal(err)
		}
		all.Wait()
		if got, want := len(r.tags)+ready, int(accepted.Load()); got != want {
			t.Errorf("%d accepted, %d delivered and %d deleted", want, len(r.tags), ready)
		}
		if told := fx.TakeCancelled(); len(told) != 1 || told[0] != c {
			t.Errorf("cancelled: %v", told)
		}
	}
}
