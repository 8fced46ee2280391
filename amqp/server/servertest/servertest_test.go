package servertest_test

import (
	"testing"

	"github.com/leveretmq/leveret/amqp/server/servertest"
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

func TestRestart_KeepsTheAddressAndLosesMemory(t *testing.T) {
	b := servertest.Start(t)
	if _, err := b.Channel().QueueDeclare("q", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	url := b.URL
	b.Restart()
	if b.URL != url {
		t.Errorf("URL is %s, was %s", b.URL, url)
	}
	if _, err := b.Channel().QueueDeclarePassive("q", false, false, false, false, nil); err == nil {
		t.Error("a queue in memory survived the restart")
	}
}

func TestKill_CutsTheClient(t *testing.T) {
	b := servertest.Start(t)
	lost := b.Conn.NotifyClose(make(chan *amqp091.Error, 1))
	b.Kill()
	if err := <-lost; err == nil {
		t.Error("the client saw a clean close")
	}
}
