package server

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/queue"
	"github.com/rs/zerolog"
)

// conn is the session of one connection.
type conn struct {
	// immutable
	srv *Server
	id  uint64
	*transport
	kicked  chan *amqp.Error
	written chan struct{} // closed when the writer has ended

	// set by the handshake, immutable after it
	log       zerolog.Logger
	mechanism string // of SASL
	user      auth.User
	vhost     *vhost.VHost
	caps      capabilities
	tuned     tuning
	frameMax  uint32

	out     outbox
	tooSlow []slowChannel // guarded by out.mu
	heart   heart
	cause   atomic.Pointer[error] // why the socket was given up, if not by the reader
	// identity is set once the vhost is known.
	identity atomic.Pointer[identity]

	since     time.Time // when it was accepted
	face      atomic.Pointer[face]
	blocked   atomic.Bool // it waits for the end of an alarm, or will when it publishes
	paced     atomic.Bool // it waits for the disk
	recvBytes atomic.Uint64
	sizes     bodySizes
	list      []*channel // that are open, by number; guarded by out.mu

	// owned by the reader
	r         *amqp.Reader
	channels  []*channel // by number, nil where none is open
	counted   bool       // the census has it
	listed    bool       // it was open
	open      int        // channels that are open
	confirms  []*channel // with confirms to send at the end of the batch
	counting  []*channel // that have counted something in this batch
	fx        queue.Effects
	published bool      // something was published in this batch
	storing   int       // bytes published since awaitStore looked; 0 without a store
	blockade  *blockade // the alarm that it has met last, nil if that is over
	who       subject   // user and vhost, once they are known

	publisher atomic.Bool // it has published at some time
}

func newConn(s *Server, t *transport, id uint64) *conn {
	c := &conn{
		srv: s, id: id, transport: t,
		kicked:   make(chan *amqp.Error, 1),
		written:  make(chan struct{}),
		r:        amqp.NewReader(t.nc, handshakeFrameMax),
		frameMax: handshakeFrameMax,
		since:    time.Now(),
	}
	c.face.Store(&face{state: stateStarting})
	c.log = s.opts.Log.With().Uint64("conn", id).Str("connection", c.name()).Logger()
	c.out.init(&s.buffers)
	c.out.direct = newDirect(t.sink, &c.heart)
	return c
}

// kick asks the reader to close the connection with an error of the broker's.
func (c *conn) kick(e *amqp.Error) {
	select {
	case c.kicked <- e:
		c.interrupt()
	default: // it is being closed already
	}
}

// interrupt makes the reader look up from its socket.
func (c *conn) interrupt() { _ = c.nc.SetReadDeadline(time.Unix(1, 0)) }

// cut gives the socket up at once. To say farewell by TLS could take a while.
func (c *conn) cut() {
	c.out.fail()
	c.socket.Close()
}

// lost gives the socket up because of err, seen by somebody else than the reader.
func (c *conn) lost(err error) {
	c.cause.CompareAndSwap(nil, &err)
	c.cut()
}

// errClosed is how readLoop ends when the client has closed the connection.
var errClosed = errors.New("closed by the client")

// run is the reader: the whole life of the connection.
func (c *conn) run() {
	defer c.nc.Close()
	defer c.recoverPanic("reader")
	err := c.handshake()
	if err == nil {
		err = c.readLoop()
	}
	c.heart.stop()
	c.show(func(f *face) { f.state = stateClosing })
	c.release()
	var refused *amqp.Error
	switch {
	case errors.As(err, &refused):
		c.farewell(refused)
	case errors.Is(err, errClosed):
		c.send(0, &amqp.ConnectionCloseOk{})
		c.log.Info().Msg("connection closed")
	default:
		c.logLoss(err)
		c.cut()
	}
	c.out.end()
	_ = c.nc.SetWriteDeadline(time.Now().Add(closeTimeout))
	<-c.written
	if errors.Is(err, errClosed) {
		c.linger()
	}
}

// lingerTimeout is how long a client that was told close-ok may take to close
// its socket, as in RabbitMQ; its heartbeat interval, if that is shorter.
const lingerTimeout = 30 * time.Second

// linger waits until the client closes its socket. A close can overtake what
// the client has still to write on other channels: if that met a closed socket,
// the close-ok could be lost to it.
func (c *conn) linger() {
	wait := lingerTimeout
	if beat := c.tuned.heartbeat; beat > 0 {
		wait = min(wait, beat)
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(wait))
	if c.wasKicked() == nil { // else its interrupt may have been overridden just now
		_, _ = io.Copy(io.Discard, c.nc)
	}
}

// closeTimeout is how long a client may take to accept a close.
const closeTimeout = 10 * time.Second

