package queue

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// marking publishes messages of which each third is marked as redelivered, and
// counts those that leave as they came.
type marking struct {
	t         *testing.T
	gone, bad int
}

func (m *marking) message(i int) *amqp.Message {
	msg := message(fmt.Sprint("m", i), 1024)
	msg.Persistent, msg.Redelivered = true, i%3 == 0
	return msg
}

func (m *marking) left(msg *amqp.Message, again bool) {
	var i int
	if _, err := fmt.Sscanf(msg.RoutingKey, "m%d", &i); err != nil {
		m.t.Error(err)
	}
	if m.gone++; again != (i%3 == 0) {
		m.bad++
	}
}

func (m *marking) carryOut(fx *Effects) {
	for _, d := range fx.TakeDead() {
		m.left(d.Message, d.Again)
	}
	for _, d := range fx.TakeDue() {
		m.left(d.Message, d.Again)
	}
	fx.WakeAll()
}

func (m *marking) check(want int) {
	m.t.Helper()
	if m.gone != want || m.bad > 0 {
		m.t.Errorf("%d messages left, want %d; %d are marked and should not be, or the other way round", m.gone, want, m.bad)
	}
}

// A message that comes marked leaves marked, though it was not in memory
// meanwhile.
func TestMarkedWhilePagedOut(t *testing.T) {
	inBubble(t, 0, 0, func(p *paged) {
		m := &marking{t: t}
		l := NoLimits()
		l.TTL, l.DeadLetter = 100*time.Millisecond, true
		q := New(Options{ID: 1, Store: p.store, Pager: p.pager, Limits: l, Apply: m.carryOut})
		p.all = append(p.all, q)
		for i := range 1000 {
			var rec *persistence.Record
			q.Publish(m.message(i), &rec, &p.fx)
			p.fx.Append(rec, nil, 0)
		}
		p.fx.WakeAll()
		p.takeOut(q)
		p.pass(100 * time.Millisecond)
		m.check(1000)
	})
}

func TestMarkedWhileHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 3 * heldMemory / 1024
		m := &marking{t: t}
		s := newStorage(t, 1)
		defer s.close()
		q := New(s.options(Options{VHost: "/", Name: "x", PassesOn: true, Limits: NoLimits(), Apply: m.carryOut}))
		defer q.Close()
		due := time.Now().Add(time.Minute).UnixNano()
		for i := range count {
			var fx Effects
			var rec *persistence.Record
			q.Hold(m.message(i), due, &rec, &fx)
			fx.Append(rec, nil, 0)
			fx.WakeAll()
		}
		q.mu.Lock()
		near, away := len(q.core.held.near), len(q.core.held.away)
		q.mu.Unlock()
		if near == 0 || away == 0 {
			t.Errorf("%d are in memory and %d are not", near, away)
		}
		<-time.After(2 * time.Minute)
		synctest.Wait()
		m.check(count)
	})
}
