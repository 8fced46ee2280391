package crashtest

import (
	"math"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

const (
	soakExchange = "soak"
	soakFast     = "soak.fast"
	soakSlow     = "soak.slow"
	// slowEach is how often a message goes to the slow queue too, slowHeld how
	// many that one's consumer holds before it acks the oldest.
	slowEach = 100
	slowHeld = 5000
)

// soakSample is what the broker takes at one time.
type soakSample struct{ disk, memory int64 }

// At half the speed that it can do, with a slow queue that keeps a message of
// nearly every chunk, disk and memory stay where they are.
func TestSoak(t *testing.T) {
	long := period(t, "LEVERET_TEST_SOAK", 30*time.Minute)
	if long == 0 {
		t.Skip("takes its time; LEVERET_TEST_SOAK=1m makes it short")
	}
	dir := filepath.Join(roomyDir(t), "data")
	b := start(t, dir, "--memory-limit=256MiB")
	_, ch := b.connect()
	must(t, ch.ExchangeDeclare(soakExchange, "topic", true, false, false, false, nil), "declare")
	for queue, key := range map[string]string{soakFast: "#", soakSlow: "slow"} {
		_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
		must(t, err, "declare")
		must(t, ch.QueueBind(queue, key, soakExchange, false, nil), "bind")
	}
	var fast, slow atomic.Int64
	go soakConsume(b, soakFast, 0, &fast)
	go soakConsume(b, soakSlow, slowHeld, &slow)

	// Speed first.
	const probe = 10 * time.Second
	began := time.Now()
	soakPublish(t, b, func(int) bool { return time.Since(began) < probe })
	full := float64(fast.Load()) / time.Since(began).Seconds()
	half := full / 2
	t.Logf("full speed: %.0f messages/s; soaking at %.0f/s for %v", full, half, long)

	done := make(chan struct{})
	go func() {
		defer close(done)
		began := time.Now()
		soakPublish(t, b, func(i int) bool {
			if ahead := time.Duration(float64(i)/half*float64(time.Second)) - time.Since(began); ahead > 10*time.Millisecond {
				<-time.After(ahead)
			}
			return time.Since(began) < long
		})
	}()
	samples := soakWatch(t, b, dir, long, done, &fast, &slow)
	b.alive()
	judge(t, samples)
	b.stop()
	checkStore(t, dir)
}

// soakPublish pours messages, one of slowEach to the slow queue as well.
func soakPublish(t *testing.T, b *broker, pace func(i int) bool) {
	keys := func(i int) string {
		if i%slowEach == 0 {
			return "slow"
		}
		return "quick"
	}
	pour(t, b, soakExchange, keys, math.MaxInt, pace)
}

// soakConsume acks what it gets, the oldest when it holds too many.
func soakConsume(b *broker, queue string, hold int, n *atomic.Int64) {
	conn, err := b.dial()
	if err != nil {
		return // the publisher will say so
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return
	}
	if hold == 0 {
		ch.Qos(500, 0, false)
	}
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return
	}
	var held []amqp091.Delivery
	for d := range deliveries {
		n.Add(1)
		d.Body = nil
		held = append(held, d)
		switch {
		case hold == 0 && len(held) == 100:
			d.Ack(true)
			held = held[:0]
		case hold > 0 && len(held) > hold:
			held[0].Ack(false)
			held = held[1:]
		}
	}
}

// soakWatch samples every second until the publisher is done, and says now and
// then how it goes.
func soakWatch(t *testing.T, b *broker, dir string, long time.Duration, done <-chan struct{}, fast, slow *atomic.Int64) (samples []soakSample) {
	every := long / 10
	next := time.Now().Add(every)
	for {
		select {
		case <-done:
			return samples
		case <-b.exited:
			t.Fatalf("the broker is gone:\n%s", b.log())
		case <-time.After(time.Second):
		}
		s := soakSample{diskUse(dir), anonymous(b.cmd.Process.Pid)}
		samples = append(samples, s)
		if time.Now().After(next) {
			next = next.Add(every)
			t.Logf("%9d delivered, %7d slow: %4d MiB on disk, %3d MiB of memory", fast.Load(), slow.Load(), s.disk>>20, s.memory>>20)
		}
	}
}

// judge compares the last third with the second; the first is for warming up.
func judge(t *testing.T, samples []soakSample) {
	t.Helper()
	third := len(samples) / 3
	if third == 0 {
		t.Fatal("too few samples")
	}
	second, last := most(samples[third:2*third]), most(samples[2*third:])
	t.Logf("at most %d MiB on disk and %d MiB of memory in the second third, %d and %d in the last", second.disk>>20, second.memory>>20, last.disk>>20, last.memory>>20)
	if last.disk > second.disk*5/4+64<<20 {
		t.Errorf("the disk grows: %d MiB, then %d MiB", second.disk>>20, last.disk>>20)
	}
	if last.memory > second.memory*5/4+16<<20 {
		t.Errorf("the memory grows: %d MiB, then %d MiB", second.memory>>20, last.memory>>20)
	}
}

func most(samples []soakSample) (m soakSample) {
	for _, s := range samples {
		m.disk, m.memory = max(m.disk, s.disk), max(m.memory, s.memory)
	}
	return m
}
