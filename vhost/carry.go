package vhost

import (
	"context"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/queue"
)

// What is carried from a queue elsewhere goes in groups: in the store the end of the
// old place and the new message are one batch, so that a crash neither loses nor
// doubles it.
const (
	carryMost  = 64
	carryBytes = 1 << 20
)

// Carried says what became of the messages that were meant.
type Carried struct {
	// Scanned messages were looked at, and Matched are those that were meant.
	Scanned, Matched int
	// Done: moved, copied, deleted or redriven.
	Done int
	// These have stayed: no queue was found, or is there any more; a queue refused it;
	// a queue, or the exchange, has seen its key; it may not go there.
	Unroutable, Refused, Duplicates, Forbidden int
	// Gone: somebody else has taken it meanwhile.
	Gone int
}

// carrier carries messages from a queue.
type carrier struct {
	v      *VHost
	from   *queue.Queue
	filter Filter
	limit  int // most that are meant; 0 for all
	copies bool
	dryRun bool
	permit func(exchange, key string) bool // nil: everything is permitted
	// plan says where a message goes, and how it looks there; nil: nowhere, it is to
	// be deleted. ok is false if it stays, which plan has counted.
	plan func(b *queue.Browsed) (d delivery, ok bool)
	// done, if set, is told of a message that has gone, or would go, there.
	done func(d *delivery)
	// after, if set, is called after each group of n messages that were meant; its
	// error ends it all.
	after func(n int) error
	most  int // messages in a group

	counts Carried
	router *Router
	group  []delivery
	bytes  int
	fx     queue.Effects
}

// delivery is a message on its way.
type delivery struct {
	browsed queue.Browsed
	message *amqp.Message      // as it is to be there
	to      *exchange.Exchange // where it goes: an exchange,
	queue   *queue.Queue       // or straight to a queue; neither to be deleted
}

// run carries what was in the queue when it began. The error is that of the context, of
// after, or the store's.
func (c *carrier) run(ctx context.Context) error {
	c.router = c.v.routers.Get().(*Router)
	if c.most == 0 {
		c.most = carryMost
	}
	var failure error
	look := queue.Look{Until: c.from.LastPlace(), Pick: func(b *queue.Browsed) bool {
		c.counts.Scanned++
		return c.filter.Pick(b, now())
	}}
	look.Skip[queue.StateUnacked] = !c.copies
	_, _, err := c.from.Browse(look, func(b *queue.Browsed) bool {
		if failure = ctx.Err(); failure == nil && c.filter.Match(b.Message) {
			failure = c.add(b)
		}
		return failure == nil && (c.limit == 0 || c.counts.Matched < c.limit)
	})
	if err == nil && failure == nil {
		failure = c.flush()
	}
	if err == nil {
		err = failure
	}
	c.router.ShowCounts()
	c.router.forget()
	c.v.routers.Put(c.router)
	if stored := c.await(); err == nil {
		err = stored
	}
	return err
}

// add adds a message to the group.
func (c *carrier) add(b *queue.Browsed) error {
	c.counts.Matched++
	d := delivery{message: b.Message}
	if c.plan != nil {
		var ok bool
		if d, ok = c.plan(b); !ok {
			return c.stayed()
		}
	}
	d.browsed = *b
	if c.plan != nil && !c.leads(&d) {
		c.counts.Unroutable++
		return c.stayed()
	}
	c.group = append(c.group, d)
	c.bytes += b.Size
	if len(c.group) >= c.most || c.bytes >= carryBytes {
		return c.flush()
	}
	return nil
}

// permitted is what plan returns for a message that may not go to any exchange.
func (c *carrier) permitted(d delivery) (delivery, bool) {
	if d.to == nil || c.permit == nil || c.permit(d.to.Name(), d.message.RoutingKey) {
		return d, true
	}
	c.counts.Forbidden++
	return delivery{}, false
}

// stayed lets others see how far it has come, where nothing goes for long.
func (c *carrier) stayed() error {
	if c.after != nil && len(c.group) == 0 {
		return c.after(0)
	}
	return nil
}

// leads reports whether there is a queue for a message.
func (c *carrier) leads(d *delivery) bool {
	if d.queue != nil {
		return true
	}
	c.router.held = c.router.held[:0]
	return len(c.router.route(d.to, d.message)) > 0 || len(c.router.held) > 0
}

// flush carries the group.
func (c *carrier) flush() error {
	n := len(c.group)
	if n == 0 {
		return nil
	}
	switch {
	case c.dryRun:
		for i := range c.group {
			c.gone(&c.group[i])
		}
	case c.copies:
		for i := range c.group {
			c.deliver(&c.group[i])
		}
	default:
		c.move()
	}
	c.v.onClock(&c.fx)
	if !c.fx.Idle() {
		c.fx = queue.Effects{} // as it is in the store, it has not happened
		return errClosed()
	}
	clear(c.group)
	c.group, c.bytes = c.group[:0], 0
	if store := c.v.defined.store; store != nil {
		store.Await()
	}
	if c.v.pager != nil {
		c.v.pager.Await()
	}
	if c.after != nil {
		return c.after(n)
	}
	return nil
}

// move takes the group out of the queue, and puts back what nobody takes.
func (c *carrier) move() {
	picks := make([]*queue.Browsed, len(c.group))
	of := make(map[*queue.Browsed]*delivery, len(c.group))
	for i := range c.group {
		picks[i] = &c.group[i].browsed
		of[picks[i]] = &c.group[i]
	}
	taken := c.from.Take(picks, &c.fx)
	c.counts.Gone += len(picks) - len(taken)
	is := make(map[*queue.Browsed]bool, len(taken))
	for _, b := range taken {
		is[b] = true
	}
	var back []*queue.Browsed
	for _, b := range picks { // in order
		switch {
		case !is[b]:
		case c.deliver(of[b]):
			c.from.Settle(b, &c.fx)
		default:
			back = append(back, b)
		}
	}
	if len(back) > 0 {
		c.from.PutBack(back, &c.fx)
	}
}

// deliver gives a message to where it goes, and reports whether it is there.
func (c *carrier) deliver(d *delivery) bool {
	if d.to == nil && d.queue == nil {
		c.gone(d)
		return true
	}
	dying := c.fx.Dying()
	var p Published
	if d.queue != nil {
		p = c.router.give(d.queue, d.message, &c.fx)
	} else {
		p = c.router.Publish(d.to, d.message, Ticket{}, &c.fx)
	}
	switch {
	case p.Kept, p.Refused && c.fx.Dying() > dying: // refused, and dead-lettered from there
		c.gone(d)
		return true
	case p.Refused:
		c.counts.Refused++
	case p.Duplicate:
		c.counts.Duplicates++
	default:
		c.counts.Unroutable++
	}
	return false
}

func (c *carrier) gone(d *delivery) {
	c.counts.Done++
	if c.done != nil {
		c.done(d)
	}
}

// await waits until all is in the store.
func (c *carrier) await() error {
	store := c.v.defined.store
	if store == nil || c.dryRun {
		return nil
	}
	done := persistence.NewOutcome()
	c.fx.Use(store)
	c.fx.Wait(done, 0)
	c.fx.WakeAll()
	return done.Await()
}

// give is Publish to one queue.
func (r *Router) give(q *queue.Queue, m *amqp.Message, fx *queue.Effects) (p Published) {
	var rec *persistence.Record
	p.offer(q, m, &rec, fx)
	if rec != nil {
		fx.Append(rec, nil, 0)
		p.Stored = true
	}
	return p
}
