package vhost

import (
	"fmt"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/binding"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost/dedup"
	"github.com/leveretmq/leveret/vhost/queue"
)

// definitions is the durable part of a topology as the store knows it, and what
// the store still has to be told of the change under way. All of it is guarded
// by the vhost's mu. A change is handed over before mu is released, so that
// changes are stored in the order in which they were made, and each before the
// first message that goes by it.
type definitions struct {
	store persistence.Store // nil: nothing is stored
	vhost uint64            // the vhost's id, 0 for "/"

	exchanges map[*exchange.Exchange]uint64
	bindings  map[boundKey]uint64
	// duplicates are the vhost's.
	duplicates *duplicates
	batch      persistence.Batch
	// last is the latest change that was handed over. When it is stored, so are
	// all before it.
	last *commit
}

// boundKey is what makes two bindings the same.
type boundKey struct {
	source      *exchange.Exchange
	destination exchange.Destination
	key, args   string // args as by binding.Identity
}

func newDefinitions(store persistence.Store, vhost uint64) definitions {
	d := definitions{store: store, vhost: vhost}
	if store != nil {
		d.exchanges, d.bindings = map[*exchange.Exchange]uint64{}, map[boundKey]uint64{}
	}
	return d
}

// define adds a definition to the change under way.
func (d *definitions) define(kind persistence.Kind, id uint64, body []byte) {
	d.batch.Change(persistence.Change{Definition: persistence.Definition{Kind: kind, ID: id, Body: body}})
}

// drop adds the end of a definition to the change under way.
func (d *definitions) drop(kind persistence.Kind, id uint64) {
	d.batch.Change(persistence.Change{Definition: persistence.Definition{Kind: kind, ID: id}, Delete: true})
}

// encodeExchange encodes a new exchange; nil if it is not to be stored.
func (d *definitions) encodeExchange(o exchange.Options) ([]byte, error) {
	if d.store == nil || !o.Durable {
		return nil, nil
	}
	e := exchangeDefinition{d.vhost, o.Name, o.Type, o.AutoDelete, o.Internal, o.Arguments}
	return e.encode()
}

// addExchange stores an exchange whose encoding is not nil, and returns its id,
// 0 if it is not stored.
func (d *definitions) addExchange(x *exchange.Exchange, body []byte) (id uint64) {
	if body == nil {
		return 0
	}
	id = d.store.NewID()
	d.exchanges[x] = id
	d.define(persistence.KindExchange, id, body)
	return id
}

func (d *definitions) removeExchange(x *exchange.Exchange) {
	d.deleteKeys(d.duplicates.remove(x))
	if id, ok := d.exchanges[x]; ok {
		delete(d.exchanges, x)
		d.drop(persistence.KindExchange, id)
	}
}

// encodeQueue encodes a new queue and gives it its id; nil if it is not to be
// stored.
func (d *definitions) encodeQueue(o *queue.Options) ([]byte, error) {
	if d.store == nil || !o.Durable {
		return nil, nil
	}
	e := queueDefinition{d.vhost, o.Name, o.AutoDelete, o.Arguments}
	body, err := e.encode()
	if err == nil {
		o.ID = persistence.QueueID(d.store.NewID())
	}
	return body, err
}

// addQueue stores a queue whose encoding is not nil.
func (d *definitions) addQueue(q *queue.Queue, body []byte) {
	if body != nil {
		d.define(persistence.KindQueue, uint64(q.Options().ID), body)
	}
}

func (d *definitions) removeQueue(q *queue.Queue) {
	if id := q.Options().ID; id != 0 {
		d.drop(persistence.KindQueue, uint64(id))
	}
	if w := q.Keys(); w != nil {
		d.deleteKeys(w.Close())
	}
}

// deleteKeys deletes the keys of what is deleted, bit by bit once that is stored.
func (d *definitions) deleteKeys(ids []uint64) {
	if len(ids) > 0 {
		d.batch.Wait(&dedup.Deletion{Store: d.store, IDs: ids}, 0)
	}
}

// encodeBinding encodes a new binding; nil if it is not to be stored.
func (d *definitions) encodeBinding(x *exchange.Exchange, to exchange.Destination, key string, args amqp.Table) ([]byte, error) {
	if d.store == nil {
		return nil, nil
	}
	source, durable := d.end(x)
	destination, also := d.end(to)
	if !durable || !also {
		return nil, nil
	}
	e := bindingDefinition{d.vhost, source, destination, key, args}
	return e.encode()
}

// end names an end of a binding; durable is false if it is not stored.
func (d *definitions) end(of exchange.Destination) (end definedEnd, durable bool) {
	switch of := of.(type) {
	case *queue.Queue:
		id := of.Options().ID
		return definedEnd{kind: persistence.KindQueue, id: uint64(id)}, id != 0
	case *exchange.Exchange:
		if id, ok := d.exchanges[of]; ok {
			return definedEnd{kind: persistence.KindExchange, id: id}, true
		}
		// Durable and not defined is predeclared.
		return definedEnd{kind: persistence.KindExchange, name: of.Name()}, of.Durable()
	}
	return definedEnd{}, false
}

// addBinding stores a binding whose encoding is not nil.
func (d *definitions) addBinding(x *exchange.Exchange, to exchange.Destination, key string, args amqp.Table, body []byte) {
	if body == nil {
		return
	}
	id := d.store.NewID()
	d.bindings[boundKey{x, to, key, binding.Identity(args)}] = id
	d.define(persistence.KindBinding, id, body)
}

func (d *definitions) removeBindings(x *exchange.Exchange, removed ...exchange.Binding) {
	if len(d.bindings) == 0 {
		return
	}
	for _, b := range removed {
		key := boundKey{x, b.Destination, b.Key, binding.Identity(b.Arguments)}
		if id, ok := d.bindings[key]; ok {
			delete(d.bindings, key)
			d.drop(persistence.KindBinding, id)
		}
	}
}

// handOver gives the change under way to the store, all of it or nothing, and
// returns what to wait for once mu is released; nil if nothing was changed.
func (d *definitions) handOver() *commit {
	if d.batch.Empty() {
		return nil
	}
	c := newCommit()
	d.last = c
	d.batch.Wait(c, 0)
	d.store.Write(&d.batch)
	return c
}

// commit is a change of the definitions on its way into the store. Any number of
// goroutines may wait for it.
type commit struct {
	done chan struct{}
	err  error // once done is closed
}

func newCommit() *commit { return &commit{done: make(chan struct{})} }

// Done implements persistence.Waiter.
func (c *commit) Done(_ []uint64, err error) {
	c.err = err
	close(c.done)
}

// await blocks until the change is stored; no lock may be held. A nil commit is
// stored already.
func (c *commit) await() error {
	if c == nil {
		return nil
	}
	<-c.done
	if c.err != nil {
		return fmt.Errorf("store the definition: %w", c.err)
	}
	return nil
}
