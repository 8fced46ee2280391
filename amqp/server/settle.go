package server

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

// verdict is how deliveries are settled.
type verdict uint8

const (
	ack verdict = iota
	reject
	// The others requeue, and say why.
	requeueRejected
	requeueNacked
	requeueRecovered
	requeueLost
)

// cause is what the queue is told of a verdict that requeues.
func (v verdict) cause() queue.Cause {
	switch v {
	case requeueRejected:
		return queue.CauseReject
	case requeueNacked:
		return queue.CauseNack
	case requeueRecovered:
		return queue.CauseRecover
	}
	return queue.CauseLost
}

// settle settles one delivery, or with multiple all up to it. In a transaction
// the tags are checked and taken now, and the rest waits for the commit.
func (ch *channel) settle(tag uint64, multiple bool, v verdict) error {
	out := &ch.conn.out
	out.mu.Lock()
	entries, ok := ch.unacked.take(tag, multiple, ch.scratch[:0])
	if !ok {
		out.mu.Unlock()
		return amqp.PreconditionFailed("unknown delivery tag %d", tag)
	}
	ch.scratch = entries
	if ch.tx != nil {
		out.mu.Unlock()
		ch.tx.settle(entries, v)
		ch.changed()
		return nil
	}
	ready := ch.creditLocked(entries)
	out.mu.Unlock()
	ch.settled(entries, v, ready)
	return nil
}

// requeueUnacked gives all that is unacked back at once: a recover does not wait
// for a commit, as in RabbitMQ. What the transaction has settled is no longer
// unacked.
func (ch *channel) requeueUnacked() {
	out := &ch.conn.out
	out.mu.Lock()
	entries, _ := ch.unacked.take(0, true, ch.scratch[:0])
	ready := ch.creditLocked(entries)
	out.mu.Unlock()
	ch.scratch = entries
	ch.settled(entries, requeueRecovered, ready)
}

// settled carries out what was decided about deliveries, then serves the
// consumers that can go on for it. The list is cleared.
func (ch *channel) settled(entries []entry, v verdict, ready []*consumer) {
	ch.carryOut(entries, v)
	ch.makeReady(ready)
	clear(entries)
}

// creditLocked gives back the credit of settled deliveries and returns the
// consumers that can go on for it.
func (ch *channel) creditLocked(entries []entry) (ready []*consumer) {
	for i := range entries {
		con := entries[i].con
		if con == nil || con.timedOut {
			continue // no prefetch limits a get, and the credit of the other was given back
		}
		con.unacked--
		ch.outstanding--
		if con.starved && ch.globalPrefetch == 0 && con.creditLocked() {
			con.starved = false
			ready = append(ready, con)
		}
	}
	if ch.globalPrefetch > 0 {
		ready = ch.fedLocked(ready)
	}
	return ready
}

// fedLocked returns the starved consumers of the channel that have credit now.
func (ch *channel) fedLocked(ready []*consumer) []*consumer {
	for _, con := range ch.consumers {
		if con.starved && con.creditLocked() {
			con.starved = false
			ready = append(ready, con)
		}
	}
	return ready
}

// makeReady tells the queues of consumers that they can take messages again.
func (ch *channel) makeReady(ready []*consumer) {
	for _, con := range ready {
		con.queue.Ready(con.handle, &ch.conn.fx)
	}
}

// carryOut settles the entries in their queues.
func (ch *channel) carryOut(entries []entry, v verdict) {
	if v == ack {
		ch.count(tallyAck, uint32(len(entries)))
	}
	ch.eachQueue(entries, func(q *queue.Queue, ids []queue.ID) {
		switch v {
		case ack:
			q.Ack(ids, &ch.conn.fx)
		case reject:
			q.Reject(ids, &ch.conn.fx)
		default:
			q.Requeue(ids, v.cause(), &ch.conn.fx)
		}
	})
}

// eachQueue calls do once for each queue with its deliveries, in the order of
// their tags. ids is used again afterwards.
func (ch *channel) eachQueue(entries []entry, do func(q *queue.Queue, ids []queue.ID)) {
	if len(entries) == 0 {
		return
	}
	ids, rest := ch.ids[:0], 0
	first := entries[0].q
	for i := range entries {
		if entries[i].q == first {
			ids = append(ids, entries[i].id)
		} else {
			rest++
		}
	}
	ch.ids = ids
	do(first, ids)
	if rest > 0 {
		eachOtherQueue(entries, first, do)
	}
}

// eachOtherQueue is the rest of eachQueue, when there is more than one queue.
func eachOtherQueue(entries []entry, but *queue.Queue, do func(q *queue.Queue, ids []queue.ID)) {
	var order []*queue.Queue
	byQueue := map[*queue.Queue][]queue.ID{}
	for i := range entries {
		q := entries[i].q
		if q == but {
			continue
		}
		if byQueue[q] == nil {
			order = append(order, q)
		}
		byQueue[q] = append(byQueue[q], entries[i].id)
	}
	for _, q := range order {
		do(q, byQueue[q])
	}
}
