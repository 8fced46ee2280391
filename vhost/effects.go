package vhost

import (
	"time"

	"github.com/leveretmq/leveret/vhost/queue"
)

// Canceller is implemented by the queue.Receiver of a consumer that wants to
// know when its queue is gone.
type Canceller interface {
	// QueueGone is called once, with no lock held. The consumer is gone too.
	QueueGone()
	// TimedOut is called, with no lock held, when the consumer has left a
	// delivery unacked for longer than it may. It is gone from its queue, to
	// which all has gone back that it had there.
	TimedOut(after time.Duration, fx *queue.Effects)
}

// maxHops is how often, within one Apply, a message may go from queue to queue
// by dying in each. Circles are found by other means; this ends what those miss,
// as a chain of queues that is longer than a list of deaths may be.
const maxHops = 1000

// Apply carries out what queues decided, and what follows from it: it publishes
// dead letters, deletes queues that nobody uses, and tells consumers that their
// queue is gone. The caller holds no lock. Wake-ups stay in fx, for the caller
// to do once at the end of what it is doing:
//
//	if fx.Pending() {
//		v.Apply(&fx)
//	}
//	…
//	fx.WakeAll()
func (v *VHost) Apply(fx *queue.Effects) {
	for hop := 0; fx.Pending(); hop++ {
		if dead := fx.TakeDead(); len(dead) > 0 {
			v.deadLetter(dead, hop, fx)
		}
		if posts := fx.TakePosts(); len(posts) > 0 {
			v.post(posts, fx)
		}
		if due := fx.TakeDue(); len(due) > 0 {
			v.passOn(due, fx)
		}
		for _, q := range fx.TakeUnused() {
			v.deleteUnused(q, fx)
		}
		for _, c := range fx.TakeCancelled() {
			r, ok := c.Receiver.(Canceller)
			switch after := c.TimedOut(); {
			case !ok:
			case after > 0:
				r.TimedOut(after, fx)
			default:
				r.QueueGone()
			}
		}
	}
}

// deadLetter publishes what queues gave up.
func (v *VHost) deadLetter(dead []queue.DeadLetter, hop int, fx *queue.Effects) {
	if hop >= maxHops {
		v.log.Warn().Int("messages", len(dead)).Msg("dead letters dropped: they went through too many queues")
		for i := range dead {
			if d := &dead[i]; d.Keep {
				d.Taken(fx)
			}
		}
		return
	}
	r := v.routers.Get().(*Router)
	now := time.Now()
	for i := range dead {
		d := &dead[i]
		taken := v.deadLetterOne(r, d, now, fx)
		if d.Keep && !taken {
			d.Queue.KeepDead(d, fx) // it will come again, and counts then
			continue
		}
		v.activity.dead(d.Reason)
		if d.Keep {
			d.Taken(fx)
		}
	}
	r.forget()
	v.routers.Put(r)
}
