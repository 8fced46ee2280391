package main

import (
	"path/filepath"
	"syscall"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// In each mode what was confirmed is there after a graceful end, what is not
// durable is not.
func TestDurableThingsComeBack(t *testing.T) {
	for _, sync := range []string{"always", "interval=5ms", "never"} {
		t.Run(sync, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			c := startChild(t, "--data-dir", dir, "--sync", sync)
			ch := c.channel()
			for name, durable := range map[string]bool{"kept": true, "passing": false} {
				if _, err := ch.QueueDeclare(name, durable, false, false, false, nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := ch.Confirm(false); err != nil {
				t.Fatal(err)
			}
			for _, mode := range []uint8{amqp091.Persistent, amqp091.Transient} {
				confirm, err := ch.PublishWithDeferredConfirm("", "kept", true, false, amqp091.Publishing{DeliveryMode: mode, Body: []byte{'0' + mode}})
				if err != nil || !confirm.Wait() {
					t.Fatalf("not confirmed: %v", err)
				}
			}
			c.signal(syscall.SIGTERM)
			if code := c.end(); code != 0 {
				t.Fatalf("exit code %d", code)
			}

			c = startChild(t, "--data-dir", dir, "--sync", sync)
			ch = c.channel()
			d, ok, err := ch.Get("kept", true)
			if err != nil || !ok || string(d.Body) != "2" || !d.Redelivered {
				t.Errorf("got %q, redelivered %v: %v, %v", d.Body, d.Redelivered, ok, err)
			}
			if d, ok, err := ch.Get("kept", true); ok || err != nil {
				t.Errorf("got %q too: %v", d.Body, err)
			}
			if _, err := ch.QueueDeclarePassive("passing", false, false, false, false, nil); err == nil {
				t.Error("a queue that is not durable came back")
			}
			c.signal(syscall.SIGTERM)
			if code := c.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// channel connects to the broker; the connection ends with the test.
func (c *child) channel() *amqp091.Channel {
	c.t.Helper()
	conn, err := amqp091.Dial(c.url())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		c.t.Fatal(err)
	}
	return ch
}
