package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
)

// withStore runs a test against a broker that keeps what is durable in a store
// which can be held up and made to fail.
func withStore(t *testing.T, test func(b *broker, store *recorder)) {
	t.Helper()
	var store *recorder
	inBubbleWith(t, func() Options {
		store = &recorder{Store: memory.New()}
		return Options{Store: store}
	}, func(b *broker) { test(b, store) })
}

// recorder is a store that notes what each batch has of messages: + and the
// bodies of those that come, - and those of the places that end.
type recorder struct {
	*memory.Store

	mu      sync.Mutex
	batches []string // since the last take
}

func (r *recorder) Write(b *persistence.Batch) {
	var parts []string
	for _, s := range b.Settles {
		if !s.Returned && s.Record.Message != nil { // else it was purged from disk
			parts = append(parts, "-"+string(s.Record.Message.Body))
		}
	}
	for _, a := range b.Appends {
		parts = append(parts, strings.Repeat("+", len(a.Record.Places))+string(a.Record.Message.Body))
	}
	r.mu.Lock()
	if len(parts) > 0 {
		slices.Sort(parts)
		r.batches = append(r.batches, strings.Join(parts, " "))
	}
	r.mu.Unlock()
	r.Store.Write(b)
}

// wantBatches compares the batches since the last time.
func (b *broker) wantBatches(store *recorder, batches ...string) {
	b.t.Helper()
	b.settle()
	store.mu.Lock()
	defer store.mu.Unlock()
	if !slices.Equal(store.batches, batches) {
		b.t.Errorf("the store got %q, want %q", store.batches, batches)
	}
	store.batches = nil
}

// durable declares a durable queue on channel 1.
func (p *peer) durable(name string, args ...any) {
	p.t.Helper()
	ask[*amqp.QueueDeclareOk](p, 1, &amqp.QueueDeclare{Queue: name, Durable: true, Arguments: table(args...)})
}

// lasting makes a persistent message for a queue.
func lasting(queue, body string) post {
	return post{key: queue, body: body, props: amqp.BasicProperties{DeliveryMode: 2, Present: amqp.HasDeliveryMode}}
}

func TestConfirm_ComesFromTheStore(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		p := b.peer()
		p.durable("q")
		confirming(p)
		p.publish(1, lasting("q", "1"), lasting("q", "2"))
		p.wantAck(1, 2, true)
		b.wantBatches(store, "+1 +2")

		release := store.Hold()
		p.publish(1, post{key: "q", body: "3"}, lasting("q", "4"), post{key: "q", body: "5"}, post{key: "absent", body: "6", mandatory: true})
		p.wantReturn(1, "", "absent", "6")
		p.wantAck(1, 3, false) // it is not stored
		p.publish(1, lasting("q", "7"))
		p.wantNothing(1)
		p.wantCounts(1, "q", 6, 0) // what is not confirmed yet can be had already
		release()
		p.wantAck(1, 7, true)
		p.wantNothing(1)
	})
}

// One that is refused by some queue is nacked in its turn, whatever becomes of
// its record.
func TestConfirm_RefusedAndStored(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		p := b.peer()
		p.durable("q")
		p.durable("full", "x-max-length", int32(1), "x-overflow", "reject-publish")
		p.bind("q", "amq.fanout", "")
		p.bind("full", "amq.fanout", "")
		confirming(p)
		release := store.Hold()
		for _, body := range []string{"1", "2", "3"} {
			m := lasting("", body)
			m.exchange = "amq.fanout"
			p.addPost(1, m)
		}
		p.flush()
		b.wantBatches(store, "++1 +2 +3")
		p.wantNothing(1)
		release()
		if got := fmt.Sprint(p.settled(1, 3)); got != "[2 3]" {
			t.Errorf("refused: %s", got)
		}
	})
}

