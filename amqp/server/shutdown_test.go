package server

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

const shutdownText = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"

// shutdown begins a Shutdown and returns its end.
func (b *broker) shutdown(timeout time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		done <- b.srv.Shutdown(ctx)
	}()
	return done
}

func TestShutdown_RabbitMQ_TellsEachClient(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		idle, busy, greeted := b.peer(), b.peer(), b.greeted()
		busy.queue("q")
		busy.consume(1, "q", "c")
		done := b.shutdown(time.Minute)
		for _, p := range []*peer{idle, busy, greeted} {
			p.wantClose(0, 320, shutdownText, 0)
		}
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := b.srv.InService(); !errors.Is(err, ErrServerClosed) {
			t.Errorf("InService after Shutdown: %v", err)
		}
		if _, err := b.srv.Pipe().Read(make([]byte, 1)); err == nil {
			t.Error("a connection was taken after Shutdown")
		}
		if n := b.srv.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

// A blocked publisher is told too, and so is a client in the middle of a frame.
func TestShutdown_RabbitMQ_TellsWhoWaits(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		blocked, midway := b.peer(), b.peer()
		b.srv.SetAlarm(AlarmMemory, true)
		blocked.publish(1, post{key: "absent"})
		expect[*amqp.ConnectionBlocked](blocked, 0)
		midway.raw("\x01\x00\x01\x00")
		done := b.shutdown(time.Minute)
		blocked.wantClose(0, 320, shutdownText, 0)
		expect[*amqp.ConnectionClose](midway, 0)
		midway.nc.Close()
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

func TestShutdown_CutsWhoDoesNotAnswer(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		deaf, mute := b.peer(), b.peer()
		done := b.shutdown(time.Second)
		expect[*amqp.ConnectionClose](mute, 0)
		start := time.Now()
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v, want that its time is up", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %s", took)
		}
		mute.wantEnd()
		deaf.wantEnd()
	})
}

func TestShutdown_Twice(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p := b.peer()
		first, second := b.shutdown(time.Minute), b.shutdown(time.Minute)
		p.wantClose(0, 320, shutdownText, 0)
		for _, done := range []<-chan error{first, second, b.shutdown(time.Minute)} {
			if err := <-done; err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}
		if err := b.srv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestClose_CutsAtOnce(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		p, midway, greeted, blocked := b.peer(), b.peer(), b.greeted(), b.peer()
		midway.raw("\x01\x00\x01\x00")
		b.srv.SetAlarm(AlarmMemory, true)
		blocked.publish(1, post{key: "absent"})
		expect[*amqp.ConnectionBlocked](blocked, 0)
		start := time.Now()
		b.srv.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %s", took)
		}
		for _, p := range []*peer{p, midway, greeted, blocked} {
			p.wantEnd()
		}
	})
}

// pipes is a listener whose connections are pipes.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }

func TestServe_EndsWithTheBroker(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- b.srv.Serve(l) }()
		ours, theirs := net.Pipe()
		l.conns <- theirs
		p := &peer{b: b, t: t, nc: ours, r: amqp.NewReader(ours, 0), patience: patience}
		p.raw(amqp.ProtocolHeader)
		expect[*amqp.ConnectionStart](p, 0)
		b.srv.Close()
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		p.wantEnd()
		if err := b.srv.Serve(l); !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve after Close: %v", err)
		}
	})
}

func TestServe_ReturnsWhatTheListenerSays(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		served := make(chan error, 1)
		go func() { served <- b.srv.Serve(l) }()
		synctest.Wait()
		l.Close()
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
		b.peer()
	})
}

// tired is a listener that fails for a while, as when files run out.
type tired struct {
	*pipes
	failures int
}

type passingError struct{}

func (passingError) Error() string   { return "too many open files" }
func (passingError) Timeout() bool   { return false }
func (passingError) Temporary() bool { return true }

func (l *tired) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, passingError{}
	}
	return l.pipes.Accept()
}

func TestServe_GoesOnAfterAPassingError(t *testing.T) {
	inBubble(t, Options{}, func(b *broker) {
		l := &tired{&pipes{make(chan net.Conn), make(chan struct{})}, 20}
		go func() { _ = b.srv.Serve(l) }()
		ours, theirs := net.Pipe()
		start := time.Now()
		l.conns <- theirs
		if took := time.Since(start); took < time.Second || took > time.Minute {
			t.Errorf("20 failures were over after %s", took)
		}
		p := &peer{b: b, t: t, nc: ours, r: amqp.NewReader(ours, 0), patience: patience}
		p.raw(amqp.ProtocolHeader)
		expect[*amqp.ConnectionStart](p, 0)
	})
}

func TestOpen_ChecksOptions(t *testing.T) {
	for _, o := range []Options{
		{FrameMax: 4095}, {FrameMax: 16<<20 + 1}, {MaxMessageSize: -1}, {MaxMessageSize: 512<<20 + 1},
		{Heartbeat: time.Millisecond}, {Heartbeat: 65536 * time.Second}, {HandshakeTimeout: -1},
	} {
		if s, err := Open(o); err == nil {
			s.Close()
			t.Errorf("%+v was accepted", o)
		}
	}
}
