package server

import (
	"fmt"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
)

// awaitEvery is how many bytes a connection may publish before it looks whether
// the disk keeps pace.
const awaitEvery = 32 << 10

// awaitStore slows a publisher down to the speed of the disk: that of writing
// what is to be stored, and that of taking transient messages out of memory.
func (c *conn) awaitStore() error {
	if c.storing < awaitEvery {
		return nil
	}
	c.storing = 0
	free := make(chan struct{})
	// In a goroutine of its own, so that the reader still hears who ends it.
	c.srv.wg.Go(func() {
		c.srv.opts.Store.Await()
		c.srv.pager.Await()
		close(free)
	})
	c.paced.Store(true)
	defer c.paced.Store(false)
	return c.await(free)
}

// beforeStored is called by what will wait for the store, as declares do: what
// was done before must not wait with it.
func (c *conn) beforeStored() {
	if c.srv.opts.Store != nil {
		c.finishBatch()
	}
}

// commitBatch hands over what was done since beforeStored, as one and with the
// dead letters that follow from it, and waits until it is stored.
func (c *conn) commitBatch() error {
	if c.srv.opts.Store == nil {
		return nil
	}
	o := persistence.NewOutcome()
	c.fx.Wait(o, 0)
	c.finishBatch()
	if err := o.Await(); err != nil {
		return fmt.Errorf("not stored: %w", err)
	}
	return nil
}

// storeFailed is what publishers are told after the disk has failed.
func storeFailed() *amqp.Error { return amqp.InternalError("the message store has failed") }

// watchStore ends publishing when the disk fails: publishers are closed, those
// to come are refused, and nothing is confirmed. Consumers go on with what is in
// memory.
func (s *Server) watchStore() {
	select {
	case <-s.done:
		return
	case <-s.opts.Store.Failed():
	}
	err := s.opts.Store.Err()
	s.opts.Log.Error().Err(err).Msg("the message store has failed: publishing ends, the broker is out of service")
	s.failed.Store(&err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c.publisher.Load() {
			c.kick(storeFailed())
		}
	}
}

// notePublish says that the connection is a publisher, and refuses it once the
// store has failed.
func (c *conn) notePublish() error {
	if !c.published {
		c.published = true
		// In this order: either watchStore sees the mark, or we see the failure.
		c.publisher.Store(true)
	}
	if c.srv.failed.Load() != nil {
		return storeFailed()
	}
	return nil
}
