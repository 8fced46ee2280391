package server

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/rs/zerolog"
)

// socketPair returns two ends of a TCP connection, of which the first holds little.
func socketPair(t *testing.T) (ours, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err == nil {
		ours, err = l.AcceptTCP()
	}
	if err == nil {
		err = ours.SetWriteBuffer(4 << 10)
	}
	if err == nil {
		err = theirs.SetReadBuffer(4 << 10)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// directConn is a connection of which only outbox and writer are used.
func directConn(nc net.Conn) *conn {
	c := &conn{transport: &transport{nc: nc, socket: nc, sink: nc}, written: make(chan struct{}), log: zerolog.Nop()}
	c.out.init(&buffers{})
	c.out.direct = newDirect(nc, &c.heart)
	return c
}

// TestDirectKeepsOrder: whoever writes, at once or by the writer, the bytes come in the
// order in which they were appended, and all of them, though the socket takes them by
// halves.
func TestDirectKeepsOrder(t *testing.T) {
	ours, theirs := socketPair(t)
	c := directConn(ours)
	if c.out.direct == nil {
		t.Fatal("a plain socket is not written to at once")
	}
	go c.writeLoop()
	const senders, each, size = 4, 2000, 300
	var next uint64
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range each {
				c.out.mu.Lock()
				before := c.out.beginLocked()
				c.out.buf = binary.BigEndian.AppendUint64(c.out.buf, next)
				c.out.buf = append(c.out.buf, make([]byte, size-8)...)
				next++
				owesWake := c.out.noteLocked(before, true)
				c.out.mu.Unlock()
				if owesWake {
					c.out.Wake()
				}
			}
		})
	}
	go func() {
		wg.Wait()
		c.out.end()
	}()
	record := make([]byte, size)
	for want := range uint64(senders * each) {
		if _, err := io.ReadFull(theirs, record); err != nil {
			t.Fatalf("after %d records: %v", want, err)
		}
		if got := binary.BigEndian.Uint64(record); got != want || !bytes.Equal(record[8:], make([]byte, size-8)) {
			t.Fatalf("record %d comes in the place of %d", got, want)
		}
	}
	<-c.written
	if n := c.heart.bytes.Load(); n != senders*each*size {
		t.Errorf("%d bytes were counted, want %d", n, senders*each*size)
	}
}

// TestDirectLeavesToTheWriter: what is large, has bodies apart, or comes while
// consumers wait for room is the writer's; so is everything on what is no socket.
func TestDirectLeavesToTheWriter(t *testing.T) {
	ours, _ := socketPair(t)
	for _, c := range []struct {
		what string
		fill func(*outbox)
		want bool
	}{
		{"little", func(o *outbox) { o.buf, o.size = make([]byte, 100), 100 }, true},
		{"nothing", func(*outbox) {}, false},
		{"much", func(o *outbox) { o.buf, o.size = make([]byte, directMost+1), directMost+1 }, false},
		{"a body", func(o *outbox) { o.buf, o.size, o.bodies = make([]byte, 100), 150, []bodyRef{{100, make([]byte, 50)}} }, false},
		{"waiting consumers", func(o *outbox) { o.buf, o.size, o.waiting = make([]byte, 100), 100, []*consumer{{}} }, false},
		{"the end", func(o *outbox) { o.buf, o.size, o.closed = make([]byte, 100), 100, true }, false},
	} {
		conn := directConn(ours)
		conn.out.pending = true
		c.fill(&conn.out)
		if got := conn.out.writeNow(); got != c.want || conn.out.pending == c.want {
			t.Errorf("%s: written at once: %v, and a wake-up is owed: %v", c.what, got, conn.out.pending)
		}
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	if newDirect(server, new(heart)) != nil {
		t.Error("a pipe would be written to at once")
	}
}

// TestDirectPutsBack: what the socket did not take comes before what has come since,
// and bodies stay where they belong.
func TestDirectPutsBack(t *testing.T) {
	var o outbox
	o.buf, o.size, o.bodies = []byte("since"), 9, []bodyRef{{2, []byte("body")}}
	o.putBackLocked([]byte("left"))
	if string(o.buf) != "leftsince" || o.size != 13 || o.bodies[0].at != 6 {
		t.Errorf("%q, %d bytes, body at %d", o.buf, o.size, o.bodies[0].at)
	}
	o.buf, o.closed = nil, true
	if o.putBackLocked([]byte("left")); string(o.buf) != "left" {
		t.Errorf("%q is left to be written before the end, want all that was not", o.buf)
	}
	o.buf, o.lost = nil, true
	if o.putBackLocked([]byte("left")); o.buf != nil {
		t.Error("something is put back after the socket was given up")
	}
}
