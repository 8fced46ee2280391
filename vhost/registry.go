package vhost

import (
	"cmp"
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/auth"
	"github.com/leveretmq/leveret/vhost/policy"
	"github.com/leveretmq/leveret/vhost/queue"
)

// DefaultName is the vhost that every broker has.
const DefaultName = "/"

// Options say how a Registry works. The zero value is usable.
type Options struct {
	// Log gets what no client is told; nil logs nothing.
	Log *zerolog.Logger
	// Store keeps what is durable; nil keeps everything in memory only. Nobody
	// may have written to it since it was opened. Who opened it closes it, after
	// Close.
	Store persistence.Store
	// Pager takes messages out of memory, by way of Store; nil if all stay
	// there.
	Pager *queue.Pager
	// UserGone is called when a user has been deleted, and VHostGone when a vhost is
	// about to be: nobody can log in, or enter, any more. Nil if nobody is to be told.
	UserGone  func(name string)
	VHostGone func(*VHost)
	// Node is what the broker is called in events.
	Node string
}

// Registry is the vhosts of a broker. Its methods may be called from any
// goroutine.
type Registry struct {
	// immutable
	log   zerolog.Logger
	store persistence.Store // nil: nothing is stored
	pager *queue.Pager
	users *auth.Users // changed only while mu is held
	// as of Options
	userGone  func(string)
	vhostGone func(*VHost)

	clock    clock
	activity activity
	events   events
	root     *VHost // "/"; immutable

	mu sync.RWMutex
	// guarded by mu
	vhosts map[string]*VHost
	closed bool
	last   *commit // the latest change that was handed over
	// settings are the parameters of the broker, by scope and name.
	settings [inVHost]map[string]setting
}

// New returns a registry with the vhost "/", which has its predeclared
// exchanges, and with all that is in the store: vhosts, exchanges, queues,
// bindings, policies, parameters and messages. The error says what of that cannot be used; nothing is
// changed in the store then.
func New(o Options) (*Registry, error) {
	r := &Registry{
		log: zerolog.Nop(), store: o.Store, pager: o.Pager, userGone: o.UserGone, vhostGone: o.VHostGone,
		clock: clock{opened: make(chan struct{})}, vhosts: map[string]*VHost{},
	}
	for scope := range r.settings {
		r.settings[scope] = map[string]setting{}
	}
	if o.Log != nil {
		r.log = *o.Log
	}
	r.events.registry, r.events.node = r, o.Node
	r.root = r.newVHost(DefaultName, 0)
	r.vhosts[DefaultName] = r.root
	r.users = r.newUsers()
	if r.store != nil {
		if err := r.recover(); err != nil {
			r.Close()
			r.clock.open() // who waits there finds it shut
			return nil, err
		}
	}
	r.root.mu.Lock()
	r.root.changedLocked() // who listens to events may have come back
	r.root.mu.Unlock()
	r.clock.open()
	for _, v := range r.vhosts {
		v.trimRecovered()
	}
	return r, nil
}

// VHost returns a vhost by name; 530 if there is none.
func (r *Registry) VHost(name string) (*VHost, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.vhostLocked(name)
}

// VHosts returns all vhosts by name.
func (r *Registry) VHosts() []*VHost {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*VHost, 0, len(r.vhosts))
	for _, v := range r.vhosts {
		if !v.deleting {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b *VHost) int { return cmp.Compare(a.name, b.name) })
	return out
}

// AddVHost makes a vhost with the predeclared exchanges, or finds the one of
// that name. It is in the store when AddVHost returns. The error is a *policy.Refused
// while the one of that name is being deleted, or the store's.
func (r *Registry) AddVHost(name string) (*VHost, error) {
	v, stored, err := r.enterVHost(name)
	if err != nil {
		return nil, err
	}
	if err := stored.await(); err != nil {
		return nil, err
	}
	return v, nil
}

func (r *Registry) enterVHost(name string) (*VHost, *commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, errClosed()
	}
	switch v := r.vhosts[name]; {
	case v == nil:
	case v.deleting:
		return nil, nil, policy.Refusef("vhost '%s' is being deleted", name)
	default:
		return v, r.last, nil
	}
	if r.store == nil {
		v := r.newVHost(name, 0)
		r.vhosts[name] = v
		r.events.tellVHostCreated(v)
		return v, nil, nil
	}
	d := vhostDefinition{name}
	body, err := d.encode()
	if err != nil {
		return nil, nil, err
	}
	all := newDefinitions(r.store, 0)
	id := r.store.NewID()
	all.define(persistence.KindVHost, id, body)
	v := r.newVHost(name, id)
	r.vhosts[name] = v
	r.last = all.handOver()
	r.events.tellVHostCreated(v)
	return v, r.last, nil
}

// Close ends what happens by the clock, closes all queues and drops what is in
// memory; what is stored stays stored. Nobody is told. Afterwards nothing can be
// declared, published or consumed, and the store is left alone.
func (r *Registry) Close() {
	r.clock.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, v := range r.vhosts {
		v.close()
	}
}

func errClosed() error {
	return amqp.Errorf(amqp.CodeConnectionForced, "broker is shutting down")
}
