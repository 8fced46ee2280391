package server

import "github.com/leveretmq/leveret/amqp"

// confirms is what a channel in confirm mode owes its publisher. Publishes are
// numbered from 1. Each is finished when the queues it went to have taken
// responsibility, in any order; what has been finished without a gap is
// confirmed, together where that is possible.
type confirms struct {
	on     bool
	last   uint64   // number of the last publish
	told   uint64   // up to here the client has been told
	done   uint64   // up to here all are finished and accepted
	states []finish // of publishes done+1 ..., where they are not all accepted yet
	queued bool     // in the connection's list of channels to confirm
}

// finish says how a publish ended.
type finish uint8

const (
	unfinished finish = iota
	accepted
	refused
)

// begin numbers a publish.
func (c *confirms) begin() uint64 {
	c.last++
	return c.last
}

// end finishes a publish.
func (c *confirms) end(number uint64, how finish) {
	if how == accepted && len(c.states) == 0 && number == c.done+1 {
		c.done = number // by far the most frequent: in order and accepted
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
	ch.confirms.end(number, how)
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
	before := c.out.beginLocked()
	for i, ch := range c.confirms {
		ch.confirms.queued = false
		if !c.out.closed && !ch.closing {
			c.out.buf = ch.confirms.flush(c.out.buf, ch.number)
		}
		c.confirms[i] = nil
	}
	if len(c.out.buf) > before {
		owesWake = c.out.noteLocked(before, false)
	}
	c.out.mu.Unlock()
	c.confirms = c.confirms[:0]
	if owesWake {
		c.fx.Wake(&c.out)
	}
}
