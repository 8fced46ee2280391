package perf

import (
	"math/bits"
	"sync"
)

// ringSlack is how many windows of messages a channel may have between the
// oldest that is not confirmed and the newest: brokers confirm out of order.
const ringSlack = 4

// gate is what a producer passes before it publishes: it is closed while the
// broker says blocked and while the window is used up, and for good at the
// end. The producer's writer and reader share it; both hold mu for a whole
// batch of messages or confirms.
type gate struct {
	window int           // immutable; 0: no confirms
	over   chan struct{} // closed by stop

	mu    sync.Mutex
	moved *sync.Cond
	// guarded by mu
	blocked  bool
	hindered bool // was ever blocked
	stopped  bool
	underWay int    // messages not confirmed
	acked    uint64 // messages
	refused  uint64 // messages
	bad      uint64 // confirms that confirm nothing
	rings    []ring // by channel − 1
}

// ring holds the stamps of one channel's messages under way, by delivery tag.
type ring struct {
	stamps []int64 // stamp + 1; 0: confirmed
	low    uint64  // the oldest tag that is not confirmed
	next   uint64  // the tag of the next message
}

func newGate(window int, channels uint16) *gate {
	g := &gate{window: window, over: make(chan struct{})}
	g.moved = sync.NewCond(&g.mu)
	if window > 0 {
		size := 1 << bits.Len(uint(window*ringSlack-1))
		g.rings = make([]ring, channels)
		for i := range g.rings {
			g.rings[i] = ring{stamps: make([]int64, size), low: 1, next: 1}
		}
	}
	return g
}

// passLocked waits until one message may go on the channel; false: no more
// may. It gives mu up while it waits.
func (g *gate) passLocked(channel uint16) bool {
	for !g.stopped && (g.blocked || !g.roomLocked(channel)) {
		g.moved.Wait()
	}
	return !g.stopped
}

// roomLocked reports whether the window lets one more go on the channel.
func (g *gate) roomLocked(channel uint16) bool {
	if g.window == 0 {
		return true
	}
	r := &g.rings[channel-1]
	return g.underWay < g.window && r.next-r.low < uint64(len(r.stamps))
}

// publishLocked notes a message that goes out.
func (g *gate) publishLocked(channel uint16, at int64) {
	if g.window == 0 {
		return
	}
	r := &g.rings[channel-1]
	r.stamps[r.next&uint64(len(r.stamps)-1)] = at + 1
	r.next++
	g.underWay++
}

// confirmLocked takes a confirm of the broker, and tells confirmed the stamp
// of each message that it confirms. ack is false for basic.nack.
func (g *gate) confirmLocked(channel uint16, tag uint64, multiple, ack bool, confirmed func(at int64)) {
	if channel == 0 || int(channel) > len(g.rings) {
		g.bad++
		return
	}
	r := &g.rings[channel-1]
	from := tag
	if multiple {
		from = r.low
		if tag == 0 { // all so far [basic.ack delivery-tag]
			tag = r.next - 1
		}
	}
	if tag >= r.next || from < r.low || from > tag {
		g.bad++
		return
	}
	mask := uint64(len(r.stamps) - 1)
	for t := from; t <= tag; t++ {
		at := r.stamps[t&mask]
		if at == 0 {
			if !multiple {
				g.bad++
			}
			continue
		}
		r.stamps[t&mask] = 0
		g.underWay--
		if ack {
			g.acked++
			confirmed(at - 1)
		} else {
			g.refused++
		}
	}
	for r.low < r.next && r.stamps[r.low&mask] == 0 {
		r.low++
	}
}

// block closes the gate or opens it again.
func (g *gate) block(yes bool) {
	g.mu.Lock()
	g.blocked = yes
	g.hindered = g.hindered || yes
	g.mu.Unlock()
	g.moved.Signal()
}

// stop closes the gate for good. It may be called again.
func (g *gate) stop() {
	g.mu.Lock()
	if !g.stopped {
		close(g.over)
	}
	g.stopped = true
	g.mu.Unlock()
	g.moved.Signal()
}

// counts returns how many messages the broker took and how many it has yet to
// answer for.
func (g *gate) counts() (acked uint64, underWay int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.acked, g.underWay
}

// faults are those of the confirms, when all is over.
func (g *gate) faults() faults {
	g.mu.Lock()
	defer g.mu.Unlock()
	return faults{Refused: g.refused, BadConfirms: g.bad, Unconfirmed: uint64(g.underWay)}
}
