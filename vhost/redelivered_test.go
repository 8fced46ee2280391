package vhost

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What a crash takes back goes the same way again, and is marked at its end,
// however many queues and exchanges it has passed: somebody may have had it there
// before it was stored.
func TestMarkedHoweverFarItGoes(t *testing.T) {
	for name, way := range map[string]func(*storedFixture){
		"one queue": func(f *storedFixture) {
			f.durable("a", "x-max-length", int32(1), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "end")
		},
		"two queues": func(f *storedFixture) {
			f.durable("a", "x-max-length", int32(1), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "b")
			f.durable("b", "x-max-length", int32(0), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "end")
		},
		"a delay": func(f *storedFixture) {
			f.durable("a", "x-max-length", int32(1), "x-dead-letter-exchange", "later")
		},
		"a delay and a queue": func(f *storedFixture) {
			f.durable("a", "x-max-length", int32(1), "x-dead-letter-exchange", "later", "x-dead-letter-routing-key", "b")
			f.durable("b", "x-max-length", int32(0), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", "end")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := openStored(t)
				f.durable("end")
				f.must(f.DeclareExchange(ExchangeDeclare{Name: "later", Type: "x-delayed-message", Durable: true,
					Arguments: args("x-delayed-type", "direct")}))
				way(f)
				f.bind("end", "later", "a")
				if f.hasQueue("b") {
					f.bind("b", "later", "b")
				}
				m := message("", "a", "m", args("x-delay", int32(1000)))
				m.Persistent = true
				f.publish("", m)
				f.store.Hold()
				f.wantEnd(false)
				f.store.Fail(errors.New("crash"))
				f.restart()
				f.wantEnd(true)
			})
		})
	}
}

// wantEnd pushes the first message out of queue a, and wants it at the end.
func (f *storedFixture) wantEnd(redelivered bool) {
	f.t.Helper()
	f.send("", "a", "another")
	advance(2 * time.Second)
	q, err := f.Queue("end", me)
	f.must(err)
	d, _, ok := q.Get(true, &f.fx)
	f.apply()
	if !ok || string(d.Message.Body) != "m" || d.Redelivered != redelivered {
		f.t.Errorf("got %+v %v, want the message, redelivered %v", d, ok, redelivered)
	}
}
