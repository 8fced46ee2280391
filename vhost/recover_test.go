package vhost

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/persistence/memory"
	"github.com/leveretmq/leveret/vhost/queue"
	"github.com/rs/zerolog"
)

// What is defined and cannot be used is logged, each of it, and refused.
func TestRecoverRefusesWhatItCannotUse(t *testing.T) {
	body := func(c codec) []byte {
		b, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	predeclared := definedEnd{kind: persistence.KindExchange, name: "amq.topic"}
	queueEnd := definedEnd{kind: persistence.KindQueue, id: 50}
	q := body(&queueDefinition{0, "q", false, nil})
	bound := body(&bindingDefinition{0, predeclared, queueEnd, "k", nil})
	type definitions []persistence.Definition
	for _, c := range []struct {
		name string
		all  definitions
		text string
	}{
		{"damaged", definitions{{Kind: persistence.KindQueue, ID: 50, Body: q[:3]}}, "queue 50 cannot be used: it is cut short"},
		{"empty", definitions{{Kind: persistence.KindExchange, ID: 7}}, "exchange 7 cannot be used: it is cut short"},
		{"newer", definitions{{Kind: persistence.KindVHost, ID: 7, Body: []byte{9}}}, "vhost 7 cannot be used: its version is 9, and this program knows 1"},
		{"unknown kind", definitions{{Kind: 77, ID: 7, Body: []byte{1}}}, "unknown kind 77: 7 cannot be used: this program does not know the kind"},
		{"vhost twice", definitions{{Kind: persistence.KindVHost, ID: 7, Body: body(&vhostDefinition{"/"})}},
			"vhost 7 cannot be used: there is a vhost '/' already"},
		{"no vhost", definitions{{Kind: persistence.KindQueue, ID: 50, Body: body(&queueDefinition{8, "q", false, nil})}},
			"queue 50 cannot be used: it is in vhost 8, which is not defined"},
		{"exchange type", definitions{{Kind: persistence.KindExchange, ID: 7, Body: body(&exchangeDefinition{0, "x", "x-foo", false, false, nil})}},
			"exchange 7 cannot be used: PRECONDITION_FAILED - unknown exchange type 'x-foo'"},
		{"predeclared exchange", definitions{{Kind: persistence.KindExchange, ID: 7, Body: body(&exchangeDefinition{0, "amq.topic", "topic", false, false, nil})}},
			"exchange 7 cannot be used: there is an exchange 'amq.topic' in vhost '/' already"},
		{"queue arguments", definitions{{Kind: persistence.KindQueue, ID: 50, Body: body(&queueDefinition{0, "q", false, args("x-expires", int32(0))})}},
			"queue 50 cannot be used: PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}"},
		{"queue twice", definitions{{Kind: persistence.KindQueue, ID: 50, Body: q}, {Kind: persistence.KindQueue, ID: 51, Body: q}},
			"queue 51 cannot be used: there is a queue 'q' in vhost '/' already"},
		{"binding without its queue", definitions{{Kind: persistence.KindBinding, ID: 60, Body: bound}},
			"binding 60 cannot be used: it needs queue 50, which is not defined in vhost '/'"},
		{"binding twice", definitions{{Kind: persistence.KindQueue, ID: 50, Body: q}, {Kind: persistence.KindBinding, ID: 60, Body: bound}, {Kind: persistence.KindBinding, ID: 61, Body: bound}},
			"binding 61 cannot be used: 'q' is bound to 'amq.topic' by it already"},
		{"binding from a queue", definitions{{Kind: persistence.KindQueue, ID: 50, Body: q}, {Kind: persistence.KindBinding, ID: 60, Body: body(&bindingDefinition{0, queueEnd, queueEnd, "k", nil})}},
			"binding 60 cannot be used: its source is the queue 'q'"},
		{"default exchange", definitions{{Kind: persistence.KindQueue, ID: 50, Body: q}, {Kind: persistence.KindBinding, ID: 60, Body: body(&bindingDefinition{0, definedEnd{kind: persistence.KindExchange}, queueEnd, "k", nil})}},
			"binding 60 cannot be used: it needs exchange '', which is not predeclared"},
		{"binding across vhosts", definitions{{Kind: persistence.KindVHost, ID: 7, Body: body(&vhostDefinition{"v"})}, {Kind: persistence.KindQueue, ID: 50, Body: q},
			{Kind: persistence.KindBinding, ID: 60, Body: body(&bindingDefinition{7, predeclared, queueEnd, "k", nil})}},
			"binding 60 cannot be used: it needs queue 50, which is not defined in vhost 'v'"},
		{"kind of an end", definitions{{Kind: persistence.KindBinding, ID: 60, Body: body(&bindingDefinition{0, predeclared, definedEnd{kind: 99, id: 3}, "k", nil})}},
			"binding 60 cannot be used: it needs unknown kind 99: 3, which is not defined in vhost '/'"},
	} {
		store := memory.New()
		var batch persistence.Batch
		for _, d := range c.all {
			batch.Change(persistence.Change{Definition: d})
		}
		store.Write(&batch)
		var log bytes.Buffer
		logger := zerolog.New(&log)
		_, err := New(Options{Store: store, Log: &logger})
		if want := "the definition of " + c.text; err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, want)
		}
		if n := strings.Count(log.String(), `"level":"error"`); n != 1 || !strings.Contains(log.String(), fmt.Sprintf(`"id":%d`, c.all[len(c.all)-1].ID)) {
			t.Errorf("%s: the log is %s", c.name, log.String())
		}
	}

	store := memory.New()
	var batch persistence.Batch
	for id := range uint64(3) {
		batch.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindQueue, ID: id + 1, Body: []byte{1}}})
	}
	store.Write(&batch)
	_, err := New(Options{Store: store})
	if want := "3 of 3 definitions cannot be used; the definition of queue 1 cannot be used: it is cut short"; err == nil || err.Error() != want {
		t.Errorf("several:\n got %v\nwant %s", err, want)
	}
}

