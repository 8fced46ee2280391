package server

import "sync"

const (
	// bufferLeast is the room of a new outbox buffer.
	bufferLeast = 4 << 10
	// bufferMost is the largest buffer that is kept for others.
	bufferMost = 2 * outboxHigh
	// buffersKept is how many are kept.
	buffersKept = 16
)

// buffers are the outbox buffers of a broker that no connection uses at the
// moment. A connection at rest has none. One that begins to send takes one that
// has grown already, instead of growing its own from nothing after each pause.
type buffers struct {
	mu   sync.Mutex
	free [][]byte // guarded by mu
}

// take returns an empty buffer, which is the caller's until it gives it back.
func (b *buffers) take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := len(b.free) - 1
	if last < 0 {
		return make([]byte, 0, bufferLeast)
	}
	buf := b.free[last]
	b.free[last] = nil
	b.free = b.free[:last]
	return buf
}

// give keeps a buffer for others, if it is one worth keeping.
func (b *buffers) give(buf []byte) {
	if cap(buf) < bufferLeast || cap(buf) > bufferMost {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.free) < buffersKept {
		b.free = append(b.free, buf[:0])
	}
}
