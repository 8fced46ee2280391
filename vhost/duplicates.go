package vhost

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/dedup"
	"github.com/leveretmq/leveret/vhost/queue"
)

// An exchange that deduplicates has a window of the keys that were published to
// it. It is asked before the message is routed, and only where somebody publishes:
// not by bindings between exchanges, and not by what the exchange had delayed.

// duplicates are the windows of a vhost's exchanges. Its lock is a leaf, below
// that of the vhost.
type duplicates struct {
	mu sync.Mutex
	// guarded by mu
	windows map[*exchange.Exchange]*exchangeWindow
}

type exchangeWindow struct {
	*dedup.Window
	dropped atomic.Uint64
}

// checkDuplicates returns 406 if the arguments of a new exchange cannot be used.
func checkDuplicates(o exchange.Options) error {
	_, argument, term := dedup.Parse(o.Arguments)
	if term == "" {
		return nil
	}
	return amqp.PreconditionFailed("invalid arg '%s' for exchange '%s' in vhost '%s': %s", argument, o.Name, o.VHost, term)
}

// equivalent returns nil if an exchange is what a second declare asks for. As in
// LavinMQ, whether and how it deduplicates counts.
func equivalent(x *exchange.Exchange, o exchange.Options) error {
	if err := x.Equivalent(o); err != nil {
		return err
	}
	for _, name := range dedup.Arguments {
		if err := x.EquivalentArgument(name, o.Arguments); err != nil {
			return err
		}
	}
	return nil
}

// add makes the window of an exchange that deduplicates; else it returns nil. id
// is that of the exchange's definition, 0 if it is not stored.
func (d *duplicates) add(x *exchange.Exchange, id uint64, store persistence.Store) *dedup.Window {
	if !x.Deduplicates() {
		return nil
	}
	o, _, _ := dedup.Parse(x.Arguments()) // they were checked
	w := dedup.New(dedup.Config{
		Options: o, Kind: persistence.KindExchange, Name: x.Name(), Owner: id, Store: store,
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.windows == nil {
		d.windows = map[*exchange.Exchange]*exchangeWindow{}
	}
	d.windows[x] = &exchangeWindow{Window: w}
	return w
}

// remove drops the window of an exchange that is gone, and returns the
// definitions of its keys.
func (d *duplicates) remove(x *exchange.Exchange) (ids []uint64) {
	if !x.Deduplicates() {
		return nil
	}
	d.mu.Lock()
	w := d.windows[x]
	delete(d.windows, x)
	d.mu.Unlock()
	if w == nil {
		return nil
	}
	return w.Close()
}

// of returns the window of an exchange, nil if it has none or is gone.
func (d *duplicates) of(x *exchange.Exchange) *exchangeWindow {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.windows[x]
}

// Duplicates returns how many keys an exchange remembers, and how many duplicates
// it has dropped since the start; 0 and 0 for one that does not deduplicate.
func (v *VHost) Duplicates(x *exchange.Exchange) (keys int, dropped uint64) {
	w := v.duplicates.of(x)
	if w == nil {
		return 0, 0
	}
	return w.Len(), w.dropped.Load()
}

// errOriginal is why a duplicate is not taken.
var errOriginal = errors.New("the message of which this is a duplicate was refused")

// deliverOnce is deliver for an exchange that deduplicates. The key of a message
// that no queue has taken, or that the publisher is to send again because some
// queue has refused it, is not kept.
func (r *Router) deliverOnce(x *exchange.Exchange, m *amqp.Message, t Ticket, fx *queue.Effects, skip func(*queue.Queue) bool) Published {
	w := r.v.duplicates.of(x)
	if w == nil {
		return r.deliverAny(x, m, t, fx, skip)
	}
	s, ok := w.Of(m)
	if !ok {
		return r.deliverAny(x, m, t, fx, skip)
	}
	e, duplicate := w.Enter(s)
	if duplicate {
		w.dropped.Add(1)
		r.routed = 0
		stored := t.Waiter != nil && w.Await(s.Key, t.Waiter, t.Number)
		return Published{Routed: true, Duplicate: true, Stored: stored}
	}
	p := r.deliverAny(x, m, t, fx, skip)
	switch {
	case p.Refused:
		e.Withdraw(errOriginal)
	case !p.Routed:
		e.Withdraw(nil)
	default:
		e.Keep(fx)
	}
	return p
}

// join is a Waiter that waits for several things and then tells the holder of a
// ticket, with the first error.
type join struct {
	ticket Ticket

	mu   sync.Mutex
	left int
	err  error
}

// add says that there is one thing more, or, with -1, one less.
func (j *join) add(n int, err error) {
	j.mu.Lock()
	j.left += n
	if j.err == nil {
		j.err = err
	}
	last := j.left == 0
	j.mu.Unlock()
	if last {
		j.ticket.Waiter.Done([]uint64{j.ticket.Number}, j.err)
	}
}

// Done implements persistence.Waiter.
func (j *join) Done(numbers []uint64, err error) { j.add(-len(numbers), err) }

// awaitOriginals is called when some queue of the last route has said that the
// message is a duplicate: its publisher is told when the originals are stored, and
// so is the message itself, if recorded. It returns the ticket of the latter.
func (r *Router) awaitOriginals(m *amqp.Message, t Ticket, p *Published, recorded bool) Ticket {
	if t.Waiter == nil || p.Refused {
		return t
	}
	j := &join{ticket: t, left: 1}
	waits := false
	for _, q := range r.queues {
		j.add(1, nil)
		if q.AwaitOriginal(m, j, 0) {
			waits = true
		} else {
			j.add(-1, nil)
		}
	}
	if !waits {
		return t
	}
	p.Stored = true
	if !recorded {
		j.add(-1, nil)
		return Ticket{}
	}
	return Ticket{Waiter: j}
}
