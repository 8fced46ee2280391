package crashtest

import (
	"encoding/binary"
	"hash/crc32"
	"path/filepath"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

const (
	backlogLimit = 256 << 20
	backlogBody  = 1024
	backlogQueue = "backlog"
)

// small is a body of 1 KiB: a number, noise that follows from it, and a sum.
func small(n int) []byte {
	b := make([]byte, backlogBody)
	x := uint64(n)*2 + 1
	for i := 0; i < backlogBody-8; i += 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		binary.LittleEndian.PutUint64(b[i:], x)
	}
	binary.BigEndian.PutUint64(b, uint64(n))
	binary.BigEndian.PutUint32(b[backlogBody-4:], crc32.ChecksumIEEE(b[:backlogBody-4]))
	return b
}

// smallNumber is the number of a body, or -1 if it is not whole.
func smallNumber(b []byte) int {
	if len(b) != backlogBody || binary.BigEndian.Uint32(b[backlogBody-4:]) != crc32.ChecksumIEEE(b[:backlogBody-4]) {
		return -1
	}
	return int(binary.BigEndian.Uint64(b))
}

// pour publishes messages numbered from 0 with confirms, and returns when n, or
// as many as goOn allows, are confirmed. It may be called by any goroutine.
func pour(t *testing.T, b *broker, exchange string, key func(i int) string, n int, goOn func(i int) bool) {
	t.Helper()
	const window = 2000
	conn, err := b.dial()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		t.Error(err)
		return
	}
	confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, window))
	open := make(chan struct{}, window)
	refused := 0
	var reader sync.WaitGroup
	reader.Go(func() {
		for c := range confirms {
			if !c.Ack {
				refused++
			}
			<-open
		}
	})
	for i := range n {
		if !goOn(i) {
			break
		}
		select {
		case open <- struct{}{}:
		case <-time.After(time.Minute):
			t.Errorf("no confirm within a minute, after %d messages:\n%s", i, b.log())
			return
		}
		err := ch.Publish(exchange, key(i), false, false, amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: small(i)})
		if err != nil {
			t.Errorf("publish: %v\n%s", err, b.log())
			return
		}
	}
	if !eventually(time.Minute, func() bool { return len(open) == 0 }) {
		t.Errorf("%d messages are not confirmed after a minute", len(open))
	}
	conn.Close()
	reader.Wait()
	if refused > 0 {
		t.Errorf("%d messages were refused", refused)
	}
}

// A backlog of forty times the memory goes in, survives a restart that takes a
// moment, and comes out in order, all within the memory; and then its disk space
// is free again.
func TestBacklog(t *testing.T) {
	n := number(t, "LEVERET_TEST_BACKLOG", 50_000, 1_000_000)
	dir := filepath.Join(roomyDir(t), "data")
	args := []string{"--memory-limit=256MiB"}
	m := newMeter(t)

	b := start(t, dir, args...)
	m.watch(b.cmd.Process.Pid)
	_, ch := b.connect()
	_, err := ch.QueueDeclare(backlogQueue, true, false, false, false, nil)
	must(t, err, "declare")
	began := time.Now()
	pour(t, b, "", func(int) string { return backlogQueue }, n, func(int) bool { return true })
	report(t, "filled", n, time.Since(began), m, dir)
	b.stop()

	b = start(t, dir, args...)
	m.watch(b.cmd.Process.Pid)
	conn, ch := b.connect()
	must(t, ch.Qos(1000, 0, false), "qos")
	deliveries, err := ch.Consume(backlogQueue, "", false, false, false, false, nil)
	must(t, err, "consume")
	began = time.Now()
	for i := range n {
		var d amqp091.Delivery
		select {
		case d = <-deliveries:
		case <-time.After(time.Minute):
		}
		if i == 0 {
			first := time.Since(b.started)
			t.Logf("ready %v after its start, the first delivery %v after it", b.tookReady.Round(time.Millisecond), first.Round(time.Millisecond))
			if limit := 3 * time.Second; first > limit && len(raceFlags) == 0 {
				t.Errorf("the first delivery came after %v, the limit is %v", first, limit)
			}
		}
		if got := smallNumber(d.Body); got != i || !d.Redelivered {
			t.Fatalf("delivery %d is message %d, redelivered %v, of %d bytes:\n%s", i, got, d.Redelivered, len(d.Body), b.log())
		}
		if i%500 == 499 || i == n-1 {
			must(t, d.Ack(true), "ack")
		}
	}
	must(t, ch.Qos(1000, 0, false), "qos")
	report(t, "drained", n, time.Since(began), m, dir)
	conn.Close()

	const most = 200 << 20
	began = time.Now()
	if !eventually(2*time.Minute, func() bool { return diskUse(dir) < most }) {
		t.Errorf("the drained directory still takes %d MiB", diskUse(dir)>>20)
	}
	t.Logf("%d MiB on disk %v after the last ack", diskUse(dir)>>20, time.Since(began).Round(100*time.Millisecond))
	b.stop()
	checkStore(t, dir)
}

func report(t *testing.T, done string, n int, took time.Duration, m *meter, dir string) {
	t.Helper()
	peak := m.peak()
	t.Logf("%s %d messages in %.1f s, %.0f/s; anonymous memory at most %d MiB; %d MiB on disk", done, n, took.Seconds(), float64(n)/took.Seconds(), peak>>20, diskUse(dir)>>20)
	if peak > backlogLimit && len(raceFlags) == 0 {
		t.Errorf("%s with %d MiB of anonymous memory, and the limit is %d MiB", done, peak>>20, backlogLimit>>20)
	}
}
