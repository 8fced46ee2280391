package vhost

import "sync"

// clock is the gate for what queues do by the clock alone: shut until all is
// recovered, because dead letters must find the exchanges and queues that come
// last, and again from Close on, because nobody may use the store after it.
type clock struct {
	opened  chan struct{} // closed when it is known whether the gate opens at all
	running sync.WaitGroup

	mu   sync.Mutex
	shut bool // guarded by mu: for good
}

// open lets through who waits.
func (c *clock) open() { close(c.opened) }

// begin waits for the gate to open and reports whether it did. If so, end must
// follow.
func (c *clock) begin() bool {
	<-c.opened
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.shut {
		c.running.Add(1)
	}
	return !c.shut
}

func (c *clock) end() { c.running.Done() }

// close shuts the gate for good and waits for who is inside. No lock of this
// room may be held.
func (c *clock) close() {
	c.mu.Lock()
	c.shut = true
	c.mu.Unlock()
	c.running.Wait()
}
