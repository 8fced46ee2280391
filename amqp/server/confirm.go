package server

import "github.com/leveretmq/leveret/amqp"

// confirms is what a channel in confirm mode owes its publisher. Publishes are
// numbered from 1. Each is finished when the queues it went to have taken
// responsibility, and the store where it is to be stored, in any order; what has
// been finished without a gap is confirmed, together where that is possible.
type confirms struct {
	// owned by the reader
	on     bool
	last   uint64 // number of the last publish
	ended  []run  // what it has finished itself, to be told at the end of the batch
	queued bool   // in the connection's list of channels to confirm

	// guarded by the outbox's mu
	told   uint64   // up to here the client has been told
	done   uint64   // up to here all are finished and accepted
	states []finish // of publishes done+1 ..., where they are not all accepted yet
	over   bool     // the channel is gone: nobody is told anything more
}

// finish says how a publish ended.
type finish uint8

const (
	unfinished finish = iota
	accepted
	refused
)

// run is publishes in a row that ended alike.
type run struct {
	first, last uint64
	how         finish
}

// begin numbers a publish.
func (c *confirms) begin() uint64 {
	c.last++
	return c.last
}

// note finishes a publish for the reader, which tells nobody before the end of
// its batch and takes no lock here.
func (c *confirms) note(number uint64, how finish) {
	if n := len(c.ended); n > 0 {
		if last := &c.ended[n-1]; last.how == how && last.last == number-1 {
			last.last = number
			return
		}
	}
	c.ended = append(c.ended, run{number, number, how})
}

// endNoted finishes what was noted.
func (c *confirms) endNoted() {
	for _, r := range c.ended {
		if r.how == accepted && len(c.states) == 0 && r.first == c.done+1 {
			c.done = r.last // by far the most frequent: in order and accepted
			continue
		}
		for number := r.first; number <= r.last; number++ {
			c.end(number, r.how)
		}
	}
	c.ended = c.ended[:0]
}

// end finishes a publish. One that was accepted before stays so.
func (c *confirms) end(number uint64, how finish) {
	if number <= c.done {
		return
	}
	if how == accepted && len(c.states) == 0 && number == c.done+1 {
		c.done = number
		return
	}
	at := int(number - c.done - 1)
	for len(c.states) <= at {
		c.states = append(c.states, unfinished)
	}
	c.states[at] = how
}

// flush appends to buf the confirms that can be sent, in the order of publish.
func (c *confirms) flush(buf []byte, channel uint16) []byte {
	n := 0
	for ; n < len(c.states) && c.states[n] != unfinished; n++ {
		if c.states[n] == refused {
			buf = c.ack(buf, channel)
			buf = amqp.AppendNack(buf, channel, c.done+1, false, true)
			c.told = c.done + 1
		}
		c.done++
	}
	c.states = append(c.states[:0], c.states[n:]...)
	return c.ack(buf, channel)
}

// ack confirms what is done and has not been told.
func (c *confirms) ack(buf []byte, channel uint16) []byte {
	if c.done == c.told {
		return buf
	}
	buf = amqp.AppendAck(buf, channel, c.done, c.done-c.told > 1)
	c.told = c.done
	return buf
}

// confirm finishes a publish of the channel; the client is told at the end of
// the batch.
func (ch *channel) confirm(number uint64, how finish) {
	ch.confirms.note(number, how)
	if !ch.confirms.queued {
		ch.confirms.queued = true
		ch.conn.confirms = append(ch.conn.confirms, ch)
	}
}

// sendConfirms tells publishers what was finished in this batch.
func (c *conn) sendConfirms() {
	if len(c.confirms) == 0 {
		return
	}
	c.out.mu.Lock()
	owesWake := false
	for i, ch := range c.confirms {
		ch.confirms.queued = false
		ch.confirms.endNoted()
		owesWake = ch.flushConfirmsLocked() || owesWake
		c.confirms[i] = nil
	}
	c.out.mu.Unlock()
	c.confirms = c.confirms[:0]
	if owesWake {
		c.fx.Wake(&c.out)
	}
}

// flushConfirmsLocked appends to the outbox the confirms that can be sent.
func (ch *channel) flushConfirmsLocked() (owesWake bool) {
	out := &ch.conn.out
	if out.closed || ch.confirms.over {
		return false
	}
	before, told := out.beginLocked(), ch.confirms.told
	out.buf = ch.confirms.flush(out.buf, ch.number)
	ch.sent.confirm += ch.confirms.told - told
	return len(out.buf) > before && out.noteLocked(before, false)
}

// Done implements persistence.Waiter: the store has finished publishes. One that
// is not stored is refused. It runs on the store's goroutine, at any time.
func (ch *channel) Done(numbers []uint64, err error) {
	how := accepted
	if err != nil {
		how = refused
	}
	out := &ch.conn.out
	out.mu.Lock()
	for _, number := range numbers {
		ch.confirms.end(number, how)
	}
	owesWake := ch.flushConfirmsLocked()
	out.mu.Unlock()
	if owesWake {
		out.Wake()
	}
}
