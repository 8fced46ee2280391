package queue

import (
	"testing"
	"testing/synctest"
)

// slowStore lets whoever awaits wait for leave.
type slowStore struct {
	*fakeStore
	leave chan struct{}
}

func (s *slowStore) Await() { <-s.leave }

// A purge answers at once, and the pager tells the store in small steps.
func TestPurgeOfLongQueue(t *testing.T) {
	inBubble(t, 0, 0, func(p *paged) {
		const n = 10_000
		q := p.queue(true, NoLimits())
		p.publish(q, 0, n)
		p.takeOut(q)
		p.publish(q, n, 1000)
		d, _, _ := q.Get(false, &p.fx) // and with it some segments are in memory
		first := len(p.store.batches)
		if got := q.Purge(&p.fx); got != n+999 {
			t.Errorf("purged %d", got)
		}
		p.publish(q, n+1000, 1)
		synctest.Wait()
		if seqs, _ := p.store.live(q.opts.ID); len(seqs) != 2 {
			t.Errorf("%d places are not settled, want that of the unacked message and of the new one", len(seqs))
		}
		for _, b := range p.store.batches[first:] {
			if b[1] > settleBatch {
				t.Errorf("a batch with %d settles", b[1])
			}
		}
		q.Ack([]ID{d.ID}, &p.fx)
		if d, left, ok := q.Get(true, &p.fx); !ok || left != 0 || d.Message.RoutingKey != "m11000" {
			t.Errorf("got %v, %d left", ok, left)
		}
		p.fx.WakeAll()
		p.nothingLeft()
		if err := invariants(q); err != nil {
			t.Error(err)
		}
	})
}

// Short ones are settled with whatever else the caller does.
func TestPurgeOfShortQueue(t *testing.T) {
	inBubble(t, 0, 0, func(p *paged) {
		q := p.queue(true, NoLimits())
		p.publish(q, 0, 500)
		p.takeOut(q)
		p.publish(q, 500, 500)
		if got := q.Purge(&p.fx); got != 1000 {
			t.Errorf("purged %d", got)
		}
		if len(p.fx.batch.Settles) != 1000 {
			t.Errorf("%d are settled in the same batch", len(p.fx.batch.Settles))
		}
		p.fx.WakeAll()
		p.nothingLeft()
	})
}

// At the end of the broker what was purged is settled to the end, for it would
// come back; what was in a deleted queue is not.
func TestCloseWhileSettling(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*Queue, *Effects) int
		left int
	}{
		{"purged", (*Queue).Purge, 0},
		{"deleted", func(q *Queue, fx *Effects) int {
			n, err := q.Delete(false, false, fx)
			if err != nil {
				t.Error(err)
			}
			return n
		}, 4000},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{newFakeStore(t), make(chan struct{})}
				pager := NewPager(store, 0, 0)
				q := New(Options{ID: 1, Pager: pager, Limits: NoLimits()})
				var fx Effects
				fill(q, &fx, 5000)
				if n := c.end(q, &fx); n != 5000 {
					t.Errorf("%d messages went", n)
				}
				fx.WakeAll()
				q.Close()
				closed := make(chan struct{})
				go func() {
					pager.Close()
					close(closed)
				}()
				synctest.Wait()
				select {
				case <-closed:
					t.Error("closed while there is something to be settled")
				default:
				}
				close(store.leave)
				<-closed
				if seqs, _ := store.live(1); len(seqs) != c.left {
					t.Errorf("%d places are not settled, want %d", len(seqs), c.left)
				}
			})
		})
	}
}

// A deleted queue gives up what is ready and what is unacked.
func TestDeleteSettles(t *testing.T) {
	for _, n := range []int{10, 3000} {
		inBubble(t, 0, 0, func(p *paged) {
			for _, stored := range []bool{true, false} {
				q := p.queue(stored, NoLimits())
				p.publish(q, 0, n)
				p.takeOut(q)
				for range n / 3 {
					q.Get(false, &p.fx)
				}
				p.publish(q, n, n)
				if got, err := q.Delete(false, false, &p.fx); got != 2*n-n/3 || err != nil {
					t.Errorf("%d messages went: %v", got, err)
				}
				p.fx.WakeAll()
				synctest.Wait()
				p.nothingLeft()
			}
		})
	}
}

// Close is no Delete: all is there at the next start.
func TestCloseSettlesNothing(t *testing.T) {
	inBubble(t, 0, 0, func(p *paged) {
		q := p.queue(true, NoLimits())
		p.publish(q, 0, 100)
		q.Get(false, &p.fx)
		q.Close()
		q.Close()
		p.fx.WakeAll()
		if seqs, _ := p.store.live(q.opts.ID); len(seqs) != 100 {
			t.Errorf("%d of 100 places are left", len(seqs))
		}
		if out := q.Publish(message("m", 1), nil, &p.fx); out != Closed {
			t.Errorf("outcome %d of a publish to a closed queue", out)
		}
		if n := q.Purge(&p.fx); n != 0 {
			t.Errorf("purged %d", n)
		}
	})
}
