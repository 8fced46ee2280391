package vhost

import (
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/queue"
)

// QueueNamed returns a queue to look at, whomever it belongs to; nil if there is none
// of that name.
func (v *VHost) QueueNamed(name string) *queue.Queue {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.queues[name]
}

// ExchangeNamed returns an exchange, of which only the immutable fields may be read:
// see package exchange; nil if there is none of that name.
func (v *VHost) ExchangeNamed(name string) *exchange.Exchange {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.exchanges[name]
}
