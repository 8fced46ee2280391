package queue

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// sink takes everything, under a lock as a session's outbox does.
type sink struct {
	mu  sync.Mutex
	ids []ID
}

func (s *sink) Offer(d Delivery, _ *Effects) bool {
	s.mu.Lock()
	s.ids = append(s.ids, d.ID)
	s.mu.Unlock()
	return true
}

// batch is how many acks a session gives a queue at once in the benchmarks.
const batch = 64

// idleStore takes everything and does nothing.
type idleStore struct{ persistence.Store }

func (idleStore) Write(b *persistence.Batch) { b.Reset() }

// rig is a queue with sinks, and one message for all publishes.
type rig struct {
	queue   *Queue
	noted   int // publishes and acks since the last flush
	fx      Effects
	sinks   []*sink
	noAck   bool
	message *amqp.Message
}

func newRig(tb testing.TB, consumers int, noAck bool, l Limits) *rig {
	return newRigOn(tb, New(Options{Limits: l}), consumers, noAck)
}

// newStoredRig is a rig whose message is persistent and whose queue is stored.
func newStoredRig(tb testing.TB, consumers int, noAck bool) *rig {
	r := newRigOn(tb, New(Options{ID: 1, Store: idleStore{}, Limits: NoLimits()}), consumers, noAck)
	r.message.Persistent = true
	return r
}

func newRigOn(tb testing.TB, q *Queue, consumers int, noAck bool) *rig {
	r := &rig{queue: q, noAck: noAck, message: message("m", 100)}
	for range consumers {
		s := &sink{ids: make([]ID, 0, 2*batch)}
		r.sinks = append(r.sinks, s)
		c, err := r.queue.Consume(Spec{Receiver: s, NoAck: noAck})
		if err != nil {
			tb.Fatal(err)
		}
		r.queue.Ready(c, &r.fx)
	}
	return r
}

// publishOffer publishes one message, which a sink takes, and acks when there
// is a batch.
func (r *rig) publishOffer() {
	r.publish()
	for _, s := range r.sinks {
		if len(s.ids) >= batch {
			if !r.noAck {
				r.queue.Ack(s.ids, &r.fx)
			}
			s.ids = s.ids[:0]
		}
	}
}

// publish does what a router does.
func (r *rig) publish() {
	var rec *persistence.Record
	r.queue.Publish(r.message, &rec, &r.fx)
	if rec != nil {
		r.fx.Append(rec, nil, 0)
		if r.noted++; r.noted == batch {
			r.noted = 0
			r.fx.WakeAll()
		}
	}
}

func (r *rig) publishGet() {
	r.publish()
	r.queue.Get(true, &r.fx)
}

// backlog is the messages of one run of drain.
const backlog = 100_000

func (r *rig) drain() {
	for range backlog {
		r.publish()
	}
	for range backlog {
		r.queue.Get(true, &r.fx)
	}
}

// requeue takes a batch and gives it back.
func (r *rig) requeue(ids []ID) {
	ids = ids[:0]
	for range batch {
		d, _, _ := r.queue.Get(false, &r.fx)
		ids = append(ids, d.ID)
	}
	r.queue.Requeue(ids, CauseNack, &r.fx)
}

// allLimits has every limit on and none reached.
func allLimits() Limits {
	l := NoLimits()
	l.TTL, l.MaxLength, l.MaxBytes, l.MaxPriority, l.DeadLetter = time.Hour, 1e9, 1e12, 9, true
	return l
}

// TestAllocations bounds what a message costs the garbage collector.
func TestAllocations(t *testing.T) {
	for _, c := range []struct {
		name     string
		rig      *rig
		do       func(*rig)
		messages float64 // a call
		limit    float64 // allocations a message
	}{
		{"publish to 1 consumer", newRig(t, 1, false, NoLimits()), (*rig).publishOffer, 1, 0},
		{"publish to 1 no-ack consumer", newRig(t, 1, true, NoLimits()), (*rig).publishOffer, 1, 0},
		{"publish to 10 consumers", newRig(t, 10, false, NoLimits()), (*rig).publishOffer, 1, 0},
		{"publish with limits", newRig(t, 1, false, allLimits()), (*rig).publishOffer, 1, 0},
		{"publish and get", newRig(t, 0, false, NoLimits()), (*rig).publishGet, 1, 0},
		{"backlog and drain", newRig(t, 0, false, NoLimits()), (*rig).drain, backlog, 0.01},
		{"persistent, to 1 consumer", newStoredRig(t, 1, false), (*rig).publishOffer, 1, 1},
		{"persistent, to 1 no-ack consumer", newStoredRig(t, 1, true), (*rig).publishOffer, 1, 1},
		{"persistent, to nobody", newStoredRig(t, 0, false), (*rig).drain, backlog, 1.01},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs := 2000
			if c.messages > 1 {
				runs = 5
			}
			for range min(runs, 1000) { // slots and segments come once
				c.do(c.rig)
				if c.messages > 1 {
					break
				}
			}
			n := testing.AllocsPerRun(runs, func() { c.do(c.rig) }) / c.messages
			t.Logf("%.4f allocations a message", n)
			if n > c.limit {
				t.Errorf("%.4f allocations a message, want %v at most", n, c.limit)
			}
		})
	}
}

