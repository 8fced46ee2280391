package server

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// heart sends heartbeats when nothing else is sent, and gives up a client that
// is silent for two intervals [4.2.7]. One timer does both: it fires twice an
// interval, as RabbitMQ sends.
type heart struct {
	sent, received atomic.Uint64 // writes and reads so far
	bytes          atomic.Uint64 // written so far
	pauses         atomic.Int32  // reasons for which silence means nothing

	mu       sync.Mutex
	timer    *time.Timer
	half     time.Duration
	lastSent uint64
	lastRead uint64
	beats    int
	missed   int
	stopped  bool
}

// errHeartbeat is why a silent client's connection is lost.
var errHeartbeat = errors.New("missed heartbeats from client")

// start begins to beat for c; an interval of 0 is none.
func (h *heart) start(c *conn, interval time.Duration) {
	if interval == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.half = interval / 2
	h.lastSent, h.lastRead = h.sent.Load(), h.received.Load()
	h.timer = time.AfterFunc(h.half, func() { h.beat(c) })
}

func (h *heart) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	if h.timer != nil {
		h.timer.Stop()
	}
}

// beat runs on the timer's goroutine.
func (h *heart) beat(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	if sent := h.sent.Load(); sent == h.lastSent {
		c.sendHeartbeat()
	} else {
		h.lastSent = sent
	}
	h.beats++
	if h.beats%2 == 0 && h.silent() {
		h.stopped = true
		c.lost(fmt.Errorf("%w, timeout: %s", errHeartbeat, 2*h.half))
		return
	}
	h.timer.Reset(h.half)
}

// silent reports whether two intervals in a row brought no byte.
func (h *heart) silent() bool {
	received := h.received.Load()
	if received != h.lastRead || h.pauses.Load() > 0 {
		h.lastRead, h.missed = received, 0
		return false
	}
	h.missed++
	return h.missed >= 2
}

func (c *conn) sendHeartbeat() {
	c.out.mu.Lock()
	owesWake := false
	if !c.out.closed {
		before := c.out.beginLocked()
		c.out.buf = amqp.AppendHeartbeat(c.out.buf)
		owesWake = c.out.noteLocked(before, false)
	}
	c.out.mu.Unlock()
	if owesWake {
		c.out.Wake()
	}
}
