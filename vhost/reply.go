package vhost

import (
	"strings"

	"github.com/leveretmq/leveret/vhost/queue"
)

// replyName is the pseudo-queue of direct reply-to; the names that stand for it
// in messages begin with it.
const replyName = "amq.rabbitmq.reply-to"

func isReplyName(name string) bool { return strings.HasPrefix(name, replyName) }

// OpenReply returns a new queue for the replies to one consumer of the
// pseudo-queue. It can be published to through the default exchange by its
// name, which nobody can guess, and is hidden otherwise. Replies wait in it
// while the consumer cannot take them. CloseReply ends it.
func (v *VHost) OpenReply(conn uint64) (*queue.Queue, error) {
	q := queue.New(queue.Options{
		VHost: v.name, Name: ServerName(replyName+".") + ServerName("."), Owner: conn,
		Limits: queue.NoLimits(), Apply: v.onClock,
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkOpenLocked(); err != nil {
		return nil, err
	}
	// No new version: nobody can have asked for the route before.
	v.addReply(q)
	return q, nil
}

// CloseReply deletes a queue of OpenReply with what is in it.
func (v *VHost) CloseReply(q *queue.Queue, fx *queue.Effects) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.removeReply(q)
	// Without conditions Delete does not fail. A route that leads here still
	// finds the queue closed.
	_, _ = q.Delete(false, false, fx)
}

// declareReply answers a declare of the pseudo-queue, which always works, or of
// a name that stands for it, by which a client finds out whether whoever waits
// for a reply is still there.
func (v *VHost) declareReply(name string) (*queue.Queue, error) {
	if name == replyName {
		return v.door, nil
	}
	v.mu.RLock()
	q := v.replies[name]
	v.mu.RUnlock()
	if q == nil {
		return nil, v.noQueue(name)
	}
	return q, nil
}

// newDoor returns the queue that a declare of the pseudo-queue returns, so that
// it has the counts that RabbitMQ answers: no messages, one consumer. It is in
// no topology and gets nothing.
func newDoor(vhost string) *queue.Queue {
	q := queue.New(queue.Options{VHost: vhost, Name: replyName, Limits: queue.NoLimits()})
	if _, err := q.Consume(queue.Spec{Receiver: deaf{}, NoAck: true}); err != nil {
		panic(err) // a new queue has room for a consumer
	}
	return q
}

// deaf is a queue.Receiver that takes nothing.
type deaf struct{}

func (deaf) Offer(queue.Delivery, *queue.Effects) bool { return false }
