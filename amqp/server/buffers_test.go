package server

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/amqp"
)

func TestBuffers_KeepAFewThatAreWorthIt(t *testing.T) {
	var b buffers
	b.give(nil)
	b.give(make([]byte, bufferLeast-1))
	b.give(make([]byte, bufferMost+1))
	if len(b.free) != 0 {
		t.Errorf("kept %d buffers", len(b.free))
	}
	for range 2 * buffersKept {
		b.give(make([]byte, bufferMost))
	}
	if len(b.free) != buffersKept {
		t.Errorf("kept %d buffers, want %d", len(b.free), buffersKept)
	}
	for i := range buffersKept + 1 {
		if buf := b.take(); len(buf) != 0 || cap(buf) < bufferLeast || (cap(buf) == bufferMost) != (i < buffersKept) {
			t.Errorf("buffer %d has length %d and room %d", i, len(buf), cap(buf))
		}
	}
}

// A connection at rest has no buffer, whatever it has sent before.
func TestOutbox_AtRestHasNoBuffer(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		q(p)
		p.noAck(1, "q", "c")
		for _, size := range []int{0, 100, bodyCopied, bodyCopied + 1, 100_000} {
			body := strings.Repeat("a", size)
			for range 20 {
				p.fill("q", body)
			}
			for range 20 {
				if _, e := expectContent[*amqp.BasicDeliver](p, 1); e.body != body {
					t.Fatalf("got %v", e)
				}
			}
			synctest.Wait()
			out := &b.session(p).out
			out.mu.Lock()
			if out.buf != nil || len(out.bodies) != 0 || out.size != 0 || out.owed != 0 {
				t.Errorf("after bodies of %d: %d bytes of buffer, %d bodies, size %d, owed %d",
					size, cap(out.buf), len(out.bodies), out.size, out.owed)
			}
			out.mu.Unlock()
		}
		if len(b.srv.buffers.free) == 0 {
			t.Error("its buffers are lost to others")
		}
	})
}
