package perf

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

const (
	// patience is how long an answer may take: a broker that is busy with
	// thousands of bindings is slow.
	patience = time.Minute
	// closing is how long a broker may take to say goodbye.
	closing = 10 * time.Second
)

// errClosed ends a connection's reading after our own connection.close.
var errClosed = errors.New("the connection is closed")

// closedError is what a broker said when it closed a connection or channel, or
// cancelled a consumer.
type closedError struct {
	method string // such as connection.close
	code   amqp.ReplyCode
	text   string
	failed string // the method that it did not like; "" if it names none
}

func (e *closedError) Error() string {
	s := "the broker sent " + e.method
	if e.code != 0 {
		s += fmt.Sprintf(" %d", uint16(e.code))
	}
	if e.text != "" {
		s += ": " + e.text
	}
	if e.failed != "" {
		s += " (after " + e.failed + ")"
	}
	return s
}

// conn is one AMQP connection. Anyone may write; one goroutine at a time reads,
// with call or with next.
type conn struct {
	sock  net.Conn
	done  chan struct{} // closed by release, ends the heartbeats
	beats sync.WaitGroup
	once  sync.Once // for release

	// immutable after the handshake
	broker     string // product and version
	frameMax   uint32
	channelMax uint16
	heartbeat  time.Duration
	// blocked is told when the broker wants no more publishes, and when it
	// wants them again. Set before reading starts; may be nil.
	blocked func(bool)

	// owned by the reader
	rd       *amqp.Reader
	deadline time.Time // of the next bytes; zero: none

	wmu sync.Mutex
	out []byte // guarded by wmu: for what send writes
}

// write writes whole frames.
func (c *conn) write(frames []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	_, err := c.sock.Write(frames)
	return err
}

// send writes methods, all at once.
func (c *conn) send(channel uint16, methods ...amqp.Method) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.out = c.out[:0]
	for _, m := range methods {
		var err error
		if c.out, err = amqp.AppendMethod(c.out, channel, m); err != nil {
			return err
		}
	}
	_, err := c.sock.Write(c.out)
	return err
}

// call sends a method and waits for its answer, the method of the next id on
// the same channel.
func (c *conn) call(channel uint16, m amqp.Method) (amqp.Method, error) {
	if err := c.send(channel, m); err != nil {
		// The broker may have said why before it closed the socket.
		if _, why := c.answer(channel, m.ClassID(), m.MethodID()+1); isClosed(why) {
			err = why
		}
		return nil, fmt.Errorf("%s: %w", m.Name(), err)
	}
	answer, err := c.answer(channel, m.ClassID(), m.MethodID()+1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name(), err)
	}
	return answer, nil
}

func isClosed(err error) bool {
	var closed *closedError
	return errors.As(err, &closed)
}

// answer reads up to a certain method.
func (c *conn) answer(channel, classID, methodID uint16) (amqp.Method, error) {
	c.sock.SetReadDeadline(time.Now().Add(patience))
	defer c.sock.SetReadDeadline(time.Time{})
	for {
		f, err := c.rd.ReadFrame()
		if err != nil {
			return nil, err
		}
		if f.Type == amqp.FrameMethod && f.Channel == channel && methodOf(f) == uint32(classID)<<16|uint32(methodID) {
			return amqp.ParseMethod(f.Payload)
		}
		if err := c.other(f); err != nil {
			return nil, err
		}
	}
}

// methodOf is the id of a method frame, as in the amqp.ID constants.
func methodOf(f amqp.Frame) uint32 { return binary.BigEndian.Uint32(f.Payload) }

// fill waits for the next bytes, but not longer than heartbeats allow. now
// saves asking for the time.
func (c *conn) fill(now time.Time) error {
	// The broker is dead after two intervals. The deadline is moved on only
	// now and then, because that costs something.
	if c.heartbeat > 0 && c.deadline.Sub(now) < 2*c.heartbeat {
		c.deadline = now.Add(3 * c.heartbeat)
		c.sock.SetReadDeadline(c.deadline)
	}
	err := c.rd.Fill()
	if err == nil {
		return nil
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no heartbeat from the broker for more than %s", 2*c.heartbeat)
	}
	return err
}

// other deals with the frames that may come at any time. Frames that it does
// not know are none of our business.
func (c *conn) other(f amqp.Frame) error {
	if f.Type != amqp.FrameMethod {
		return nil
	}
	switch methodOf(f) {
	case amqp.IDConnectionCloseOk:
		return errClosed
	case amqp.IDConnectionBlocked:
		c.tellBlocked(true)
		return nil
	case amqp.IDConnectionUnblocked:
		c.tellBlocked(false)
		return nil
	case amqp.IDConnectionClose, amqp.IDChannelClose, amqp.IDChannelFlow, amqp.IDBasicCancel:
	default:
		return nil
	}
	m, err := amqp.ParseMethod(f.Payload)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *amqp.ConnectionClose:
		c.send(0, &amqp.ConnectionCloseOk{})
		return &closedError{m.Name(), m.ReplyCode, m.ReplyText, amqp.MethodName(m.FailedClassID, m.FailedMethodID)}
	case *amqp.ChannelClose:
		c.send(f.Channel, &amqp.ChannelCloseOk{})
		return &closedError{m.Name(), m.ReplyCode, m.ReplyText, amqp.MethodName(m.FailedClassID, m.FailedMethodID)}
	case *amqp.BasicCancel:
		return &closedError{method: m.Name(), text: "consumer '" + m.ConsumerTag + "'"}
	case *amqp.ChannelFlow:
		c.tellBlocked(!m.Active)
		return c.send(f.Channel, &amqp.ChannelFlowOk{Active: m.Active})
	}
	return nil
}

func (c *conn) tellBlocked(yes bool) {
	if c.blocked != nil {
		c.blocked(yes)
	}
}

// beat sends heartbeats until release [4.2.7].
func (c *conn) beat() {
	tick := time.NewTicker(c.heartbeat / 2)
	defer tick.Stop()
	frame := amqp.AppendHeartbeat(nil)
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
			if c.write(frame) != nil {
				return // whoever reads finds out why
			}
		}
	}
}

// close says goodbye and releases the connection. reading is closed when its
// reader has ended; nil if it has none. The second time it does nothing.
func (c *conn) close(reading <-chan struct{}) {
	select {
	case <-c.done:
		return
	default:
	}
	c.sock.SetWriteDeadline(time.Now().Add(closing))
	cut := time.AfterFunc(closing, func() { c.sock.Close() })
	defer cut.Stop()
	err := c.send(0, &amqp.ConnectionClose{ReplyCode: amqp.CodeSuccess, ReplyText: "done"})
	switch {
	case err != nil:
		c.sock.Close()
	case reading == nil:
		c.answer(0, amqp.ClassConnection, uint16(amqp.IDConnectionCloseOk&0xffff))
	}
	if reading != nil {
		<-reading
	}
	c.release()
}

// release closes the socket and waits for the heartbeats to end.
func (c *conn) release() {
	c.once.Do(func() {
		c.sock.Close()
		close(c.done)
		c.beats.Wait()
	})
}

// bound cuts the connection when ctx ends. The function undoes it.
func (c *conn) bound(ctx context.Context) (unbind func() bool) {
	return context.AfterFunc(ctx, func() { c.sock.Close() })
}
