package crashtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

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
	// by is a queue that it goes through on its way, and does not stay in.
	by string
	// either: not each does so, some are acked in the first; and it has
	// consumers at both.
	either bool
	// reason is why a transfer's messages die in the first queue; "" if they
	// are moved by a client.
	reason string
	// alternates: even messages go to the first queue, odd ones to the second,
	// without an exchange.
	alternates bool
	// group is how many messages go into a transaction; 0 = confirms.
	group int
	// transients: some messages are not persistent.
	transients bool
	// copied: each message is published several times, also in later runs, and
	// the exchange drops all but the first.
	copied bool
	// unordered: messages do not come in the order in which they were published.
	unordered bool
	// gentle: it is published with longer rests.
	gentle bool
}

const (
	flowPlain = iota
	flowPriority
	flowFan
	flowTx
	flowReject
	flowMove
	flowDelay
	flowRetry
	flowOnce
	flowExpire
	flowFull
)

var flows = []flow{
	flowPlain:    {name: "plain", key: "crash.plain", queues: []string{"crash.plain"}, transients: true},
	flowPriority: {name: "priority", key: "crash.priority", queues: []string{"crash.priority"}},
	flowFan:      {name: "fan", exchange: "crash.fan", key: "k", queues: []string{"crash.fan.fast", "crash.fan.slow", "crash.fan.idle"}},
	flowTx:       {name: "tx", queues: []string{"crash.tx.even", "crash.tx.odd"}, alternates: true, group: 6},
	flowReject:   {name: "reject", key: "crash.reject", queues: []string{"crash.reject", "crash.dead"}, transfer: true, reason: "rejected"},
	flowMove:     {name: "move", key: "crash.move", queues: []string{"crash.move", "crash.moved"}, transfer: true},
	flowDelay:    {name: "delay", exchange: "crash.later", key: "crash.due", queues: []string{"crash.due"}, unordered: true, gentle: true},
	flowRetry: {name: "retry", key: "crash.retry", queues: []string{"crash.retry", "crash.givenup"},
		transfer: true, either: true, reason: "delivery_limit", unordered: true, gentle: true},
	flowOnce: {name: "once", exchange: "crash.filter", key: "crash.once", queues: []string{"crash.once"}, copied: true, unordered: true, gentle: true},
	flowExpire: {name: "expire", key: "crash.expire", queues: []string{"crash.expire", "crash.expired"},
		transfer: true, either: true, reason: "expired", unordered: true, gentle: true},
	flowFull: {name: "full", key: "crash.full", queues: []string{"crash.full", "crash.overflow"}, by: "crash.passage",
		transfer: true, either: true, reason: "maxlen", unordered: true, gentle: true},
}

// exchanges are those of the flows.
var exchanges = []struct {
	name, kind string
	arguments  amqp091.Table
}{
	{"crash.fan", "fanout", nil},
	{"crash.later", "x-delayed-message", amqp091.Table{"x-delayed-type": "direct"}},
	{"crash.filter", "direct", amqp091.Table{"x-message-deduplication": true, "x-cache-size": int32(1_000_000)}},
}

const (
	// expireAfter is the TTL of crash.expire.
	expireAfter = 300 * time.Millisecond
	// fullAt is the longest that crash.full gets.
	fullAt = 100
	// What comes back to crash.retry waits for retryMin, twice as long each
	// time and retryMax at most, and that retryLimit times.
	retryMin   = 50 * time.Millisecond
	retryMax   = 400 * time.Millisecond
	retryLimit = 3
	// patience is how long those wait instead that say so.
	patience = 2 * time.Second
)

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

// all are the queues of a flow.
func (f *flow) all() []string {
	if f.by == "" {
		return f.queues
	}
	return append([]string{f.by}, f.queues...)
}

// declare declares everything, or checks that it is as it was declared.
func declare(ch *amqp091.Channel) error {
	for _, x := range exchanges {
		if err := ch.ExchangeDeclare(x.name, x.kind, true, false, false, false, x.arguments); err != nil {
			return err
		}
	}
	for i := range flows {
		for _, name := range flows[i].all() {
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
		return deadLettering("crash.dead")
	case "crash.retry":
		args := deadLettering("crash.givenup")
		args["x-retry-backoff"] = "exponential"
		args["x-retry-min"], args["x-retry-max"] = retryMin.Milliseconds(), retryMax.Milliseconds()
		args["x-retry-limit"] = int32(retryLimit)
		return args
	case "crash.expire":
		args := deadLettering("crash.expired")
		args["x-message-ttl"] = expireAfter.Milliseconds()
		return args
	case "crash.full":
		args := deadLettering("crash.passage")
		args["x-max-length"] = int32(fullAt)
		return args
	case "crash.passage":
		args := deadLettering("crash.overflow")
		args["x-max-length"] = int32(0)
		return args
	}
	return nil
}

func deadLettering(queue string) amqp091.Table {
	return amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}
}

// bind is done once: bindings have to come back by themselves.
func bind(ch *amqp091.Channel) error {
	for i := range flows {
		f := &flows[i]
		if f.exchange == "" {
			continue
		}
		for _, name := range f.queues {
			if err := ch.QueueBind(name, f.key, f.exchange, false, nil); err != nil {
				return err
			}
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
