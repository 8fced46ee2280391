package vhost

import (
	"regexp"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/vhost/queue"
)

func TestDirectReply(t *testing.T) {
	f := newFixture(t)
	q, err := f.OpenReply(me)
	f.must(err)
	other, err := f.OpenReply(me)
	f.must(err)
	form := regexp.MustCompile(`^amq\.rabbitmq\.reply-to\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{22}$`)
	if !form.MatchString(q.Name()) || q.Name() == other.Name() {
		t.Errorf("got %q and %q", q.Name(), other.Name())
	}
	s := &swallow{}
	c, err := q.Consume(queue.Spec{Receiver: s, NoAck: true})
	f.must(err)
	q.Ready(c, &f.fx)
	for _, d := range []QueueDeclare{{Name: q.Name(), Passive: true}, {Name: q.Name() + "\n", Durable: true}} {
		got, err := f.DeclareQueue(d, 2)
		if err != nil || got != q || got.Stats().Ready != 0 || got.Stats().Consumers != 1 {
			t.Errorf("declare while it lives: %v", err)
		}
	}
	if p := f.send("", q.Name(), "answer"); !p.Routed || s.taken != 1 {
		t.Errorf("publish: %+v, %d taken", p, s.taken)
	}
	m := message("", "nobody", "answer", nil)
	m.ExtraKeys = []string{q.Name()}
	if p := f.publish("", m); !p.Routed || s.taken != 2 {
		t.Errorf("publish by CC: %+v, %d taken", p, s.taken)
	}

	// Apart from that it is not there.
	_, err = f.Queue(q.Name(), me)
	f.wantError("get", err, amqp.CodeNotFound, "no queue '"+q.Name()+"' in vhost '/'")
	f.wantError("bind", f.BindQueue(q.Name(), "amq.direct", "k", nil, me), amqp.CodeNotFound, "no queue '"+q.Name()+"' in vhost '/'")
	if n, err := f.DeleteQueue(q.Name(), me, false, false, &f.fx); n != 0 || err != nil {
		t.Errorf("delete: %d, %v", n, err)
	}
	if len(f.Queues()) != 0 || len(f.Bindings()) != 0 {
		t.Error("it is listed")
	}

	f.send("", q.Name(), "the route is remembered now")
	f.CloseReply(q, &f.fx)
	f.apply()
	if p := f.send("", q.Name(), "too late"); p.Routed {
		t.Error("routed after it was closed")
	}
	_, err = f.DeclareQueue(QueueDeclare{Name: q.Name(), Passive: true}, me)
	f.wantError("declare after it was closed", err, amqp.CodeNotFound, "no queue '"+q.Name()+"' in vhost '/'")
	if p := f.send("", other.Name(), "waits for a consumer"); !p.Routed || other.Stats().Ready != 1 {
		t.Error("the other one has gone too")
	}
}

func TestDeclareReplyTo(t *testing.T) {
	f := newFixture(t)
	for _, d := range []QueueDeclare{{Passive: true}, {}, {Exclusive: true, Arguments: args("x-expires", int32(0))}} {
		d.Name = "amq.rabbitmq.reply-to"
		q, err := f.DeclareQueue(d, me)
		f.must(err)
		if s := q.Stats(); q.Name() != d.Name || s.Ready != 0 || s.Consumers != 1 {
			t.Errorf("%s has %+v", q.Name(), s)
		}
	}
	for _, name := range []string{"amq.rabbitmq.reply-to.absent", "amq.rabbitmq.reply-toxx"} {
		for _, passive := range []bool{true, false} {
			_, err := f.DeclareQueue(QueueDeclare{Name: name, Passive: passive}, me)
			f.wantError(name, err, amqp.CodeNotFound, "no queue '"+name+"' in vhost '/'")
		}
	}
	if p := f.send("", "amq.rabbitmq.reply-to", "a"); p.Routed {
		t.Error("the pseudo-queue itself got a message")
	}
	_, err := f.Queue("amq.rabbitmq.reply-to", me)
	f.wantError("get", err, amqp.CodeNotFound, "no queue 'amq.rabbitmq.reply-to' in vhost '/'")
}

// Replies that the consumer cannot take wait, and come in order.
func TestDirectReplyWaits(t *testing.T) {
	f := newFixture(t)
	q, err := f.OpenReply(me)
	f.must(err)
	r := &slow{}
	c, err := q.Consume(queue.Spec{Receiver: r, NoAck: true})
	f.must(err)
	for _, body := range []string{"1", "2", "3"} {
		q.Ready(c, &f.fx)
		f.send("", q.Name(), body)
	}
	q.Ready(c, &f.fx)
	if want := []string{"1", "2", "3"}; !slices.Equal(r.got, want) {
		t.Errorf("got %q, want %q", r.got, want)
	}
}

// slow is a Receiver that takes one message each time it is asked twice.
type slow struct {
	asked int
	got   []string
}

func (s *slow) Offer(d queue.Delivery, _ *queue.Effects) bool {
	if s.asked++; s.asked%2 == 1 {
		return false
	}
	s.got = append(s.got, string(d.Message.Body))
	return true
}
