package vhost

import (
	"context"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/queue"
)

// redrivenHeader counts how often a message was redriven.
const redrivenHeader = "x-redriven"

// Redrive says which messages of a queue, dead letters for the most part, go back to
// where they died.
type Redrive struct {
	Selection
	// Latest takes the last death of a message instead of the first.
	Latest bool
	// ByExchange publishes a message to the exchange that it was in when it died, with
	// the keys that it had; else it goes straight to the queue in which it died. Either
	// way exchange and keys are those again, so that a consumer sees what it saw first.
	ByExchange bool
	// Fallback gets those of which it is not known where they died, or whose queue or
	// exchange is no more; they stay if it is nil.
	Fallback *Target
	// Forget removes what deaths have left in the headers: x-death, x-first-death-…,
	// x-last-death-… and x-attempts. Else they stay, as with RabbitMQ's shovel, and
	// consumers who count by them count on.
	Forget bool
	// Rate is how many messages a second, 0 for as many as there can be.
	Rate float64
}

// Redriven is how far a redrive has come.
type Redriven struct {
	Carried
	// NoOrigin have stayed, because it is not known where they died, or there is no
	// such queue or exchange any more.
	NoOrigin int
	// Targets are where messages have gone, or would go, and how many; the first
	// hundred that came up.
	Targets map[RedriveTarget]int
}

// RedriveTarget is where messages go back to: Queue is empty if they are published.
type RedriveTarget struct{ Queue, Exchange, Key string }

// redriveTargets is how many targets are counted each for itself.
const redriveTargets = 100

// Redrive has messages go back, as MoveMessages does, each with the header x-redriven,
// which counts. progress is called after each step, from the same goroutine; what it is
// given is good until it returns. A message that dies once more and comes back meanwhile
// is not redriven again.
func (v *VHost) Redrive(ctx context.Context, r Redrive, progress func(*Redriven)) error {
	c, err := v.carrierOf(r.Selection)
	if err != nil {
		return err
	}
	d := &redriver{v: v, Redrive: r, targets: map[origin]resolved{}, out: Redriven{Targets: map[RedriveTarget]int{}}}
	if r.Fallback != nil {
		if d.fallback.exchange, d.fallback.queue, err = v.targetOf(*r.Fallback); err != nil {
			return err
		}
	}
	c.plan = func(b *queue.Browsed) (delivery, bool) { return d.plan(c, b) }
	c.done = d.count
	pace := newPace(r.Rate)
	c.most = pace.group
	c.after = func(n int) error {
		d.out.Carried = c.counts
		progress(&d.out)
		return pace.wait(ctx, n)
	}
	err = c.run(ctx)
	d.out.Carried = c.counts
	progress(&d.out)
	return err
}

// redriver is a Redrive under way.
type redriver struct {
	Redrive
	v        *VHost
	version  uint64 // of the topology that targets are of
	targets  map[origin]resolved
	fallback resolved
	out      Redriven
}

// origin is where messages are to go back to, by name.
type origin struct{ queue, exchange string }

// resolved is what there is of an origin.
type resolved struct {
	queue     *queue.Queue
	exchange  *exchange.Exchange
	forbidden bool
}

// plan says where a message goes.
func (d *redriver) plan(c *carrier, b *queue.Browsed) (delivery, bool) {
	headers, err := b.Message.Headers()
	if err != nil {
		headers = nil
	}
	died, known := deathOf(headers, d.Latest)
	var to resolved
	if known {
		to = d.resolve(died)
	}
	switch {
	case to.forbidden:
		c.counts.Forbidden++
		return delivery{}, false
	case to.queue == nil && to.exchange == nil:
		return d.planFallback(c, b, headers)
	}
	m := *b.Message
	m.Exchange = died.exchange
	if len(died.keys) > 0 {
		m.RoutingKey, m.ExtraKeys = died.keys[0], died.keys[1:]
	}
	return d.delivery(c, b, &m, headers, to)
}

func (d *redriver) planFallback(c *carrier, b *queue.Browsed, headers amqp.Table) (delivery, bool) {
	if d.Fallback == nil {
		d.out.NoOrigin++
		return delivery{}, false
	}
	m := readdressed(b, *d.Fallback)
	if headers != nil {
		headers, _ = m.Headers() // it may have another key, and so no CC
	}
	return d.delivery(c, b, m, headers, d.fallback)
}

// delivery is the message as it goes.
func (d *redriver) delivery(c *carrier, b *queue.Browsed, m *amqp.Message, headers amqp.Table, to resolved) (delivery, bool) {
	m.Redelivered = b.Again
	if d.Forget {
		headers = withoutDeaths(headers)
	}
	v, _ := headers.Get(redrivenHeader)
	n, _ := amqp.Int(v)
	p, err := b.Message.Properties.WithHeaders(headers.With(redrivenHeader, addOne(max(n, 0))))
	if err != nil {
		c.counts.Refused++ // its properties do not allow one more header
		return delivery{}, false
	}
	m.Properties, m.HasHeaders = p, true
	return c.permitted(delivery{message: m, to: to.exchange, queue: to.queue})
}

// resolve finds where a message died, and remembers it for as long as the topology is
// the same.
func (d *redriver) resolve(died origins) resolved {
	key := origin{queue: died.queue}
	if d.ByExchange {
		key = origin{exchange: died.exchange}
	}
	if version := d.v.version.Load(); version != d.version {
		clear(d.targets)
		d.version = version
	}
	to, ok := d.targets[key]
	switch {
	case ok:
		return to
	case !d.ByExchange:
		to.queue, _ = d.v.Queue(key.queue, nobody) // one of somebody's own is as good as gone
	default:
		x := d.v.ExchangeNamed(key.exchange)
		if to.exchange = x; x != nil {
			to.forbidden = x.Internal()
		}
	}
	if len(d.targets) < redriveTargets {
		d.targets[key] = to
	}
	return to
}

// count counts a message for its target.
func (d *redriver) count(of *delivery) {
	t := RedriveTarget{Exchange: of.message.Exchange, Key: of.message.RoutingKey}
	if of.queue != nil {
		t.Queue = of.queue.Name()
	}
	if _, ok := d.out.Targets[t]; ok || len(d.out.Targets) < redriveTargets {
		d.out.Targets[t]++
	}
}

// pace keeps to a rate.
type pace struct {
	rate  float64
	group int
	next  time.Time // when the next group may go
}

// paceStep is how long the messages of a group take at a rate, about.
const paceStep = 100 * time.Millisecond

func newPace(rate float64) *pace {
	p := &pace{rate: rate, group: carryMost}
	if rate > 0 {
		p.group = int(min(max(rate*paceStep.Seconds(), 1), carryMost))
	}
	return p
}

// wait waits after a group of n messages. The error is the context's.
func (p *pace) wait(ctx context.Context, n int) error {
	if p.rate <= 0 || n == 0 {
		return ctx.Err()
	}
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(min(float64(n)/p.rate, 1e9) * float64(time.Second)))
	timer := time.NewTimer(p.next.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
