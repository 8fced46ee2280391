package crashtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// flow is a stream of messages, numbered from 0, from one publisher.
type flow struct {
	name          string
	exchange, key string
	// queues are where its messages may be: in all of them, unless it is a
	// transfer or alternates.
	queues []string
	// transfer: a message moves from the first queue to the second, and is
	// never in both.
	transfer bool
	// alternates: even messages go to the first queue, odd ones to the second,
	// without an exchange.
	alternates bool
	// group is how many messages go into a transaction; 0 = confirms.
	group int
	// transients: some messages are not persistent.
	transients bool
}

const (
	flowPlain = iota
	flowPriority
	flowFan
	flowTx
	flowReject
	flowMove
)

var flows = []flow{
	flowPlain:    {name: "plain", key: "crash.plain", queues: []string{"crash.plain"}, transients: true},
	flowPriority: {name: "priority", key: "crash.priority", queues: []string{"crash.priority"}},
	flowFan:      {name: "fan", exchange: "crash.fan", key: "k", queues: []string{"crash.fan.fast", "crash.fan.slow", "crash.fan.idle"}},
	flowTx:       {name: "tx", queues: []string{"crash.tx.even", "crash.tx.odd"}, alternates: true, group: 6},
	flowReject:   {name: "reject", key: "crash.reject", queues: []string{"crash.reject", "crash.dead"}, transfer: true},
	flowMove:     {name: "move", key: "crash.move", queues: []string{"crash.move", "crash.moved"}, transfer: true},
}

// route is where a message is published to.
func (m message) route() (exchange, key string) {
	f := &flows[m.flow]
	if f.alternates {
		return "", f.queues[m.seq%2]
	}
	return f.exchange, f.key
}

// places are the queues that a message is meant for.
func (m message) places() []string {
	f := &flows[m.flow]
	switch {
	case f.alternates:
		return f.queues[m.seq%2 : m.seq%2+1]
	case f.transfer:
		return f.queues[:1]
	}
	return f.queues
}

// declare declares everything, or checks that it is as it was declared.
func declare(ch *amqp091.Channel) error {
	if err := ch.ExchangeDeclare("crash.fan", "fanout", true, false, false, false, nil); err != nil {
		return err
	}
	for i := range flows {
		for _, name := range flows[i].queues {
			if _, err := ch.QueueDeclare(name, true, false, false, false, arguments(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func arguments(queue string) amqp091.Table {
	switch queue {
	case "crash.priority":
		return amqp091.Table{"x-max-priority": int32(priorities - 1)}
	case "crash.reject":
		return amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "crash.dead"}
	}
	return nil
}

// bind is done once: bindings have to come back by themselves.
func bind(ch *amqp091.Channel) error {
	for _, name := range flows[flowFan].queues {
		if err := ch.QueueBind(name, "ignored", "crash.fan", false, nil); err != nil {
			return err
		}
	}
	return nil
}

// churn is queues that are declared, bound and deleted all the time.
type churn struct {
	mu     sync.Mutex
	states []churnState
	deaf   bool // answers do not count, see ledger.powerCut
}

type churnState int

const (
	declaring churnState = iota // sent, and not answered
	declared                    // and bound
	deleting
	deleted
)

func churnName(i int) string { return fmt.Sprintf("crash.churn.%d", i) }

func (c *churn) set(i int, s churnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case i == len(c.states):
		c.states = append(c.states, s)
	case c.deaf && (s == declared || s == deleted):
	default:
		c.states[i] = s
	}
}

func (c *churn) setDeaf(deaf bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaf = deaf
}

func (c *churn) snapshot() []churnState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]churnState(nil), c.states...)
}

// work declares, binds and deletes until the connection ends.
func (c *churn) work(conn *amqp091.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if _, err := ch.QueueDeclare("crash.passing", false, false, false, false, nil); err != nil {
		return err
	}
	for i := len(c.snapshot()); ; i++ {
		c.set(i, declaring)
		_, err := ch.QueueDeclare(churnName(i), true, false, false, false, amqp091.Table{"x-max-length": int32(i)})
		if err == nil {
			err = ch.QueueBind(churnName(i), churnName(i), "amq.topic", false, nil)
		}
		if err != nil {
			return err
		}
		c.set(i, declared)
		if i%3 == 2 {
			c.set(i-1, deleting)
			if _, err := ch.QueueDelete(churnName(i-1), false, false, false); err != nil {
				return err
			}
			c.set(i-1, deleted)
		}
	}
}

// verify checks after a crash that what was answered is so; at the end for all
// queues, before for the youngest.
func (c *churn) verify(t *testing.T, conn *amqp091.Connection, youngest int) {
	t.Helper()
	states := c.snapshot()
	if exists(t, conn, "crash.passing") {
		t.Error("a queue that is not durable came back")
	}
	for i := max(0, len(states)-youngest); i < len(states); i++ {
		switch there := exists(t, conn, churnName(i)); {
		case states[i] == declared && !there:
			t.Errorf("queue %s is gone, though it was declared", churnName(i))
		case states[i] == declared:
			verifyChurned(t, conn, i)
		case states[i] == deleted && there:
			t.Errorf("queue %s is back, though it was deleted", churnName(i))
		}
	}
}

// verifyChurned checks the arguments and the binding of a queue.
func verifyChurned(t *testing.T, conn *amqp091.Connection, i int) {
	t.Helper()
	ch, err := conn.Channel()
	must(t, err, "channel")
	defer ch.Close()
	if _, err := ch.QueueDeclare(churnName(i), true, false, false, false, amqp091.Table{"x-max-length": int32(i)}); err != nil {
		t.Errorf("queue %s came back with other arguments: %v", churnName(i), err)
		return
	}
	returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
	must(t, ch.Confirm(false), "confirm.select")
	confirm, err := ch.PublishWithDeferredConfirm("amq.topic", churnName(i), true, false, amqp091.Publishing{})
	must(t, err, "publish")
	confirm.Wait()
	select {
	case <-returns:
		t.Errorf("queue %s came back without its binding", churnName(i))
	default:
	}
}

func exists(t *testing.T, conn *amqp091.Connection, queue string) bool {
	t.Helper()
	ch, err := conn.Channel()
	must(t, err, "channel")
	defer ch.Close()
	_, err = ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	var e *amqp091.Error
	if errors.As(err, &e) && e.Code == amqp091.NotFound && strings.Contains(e.Reason, queue) {
		return false
	}
	must(t, err, "look for queue %s", queue)
	return true
}