func BenchmarkPublishOffer(b *testing.B) {
	for _, c := range []struct {
		consumers int
		noAck     bool
		limits    Limits
		note      string
	}{
		{1, true, NoLimits(), ""}, {1, false, NoLimits(), ""}, {10, false, NoLimits(), ""},
		{1, false, allLimits(), "/limits"},
	} {
		b.Run(fmt.Sprintf("consumers=%d/noack=%v%s", c.consumers, c.noAck, c.note), func(b *testing.B) {
			r := newRig(b, c.consumers, c.noAck, c.limits)
			b.ReportAllocs()
			for b.Loop() {
				r.publishOffer()
			}
		})
	}
}

// BenchmarkPublishPersistent is without what the store does.
func BenchmarkPublishPersistent(b *testing.B) {
	for _, noAck := range []bool{true, false} {
		b.Run(fmt.Sprintf("noack=%v", noAck), func(b *testing.B) {
			r := newStoredRig(b, 1, noAck)
			b.ReportAllocs()
			for b.Loop() {
				r.publishOffer()
			}
		})
	}
}

func BenchmarkPublishGet(b *testing.B) {
	r := newRig(b, 0, false, NoLimits())
	b.ReportAllocs()
	for b.Loop() {
		r.publishGet()
	}
}

// BenchmarkBacklog's unit is a message published and taken from a backlog.
func BenchmarkBacklog(b *testing.B) {
	r := newRig(b, 0, false, NoLimits())
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		r.drain()
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*backlog), "ns/message")
}

// BenchmarkAck's unit is one delivery, got and acked in batches.
func BenchmarkAck(b *testing.B) {
	r := newRig(b, 0, false, NoLimits())
	ids := make([]ID, 0, batch)
	b.ReportAllocs()
	for b.Loop() {
		ids = append(ids, r.queue.core.unacked.put(&item{msg: r.message}, nil, 0))
		if len(ids) == batch {
			r.queue.Ack(ids, &r.fx)
			ids = ids[:0]
		}
	}
}

// BenchmarkRequeue's unit is a batch of 64, got and given back before 10,000.
func BenchmarkRequeue(b *testing.B) {
	r := newRig(b, 0, false, NoLimits())
	for range 10_000 {
		r.queue.Publish(r.message, nil, &r.fx)
	}
	ids := make([]ID, 0, batch)
	b.ReportAllocs()
	for b.Loop() {
		r.requeue(ids)
	}
}

// BenchmarkPublishParallel is publishers that meet at one queue's lock.
func BenchmarkPublishParallel(b *testing.B) {
	r := newRig(b, 1, true, NoLimits())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var fx Effects
		s := r.sinks[0]
		for pb.Next() {
			r.queue.Publish(r.message, nil, &fx)
			s.mu.Lock()
			if len(s.ids) >= batch {
				s.ids = s.ids[:0]
			}
			s.mu.Unlock()
		}
	})
}

// TestIdleMemory bounds what a queue costs while nothing happens in it.
func TestIdleMemory(t *testing.T) {
	const queues = 10_000
	for _, c := range []struct {
		name  string
		make  func() *Queue
		limit uint64 // bytes
	}{
		{"new", func() *Queue { return New(Options{VHost: "/", Limits: NoLimits()}) }, 1280},
		{"x-expires", func() *Queue {
			l := NoLimits()
			l.Expires = time.Hour
			return New(Options{VHost: "/", Limits: l})
		}, 1536},
		{"x-max-priority 10", func() *Queue {
			l := NoLimits()
			l.MaxPriority = 10
			return New(Options{VHost: "/", Limits: l})
		}, 2048},
		{"used a little", func() *Queue {
			r := newRig(t, 1, true, NoLimits())
			r.message.Body = nil
			for range 100 {
				r.publishOffer()
			}
			return r.queue
		}, 4096},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := make([]*Queue, queues)
			before := heap()
			for i := range all {
				all[i] = c.make()
			}
			each := (heap() - before) / queues
			t.Logf("%d bytes a queue", each)
			if each > c.limit {
				t.Errorf("%d bytes a queue, want %d at most", each, c.limit)
			}
			for _, q := range all {
				q.Delete(false, false, &Effects{})
			}
		})
	}
}

// heap returns the bytes in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what had a finalizer or a pool takes two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkPageOut's unit is a message that is packed.
func BenchmarkPageOut(b *testing.B) {
	store := newFakeStore(b)
	pager := NewPager(store, 0, 0)
	q := New(Options{ID: 1, Store: store, Pager: pager, Limits: NoLimits()})
	var fx Effects
	fill(q, &fx, 100_000)
	var k packer
	n := 0
	for b.Loop() {
		for x := (step{done: true}); x.done; {
			x = step{segments: stepSegments, tries: stepTries, packer: &k}
			q.pageOut(&x, true)
		}
		b.StopTimer()
		n += q.Stats().PagedOut
		q.mu.Lock()
		if err := q.loadAllLocked(); err != nil {
			b.Fatal(err)
		}
		q.mu.Unlock()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/message")
	q.Close()
	pager.Close()
}
