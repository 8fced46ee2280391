package server

import (
	"net"
	"sync"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

const (
	// outboxHigh is how many bytes may wait for a socket before its consumers
	// are parked: their messages stay in the queues, which other consumers see.
	outboxHigh = 256 << 10
	// outboxLow is where parked consumers are served again.
	outboxLow = 64 << 10
	// outboxOwed is how many bytes of answers may wait before the reader stops
	// reading: a client that asks and never listens cannot fill the memory.
	outboxOwed = 1 << 20
	// bodyCopied is up to which size a body is copied into the buffer; a larger
	// one is sent from where it lies.
	bodyCopied = 4 << 10
	// bodiesKept is how many places for large bodies an idle connection keeps.
	bodiesKept = 64
)

// outbox is the bytes that wait for a connection's socket. Its mutex also guards
// what must keep step with them: delivery tags, unacked entries and credit.
type outbox struct {
	// immutable
	wake    chan struct{} // one token: the writer has something to do
	buffers *buffers      // where buf comes from and goes
	direct  *direct       // nil: the writer writes everything

	mu sync.Mutex
	// guarded by mu
	buf     []byte      // nil while nothing waits
	bodies  []bodyRef   // large bodies, in the order of their places in buf
	lent    int         // bytes of bodies since the last noteLocked
	size    int         // bytes waiting, bodies included
	owed    int         // of these, what is no delivery
	pending bool        // a wake-up is owed, or the writer is at work
	writing bool        // writeNow is at work: the writer is to wait for its wake-up
	closed  bool        // nothing is taken any more
	ended   bool        // the writer is to write what is left and go
	lost    bool        // the socket is gone: nothing is written any more
	waiting []*consumer // parked until there is room
	drained *sync.Cond  // owed fell, or closed
}

// bodyRef is a piece of a body that belongs at an offset of the buffer.
type bodyRef struct {
	at    int
	piece []byte
}

func (o *outbox) init(b *buffers) {
	o.wake = make(chan struct{}, 1)
	o.buffers = b
	o.drained = sync.NewCond(&o.mu)
}

// Wake sees to it that what waits is written: at once, or by the writer.
func (o *outbox) Wake() {
	if o.direct == nil || !o.writeNow() {
		o.wakeWriter()
	}
}

func (o *outbox) wakeWriter() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// beginLocked makes ready to append frames to buf, and returns its length for
// noteLocked.
func (o *outbox) beginLocked() (before int) {
	if o.buf == nil {
		o.buf = o.buffers.take()
	}
	return len(o.buf)
}

// noteLocked records that frames were appended since before, deliveries or
// answers, and reports whether the caller owes a Wake.
func (o *outbox) noteLocked(before int, delivery bool) (owesWake bool) {
	n := len(o.buf) - before + o.lent
	o.lent = 0
	o.size += n
	if !delivery {
		o.owed += n
	}
	owesWake = !o.pending
	o.pending = true
	return owesWake
}

// send appends a method frame; the caller owes the Wake that it asks for.
func (o *outbox) send(channel uint16, m amqp.Method) (owesWake bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sendLocked(channel, m)
}

func (o *outbox) sendLocked(channel uint16, m amqp.Method) (owesWake bool, err error) {
	if o.closed {
		return false, nil
	}
	before := o.beginLocked()
	if o.buf, err = amqp.AppendMethod(o.buf, channel, m); err != nil {
		return false, err
	}
	return o.noteLocked(before, false), nil
}

// contentLocked appends a content header and body behind the method frame that
// the caller has appended.
func (o *outbox) contentLocked(channel uint16, props amqp.Properties, body []byte, frameMax uint32) {
	o.buf = amqp.AppendContentHeader(o.buf, channel, amqp.ClassBasic, uint64(len(body)), props)
	if len(body) <= bodyCopied {
		o.buf = amqp.AppendBody(o.buf, channel, body, frameMax)
		return
	}
	for most := int(frameMax) - amqp.FrameOverhead; len(body) > 0; {
		piece := body[:min(most, len(body))]
		body = body[len(piece):]
		o.buf = amqp.AppendFrameHeader(o.buf, amqp.FrameBody, channel, uint32(len(piece)))
		o.bodies = append(o.bodies, bodyRef{len(o.buf), piece})
		o.lent += len(piece)
		o.buf = append(o.buf, amqp.FrameEnd)
	}
}

// batch is what the writer took to write in one go.
type batch struct {
	buf    []byte
	bodies []bodyRef
	pieces net.Buffers // scratch
}

// swap exchanges the writer's empty batch for what waits, and reports whether
// there is anything. When there is not, the writer is idle and owed a Wake.
func (o *outbox) swap(b *batch) (work, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing {
		return false, false
	}
	if len(o.buf) == 0 {
		o.pending = false
		if o.buf != nil {
			o.buffers.give(o.buf)
			o.buf = nil
		}
		return false, o.ended
	}
	o.buf, b.buf = b.buf[:0], o.buf
	o.bodies, b.bodies = b.bodies[:0], o.bodies
	o.size, o.owed = 0, 0
	o.drained.Broadcast()
	return true, o.ended
}

// unpark returns the consumers that can be served again, appended to list, if
// little enough waits by now.
func (o *outbox) unpark(list []*consumer) []*consumer {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 || o.size > outboxLow {
		return list
	}
	for i, c := range o.waiting {
		c.waiting = false
		list = append(list, c)
		o.waiting[i] = nil
	}
	o.waiting = o.waiting[:0]
	return list
}

// end lets the writer write what waits, take nothing more, and go.
func (o *outbox) end() {
	o.mu.Lock()
	o.closed, o.ended = true, true
	o.drained.Broadcast()
	o.mu.Unlock()
	o.wakeWriter()
}

// fail drops what waits and lets the writer go: the socket is gone.
func (o *outbox) fail() {
	o.mu.Lock()
	o.closed, o.ended, o.lost = true, true, true
	o.buf, o.bodies, o.size, o.owed = nil, nil, 0, 0
	o.drained.Broadcast()
	o.mu.Unlock()
	o.wakeWriter()
}

// awaitRoom blocks the reader while too many answers wait.
func (o *outbox) awaitRoom() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.owed > outboxOwed && !o.closed {
		o.drained.Wait()
	}
}

