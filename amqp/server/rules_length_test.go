package server_test

import (
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// sized makes a message whose body has so many bytes, one letter again and again.
func sized(n int) amqp091.Publishing { return text(spelled(n)) }

func TestRules_MaxLength(t *testing.T) { play(t, lengthRules) }

var lengthRules = map[string]rule{
	"drop-head drops the oldest": {amqp091.Table{"x-max-length": 2}, func(b *bed) {
		b.fill("a", "b", "c", "d")
		b.wantDead("a maxlen", "b maxlen")
		b.wantReady("c", "d")
	}},
	"drop-head by name": {amqp091.Table{"x-max-length": 1, "x-overflow": "drop-head"}, func(b *bed) {
		b.fill("a", "b")
		b.wantDead("a maxlen")
		b.wantReady("b")
	}},
	"unacked ones do not count": {amqp091.Table{"x-max-length": 1}, func(b *bed) {
		_, got := b.consumer(2, false, nil)
		b.fill("a", "b")
		wantGot(b.t, got, "a", "b")
		b.fill("c")
		b.wantReadyCount(1)
		b.fill("d")
		b.wantDead("c maxlen")
		b.wantReady("d")
	}},
	"0 takes only what is handed over at once": {amqp091.Table{"x-max-length": 0}, func(b *bed) {
		b.fill("a")
		b.wantDead("a maxlen")
		_, got := b.consumer(1, false, nil)
		b.fill("b", "c")
		wantGot(b.t, got, "b")
		b.wantDead("c maxlen")
	}},
	"bytes of the bodies": {amqp091.Table{"x-max-length-bytes": 10}, func(b *bed) {
		b.put(sized(4), text("12345", headers(amqp091.Table{"h": spelled(100)})), sized(3))
		b.wantDead("xxxx maxlen")
		b.put(text("twelve bytes"))
		b.wantDead("12345 maxlen", "xxx maxlen", "twelve bytes maxlen")
		b.put(sized(10), text(""))
		b.wantReady(spelled(10), "")
	}},
	"0 bytes": {amqp091.Table{"x-max-length-bytes": 0}, func(b *bed) {
		b.put(text(""))
		b.wantReadyCount(1)
		b.fill("a")
		b.wantDead(" maxlen", "a maxlen")
	}},
	"both": {amqp091.Table{"x-max-length": 3, "x-max-length-bytes": 10}, func(b *bed) {
		b.fill("a", "b", "c", "d")
		b.wantDead("a maxlen")
		b.put(sized(9))
		b.wantDead("b maxlen", "c maxlen")
		b.wantReady("d", spelled(9))
	}},
	"what comes back may push out the head: itself": {amqp091.Table{"x-max-length": 1}, func(b *bed) {
		b.fill("a")
		a := b.take("a")
		b.fill("b")
		must(b.t, a.Nack(false, true))
		b.wantDead("a maxlen")
		b.wantReady("b")
	}},
	"reject-publish": {amqp091.Table{"x-max-length": 2, "x-overflow": "reject-publish"}, func(b *bed) {
		b.fill("a", "b")
		b.wantRefused(text("c"))
		b.take("a")
		b.fill("d")
		b.wantNoDead()
		b.wantReady("b", "d")
	}},
	"reject-publish, of 0, before it looks for a consumer": {amqp091.Table{"x-max-length": 0, "x-overflow": "reject-publish"}, func(b *bed) {
		_, _ = b.consumer(0, false, nil)
		b.wantRefused(text("a"))
	}},
	"reject-publish by bytes": {amqp091.Table{"x-max-length-bytes": 10, "x-overflow": "reject-publish"}, func(b *bed) {
		b.put(sized(10), text(""))
		b.wantRefused(text("c"))
		b.wantReady(spelled(10), "")
	}},
	"reject-publish drops nothing that comes back": {amqp091.Table{"x-max-length": 1, "x-overflow": "reject-publish"}, func(b *bed) {
		b.fill("a")
		a := b.take("a")
		b.fill("b")
		must(b.t, a.Nack(false, true))
		b.wantReadyCount(2)
		b.wantRefused(text("c"))
		b.wantNoDead()
		b.wantReady("a", "b")
	}},
	"reject-publish-dlx": {amqp091.Table{"x-max-length": 1, "x-overflow": "reject-publish-dlx"}, func(b *bed) {
		b.fill("a")
		b.wantRefused(text("b"))
		b.wantDead("b maxlen")
		b.wantReady("a")
	}},
	"reject-publish-dlx by bytes": {amqp091.Table{"x-max-length-bytes": 1, "x-overflow": "reject-publish-dlx"}, func(b *bed) {
		b.fill("a")
		b.wantRefused(text("b"))
		b.wantDead("b maxlen")
		b.wantReady("a")
	}},
	"of a quorum queue": {amqp091.Table{"x-max-length": 1, "x-queue-type": "quorum"}, func(b *bed) {
		b.fill("a", "b")
		b.wantDead("a maxlen")
		b.wantReady("b")
	}},
}

// One queue that refuses is enough for a nack, and the others have the message.
func TestRules_RejectPublish_OneOfTwo(t *testing.T) {
	b := bare(t)
	b.queue = exclusive(t, b.ch, amqp091.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	other := exclusive(t, b.ch, nil)
	for _, name := range []string{b.queue, other} {
		must(t, b.ch.QueueBind(name, b.queue, "amq.direct", false, nil))
	}
	if !b.send("amq.direct", b.queue, text("a")) || b.send("amq.direct", b.queue, text("b")) {
		t.Error("want an ack and a nack")
	}
	b.wantReady("a")
	b.queue = other
	b.wantReady("a", "b")
}

// Without confirms a message that is refused is silently gone.
func TestRules_RejectPublish_WithoutConfirms(t *testing.T) {
	b := bare(t)
	b.queue = exclusive(t, b.ch, amqp091.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	ch := channel(t, b.conn)
	returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
	for _, body := range []string{"a", "b"} {
		publish(t, ch, "", b.queue, text(body)) // mandatory
	}
	publish(t, ch, "", unique("absent"), text("c"))
	if r := next(t, returns); string(r.Body) != "c" {
		t.Errorf("%s was returned", r.Body)
	}
	b.wantReady("a")
}

func TestRules_RejectPublish_InATransaction(t *testing.T) {
	b := bare(t)
	b.queue = exclusive(t, b.ch, amqp091.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	ch := channel(t, b.conn)
	must(t, ch.Tx())
	publish(t, ch, "", b.queue, text("a"))
	must(t, ch.TxCommit())
	publish(t, ch, "", b.queue, text("b"))
	wantError(t, ch.TxCommit(), 406, "PRECONDITION_FAILED - partial tx completion")
	b.wantReady("a")
}

// The one that is refused goes to the exchange nevertheless.
func TestRules_RejectPublishDLX_InATransaction(t *testing.T) {
	b := lay(t, amqp091.Table{"x-max-length": 1, "x-overflow": "reject-publish-dlx"})
	b.fill("a")
	ch := channel(t, b.conn)
	must(t, ch.Tx())
	publish(t, ch, "", b.queue, text("b"))
	wantError(t, ch.TxCommit(), 406, "PRECONDITION_FAILED - partial tx completion")
	b.wantDead("b maxlen")
	b.wantReady("a")
}

// Mandatory is about routes: what a full queue refuses does not come back.
func TestRules_RejectPublish_Mandatory(t *testing.T) {
	b := bare(t)
	b.queue = exclusive(t, b.ch, amqp091.Table{"x-max-length": 0, "x-overflow": "reject-publish"})
	returns := b.ch.NotifyReturn(make(chan amqp091.Return, 2))
	confirms := b.ch.NotifyPublish(make(chan amqp091.Confirmation, 2))
	publish(t, b.ch, "", b.queue, text("a"))
	if c := next(t, confirms); c.Ack {
		t.Errorf("got %+v", c)
	}
	publish(t, b.ch, "", unique("absent"), text("b"))
	if r := next(t, returns); string(r.Body) != "b" {
		t.Errorf("%s was returned", r.Body)
	}
}
