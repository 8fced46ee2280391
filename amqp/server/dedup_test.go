package server_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/server/servertest"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// keyed makes a persistent message with a key for deduplication.
func keyed(body, id string) amqp091.Publishing {
	m := persistent(body)
	m.Headers = amqp091.Table{"x-deduplication-header": id}
	return m
}

// wantCount checks how many messages are ready in a queue.
func wantCount(t *testing.T, ch *amqp091.Channel, name string, want int) {
	t.Helper()
	if q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil); err != nil || q.Messages != want {
		t.Errorf("%s has %d messages, want %d, %v", name, q.Messages, want, err)
	}
}

func TestDedup_SurvivesARestart(t *testing.T) {
	acrossRestarts(t, func(t *testing.T, b *servertest.Broker, again func() *amqp091.Channel) {
		ch := b.Channel()
		on := amqp091.Table{"x-message-deduplication": true, "x-cache-size": int32(10)}
		declare(t, ch, "q", on)
		declare(t, ch, "r", nil)
		must(t, ch.ExchangeDeclare("x", "direct", true, false, false, false, on))
		must(t, ch.QueueBind("r", "k", "x", false, nil))
		for range 3 {
			must(t, ch.Confirm(false))
			returned := ch.NotifyReturn(make(chan amqp091.Return, 4))
			for range 2 {
				confirmed(t, ch, "", "q", keyed("m", "a"))
				confirmed(t, ch, "x", "k", keyed("n", "a"))
				confirm, err := ch.PublishWithDeferredConfirm("x", "k", true, false, keyed("n", "a"))
				must(t, err)
				if ok, err := confirm.WaitContext(context.Background()); !ok || err != nil {
					t.Errorf("confirm of a mandatory duplicate: %v, %v", ok, err)
				}
			}
			select {
			case r := <-returned:
				t.Errorf("returned: %+v", r)
			default:
			}
			wantCount(t, ch, "q", 1)
			wantCount(t, ch, "r", 1)
			must(t, ch.ExchangeDeclare("x", "direct", true, false, false, false, on)) // or it would be refused
			ch = again()
		}
		wantMessages(t, ch, "q", "m")
		wantMessages(t, ch, "r", "n")
		ch = again() // all is consumed
		must(t, ch.Confirm(false))
		confirmed(t, ch, "", "q", keyed("m", "a"))
		confirmed(t, ch, "x", "k", keyed("n", "a"))
		confirmed(t, ch, "", "q", keyed("other", "b"))
		d, ok, err := ch.Get("q", true)
		if err != nil || !ok || string(d.Body) != "other" || d.MessageCount != 0 {
			t.Errorf("got %q, %v, %v", d.Body, ok, err)
		}
		wantCount(t, ch, "r", 0)
	})
}

// A duplicate is confirmed when its original is stored, also to somebody else, and
// a transaction with one commits then.
func TestDedup_ConfirmWaitsForTheStore(t *testing.T) {
	b := servertest.Start(t)
	ch, other := b.Channel(), b.Channel()
	tx, err := b.Dial().Channel() // its connection stands still in the commit
	must(t, err)
	declare(t, ch, "q", amqp091.Table{"x-message-deduplication": true})
	must(t, ch.Confirm(false))
	must(t, other.Confirm(false))
	must(t, tx.Tx())
	release := b.Store().Hold()
	first, err := ch.PublishWithDeferredConfirm("", "q", false, false, keyed("m", "a"))
	must(t, err)
	wantCount(t, ch, "q", 1)
	second, err := other.PublishWithDeferredConfirm("", "q", false, false, keyed("m", "a"))
	must(t, err)
	must(t, tx.PublishWithContext(context.Background(), "", "q", false, false, keyed("m", "a")))
	committed := make(chan error, 1)
	go func() { committed <- tx.TxCommit() }()
	wantCount(t, other, "q", 1) // the broker has had the second then
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	for _, c := range []*amqp091.DeferredConfirmation{first, second} {
		if _, err := c.WaitContext(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("confirmed before it is stored, %v", err)
		}
	}
	select {
	case err := <-committed:
		t.Errorf("committed before it is stored, %v", err)
	default:
	}
	release()
	for _, c := range []*amqp091.DeferredConfirmation{first, second} {
		if ok, err := c.WaitContext(context.Background()); !ok || err != nil {
			t.Errorf("confirm: %v, %v", ok, err)
		}
	}
	must(t, <-committed)
	wantCount(t, ch, "q", 1)
}

// What the broker was killed with before it was stored comes through again.
func TestDedup_KilledBeforeItWasStored(t *testing.T) {
	b := servertest.Start(t)
	ch := b.Channel()
	declare(t, ch, "q", amqp091.Table{"x-message-deduplication": true})
	must(t, ch.Confirm(false))
	b.Store().Hold()
	_, err := ch.PublishWithDeferredConfirm("", "q", false, false, keyed("m", "a"))
	must(t, err)
	wantCount(t, ch, "q", 1)
	b.Kill()
	ch = b.Channel()
	wantCount(t, ch, "q", 0)
	must(t, ch.Confirm(false))
	confirmed(t, ch, "", "q", keyed("m", "a"))
	confirmed(t, ch, "", "q", keyed("m", "a"))
	wantCount(t, ch, "q", 1)
}

func TestDedup_RefusedArguments(t *testing.T) {
	b := servertest.Start(t)
	for want, declare := range map[string]func(ch *amqp091.Channel) error{
		"PRECONDITION_FAILED - invalid arg 'x-cache-size' for queue 'q' in vhost '/': {max_value_exceeded,1000001}": func(ch *amqp091.Channel) error {
			_, err := ch.QueueDeclare("q", true, false, false, false, amqp091.Table{"x-message-deduplication": true, "x-cache-size": int32(1000001)})
			return err
		},
		"PRECONDITION_FAILED - invalid arg 'x-message-deduplication' for exchange 'x' in vhost '/': {unacceptable_type,longstr}": func(ch *amqp091.Channel) error {
			return ch.ExchangeDeclare("x", "fanout", true, false, false, false, amqp091.Table{"x-message-deduplication": "true"})
		},
	} {
		var e *amqp091.Error
		if err := declare(b.Channel()); !errors.As(err, &e) || e.Code != 406 || e.Reason != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
