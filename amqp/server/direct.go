package server

import (
	"net"
	"slices"
	"syscall"
)

// directMost is how many bytes are written at most by who has them rather than by
// the writer. To wake the writer's thread takes longer than such a write where the
// machine is idle; much more is better written beside what goes on.
const directMost = 4 << 10

// direct writes to a socket without ever waiting for it. It is used by whoever owes
// the outbox's Wake, so by one goroutine at a time, while the writer rests.
type direct struct {
	socket syscall.RawConn
	heart  *heart // counts writes

	// of the write under way
	bytes   []byte
	written int
	once    func(fd uintptr) bool
}

// newDirect returns nil if a connection is no plain socket.
func newDirect(nc net.Conn, h *heart) *direct {
	s, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	socket, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	d := &direct{socket: socket, heart: h}
	d.once = func(fd uintptr) bool {
		n, err := tryWrite(fd, d.bytes)
		if err == nil {
			d.written = n
		}
		return true // whatever came of it: the writer would wait for more
	}
	return d
}

// write writes what the socket takes at once and returns how much that was. What is
// wrong with the socket the writer will find out.
func (d *direct) write(b []byte) int {
	d.bytes, d.written = b, 0
	_ = d.socket.Write(d.once)
	d.bytes = nil
	if d.written > 0 {
		d.heart.sent.Add(1)
		d.heart.bytes.Add(uint64(d.written))
	}
	return d.written
}

// writeNow writes what waits in the caller's goroutine, if that is little and the
// socket takes it. False: the writer is to be woken, which still is owed.
func (o *outbox) writeNow() bool {
	o.mu.Lock()
	if o.closed || len(o.buf) == 0 || o.size > directMost || len(o.bodies) > 0 || len(o.waiting) > 0 {
		o.mu.Unlock()
		return false
	}
	b := o.buf
	o.buf, o.size, o.owed, o.writing = nil, 0, 0, true
	o.mu.Unlock()

	n := o.direct.write(b)

	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = false
	if n < len(b) {
		o.putBackLocked(b[n:])
		return false
	}
	o.buffers.give(b)
	if o.buf != nil || o.ended {
		return false // more has come
	}
	o.pending = false
	return true
}

// putBackLocked puts what could not be written before what has come since.
func (o *outbox) putBackLocked(left []byte) {
	if o.lost {
		return
	}
	o.buf = append(slices.Clip(left), o.buf...)
	for i := range o.bodies {
		o.bodies[i].at += len(left)
	}
	o.size += len(left)
}