// A store that fails confirms nothing. Who publishes is closed, who does not goes
// on.
func TestStoreFails(t *testing.T) {
	const failed = "INTERNAL_ERROR - the message store has failed"
	withStore(t, func(b *broker, store *recorder) {
		b.mayLogErrors = true
		p, consumer, idle := b.peer(), b.peer(), b.peer()
		p.durable("q")
		p.fill("q", "before")
		confirming(p)
		store.Hold()
		p.publish(1, lasting("q", "1"), lasting("q", "2"))
		b.settle()
		if err := b.srv.InService(); err != nil {
			t.Errorf("in service before: %v", err)
		}
		store.Fail(errors.New("no such disk"))
		if got := fmt.Sprint(p.settled(1, 2)); got != "[1 2]" {
			t.Errorf("refused: %s", got)
		}
		p.wantClose(0, 541, failed, 0)
		if err := b.srv.InService(); !errors.Is(err, persistence.ErrFailed) || !strings.Contains(err.Error(), "no such disk") {
			t.Errorf("in service: %v", err)
		}

		consumer.consume(1, "q", "c")
		for i, body := range []string{"before", "1", "2"} {
			consumer.wantDeliver(1, handed{"c", uint64(i + 1), false, body})
		}
		consumer.send(1, &amqp.BasicAck{Multiple: true})
		consumer.wantCounts(1, "q", 0, 1)
		consumer.fill("q", "any")
		consumer.wantClose(0, 541, failed, amqp.IDBasicPublish)
		idle.send(1, &amqp.QueueDeclare{Queue: "new", Durable: true})
		idle.wantClose(0, 541, "INTERNAL_ERROR", 0)
		late := b.peer()
		late.queue("transient")
		late.fill("transient", "m")
		late.wantClose(0, 541, failed, amqp.IDBasicPublish)
	})
}

// A blocked publisher hears of the failure too.
func TestStoreFails_WhileBlocked(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		b.mayLogErrors = true
		p := b.peer()
		b.srv.SetAlarm(AlarmDisk, true)
		p.publish(1, post{key: "absent"})
		expect[*amqp.ConnectionBlocked](p, 0)
		p.publish(1, post{key: "absent"})
		store.Fail(errors.New("no such disk"))
		p.wantClose(0, 541, "INTERNAL_ERROR - the message store has failed", 0)
	})
}

// Nobody is told anything on a channel that has gone, or its successor.
func TestConfirm_NotAfterTheChannel(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		p, gone := b.peer(), b.peer()
		p.durable("q")
		for _, p := range []*peer{p, gone} {
			confirming(p)
		}
		release := store.Hold()
		p.publish(1, lasting("q", "1"), lasting("q", "2"))
		gone.publish(1, lasting("q", "3"))
		ask[*amqp.ChannelCloseOk](p, 1, &amqp.ChannelClose{ReplyCode: 200})
		p.open(1)
		confirming(p)
		p.publish(1, lasting("q", "4"))
		gone.nc.Close()
		b.settle()
		p.wantNothing(1)
		release()
		p.wantAck(1, 1, false)
		p.wantNothing(1)
		p.wantCounts(1, "q", 4, 0)
	})
}

// What was acked before its group was written is never written, and confirmed.
func TestConfirm_OfWhatIsSettledFirst(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		p, other := b.peer(), b.peer()
		p.durable("q")
		confirming(p)
		other.consume(1, "q", "c")
		release := store.Hold()
		p.publish(1, lasting("q", "m"))
		other.wantDeliver(1, handed{"c", 1, false, "m"})
		other.send(1, &amqp.BasicAck{DeliveryTag: 1})
		b.settle()
		p.wantNothing(1)
		release()
		p.wantAck(1, 1, false)
		if s := store.Stats(); s.Elided != 1 || s.Records != 0 || s.LivePlaces != 0 {
			t.Errorf("the store has %+v", s)
		}
	})
}

