package queue

import (
	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/dedup"
)

// Outcome is what became of a publish.
type Outcome uint8

// The outcomes of a publish.
const (
	// Accepted: the queue has the message, or has already handed it on.
	Accepted Outcome = iota
	// Refused: the queue is full and its overflow is reject-publish.
	Refused
	// Closed: the queue was deleted. The route must be asked again.
	Closed
	// Duplicate: the queue has seen the message's key. The message is dropped.
	Duplicate
)

// Counts are totals since the queue was declared.
type Counts struct {
	Published, Delivered, DeliveredNoAck, Got, GotNoAck, GotEmpty uint64
	Redelivered, Acked, Rejected, Expired, Dropped                uint64
	// Damaged messages could not be read back from the store; they are lost.
	Damaged uint64
	// Deduplicated messages were duplicates.
	Deduplicated uint64
}

// core is the queue as a state machine. Its methods take the time (Unix
// nanoseconds; 0 when nothing can expire) and add to fx what follows.
type core struct {
	owner     *Queue // for effects only
	id        persistence.QueueID
	store     persistence.Store // for effects only, nil if nothing is stored
	limits    Limits
	ready     lines
	unacked   unacked
	consumers roster
	nextSeq   uint64
	bytes     int64  // bodies of ready messages
	lasting   extent // of the ready messages, what is persistent
	mortal    int    // ready messages that have an expiry
	recorded  int    // ready messages that the store knows
	away      int    // ready messages that are in the store only
	memory    int64  // of the other ready messages
	counts    Counts
	active    int64 // when somebody did something here last, in Unix nanoseconds
	sampleAt  int64 // no sample of times is taken before
	past      *past // nil until there is something to know
	taking    bool  // what comes is taken at once
	// want says that nothing goes on before the first message is in memory,
	// ahead that messages should come to memory because they are next.
	want, ahead bool
	over        bool     // trim is behind
	held        *heldSet // nil until something was held
	passesOn    bool     // what is held is passed on when it is due
	pages       bool     // what is in the store may leave memory
	// recovered is the last place in line that was there at start: a message up
	// to it may have had consequences that were not stored.
	recovered uint64
	seen      *dedup.Window // nil if duplicates are no matter; immutable
	// purges counts how often all that was ready has gone at once.
	purges uint64
	// spills is the queue that places of transient messages are of: id, or one
	// that is not defined.
	spills persistence.QueueID
}

// extent is how many messages there are of something, and their bodies in bytes.
type extent struct {
	count int
	bytes int64
}

func (e *extent) add(it *item) {
	e.count++
	e.bytes += int64(it.size)
}

func (e *extent) subtract(it *item) {
	e.count--
	e.bytes -= int64(it.size)
}

func (c *core) full(m *amqp.Message) bool {
	l := &c.limits
	return l.MaxLength >= 0 && int64(c.ready.count)+1 > l.MaxLength ||
		l.MaxBytes >= 0 && c.bytes+m.Size() > l.MaxBytes
}

func (c *core) publish(m *amqp.Message, rec **persistence.Record, now int64, fx *Effects) Outcome {
	c.expire(now, fx)
	if c.limits.Overflow != DropHead && c.full(m) {
		if c.seen != nil && c.hasSeen(m) {
			return Duplicate
		}
		if c.limits.Overflow == RejectPublishDLX {
			c.deadLetter(m, MaxLen, fx)
		}
		return Refused
	}
	if c.seen != nil && c.duplicate(m, fx) {
		return Duplicate
	}
	c.nextSeq++
	c.noteTimes(fx)
	c.counts.Published++
	it := item{msg: m, size: uint32(len(m.Body)), seq: c.nextSeq, expires: c.deadline(m, now),
		redelivered: m.Redelivered}
	if m.Persistent && c.id != 0 {
		c.place(&it, rec)
		fx.Use(c.store)
	}
	c.enter(&it)
	c.ready.push(&it)
	// A TTL of 0 means now or never: for this one attempt its time has not come.
	c.serve(now-1, now, fx)
	c.trim(fx)
	c.expire(now, fx)
	return Accepted
}

