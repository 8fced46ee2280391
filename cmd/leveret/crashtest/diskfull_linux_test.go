package crashtest

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

const (
	fullQueue   = "full"
	fullLimit   = 128 << 20
	fullMessage = 64 << 10
)

// filler publishes numbered messages with confirms until it is stopped.
type filler struct {
	t       *testing.T
	blocked chan amqp091.Blocking

	mu        sync.Mutex
	next      int
	confirmed map[int]bool
}

func numbered(n int) []byte {
	b := make([]byte, fullMessage)
	r := rand.New(rand.NewPCG(uint64(n), 1))
	binary.BigEndian.PutUint64(b, uint64(n))
	for i := 8; i < len(b); i += 8 {
		binary.BigEndian.PutUint64(b[i:], r.Uint64())
	}
	return b
}

func (f *filler) counts() (published, confirmed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next, len(f.confirmed)
}

// publish goes on until cut is called. That cuts the socket, because a broker
// does not read from a publisher that it has blocked, not even a close.
func (f *filler) publish(b *broker) (cut func()) {
	f.t.Helper()
	socket, err := net.Dial("tcp", b.ready.AMQP[0])
	must(f.t, err, "dial")
	guest := []amqp091.Authentication{&amqp091.PlainAuth{Username: "guest", Password: "guest"}}
	conn, err := amqp091.Open(socket, amqp091.Config{SASL: guest, Vhost: "/", Heartbeat: 30 * time.Second})
	must(f.t, err, "connect")
	ch, err := conn.Channel()
	must(f.t, err, "channel")
	f.blocked = conn.NotifyBlocked(make(chan amqp091.Blocking, 10))
	must(f.t, ch.Confirm(false), "confirm.select")
	confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, 100))
	open := make(chan int, 100)
	var both sync.WaitGroup
	both.Go(func() {
		for c := range confirms {
			n := <-open
			if c.Ack {
				f.mu.Lock()
				f.confirmed[n] = true
				f.mu.Unlock()
			}
		}
	})
	both.Go(func() {
		closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
		for {
			f.mu.Lock()
			n := f.next
			f.next++
			f.mu.Unlock()
			select {
			case open <- n:
			case <-closed:
				return
			}
			if ch.Publish("", fullQueue, false, false, amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: numbered(n)}) != nil {
				return
			}
		}
	})
	return func() {
		socket.Close()
		both.Wait()
	}
}

// isBlocked waits for connection.blocked, or unblocked.
func (f *filler) isBlocked(b *broker, want bool) {
	f.t.Helper()
	for {
		select {
		case now := <-f.blocked:
			if now.Active && now.Reason != "low on disk" {
				f.t.Errorf("blocked because of %q", now.Reason)
			}
			if now.Active == want {
				return
			}
		case <-b.exited:
			f.t.Fatalf("the broker died, with exit code %d:\n%s", b.code, b.log())
		case <-time.After(time.Minute):
			f.t.Fatalf("no change to blocked=%v within a minute:\n%s", want, b.log())
		}
	}
}

// take gets and acks messages, and notes that the confirmed ones were there.
// With most -1 it goes on until the queue is empty.
func (f *filler) take(b *broker, most int) (taken int) {
	f.t.Helper()
	conn, ch := b.connect()
	defer conn.Close()
	for taken != most {
		d, ok, err := ch.Get(fullQueue, false)
		must(f.t, err, "get\n%s", b.log())
		if !ok {
			break
		}
		n := int(binary.BigEndian.Uint64(d.Body))
		if string(d.Body) != string(numbered(n)) {
			f.t.Fatalf("message %d has a wrong body", n)
		}
		must(f.t, d.Ack(false), "ack")
		f.mu.Lock()
		delete(f.confirmed, n)
		f.mu.Unlock()
		taken++
	}
	must(f.t, ch.Qos(1, 0, false), "qos") // the acks are read when it is answered
	return taken
}

// On a disk that runs full the broker lives, stops its publishers and nobody
// else, and goes on when there is space; killed on the full disk it can start
// again, and nothing that it confirmed is lost.
func TestDiskFull(t *testing.T) {
	v := newImage(t, 480)
	dir := filepath.Join(v.dir, "data")
	args := []string{"--disk-free-limit=128MiB"}
	f := &filler{t: t, confirmed: map[int]bool{}}
	b := start(t, dir, args...)
	_, ch := b.connect()
	_, err := ch.QueueDeclare(fullQueue, true, false, false, false, nil)
	must(t, err, "declare")

	cut := f.publish(b)
	f.isBlocked(b, true)
	published, confirmed := f.counts()
	t.Logf("blocked after %d messages, %d of them confirmed; %d MiB are free", published, confirmed, v.free()>>20)
	if free := v.free(); free < fullLimit-64<<20 || free > fullLimit {
		t.Errorf("%d MiB are free when publishers are stopped, the limit is %d", free>>20, fullLimit>>20)
	}

	// Somebody else takes the rest, nearly.
	v.fill("foreign", v.free()-24<<20)
	if n := f.take(b, 200); n != 200 {
		t.Errorf("took %d messages from a broker that is low on disk", n)
	}
	b.alive()

	// Killed there, it comes up again at the price of the ballast.
	b.kill()
	cut()
	b = start(t, dir, args...)
	if !b.said(`"level":"warn"`, "the ballast was removed to make room") {
		t.Errorf("the log does not say what became of the ballast:\n%s", b.log())
	}
	cut = f.publish(b)
	f.isBlocked(b, true)
	f.take(b, 50)
	b.kill()
	cut()

	// Without anything to give up it refuses.
	v.fill("rest", v.free()-2<<20)
	refused, ready := run(t, dir, args...)
	if ready || refused.code != 1 || strings.Count(refused.log(), "\n") != 0 || !strings.Contains(refused.log(), "64 MiB is the least to start with") {
		t.Errorf("on a full disk: exit code %d, and\n%s", refused.code, refused.log())
	}
	v.remove("rest")
	v.remove("foreign")

	// With space it goes on, until there is none again; and then as consumers
	// make some.
	b = start(t, dir, args...)
	cut = f.publish(b)
	f.isBlocked(b, true)
	before, _ := f.counts()
	f.take(b, 2000)
	f.isBlocked(b, false)
	t.Logf("unblocked with %d MiB free", v.free()>>20)
	if !eventually(time.Minute, func() bool { now, _ := f.counts(); return now > before+100 }) {
		t.Errorf("publishing does not go on:\n%s", b.log())
	}
	cut()
	f.take(b, -1)
	if !eventually(time.Minute, func() bool { _, err := os.Stat(filepath.Join(dir, "ballast")); return err == nil }) {
		t.Errorf("with space again there is no ballast: %d MiB are free", v.free()>>20)
	}
	b.stop()
	if len(f.confirmed) > 0 {
		t.Errorf("%d confirmed messages are lost", len(f.confirmed))
	}
	checkStore(t, dir)
	v.unmount()
}
