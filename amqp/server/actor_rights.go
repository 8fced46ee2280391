package server

import (
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost/auth"
)

// MayReadQueue returns nil if the user may read from a queue, else 403.
func (a *Actor) MayReadQueue(name string) error { return a.mayQueue(auth.Read, name) }

// MayReadExchange returns nil if the user may read from an exchange, else 403.
func (a *Actor) MayReadExchange(name string) error { return a.mayExchange(auth.Read, name) }

// MayWriteExchange returns nil if the user may publish to an exchange, whatever the key,
// else 403. The default exchange is "".
func (a *Actor) MayWriteExchange(name string) error { return a.mayExchange(auth.Write, name) }

// MayPublish reports whether the user may publish to an exchange with a routing key.
func (a *Actor) MayPublish(name, key string) bool {
	if a.mayExchange(auth.Write, name) != nil {
		return false
	}
	r := a.rights
	if r == nil || !r.ByTopic(name) || a.vhost.ExchangeType(name) != exchange.TypeTopic {
		return true
	}
	return a.mayTopic(auth.Write, name, key) == nil
}