// writeTo writes the batch in one call where the connection allows it.
func (b *batch) writeTo(nc net.Conn) error {
	if len(b.bodies) == 0 {
		_, err := nc.Write(b.buf)
		return err
	}
	b.pieces = b.pieces[:0]
	from := 0
	for _, ref := range b.bodies {
		b.pieces = append(b.pieces, b.buf[from:ref.at], ref.piece)
		from = ref.at
	}
	b.pieces = append(b.pieces, b.buf[from:])
	pieces := b.pieces // WriteTo consumes it
	_, err := pieces.WriteTo(nc)
	return err
}

// size returns how many bytes it is.
func (b *batch) size() int {
	n := len(b.buf)
	for _, ref := range b.bodies {
		n += len(ref.piece)
	}
	return n
}

// clear forgets what was written, and the memory if it is much.
func (b *batch) clear() {
	clear(b.bodies)
	clear(b.pieces)
	b.buf, b.bodies = b.buf[:0], b.bodies[:0]
}

// rest gives up the memory of a batch that was written, until the next.
func (o *outbox) rest(b *batch) {
	o.buffers.give(b.buf)
	b.buf = nil
	if cap(b.bodies) > bodiesKept {
		b.bodies, b.pieces = nil, nil
	}
}

// writeLoop is the connection's writer. It ends when the outbox does.
func (c *conn) writeLoop() {
	defer close(c.written)
	defer c.recoverPanic("writer")
	var (
		b      batch
		fx     queue.Effects
		parked []*consumer
	)
	for range c.out.wake {
		for {
			work, ended := c.out.swap(&b)
			if !work {
				if ended {
					return
				}
				break
			}
			if err := b.writeTo(c.sink); err != nil {
				c.out.fail()
				c.lost(err)
				return
			}
			c.heart.sent.Add(1)
			c.heart.bytes.Add(uint64(b.size()))
			b.clear()
			parked = c.out.unpark(parked[:0])
			for i, con := range parked {
				con.queue.Ready(con.handle, &fx)
				parked[i] = nil
			}
			if len(parked) > 0 {
				c.apply(&fx)
				fx.WakeAll()
			}
		}
		c.out.rest(&b)
	}
}
