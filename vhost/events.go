package vhost

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/queue"
)

// EventExchange is the exchange of the vhost "/" to which it is told what happens in the
// broker, by messages without a body whose routing key says what and whose headers say
// the rest [RabbitMQ: plugin rabbitmq_event_exchange]. While nothing is bound to it
// nothing is told, and telling costs nothing.
const EventExchange = "amq.rabbitmq.event"

// internalUser is who does what the broker does by itself, in RabbitMQ's words.
const internalUser = "rmq-internal"

// eventsMost is how many events may wait to be published: what is done to very many
// things at once, as when a vhost is deleted, is told in part.
const eventsMost = 1 << 16

// events is what waits to be told. It is published by a goroutine that lives while there
// is something, because who has it to tell holds locks. Its mutex is a leaf.
type events struct {
	// immutable
	registry *Registry
	node     string

	heard atomic.Bool // something is bound to the exchange

	mu      sync.Mutex
	waiting []*amqp.Message // guarded by mu
	lost    int             // there were too many; guarded by mu
	busy    bool            // the goroutine lives; guarded by mu
}

// newEventExchange makes the exchange for events.
func newEventExchange() *exchange.Exchange {
	x, err := exchange.New(exchange.Options{
		VHost: DefaultName, Name: EventExchange, Type: exchange.TypeTopic, Durable: true, Internal: true,
	})
	if err != nil {
		panic(err) // it has no arguments
	}
	return x
}

// Listened reports whether anybody listens to events: who has one to tell makes it only
// then.
func (r *Registry) Listened() bool { return r.events.heard.Load() }

// Tell tells that something has happened: what is the routing key, and about becomes the
// headers. It may be called with locks held, but for the store's.
func (r *Registry) Tell(what string, about amqp.Table) { r.events.tell(what, about) }

func (e *events) tell(what string, about amqp.Table) {
	now := time.Now()
	m := eventMessage(what, about, now)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case m == nil:
	case len(e.waiting) >= eventsMost:
		e.lost++
	default:
		e.waiting = append(e.waiting, m)
	}
	if !e.busy && len(e.waiting) > 0 && e.registry.clock.begin() {
		e.busy = true
		go e.publish()
	}
}

// eventMessage is nil for headers that cannot be encoded, as with a name too long.
func eventMessage(what string, about amqp.Table, now time.Time) *amqp.Message {
	headers := append(amqp.Table{{Name: "timestamp_in_ms", Value: now.UnixMilli()}}, about...)
	props, err := amqp.BasicProperties{Headers: headers, DeliveryMode: 2, Timestamp: amqp.Timestamp(now.Unix())}.Append(nil)
	if err != nil {
		return nil
	}
	return &amqp.Message{Exchange: EventExchange, RoutingKey: what, Properties: props, HasHeaders: true,
		Expiration: amqp.NoExpiration, Persistent: true}
}

// publish publishes what waits until nothing does.
func (e *events) publish() {
	defer e.registry.clock.end()
	for {
		e.mu.Lock()
		list, lost := e.waiting, e.lost
		e.waiting, e.lost = nil, 0
		e.busy = len(list) > 0
		e.mu.Unlock()
		if lost > 0 {
			e.registry.log.Warn().Int("messages", lost).Msg("events dropped: too many at once")
		}
		if len(list) == 0 {
			return
		}
		root := e.registry.root
		var fx queue.Effects
		for _, m := range list {
			fx.Post(m, fx.Posts())
		}
		root.Apply(&fx)
		fx.WakeAll()
	}
}
