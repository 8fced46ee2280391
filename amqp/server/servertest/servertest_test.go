package servertest_test

import (
	"testing"

	"github.com/leveretmq/leveret/amqp/server"
	"github.com/leveretmq/leveret/amqp/server/servertest"
	"github.com/leveretmq/leveret/persistence/memory"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

func TestStart_GivesAConnectedClient(t *testing.T) {
	b := servertest.Start(t)
	ch := b.Channel()
	q, err := ch.QueueDeclare("q", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Publish("", q.Name, false, false, amqp091.Publishing{Body: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	d, ok, err := ch.Get(q.Name, true)
	if err != nil || !ok || string(d.Body) != "hello" {
		t.Fatalf("got %q, %v, %v", d.Body, ok, err)
	}
}

// durable declares a durable queue with a persistent message, and a transient one.
func durable(t *testing.T, ch *amqp091.Channel) {
	t.Helper()
	for _, name := range []string{"durable", "transient"} {
		if _, err := ch.QueueDeclare(name, name == "durable", false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := ch.Tx(); err != nil {
		t.Fatal(err)
	}
	if err := ch.Publish("", "durable", false, false, amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: []byte("m")}); err != nil {
		t.Fatal(err)
	}
	if err := ch.TxCommit(); err != nil {
		t.Fatal(err)
	}
}

// wantDurable wants what durable has left behind.
func wantDurable(t *testing.T, b *servertest.Broker) {
	t.Helper()
	if d, ok, err := b.Channel().Get("durable", false); err != nil || !ok || string(d.Body) != "m" {
		t.Errorf("got %q, %v, %v", d.Body, ok, err)
	}
	if _, err := b.Channel().QueueDeclarePassive("transient", false, false, false, false, nil); err == nil {
		t.Error("a transient queue is back")
	}
}

func TestRestart_KeepsTheAddressAndWhatIsDurable(t *testing.T) {
	b := servertest.Start(t)
	durable(t, b.Channel())
	url := b.URL
	for range 2 {
		b.Restart()
		if b.URL != url {
			t.Errorf("URL is %s, was %s", b.URL, url)
		}
		wantDurable(t, b)
	}
}

func TestKill_CutsTheClientAndKeepsWhatIsDurable(t *testing.T) {
	b := servertest.Start(t)
	durable(t, b.Channel())
	url := b.URL
	for range 2 {
		lost := b.Conn.NotifyClose(make(chan *amqp091.Error, 1))
		b.Kill()
		if err := <-lost; err == nil || err.Code == amqp091.ConnectionForced {
			t.Errorf("the client saw %v", err)
		}
		if b.URL != url {
			t.Errorf("URL is %s, was %s", b.URL, url)
		}
		wantDurable(t, b)
	}
}

// A crash comes as it comes: what was under way when the disk hung is lost.
func TestKill_WhileTheStoreIsHeld(t *testing.T) {
	b := servertest.Start(t)
	durable(t, b.Channel())
	b.Store().Hold()
	declared := make(chan error, 1)
	ch := b.Channel()
	go func() {
		_, err := ch.QueueDeclare("new", true, false, false, false, nil)
		declared <- err
	}()
	b.Kill()
	if err := <-declared; err == nil {
		t.Error("the queue was declared")
	}
	wantDurable(t, b)
	if _, err := b.Channel().QueueDeclarePassive("new", false, false, false, false, nil); err == nil {
		t.Error("a queue is there that was never stored")
	}
}

// The test's own store is used, and closed when the test ends.
func TestStart_TakesAStore(t *testing.T) {
	store := memory.New()
	t.Run("first", func(t *testing.T) {
		b := servertest.Start(t, server.Options{Store: store})
		durable(t, b.Channel())
		if b.Store() != store {
			t.Error("it is another store")
		}
	})
	if err := store.Err(); err == nil {
		t.Error("the store is open")
	}
	wantDurable(t, servertest.Start(t, server.Options{Store: store.Reopen()}))
}
