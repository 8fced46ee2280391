package vhost

import (
	"sync"

	"github.com/rs/zerolog"

	"github.com/leveretmq/leveret/amqp"
)

// DefaultName is the vhost that every broker has.
const DefaultName = "/"

// Options say how a Registry works. The zero value is usable.
type Options struct {
	// Log gets what no client is told; nil logs nothing.
	Log *zerolog.Logger
}

// Registry is the vhosts of a broker. Its methods may be called from any
// goroutine.
type Registry struct {
	log zerolog.Logger // immutable

	mu sync.RWMutex
	// guarded by mu
	vhosts map[string]*VHost
}

// New returns a registry with the one vhost "/", which has its predeclared
// exchanges.
func New(o Options) *Registry {
	r := &Registry{log: zerolog.Nop(), vhosts: map[string]*VHost{}}
	if o.Log != nil {
		r.log = *o.Log
	}
	r.vhosts[DefaultName] = newVHost(DefaultName, r.log)
	return r
}

// VHost returns a vhost by name; 530 if there is none.
func (r *Registry) VHost(name string) (*VHost, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if v := r.vhosts[name]; v != nil {
		return v, nil
	}
	return nil, amqp.NotAllowed("vhost %s not found", name)
}

// Close closes all queues, and so stops their clocks, and drops what is in
// memory. Nobody is told. Afterwards nothing can be declared, published or
// consumed.
func (r *Registry) Close() {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, v := range r.vhosts {
		v.close()
	}
}
