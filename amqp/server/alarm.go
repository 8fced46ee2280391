package server

import (
	"errors"
	"sync"

	"github.com/leveretmq/leveret/amqp"
)

// Alarm is a reason for publishers to wait.
type Alarm uint8

// The alarms.
const (
	// AlarmMemory: memory is short.
	AlarmMemory Alarm = 1 << iota
	// AlarmDisk: the disk is nearly full.
	AlarmDisk
)

// reason is what connection.blocked says, as RabbitMQ does; "" for no alarm.
func (a Alarm) reason() string {
	switch a {
	case AlarmMemory:
		return "low on memory"
	case AlarmDisk:
		return "low on disk"
	case AlarmMemory | AlarmDisk:
		return "low on disk & memory"
	}
	return ""
}

// SetAlarm raises or ends an alarm. While there is one, a connection that
// publishes is told why (connection.blocked, if it can be), and what it
// publishes from then on waits. All else goes on: consumers, acks, the end of a
// connection.
func (s *Server) SetAlarm(a Alarm, on bool) {
	before := s.alarms.set(a, on)
	for _, one := range []Alarm{AlarmMemory, AlarmDisk} {
		if a&one != 0 && (before&one != 0) != on {
			s.tellAlarm(one, on)
		}
	}
}

// alarms are those that are raised at the moment.
type alarms struct {
	mu      sync.Mutex
	raised  Alarm         // one bit each
	cleared chan struct{} // closed when none is left
}

// set returns what was raised before.
func (a *alarms) set(which Alarm, on bool) (before Alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before = a.raised
	if on {
		a.raised |= which
	} else {
		a.raised &^= which
	}
	switch {
	case before == 0 && a.raised != 0:
		a.cleared = make(chan struct{})
	case before != 0 && a.raised == 0:
		close(a.cleared)
	}
	return before
}

// current returns why publishers must wait and what to wait for; "" if they
// need not.
func (a *alarms) current() (reason string, cleared <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.raised.reason(), a.cleared
}

// blockade is an alarm as one connection has met it.
type blockade struct {
	cleared <-chan struct{} // closed when there is no alarm any more
	over    chan struct{}   // closed when the client knows that
}

// block tells a connection that has published during an alarm to wait, and has
// it told when that is over. The client may still do anything but publish;
// RabbitMQ does not even hear it when it wants to close.
func (c *conn) block() {
	reason, cleared := c.srv.alarms.current()
	if reason == "" {
		return
	}
	if b := c.blockade; b != nil {
		if b.cleared == cleared {
			return // it knows
		}
		<-b.over // so that the client hears of one after the other
	}
	b := &blockade{cleared, make(chan struct{})}
	c.blockade = b
	c.blocked.Store(true)
	c.log.Warn().Str("reason", reason).Msg("publisher blocked")
	if c.caps.blocked {
		c.send(0, &amqp.ConnectionBlocked{Reason: reason})
		c.fx.WakeAll()
	}
	c.heart.pauses.Add(1) // as in RabbitMQ, which does not read at all
	c.srv.wg.Go(func() { c.unblock(b) })
}

// unblock waits for the end of an alarm.
func (c *conn) unblock(b *blockade) {
	defer close(b.over)
	defer c.blocked.Store(false)
	defer c.heart.pauses.Add(-1)
	select {
	case <-b.cleared:
	case <-c.written: // the connection is gone
		return
	}
	c.log.Info().Msg("publisher unblocked")
	if !c.caps.blocked {
		return
	}
	// The method has no fields, so it can be encoded.
	if owesWake, _ := c.out.send(0, &amqp.ConnectionUnblocked{}); owesWake {
		c.out.Wake()
	}
}

// errGone is why a reader stops that has waited for something and whose socket
// has been given up meanwhile.
var errGone = errors.New("the connection was given up")

// holdPublisher makes a publish wait for the end of the alarm that the
// connection has met, if it has. Its error ends the connection.
func (c *conn) holdPublisher() error {
	if c.blockade == nil {
		return nil
	}
	if err := c.await(c.blockade.over); err != nil {
		return err
	}
	c.blockade = nil
	return nil
}

// await blocks the reader until done is closed, after it has seen to it that
// nobody waits for what it has done so far. The error, if the connection has to
// end before, is for the caller of frame.
func (c *conn) await(done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	c.finishBatch()
	c.heart.pauses.Add(1) // it does not read
	defer c.heart.pauses.Add(-1)
	select {
	case <-done:
		return nil
	case <-c.written:
		return errGone
	case e := <-c.kicked:
		return e
	}
}