// farewell sends connection.close and waits for close-ok, ignoring all else
// [2.2.4].
func (c *conn) farewell(e *amqp.Error) {
	event := c.log.Warn()
	if e.Code == amqp.CodeConnectionForced {
		event = c.log.Info()
	}
	event.Uint16("code", uint16(e.Code)).Str("reason", e.ReplyText()).
		Str("method", amqp.MethodName(e.ClassID, e.MethodID)).Msg("closing connection")
	c.send(0, &amqp.ConnectionClose{ReplyCode: e.Code, ReplyText: e.ReplyText(),
		FailedClassID: e.ClassID, FailedMethodID: e.MethodID})
	c.fx.WakeAll()
	deadline := time.Now().Add(closeTimeout)
	_ = c.nc.SetReadDeadline(deadline)
	for {
		f, err := c.r.ReadFrame()
		if err != nil {
			// Bytes that are no frames: all that is left is to let the client
			// read what was sent, and to see it go.
			c.discard(deadline)
			return
		}
		if f.Type != amqp.FrameMethod || f.Channel != 0 {
			continue
		}
		switch m, _ := amqp.ParseMethod(f.Payload); m.(type) {
		case *amqp.ConnectionCloseOk:
			return
		case *amqp.ConnectionClose:
			c.send(0, &amqp.ConnectionCloseOk{})
			return
		}
	}
}

// discardTimeout bounds how long a client that sent nonsense may go on.
const discardTimeout = 3 * time.Second

func (c *conn) discard(deadline time.Time) {
	if soon := time.Now().Add(discardTimeout); soon.Before(deadline) {
		deadline = soon
	}
	_ = c.nc.SetReadDeadline(deadline)
	_, _ = io.Copy(io.Discard, c.nc)
}

func (c *conn) logLoss(err error) {
	if other := c.cause.Load(); other != nil {
		err = *other
	}
	switch {
	case errors.Is(err, errNoGreeting): // the handshake has logged why
	case errors.Is(err, errProbe):
		c.log.Debug().Msg("client closed the socket without a word")
	case errors.Is(err, io.EOF):
		c.log.Warn().Msg("client closed the socket without connection.close")
	default:
		c.log.Warn().Err(err).Msg("connection lost")
	}
}

// readLoop carries out frames until the connection ends. It returns why. The
// first ones may have come together with the end of the handshake.
func (c *conn) readLoop() error {
	for {
		err := c.frames()
		c.finishBatch()
		if err != nil {
			return err
		}
		if err := c.pause(); err != nil {
			return err
		}
		if err := c.r.Fill(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				slow := c.closeSlow()
				if e := c.wasKicked(); e != nil {
					return e
				}
				if slow {
					continue
				}
			}
			return err
		}
		c.heart.received.Add(1)
		c.recvBytes.Store(c.r.Received())
	}
}

// frames carries out the frames that have been read.
func (c *conn) frames() error {
	for {
		f, ok, err := c.r.Next()
		if err != nil || !ok {
			return err
		}
		if err := c.frame(f); err != nil {
			return err
		}
	}
}

func (c *conn) wasKicked() *amqp.Error {
	select {
	case e := <-c.kicked:
		return e
	default:
		return nil
	}
}

// apply carries out what queues decided. It holds no lock.
func (c *conn) apply(fx *queue.Effects) {
	if fx.Pending() {
		c.vhost.Apply(fx)
	}
}

// finishBatch does what is done once a read: confirms, then one wake-up for each
// outbox that got something.
func (c *conn) finishBatch() {
	c.apply(&c.fx)
	c.sendConfirms()
	c.showCounts() // whoever is woken finds itself counted
	c.fx.WakeAll()
}

// send appends a method frame to the outbox, to be written when the batch is
// done.
func (c *conn) send(channel uint16, m amqp.Method) {
	owesWake, err := c.out.send(channel, m)
	if err != nil {
		c.log.Error().Err(err).Str("method", m.Name()).Msg("cannot encode")
	}
	if owesWake {
		c.fx.Wake(&c.out)
	}
}

// frame carries out one frame. An error ends the connection; channel errors are
// dealt with inside.
func (c *conn) frame(f amqp.Frame) error {
	if f.Type == amqp.FrameHeartbeat {
		if f.Channel != 0 {
			return amqp.UnexpectedFrame("%s", f.Snippet())
		}
		return nil
	}
	if f.Channel == 0 {
		return c.frameZero(f)
	}
	if int(f.Channel) < len(c.channels) {
		if ch := c.channels[f.Channel]; ch != nil {
			return ch.frame(f)
		}
	}
	return c.frameUnopened(f)
}

// frameUnopened handles a frame on a channel that is not open: only
// channel.open has business there.
func (c *conn) frameUnopened(f amqp.Frame) error {
	if f.Type != amqp.FrameMethod {
		return amqp.UnexpectedFrame("expected method frame, got non method frame instead")
	}
	m, err := amqp.ParseMethod(f.Payload)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *amqp.ChannelOpen:
		return c.channelOpen(f.Channel)
	case *amqp.ChannelCloseOk:
		return nil // a late answer to a close that has crossed the client's own
	default:
		return withMethod(amqp.ChannelError("expected 'channel.open'"), idOf(m))
	}
}

// release gives back all that the connection holds: consumers, unacked messages,
// exclusive queues.
func (c *conn) release() {
	if c.counted {
		c.counted = false
		c.srv.census.leave(c.vhost, c.user.Name, c.open)
	}
	for _, ch := range c.channels {
		if ch != nil {
			ch.release()
		}
	}
	if c.vhost != nil {
		c.vhost.DropExclusive(c.id, &c.fx)
		c.apply(&c.fx)
	}
	c.fx.WakeAll()
	for _, ch := range c.channels {
		if ch != nil {
			ch.retire()
		}
	}
	c.channels = nil
}
