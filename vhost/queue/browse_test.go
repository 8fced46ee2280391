package queue

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/persistence"
)

// TestBrowseSteps: a long queue is noted in bounded steps, all of it and once, whether it
// is in memory, in the store only, or has come back.
func TestBrowseSteps(t *testing.T) {
	const n = 30_000
	inBubble(t, 1<<20, 1<<19, func(p *paged) {
		for name, prepare := range map[string]func(q *Queue){
			"in memory": func(*Queue) {},
			"paged out": func(q *Queue) { (&storage{store: p.store, pager: p.pager}).pageOut(q, everything) },
			"came back": func(q *Queue) {
				var ids []ID
				for range n {
					d, _, _ := q.Get(false, &p.fx)
					ids = append(ids, d.ID)
				}
				q.Requeue(ids, CauseLost, &p.fx)
			},
		} {
			q := p.queue(true, NoLimits())
			for i := range n {
				m := message("m", 1)
				m.Persistent = i%2 == 0
				var rec *persistence.Record
				q.Publish(m, &rec, &p.fx)
				if rec != nil {
					p.fx.Append(rec, nil, 0)
				}
			}
			p.fx.WakeAll()
			prepare(q)
			p.fx.WakeAll()
			before := q.Stats()
			s := scan{queue: q, steps: browseSteps}
			s.begin()
			seen := uint64(0)
			for !s.done {
				found := s.step()
				if len(found) > 2*browseSteps.note+segmentMax {
					t.Errorf("%s: a step notes %d messages", name, len(found))
				}
				if _, err := s.show(found, func(b *Browsed) bool {
					if seen++; b.ID != seen {
						t.Fatalf("%s: message %d comes in place %d", name, b.ID, seen)
					}
					return true
				}); err != nil {
					t.Fatal(err)
				}
				s.arrive()
			}
			if seen != n {
				t.Errorf("%s: %d messages were shown, want %d", name, seen, n)
			}
			if after := q.Stats(); after != before {
				t.Errorf("%s: browsing has changed the queue from %+v to %+v", name, before, after)
			}
		}
	})
}

// TestBrowseIsNoUse: a queue that expires does so though it is looked at.
func TestBrowseIsNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := false
		l := NoLimits()
		l.Expires = time.Second
		q := New(Options{Name: "q", Limits: l, Apply: func(fx *Effects) { gone = gone || len(fx.TakeUnused()) > 0 }})
		defer q.Close()
		for range 12 {
			if _, end, err := q.Browse(Look{}, func(*Browsed) bool { return true }); !end || err != nil {
				t.Fatal(end, err)
			}
			<-time.After(100 * time.Millisecond)
			synctest.Wait()
		}
		if !gone {
			t.Error("looking at it has kept the queue")
		}
	})
}

// TestBrowseBesideConsumers: whoever looks and takes while others publish, get and
// requeue, each message ends once, and what is shown was there.
func TestBrowseBesideConsumers(t *testing.T) {
	store := newFakeStore(t)
	pager := NewPager(store, 64<<10, 32<<10)
	defer pager.Close()
	q := New(Options{Name: "q", Limits: NoLimits(), Store: store, Pager: pager, ID: persistence.QueueID(store.NewID())})
	defer q.Close()
	const n = 3000
	var got, taken []uint64 // ends
	var all sync.WaitGroup
	published := make(chan struct{})
	all.Go(func() {
		defer close(published)
		var fx Effects
		for range n {
			m := message("m", 300)
			m.Persistent = true
			var rec *persistence.Record
			q.Publish(m, &rec, &fx)
			fx.Append(rec, nil, 0)
			fx.WakeAll()
		}
	})
	done := func(left int) bool {
		select {
		case <-published:
			return left == 0
		default:
			return false
		}
	}
	all.Go(func() {
		var fx Effects
		for i := 0; ; i++ {
			d, _, ok := q.Get(false, &fx)
			switch {
			case !ok:
				if s := q.Stats(); done(s.Ready + s.Unacked) {
					return
				}
			case i%3 == 0:
				q.Requeue([]ID{d.ID}, CauseLost, &fx)
			default:
				got = append(got, 0)
				q.Ack([]ID{d.ID}, &fx)
			}
			fx.WakeAll()
		}
	})
	all.Go(func() {
		var fx Effects
		for round := 0; ; round++ {
			var picks []*Browsed
			_, _, err := q.Browse(Look{}, func(b *Browsed) bool {
				if b.State == StateReady && b.ID%4 == 0 {
					c := *b
					picks = append(picks, &c)
				}
				return len(picks) < 20
			})
			if err != nil {
				t.Error(err)
				return
			}
			out := q.Take(picks, &fx)
			if round%2 == 0 {
				q.PutBack(out, &fx)
			} else {
				for _, b := range out {
					taken = append(taken, b.ID)
					q.Settle(b, &fx)
				}
			}
			fx.WakeAll()
			if s := q.Stats(); done(s.Ready + s.Unacked) {
				return
			}
		}
	})
	all.Wait()
	slices.Sort(taken)
	if once := slices.Compact(slices.Clone(taken)); len(once) != len(taken) || len(taken)+len(got) != n {
		t.Errorf("%d were got and %d taken, %d of them once; want %d together", len(got), len(taken), len(once), n)
	}
	if left, _ := store.live(q.opts.ID); len(left) != 0 {
		t.Errorf("%d places are left in the store", len(left))
	}
}

// Whatever is said to be a cursor, it is refused or comes back as it was.
func FuzzCursor(f *testing.F) {
	f.Add(Cursor{}.String())
	f.Add(Cursor{state: StateDelayed, due: 1 << 60, seq: 1 << 63}.String())
	f.Add(Cursor{state: StateReady, rank: 255, seq: 7}.String())
	f.Add("AQAA")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCursor(text)
		if err != nil {
			return
		}
		if again, err := ParseCursor(c.String()); err != nil || again != c {
			t.Errorf("%q is %+v, which comes back as %+v, %v", text, c, again, err)
		}
	})
}
