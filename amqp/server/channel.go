package server

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/queue"
)

// channel is one channel of a connection.
type channel struct {
	// immutable
	conn   *conn
	number uint16
	router *vhost.Router

	// owned by the reader
	checker
	closing   bool // the broker has sent channel.close and waits for close-ok
	content   content
	confirms  confirms     // in part guarded by the outbox's mu
	tx        *transaction // nil unless tx.select was seen
	lastQueue string       // what an empty queue name means
	prefetch  int          // for consumers to come
	reply     *queue.Queue // direct reply-to, nil if not consumed
	replyTag  string
	// writable is the exchange that was published to last, if rights of the version
	// writableBy allow it.
	writable   *exchange.Exchange
	writableBy uint64
	scratch    []entry
	ids        []queue.ID

	// guarded by the outbox's mu
	lastTag        uint64
	unacked        ledger
	outstanding    int // unacked deliveries to consumers
	globalPrefetch int // most of these at a time, 0 for no limit
	consumers      map[string]*consumer
	sent           sent
	seen           seenCounts

	tally counter
	face  atomic.Pointer[channelFace]
}

// frame carries out one frame on an open channel.
func (ch *channel) frame(f amqp.Frame) error {
	if ch.closing {
		return ch.frameClosing(f)
	}
	switch {
	case ch.content.want != wantMethod:
		return ch.conn.fail(ch, ch.contentFrame(f), amqp.IDBasicPublish)
	case f.Type != amqp.FrameMethod:
		return amqp.UnexpectedFrame("expected method frame, got non method frame instead")
	case len(f.Payload) >= 4:
		switch args := f.Payload[4:]; binary.BigEndian.Uint32(f.Payload) {
		case amqp.IDBasicPublish:
			if err := ch.conn.holdPublisher(); err != nil {
				return err
			}
			return ch.conn.fail(ch, ch.basicPublish(args), amqp.IDBasicPublish)
		case amqp.IDBasicAck:
			var m amqp.BasicAck
			if err := m.DecodeArgs(args); err != nil {
				break // ParseMethod words the error
			}
			return ch.conn.fail(ch, ch.basicAck(&m), amqp.IDBasicAck)
		}
	}
	m, err := amqp.ParseMethod(f.Payload)
	if err != nil {
		return err
	}
	return ch.conn.fail(ch, ch.method(m), idOf(m))
}

// frameClosing ignores what a client sends before it has seen that its channel
// was closed [2.2.6.2].
func (ch *channel) frameClosing(f amqp.Frame) error {
	if f.Type != amqp.FrameMethod || len(f.Payload) < 4 {
		return nil
	}
	switch binary.BigEndian.Uint32(f.Payload) {
	case amqp.IDChannelClose: // both closed at once; the client's close-ok is still to come
		ch.conn.send(ch.number, &amqp.ChannelCloseOk{})
	case amqp.IDChannelCloseOk:
		ch.conn.forget(ch)
	}
	return nil
}

// method carries out any method that has no content. A method that only a
// broker sends is 503.
func (ch *channel) method(m amqp.Method) error {
	switch m.ClassID() {
	case amqp.ClassChannel:
		return ch.classChannel(m)
	case amqp.ClassAccess:
		return ch.accessRequest(m)
	case amqp.ClassExchange:
		return ch.classExchange(m)
	case amqp.ClassQueue:
		return ch.classQueue(m)
	case amqp.ClassBasic:
		return ch.classBasic(m)
	case amqp.ClassConfirm:
		return ch.classConfirm(m)
	case amqp.ClassTx:
		return ch.classTx(m)
	}
	return unimplemented()
}

func unimplemented() error { return amqp.CommandInvalid("unimplemented method") }

// accessRequest says yes: access tickets were dropped from AMQP in 0-9-1, and
// clients that still ask for one must get it.
func (ch *channel) accessRequest(m amqp.Method) error {
	if _, ok := m.(*amqp.AccessRequest); !ok {
		return unimplemented()
	}
	ch.send(&amqp.AccessRequestOk{Ticket: 1})
	return nil
}

// send answers on the channel.
func (ch *channel) send(m amqp.Method) { ch.conn.send(ch.number, m) }

// answer answers on the channel unless the client asked for silence.
func (ch *channel) answer(noWait bool, m amqp.Method) {
	if !noWait {
		ch.send(m)
	}
}

// idOf is the method's id as the wire has it: class and method in one number.
func idOf(m amqp.Method) uint32 { return uint32(m.ClassID())<<16 | uint32(m.MethodID()) }

// withMethod returns err as an *amqp.Error that names the method it came from.
// An error of another kind is the broker's own: the bare 541, which names none,
// as in RabbitMQ.
func withMethod(err error, id uint32) *amqp.Error {
	var e *amqp.Error
	if !errors.As(err, &e) {
		e = amqp.InternalError("")
	}
	if e.ClassID == 0 && e.MethodID == 0 && (e.Code != amqp.CodeInternalError || e.Text != "") {
		named := *e
		named.ClassID, named.MethodID = uint16(id>>16), uint16(id)
		return &named
	}
	return e
}

// fail is the one place where a refusal becomes a close: a soft error closes the
// channel, and nil is returned; a hard one is returned and ends the connection.
func (c *conn) fail(ch *channel, err error, id uint32) error {
	if err == nil {
		if c.fx.Pending() {
			c.vhost.Apply(&c.fx)
		}
		return nil
	}
	if errors.Is(err, errClosed) {
		return err
	}
	e := withMethod(err, id)
	if e.Code == amqp.CodeInternalError {
		c.log.Error().Err(err).Str("method", amqp.MethodName(e.ClassID, e.MethodID)).Msg("internal error")
	}
	if e.Code.Hard() {
		return e
	}
	c.log.Warn().Uint16("channel", ch.number).Uint16("code", uint16(e.Code)).Str("reason", e.ReplyText()).
		Str("method", amqp.MethodName(e.ClassID, e.MethodID)).Msg("closing channel")
	c.sendConfirms()
	ch.release()
	ch.closing = true
	ch.showFace()
	ch.send(&amqp.ChannelClose{ReplyCode: e.Code, ReplyText: e.ReplyText(), FailedClassID: e.ClassID, FailedMethodID: e.MethodID})
	return nil
}

// forget makes the channel's number free again.
func (c *conn) forget(ch *channel) {
	ch.retire()
	c.channels[ch.number] = nil
	c.open--
	c.srv.census.closeChannel(c.user.Name)
}

// release gives back what the channel holds. Its consumers take nothing any more;
// what was unacked is in its queue again before they leave, so that the consumer
// whose turn comes then gets it in order.
func (ch *channel) release() {
	out := &ch.conn.out
	out.mu.Lock()
	consumers := make([]*consumer, 0, len(ch.consumers))
	for _, c := range ch.consumers {
		c.cancelled = true
		consumers = append(consumers, c)
	}
	clear(ch.consumers)
	entries, _ := ch.unacked.take(0, true, nil)
	ch.outstanding = 0
	ch.confirms.over = true
	out.mu.Unlock()
	if ch.tx != nil {
		entries = append(entries, ch.tx.takeEntries()...)
		ch.tx = nil
	}
	ch.carryOut(entries, requeueLost)
	for _, c := range consumers {
		c.queue.Cancel(c.handle, &ch.conn.fx)
		c.tellDeleted(internalUser)
	}
	ch.closeReply()
	ch.content = content{}
	ch.conn.apply(&ch.conn.fx)
}
