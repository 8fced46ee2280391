package queue

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

const second = int64(time.Second)

// What a timeline says lies around what was, and not far from it, however long the
// queue is.
func TestTimeline_Taken(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var line timeline
		var at []int64 // of each place, from 1
		now, next := 1_000_000*second, int64(0)
		head, advance := uint64(1), 2+random.IntN(5)
		pace := second << random.IntN(8) // and then the longest backlog is of weeks
		for range 200 + random.IntN(20_000) {
			now += random.Int64N(pace)
			at = append(at, now)
			if now >= next {
				line.add(uint64(len(at)), now, head)
				next = now + samplePeriod
			}
			if random.IntN(advance) == 0 && head < uint64(len(at)) {
				head++
			}
			if len(line) > samplesMost {
				t.Fatalf("%d samples", len(line))
			}
		}
		for range 100 {
			seq := head + random.Uint64N(uint64(len(at))-head+1)
			from, to, ok := line.taken(seq)
			if !ok {
				to = next
			}
			was := at[seq-1]
			if from == 0 || was < from || was > to {
				t.Fatalf("place %d was taken at %d, said to be between %d and %d", seq, was, from, to)
			}
			if age, off := now-was, was-from; off > 2*second+age/7 {
				t.Fatalf("place %d is %v old, said to be %v older", seq, time.Duration(age), time.Duration(off))
			}
		}
	}
}

func TestTimeline_KnowsNothing(t *testing.T) {
	var line timeline
	if from, to, ok := line.taken(1); from != 0 || to != 0 || ok {
		t.Errorf("an empty one knows %d, %d", from, to)
	}
	line.add(5, 100*second, 5)
	if from, to, _ := line.taken(4); from != 0 || to != 100*second {
		t.Errorf("of a place before its first sample it knows %d, %d", from, to)
	}
}

// about reports whether a time that is rounded down is another.
func about(got, want time.Time) bool {
	off := want.Sub(got)
	return off >= 0 && off < takenUnit
}

func TestOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fx Effects
		q := New(Options{Limits: NoLimits()})
		defer q.Close()
		if ready, unacked := q.Oldest(); !ready.IsZero() || !unacked.IsZero() {
			t.Fatalf("an empty queue: %v, %v", ready, unacked)
		}
		publish := func() { q.Publish(message("m", 1), nil, &fx); fx.WakeAll() }
		start := time.Now()
		publish()
		<-time.After(10 * time.Second)
		publish()
		<-time.After(10 * time.Second)
		if ready, _ := q.Oldest(); !ready.Equal(start) {
			t.Errorf("ready for %v, want %v", time.Since(ready), time.Since(start))
		}
		first, _, _ := q.Get(false, &fx)
		fx.WakeAll()
		taken := time.Now()
		<-time.After(10 * time.Second)
		second, _, _ := q.Get(false, &fx)
		fx.WakeAll()
		ready, unacked := q.Oldest()
		if !ready.IsZero() || !about(unacked, taken) {
			t.Errorf("ready %v, unacked %v, want none and %v", ready, unacked, taken)
		}
		q.Requeue([]ID{first.ID}, CauseReject, &fx)
		fx.WakeAll()
		ready, unacked = q.Oldest()
		if !ready.Equal(start) || !about(unacked, taken.Add(10*time.Second)) {
			t.Errorf("after a requeue: ready %v, unacked %v, want %v and %v", ready, unacked, start, taken.Add(10*time.Second))
		}
		q.Ack([]ID{second.ID}, &fx)
		if _, unacked = q.Oldest(); !unacked.IsZero() {
			t.Errorf("nothing is unacked since %v", unacked)
		}
	})
}

func TestStats_IdleSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fx Effects
		q := New(Options{Limits: NoLimits()})
		defer q.Close()
		var got Delivery
		for _, step := range []struct {
			name string
			do   func()
		}{
			{"made", func() {}},
			{"publish", func() { q.Publish(message("m", 1), nil, &fx) }},
			{"get", func() { got, _, _ = q.Get(false, &fx) }},
			{"requeue", func() { q.Requeue([]ID{got.ID}, CauseNack, &fx) }},
			{"get again", func() { got, _, _ = q.Get(false, &fx) }},
			{"ack", func() { q.Ack([]ID{got.ID}, &fx) }},
			{"get nothing", func() { q.Get(false, &fx) }},
			{"consume", func() { _, _ = q.Consume(Spec{}) }},
		} {
			step.do()
			fx.WakeAll()
			at := time.Now()
			<-time.After(time.Minute)
			if since := q.Stats().IdleSince; !since.Equal(at) {
				t.Errorf("after %s: idle since %v, want %v", step.name, since, at)
			}
		}
	})
}

func TestStats_Persistent(t *testing.T) {
	for _, durable := range []bool{true, false} {
		var fx Effects
		q := New(Options{Durable: durable, Limits: NoLimits()})
		for i := range 5 {
			m := message("m", 10)
			m.Persistent = i != 2
			q.Publish(m, nil, &fx)
		}
		q.Get(false, &fx)
		q.Get(true, &fx)
		count, bytes := 3, int64(30)
		if !durable {
			count, bytes = 0, 0
		}
		if s := q.Stats(); s.Persistent != count || s.PersistentBytes != bytes {
			t.Errorf("durable %v: %d of %d bytes persistent, want %d of %d", durable, s.Persistent, s.PersistentBytes, count, bytes)
		}
		q.Close()
	}
}

// gate is a receiver that takes while it is open.
type gate struct{ open bool }

func (g *gate) Offer(Delivery, *Effects) bool { return g.open }

func TestStats_ConsumerCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fx Effects
		q := New(Options{Limits: NoLimits()})
		defer q.Close()
		want := func(when string, capacity float64) {
			t.Helper()
			if got := q.Stats().ConsumerCapacity; math.Abs(got-capacity) > 0.001 {
				t.Errorf("%s: %.3f, want %.3f", when, got, capacity)
			}
		}
		want("without consumers", 0)
		g := &gate{open: true}
		c, err := q.Consume(Spec{Receiver: g})
		if err != nil {
			t.Fatal(err)
		}
		q.Ready(c, &fx)
		fx.WakeAll()
		<-time.After(20 * time.Second)
		want("with one that takes all", 1)
		g.open = false
		q.Publish(message("m", 1), nil, &fx)
		fx.WakeAll()
		<-time.After(time.Second)
		want("a second after it has ceased to", 0.5)
		<-time.After(20 * time.Second)
		want("long after", 0)
		g.open = true
		q.Ready(c, &fx)
		fx.WakeAll()
		<-time.After(time.Second)
		want("a second after it has begun again", 0.5)
		q.Cancel(c, &fx)
		want("when it has gone", 0)
	})
}
