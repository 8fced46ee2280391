package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
)

// openActor opens a broker with a store, and returns what a user may do who has all
// rights to what begins with "a", and may read "r" and write to "w" besides.
func openActor(t *testing.T) (*Server, *memory.Store, *Actor) {
	t.Helper()
	store := memory.New()
	s, err := Open(Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	v := s.VHosts()
	if err := v.PutUser(auth.Account{User: auth.User{Name: "ann"}, Password: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := v.SetPermissions("ann", "/", auth.Permissions{Configure: "^a", Write: "^[aw]", Read: "^[ar]"}); err != nil {
		t.Fatal(err)
	}
	a, err := s.As(auth.User{Name: "ann"}, vhostOf(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return s, store, a
}

func vhostOf(t *testing.T, s *Server) *vhost.VHost {
	t.Helper()
	v, err := s.VHosts().VHost("/")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// guestOf may do everything.
func guestOf(t *testing.T, s *Server) *Actor {
	t.Helper()
	a, err := s.As(auth.User{Name: "guest"}, vhostOf(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestActorMustBeLetIn(t *testing.T) {
	s, _, _ := openActor(t)
	_, err := s.As(auth.User{Name: "bob"}, vhostOf(t, s))
	var e *amqp.Error
	if !errors.As(err, &e) || e.Code != amqp.CodeNotAllowed || e.Text != "access to vhost '/' refused for user 'bob'" {
		t.Errorf("entered: %v", err)
	}
}

// An actor is refused what a channel of the user is refused, with the same words.
func TestActorsRights(t *testing.T) {
	s, _, a := openActor(t)
	guest := guestOf(t, s)
	for _, name := range []string{"a", "r", "w", "x"} {
		if _, err := guest.DeclareQueue(vhost.QueueDeclare{Name: name}); err != nil {
			t.Fatal(err)
		}
		if err := guest.DeclareExchange(vhost.ExchangeDeclare{Name: name, Type: "topic"}); err != nil {
			t.Fatal(err)
		}
	}
	dlx := amqp.Table{{Name: "x-dead-letter-exchange", Value: "r"}}
	alternate := amqp.Table{{Name: "alternate-exchange", Value: "x"}}
	publish := func(x, key string) error {
		_, err := a.Publish(context.Background(), Publishing{Exchange: x, Key: key})
		return err
	}
	for _, c := range []struct {
		what string
		do   func() error
		want string // verb and object of a 403; empty: it may
	}{
		{"declare", func() error { _, err := a.DeclareQueue(vhost.QueueDeclare{Name: "a"}); return err }, ""},
		{"declare another's", func() error { _, err := a.DeclareQueue(vhost.QueueDeclare{Name: "r"}); return err }, "configure access to queue 'r'"},
		{"declare with a DLX", func() error { _, err := a.DeclareQueue(vhost.QueueDeclare{Name: "a2", Arguments: dlx}); return err }, "write access to exchange 'r'"},
		{"delete", func() error { _, err := a.DeleteQueue("r", false, false); return err }, "configure access to queue 'r'"},
		{"purge", func() error { _, err := a.PurgeQueue("r"); return err }, ""},
		{"purge another's", func() error { _, err := a.PurgeQueue("w"); return err }, "read access to queue 'w'"},
		{"get", func() error { _, err := a.Get("r", 1, GetAck); return err }, ""},
		{"get another's", func() error { _, err := a.Get("w", 1, GetAck); return err }, "read access to queue 'w'"},
		{"exchange", func() error { return a.DeclareExchange(vhost.ExchangeDeclare{Name: "a", Type: "topic"}) }, ""},
		{"alternate", func() error {
			return a.DeclareExchange(vhost.ExchangeDeclare{Name: "a2", Type: "topic", Arguments: alternate})
		}, "write access to exchange 'x'"},
		{"delete exchange", func() error { return a.DeleteExchange("w", false) }, "configure access to exchange 'w'"},
		{"bind", func() error { return a.Bind(vhost.Binding{Source: "r", Destination: "w"}) }, ""},
		{"bind from", func() error { return a.Bind(vhost.Binding{Source: "w", Destination: "w"}) }, "read access to exchange 'w'"},
		{"bind to", func() error { return a.Bind(vhost.Binding{Source: "r", Destination: "r", ToExchange: true}) }, "write access to exchange 'r'"},
		{"unbind", func() error { return a.Unbind(vhost.Binding{Source: "r", Destination: "w"}) }, ""},
		{"unbind from", func() error { return a.Unbind(vhost.Binding{Source: "w", Destination: "w"}) }, "read access to exchange 'w'"},
		{"publish", func() error { return publish("w", "k") }, ""},
		{"publish elsewhere", func() error { return publish("r", "k") }, "write access to exchange 'r'"},
		{"publish to a queue", func() error { return publish("", "a") }, ""}, // amq.default begins with a
		{"publish to none", func() error { return publish("x2", "a") }, "write access to exchange 'x2'"},
	} {
		err := c.do()
		want := ""
		if c.want != "" {
			want = c.want + " in vhost '/' refused for user 'ann'"
		}
		var e *amqp.Error
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", c.what, err)
		case want != "" && (!errors.As(err, &e) || e.Code != amqp.CodeAccessRefused || e.Text != want):
			t.Errorf("%s: %v, want %s", c.what, err, want)
		}
	}
}

func TestActorsTopicRights(t *testing.T) {
	s, _, a := openActor(t)
	if err := a.DeclareExchange(vhost.ExchangeDeclare{Name: "ax", Type: "topic"}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.DeclareQueue(vhost.QueueDeclare{Name: "aq"}); err != nil {
		t.Fatal(err)
	}
	if err := s.VHosts().SetTopicPermissions("ann", "/", "ax", auth.TopicPermissions{Write: "^w", Read: "^r"}); err != nil {
		t.Fatal(err)
	}
	publish := func(key string) error {
		_, err := a.Publish(context.Background(), Publishing{Exchange: "ax", Key: key})
		return err
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{publish("w.1"), ""},
		{publish("r.1"), "write access to topic 'r.1' in exchange 'ax' in vhost '/' refused for user 'ann'"},
		{a.Bind(vhost.Binding{Source: "ax", Destination: "aq", Key: "r.#"}), ""},
		{a.Bind(vhost.Binding{Source: "ax", Destination: "aq", Key: "w.#"}), "read access to topic 'w.#' in exchange 'ax' in vhost '/' refused for user 'ann'"},
	} {
		var e *amqp.Error
		if c.want == "" && c.err != nil || c.want != "" && (!errors.As(c.err, &e) || e.Text != c.want) {
			t.Errorf("%v, want %q", c.err, c.want)
		}
	}
}

// persistent are the properties of a message that is stored.
func persistent(t *testing.T) amqp.Properties {
	t.Helper()
	props, err := amqp.BasicProperties{DeliveryMode: 2}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return props
}

// A publish returns when the message is stored, and not before.
func TestActorPublishWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, store, a := openActor(t)
		if _, err := a.DeclareQueue(vhost.QueueDeclare{Name: "a", Durable: true}); err != nil {
			t.Fatal(err)
		}
		release := store.Hold()
		var (
			done bool
			out  Outcome
			err  error
		)
		go func() {
			out, err = a.Publish(context.Background(), Publishing{Key: "a", Properties: persistent(t), Body: []byte("x")})
			done = true
		}()
		synctest.Wait()
		if done {
			t.Error("published before it was stored")
		}
		release()
		synctest.Wait()
		if !done || err != nil || out != (Outcome{Routed: true}) {
			t.Errorf("published: %v, %+v, %v", done, out, err)
		}
	})
}

func TestActorPublishWhenTheStoreHasFailed(t *testing.T) {
	_, store, a := openActor(t)
	if _, err := a.DeclareQueue(vhost.QueueDeclare{Name: "a", Durable: true}); err != nil {
		t.Fatal(err)
	}
	store.Fail(errors.New("broken disk"))
	_, err := a.Publish(context.Background(), Publishing{Key: "a", Properties: persistent(t)})
	var e *amqp.Error
	if !errors.As(err, &e) || e.Code != amqp.CodeInternalError {
		t.Errorf("published without a store: %v", err)
	}
}

func TestActorPublishRefused(t *testing.T) {
	s, _, a := openActor(t)
	s.opts.MaxMessageSize = 10
	if _, err := a.DeclareQueue(vhost.QueueDeclare{Name: "a", Arguments: amqp.Table{
		{Name: "x-max-length", Value: int64(0)}, {Name: "x-overflow", Value: "reject-publish"}}}); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if out, err := a.Publish(ctx, Publishing{Key: "a"}); err != nil || !out.Refused {
		t.Errorf("a full queue: %+v, %v", out, err)
	}
	if out, err := a.Publish(ctx, Publishing{Key: "nowhere"}); err != nil || out.Routed {
		t.Errorf("to nowhere: %+v, %v", out, err)
	}
	if _, err := a.Publish(ctx, Publishing{Key: "a", Body: make([]byte, 11)}); err == nil || !strings.Contains(err.Error(), "message size 11 is larger than configured max size 10") {
		t.Errorf("a large message: %v", err)
	}
	s.SetAlarm(AlarmDisk, true)
	if _, err := a.Publish(ctx, Publishing{Key: "a"}); err == nil || !strings.Contains(err.Error(), "low on disk") {
		t.Errorf("during an alarm: %v", err)
	}
	s.SetAlarm(AlarmDisk, false)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := a.Publish(gone, Publishing{Key: "a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("for nobody: %v", err)
	}
}

// Each mode of a get leaves the queue as it should.
func TestActorGet(t *testing.T) {
	_, _, a := openActor(t)
	dead := amqp.Table{{Name: "x-dead-letter-exchange", Value: ""}, {Name: "x-dead-letter-routing-key", Value: "adead"}}
	for name, args := range map[string]amqp.Table{"a": dead, "adead": nil} {
		if _, err := a.DeclareQueue(vhost.QueueDeclare{Name: name, Arguments: args}); err != nil {
			t.Fatal(err)
		}
	}
	if err := publishAll(a, "1", "2", "3"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n     int
		mode  GetMode
		want  string // body, redelivered and how many are left of each
		dead  int
		stays int
	}{
		{0, GetAck, "", 0, 3},
		{2, GetRequeue, "1 false 2, 2 false 1", 0, 3},
		{2, GetRejectRequeue, "1 true 2, 2 true 1", 0, 3},
		{1, GetAck, "1 true 2", 0, 2},
		{1, GetReject, "2 true 1", 1, 1},
		{9, GetRequeue, "3 false 0", 1, 1},
	} {
		list, err := a.Get("a", c.n, c.mode)
		var got []string
		for _, g := range list {
			got = append(got, fmt.Sprint(string(g.Message.Body), " ", g.Redelivered, " ", g.Left))
		}
		if s := strings.Join(got, ", "); err != nil || s != c.want {
			t.Errorf("%d in mode %d: %s %v, want %s", c.n, c.mode, s, err, c.want)
		}
		if n := a.vhost.QueueNamed("a").Stats(); n.Ready != c.stays || n.Unacked != 0 {
			t.Errorf("%d in mode %d: %d ready, %d unacked are left, want %d and 0", c.n, c.mode, n.Ready, n.Unacked, c.stays)
		}
		if n := a.vhost.QueueNamed("adead").Stats().Ready; n != c.dead {
			t.Errorf("%d in mode %d: %d dead letters, want %d", c.n, c.mode, n, c.dead)
		}
	}
}

// What is done by way of management counts with the rest.
func TestActorIsCounted(t *testing.T) {
	s, _, a := openActor(t)
	if _, err := a.DeclareQueue(vhost.QueueDeclare{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := publishAll(a, "1", "22"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Publish(context.Background(), Publishing{Key: "nowhere"}); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []GetMode{GetRequeue, GetAck} {
		if _, err := a.Get("a", 3, mode); err != nil {
			t.Fatal(err)
		}
	}
	n := s.Totals()
	want := MessageCounts{Publish: 3, Confirm: 3, ReturnUnroutable: 1, Get: 2, GetNoAck: 2, GetEmpty: 2, Redeliver: 2}
	if got := n.Messages; got != want || n.Routed != 2 || n.MessageBytes != 3 {
		t.Errorf("counted %+v, %d routed, %d bytes; want %+v, 2, 3", got, n.Routed, n.MessageBytes, want)
	}
	if in, out := vhostOf(t, s).ExchangeNamed("").Counts(); in != 3 || out != 2 {
		t.Errorf("the default exchange has %d in, %d out, want 3, 2", in, out)
	}
}

// publishAll publishes messages to the queue a.
func publishAll(a *Actor, bodies ...string) error {
	for _, body := range bodies {
		if _, err := a.Publish(context.Background(), Publishing{Key: "a", Body: []byte(body)}); err != nil {
			return err
		}
	}
	return nil
}