// While a declare waits for the disk, others have what its connection did before.
func TestDeclare_WaitsAlone(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		p, other := b.peer(), b.peer()
		p.queue("transient")
		confirming(p)
		other.consume(1, "transient", "c")
		release := store.Hold()
		for _, c := range []struct{ m, answer amqp.Method }{
			{&amqp.QueueDeclare{Queue: "q", Durable: true}, &amqp.QueueDeclareOk{}},
			{&amqp.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "k"}, &amqp.QueueBindOk{}},
			{&amqp.ExchangeDeclare{Exchange: "x", Type: "direct", Durable: true}, &amqp.ExchangeDeclareOk{}},
			{&amqp.ExchangeBind{Source: "x", Destination: "amq.topic"}, &amqp.ExchangeBindOk{}},
			{&amqp.ExchangeUnbind{Source: "x", Destination: "amq.topic"}, &amqp.ExchangeUnbindOk{}},
			{&amqp.QueueUnbind{Queue: "q", Exchange: "amq.topic", RoutingKey: "k"}, &amqp.QueueUnbindOk{}},
			{&amqp.ExchangeDelete{Exchange: "x"}, &amqp.ExchangeDeleteOk{}},
			{&amqp.QueueDelete{Queue: "q"}, &amqp.QueueDeleteOk{}},
		} {
			p.addPost(1, post{key: "transient", body: c.m.Name()})
			p.add(1, c.m)
			p.flush()
			b.settle()
			m, e := expectContent[*amqp.BasicDeliver](other, 1)
			if e.body != c.m.Name() {
				t.Errorf("delivered %v", e)
			}
			p.wantAck(1, m.DeliveryTag, false)
			if e, ok := p.try(time.Second); ok {
				t.Errorf("%s was answered before it was stored: %v", c.m.Name(), e)
			}
			release()
			if e := p.next(c.answer.Name()); e.m.Name() != c.answer.Name() {
				t.Errorf("%s: got %v", c.m.Name(), e)
			}
			release = store.Hold()
		}
		release()
	})
}

func TestTxCommit_1_9_2_3_IsOneBatch(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		p := b.peer()
		p.open(2)
		for _, name := range []string{"q", "r", "dead"} {
			p.durable(name)
		}
		p.durable("dlx", "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "dead")
		p.bind("q", "amq.fanout", "")
		p.bind("r", "amq.fanout", "")
		p.publish(1, lasting("q", "acked"))
		p.publish(1, lasting("dlx", "rejected"))
		b.wantBatches(store, "+acked", "+rejected")

		transactional(p)
		p.wantGet(1, "q", false, handed{"", 1, false, "acked"})
		p.wantGet(1, "dlx", false, handed{"", 2, false, "rejected"})
		fanned := lasting("", "fanned")
		fanned.exchange = "amq.fanout"
		p.publish(1, fanned, lasting("q", "plain"), post{key: "q", body: "transient"}, post{key: "absent", body: "back", mandatory: true})
		p.send(1, &amqp.BasicAck{DeliveryTag: 1}, &amqp.BasicReject{DeliveryTag: 2})
		b.wantBatches(store)
		release := store.Hold()
		// In one read: what came before is no part of it.
		p.addPost(2, lasting("r", "before"))
		p.add(1, &amqp.TxCommit{})
		p.addPost(2, lasting("r", "after"))
		p.flush()
		p.wantReturn(1, "", "absent", "back")
		if e, ok := p.try(time.Second); ok {
			t.Errorf("%v came before the commit was stored", e)
		}
		b.wantBatches(store, "+before", "++fanned +plain +rejected -acked -rejected")
		release()
		expect[*amqp.TxCommitOk](p, 1)
		b.wantBatches(store, "+after")

		groups := store.Stats().Groups
		ask[*amqp.TxCommitOk](p, 1, &amqp.TxCommit{}) // of nothing
		if n := store.Stats().Groups - groups; n != 0 {
			t.Errorf("an empty commit is %d groups", n)
		}
	})
}