func TestRecoverSaysWhatTheStoreSays(t *testing.T) {
	store := memory.New()
	store.Fail(errors.New("no such disk"))
	if _, err := New(Options{Store: store}); !errors.Is(err, persistence.ErrFailed) || !strings.HasPrefix(err.Error(), "read the definitions: ") {
		t.Errorf("got %v", err)
	}
}

// unwritten is a store that must not be written to.
type unwritten struct {
	*memory.Store
	t *testing.T
}

func (u unwritten) Write(*persistence.Batch) { u.t.Error("something was written") }

// What expires while a start fails is left for the next one: its dead letters
// have no queues to go to.
func TestFailedStartWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		f.durable("dead")
		f.durable("q", "x-message-ttl", int32(1000), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "dead", "x-expires", int32(5000))
		f.publish("", persistent("", "q", "m"))
		f.close()
		advance(time.Hour)
		again := f.store.Reopen()
		var bad persistence.Batch
		bad.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindBinding, ID: again.NewID()}})
		again.Write(&bad)
		if _, err := New(Options{Store: unwritten{again, t}}); err == nil {
			t.Fatal("the start did not fail")
		}
		advance(time.Hour)
		bad.Change(persistence.Change{Definition: persistence.Definition{Kind: persistence.KindBinding, ID: again.NewID() - 1}, Delete: true})
		again.Write(&bad)
		f.store = again.Reopen()
		f.open()
		advance(time.Second)
		f.wantReady("dead", 1)
	})
}

// Messages come back in their order, marked, and with their expiry.
func TestDurableMessagesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openStored(t)
		f.durable("q")
		f.durable("r", "x-max-priority", int32(5))
		f.must(f.DeclareExchange(ExchangeDeclare{Name: "x", Type: "fanout", Durable: true}))
		f.bind("q", "x", "")
		f.bind("r", "x", "")
		for i := range 5 {
			m := persistent("x", "key", fmt.Sprint(i))
			m.Priority = uint8(i % 3)
			if i == 1 {
				m.Expiration = 5000
			}
			f.publish("x", m)
		}
		f.send("x", "", "transient")
		if got := f.take("q"); string(got.Body) != "0" {
			t.Fatalf("took %s", got.Body)
		}
		advance(3 * time.Second)
		for range 2 {
			f.restart()
			synctest.Wait()
		}
		f.wantReady("q", 4)
		q, err := f.Queue("q", me)
		f.must(err)
		d, left, ok := q.Get(false, &f.fx)
		if !ok || left != 3 || !d.Redelivered || string(d.Message.Body) != "1" || d.Message.RoutingKey != "key" || d.Message.Exchange != "x" {
			t.Errorf("got %+v, %d left", d, left)
		}
		q.Requeue([]queue.ID{d.ID}, queue.CauseNack, &f.fx)
		f.apply()
		advance(2*time.Second - time.Millisecond)
		f.wantReady("q", 4)
		advance(time.Millisecond)
		f.wantReady("q", 3)
		if got := fmt.Sprint(f.bodies("q"), f.bodies("r")); got != "[2 3 4] [2 4 0 3]" {
			t.Errorf("got %s", got) // 1 has expired in r too, once it was at the head
		}
		f.restart()
		f.wantReady("q", 0)
		f.wantReady("r", 0)
	})
}

// Whatever is declared, bound and deleted, in any order: what is durable of it,
// and nothing else, is there after a restart.
func TestRandomTopologyComesBack(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			f := openStored(t)
			r := rand.New(rand.NewPCG(seed, 5))
			name := func(kind string, of int) string { return fmt.Sprint(kind, r.IntN(of)) }
			flip := func() bool { return r.IntN(2) == 0 }
			durable := func() bool { return r.IntN(4) > 0 }
			tables := []amqp.Table{nil, args("a", int32(1)), args("a", int64(1)), args("b", "text", "x-match", "all")}
			for i := range 400 {
				x, q, key, table := name("x", 6), name("q", 6), name("k", 2), tables[r.IntN(len(tables))]
				if r.IntN(4) == 0 {
					x = []string{"amq.topic", "amq.headers", "amq.fanout"}[r.IntN(3)]
				}
				// Much of it fails, for what is there is of another kind.
				switch r.IntN(9) {
				case 0, 1:
					_ = f.DeclareExchange(ExchangeDeclare{Name: x, Type: []string{"fanout", "topic"}[r.IntN(2)],
						Durable: durable(), AutoDelete: flip(), Internal: flip(), Arguments: table})
				case 2, 3:
					_, _ = f.DeclareQueue(QueueDeclare{Name: q, Durable: durable(), AutoDelete: flip(), Exclusive: r.IntN(8) == 0, Arguments: table}, me)
				case 4, 5:
					_ = f.BindQueue(q, x, key, table, me)
				case 6:
					_ = f.BindExchange(name("x", 6), x, key, table)
				case 7:
					switch r.IntN(4) {
					case 0:
						_, _ = f.DeleteQueue(q, me, flip(), false, &f.fx)
					case 1:
						_ = f.DeleteExchange(x, flip())
					case 2:
						f.consumeAndCancel(q, me)
					default:
						f.DropExclusive(me, &f.fx)
					}
				default:
					_ = f.UnbindQueue(q, x, key, table, me)
					_ = f.UnbindExchange(name("x", 6), x, key, table)
				}
				f.apply()
				if i%50 == 49 {
					f.wantSame()
				}
			}
			if len(f.listing()) < 12 {
				t.Errorf("there was too little: %s", f.listing())
			}
		})
	}
}
