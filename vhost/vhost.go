package vhost

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/queue"
)

// VHost is one namespace of exchanges and queues. Its methods may be called
// from any goroutine. Connections are known by a number of the caller's
// choice, which is not 0.
type VHost struct {
	// immutable
	name    string
	log     zerolog.Logger
	pager   *queue.Pager
	onClock func(*queue.Effects) // carries out what queues do by the clock
	door    *queue.Queue         // see newDoor

	// version is changed, under mu, with every change of the topology.
	version atomic.Uint64

	duplicates duplicates
	activity   *activity // the registry's
	events     *events   // the registry's
	tracing    atomic.Bool
	// eventExchange is that of "/", nil in others; immutable.
	eventExchange *exchange.Exchange

	governing sync.Mutex // held while policies are applied; before mu

	mu sync.RWMutex
	topology
	// guarded by mu
	policies policies
	limits   vhostLimits
	metadata metadata
	gone     bool // it is being deleted

	deleting bool // it is, for those who look for it; guarded by Registry.mu

	routers sync.Pool // of *Router, for dead letters
}

// newVHost makes a vhost with the predeclared exchanges. id is that of its
// definition, 0 for "/".
func (r *Registry) newVHost(name string, id uint64) *VHost {
	v := &VHost{
		name: name, activity: &r.activity, events: &r.events, log: r.log.With().Str("vhost", name).Logger(), pager: r.pager,
		topology: newTopology(newDefinitions(r.store, id)), limits: vhostLimits{Limits: limitsOf(nil)},
	}
	v.onClock = func(fx *queue.Effects) {
		if !r.clock.begin() {
			return // what is dropped here happens once more after a restart
		}
		defer r.clock.end()
		v.Apply(fx)
		fx.WakeAll()
	}
	v.defined.duplicates = &v.duplicates
	v.topology.events = v.events
	v.routers.New = func() any { return v.NewRouter() }
	v.door = newDoor(name)
	for _, x := range exchange.Predeclared(name) {
		v.addExchange(x)
	}
	if name == DefaultName {
		v.eventExchange = newEventExchange()
		v.addExchange(v.eventExchange)
	}
	v.version.Store(1)
	return v
}

// Name returns the vhost's name.
func (v *VHost) Name() string { return v.name }

// changedLocked makes all routes that were found so far stale.
func (v *VHost) changedLocked() {
	v.version.Add(1)
	if v.eventExchange != nil {
		v.events.heard.Store(v.eventExchange.BindingCount() > 0)
	}
}

// close closes all queues.
func (v *VHost) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dropAll()
	v.changedLocked()
}

// checkOpenLocked returns 320 once the vhost is closed or deleted.
func (v *VHost) checkOpenLocked() error {
	switch {
	case v.gone:
		return amqp.Errorf(amqp.CodeConnectionForced, "vhost '%s' is deleted", v.name)
	case v.closed:
		return errClosed()
	}
	return nil
}

// Queues returns the queues by name. Those of direct reply-to are not listed.
func (v *VHost) Queues() []*queue.Queue {
	v.mu.RLock()
	out := make([]*queue.Queue, 0, len(v.queues))
	for _, q := range v.queues {
		out = append(out, q)
	}
	v.mu.RUnlock()
	slices.SortFunc(out, func(a, b *queue.Queue) int { return cmp.Compare(a.Name(), b.Name()) })
	return out
}

// Exchanges returns the exchanges by name, the default exchange first. Only
// their immutable fields may be read: see package exchange.
func (v *VHost) Exchanges() []*exchange.Exchange {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.exchangesLocked()
}

func (v *VHost) exchangesLocked() []*exchange.Exchange {
	out := make([]*exchange.Exchange, 0, len(v.exchanges))
	for _, x := range v.exchanges {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b *exchange.Exchange) int { return cmp.Compare(a.Name(), b.Name()) })
	return out
}

// Binding is one binding, for listings.
type Binding struct {
	// Source is the name of an exchange.
	Source string
	// Destination is the name of a queue, or of an exchange if ToExchange.
	Destination string
	ToExchange  bool
	Key         string
	Arguments   amqp.Table
}

// Bindings returns all bindings: first those of the default exchange, by which
// every queue can be reached by its name, then by source and age.
func (v *VHost) Bindings() []Binding {
	queues := v.Queues()
	out := make([]Binding, 0, len(queues))
	for _, q := range queues {
		out = append(out, Binding{Destination: q.Name(), Key: q.Name()})
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, x := range v.exchangesLocked() {
		for _, b := range x.Bindings() {
			_, toExchange := b.Destination.(*exchange.Exchange)
			out = append(out, Binding{x.Name(), b.Destination.Name(), toExchange, b.Key, b.Arguments})
		}
	}
	return out
}