// deadline is when a message published now dies: the queue's TTL or the
// message's own, whichever is first.
func (c *core) deadline(m *amqp.Message, now int64) int64 {
	ttl := int64(c.limits.TTL)
	if m.Expiration >= 0 {
		if own := m.Expiration * 1e6; ttl < 0 || own < ttl {
			ttl = own
		}
	}
	if ttl < 0 {
		return 0
	}
	return now + ttl
}

// enter counts a message that becomes ready.
func (c *core) enter(it *item) {
	c.bytes += int64(it.size)
	c.memory += it.memory()
	if it.lasting = it.msg.Persistent; it.lasting {
		c.lasting.add(it)
	}
	if it.expires != 0 {
		c.mortal++
	}
	if it.rec != nil {
		c.recorded++
	}
}

// leave removes the first ready message, which is in memory.
func (c *core) leave(it *item) {
	c.bytes -= int64(it.size)
	c.memory -= it.memory()
	if it.lasting {
		c.lasting.subtract(it)
	}
	if it.expires != 0 {
		c.mortal--
	}
	if it.rec != nil {
		c.recorded--
	}
	if c.ready.drop() {
		c.ahead = true
	}
}

// dispatch hands ready messages to consumers until one or the other runs out,
// or the next message is not in memory. What is dead when it gets to the head
// expires instead.
func (c *core) dispatch(now int64, fx *Effects) { c.serve(now, now, fx) }

// serve is dispatch for which dead is what died up to another time.
func (c *core) serve(dead, now int64, fx *Effects) {
	for c.expire(dead, fx); c.ready.count > 0; c.expire(dead, fx) {
		con := c.consumers.next()
		if con == nil {
			c.noteTaking(false, fx)
			return
		}
		it := c.ready.front()
		if it.msg == nil {
			c.want = true
			return
		}
		d := Delivery{Message: it.msg, Redelivered: it.redelivered, Returns: it.returns,
			ShowReturns: c.limits.CountDeliveries, ShowAttempts: c.limits.Retry.Backoff != NoBackoff}
		if con.NoAck {
			if !con.Receiver.Offer(d, fx) {
				c.consumers.park(con)
				continue
			}
			c.counts.DeliveredNoAck++
			c.settle(it, fx)
		} else {
			d.ID = c.unacked.put(it, con, fx.Time())
			if !con.Receiver.Offer(d, fx) {
				c.unacked.remove(d.ID)
				c.consumers.park(con)
				continue
			}
			if con.timeout > 0 {
				c.unacked.start(d.ID, now)
			}
			c.counts.Delivered++
		}
		if it.redelivered {
			c.counts.Redelivered++
		}
		c.leave(it)
		c.consumers.served(con)
	}
	c.noteTaking(len(c.consumers.all) > 0, fx)
}

// get takes the first ready message. The dead ones around it expire, so that
// they are neither handed out nor counted as left. away is true if the message
// must be brought to memory first.
func (c *core) get(noAck bool, now int64, fx *Effects) (d Delivery, ok, away bool) {
	c.active = fx.Time()
	c.expire(now, fx)
	it := c.ready.front()
	if it == nil {
		c.counts.GotEmpty++
		return Delivery{}, false, false
	}
	if it.msg == nil {
		return Delivery{}, false, true
	}
	d = Delivery{Message: it.msg, Redelivered: it.redelivered, Returns: it.returns,
		ShowReturns: c.limits.CountDeliveries, ShowAttempts: c.limits.Retry.Backoff != NoBackoff}
	if noAck {
		c.counts.GotNoAck++
		c.settle(it, fx)
	} else {
		d.ID = c.unacked.put(it, nil, fx.Time())
		c.counts.Got++
	}
	if it.redelivered {
		c.counts.Redelivered++
	}
	c.leave(it)
	c.expire(now, fx)
	return d, true, false
}