func TestTxCommit_StoreFails(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		b.mayLogErrors = true
		p := b.peer()
		p.durable("q")
		transactional(p)
		p.publish(1, lasting("q", "m"))
		store.Hold()
		p.send(1, &amqp.TxCommit{})
		b.settle()
		store.Fail(errors.New("no such disk"))
		e := p.next("a close")
		if m, ok := e.m.(*amqp.ConnectionClose); !ok || m.ReplyCode != amqp.CodeInternalError {
			t.Errorf("got %v", e)
		}
	})
}

// A publisher waits for the disk; others do not, and it can be told to go.
func TestPublish_KeepsPaceWithTheDisk(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		p, other := b.connect(client{heartbeat: 10}), b.peer()
		p.open(1)
		p.durable("q")
		release := store.Hold()
		body := strings.Repeat("a", 100_000)
		const many = 200
		var sent sync.WaitGroup
		sent.Go(func() {
			for range many {
				p.patience = 2 * time.Hour
				p.publish(1, lasting("q", body))
			}
		})
		after(time.Hour) // its heartbeats are not missed
		if n := store.Stats().PendingBytes; n < 4<<20 || n > 5<<20 {
			t.Errorf("%d bytes wait for the disk, want 4 MiB and little more", n)
		}
		other.queue("r")
		other.fill("r", "m")
		other.wantBodies("r", "m")
		release()
		sent.Wait()
		p.wantCounts(1, "q", many, 0)

		store.Hold()
		sent.Go(func() {
			for range 60 {
				if _, err := p.nc.Write([]byte(p.oneWrite(lasting("q", body)))); err != nil {
					return
				}
			}
		})
		b.settle()
		done := b.shutdown(time.Minute)
		b.settle()
		expect[*amqp.ConnectionClose](p, 0)
		expect[*amqp.ConnectionClose](other, 0)
		p.nc.Close()
		other.nc.Close()
		sent.Wait()
		store.Close() // or the goroutine that waits for it would be left
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// oneWrite returns the bytes of a publish on channel 1.
func (p *peer) oneWrite(m post) string {
	p.t.Helper()
	p.addPost(1, m)
	bytes := string(p.buf)
	p.buf = p.buf[:0]
	return bytes
}

// Whoever opened the store closes it after the broker: until then it is used.
func TestClose_LeavesTheStoreAlone(t *testing.T) {
	withStore(t, func(b *broker, store *recorder) {
		p := b.peer()
		p.durable("q", "x-message-ttl", int32(1000))
		p.durable("r", "x-expires", int32(1000))
		p.publish(1, lasting("q", "m"))
		p.probe(1)
		b.srv.Close()
		if err := store.Err(); err != nil {
			t.Fatalf("the store says %v", err)
		}
		b.wantBatches(store, "+m")
		after(time.Hour)
		b.wantBatches(store)
		if all, err := store.Definitions(); len(all) != 4 || err != nil { // two queues, guest and guest's rights
			t.Errorf("%d definitions, %v", len(all), err)
		}
	})
}

func TestOpen_ChecksTheStore(t *testing.T) {
	for text, o := range map[string]Options{
		"open broker: message memory -1 is negative":                                              {MessageMemory: -1, Store: memory.New()},
		"open broker: message memory is limited, but there is no store to take what does not fit": {MessageMemory: 1},
		"open broker: the definition of queue 5 cannot be used: it is cut short":                  {Store: spoiled()},
	} {
		s, err := Open(o)
		if err == nil {
			s.Close()
		}
		if err == nil || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
	}
}

// spoiled returns a store with a definition that cannot be read.
func spoiled() *memory.Store {
	s := memory.New()
	var b persistence.Batch
	b.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindQueue, ID: 5, Body: []byte{1}}})
	s.Write(&b)
	return s
}
