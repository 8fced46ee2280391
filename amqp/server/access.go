package server

import (
	"strings"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
)

// maxGrants is how many rights a channel remembers that its user has, as in
// RabbitMQ.
const maxGrants = 12

// grants are what a channel has found its user to be allowed, by rights of one
// version. The oldest makes room for the newest.
type grants struct {
	version uint64
	next    int
	known   [maxGrants]grant
}

type grant struct {
	verb  auth.Verb
	queue bool // else it is an exchange
	name  string
}

// rightsVersion is that of the rights as they are now.
func (c *conn) rightsVersion() uint64 {
	if c.srv.rights == nil {
		return 0
	}
	return c.srv.rights.RightsVersion()
}

// currentRights looks at what the user may do now; nil is nothing.
func (c *conn) currentRights() *auth.Rights {
	version := c.rightsVersion() // first: what comes after may be newer, not older
	if c.rights == nil || version != c.rightsSeen {
		c.rights, c.rightsSeen = c.srv.rights.Rights(c.user.Name, c.vhost.Name()), version
	}
	return c.rights
}

// checkEntry refuses a user who may not enter the vhost.
func (c *conn) checkEntry() error {
	if c.srv.rights != nil && c.currentRights() == nil {
		return amqp.NotAllowed("access to vhost '%s' refused for user '%s'", c.vhost.Name(), c.user.Name)
	}
	return nil
}

// mayQueue refuses what the user may not do with a queue.
func (ch *channel) mayQueue(v auth.Verb, name string) error { return may(ch, v, true, name) }

// mayExchange refuses what the user may not do with an exchange.
func (ch *channel) mayExchange(v auth.Verb, name string) error { return may(ch, v, false, name) }

// may refuses what the user may not do, with RabbitMQ's words for it. Names come as
// the wire has them.
func may[N string | []byte](ch *channel, v auth.Verb, queue bool, name N) error {
	c := ch.conn
	if c.srv.rights == nil {
		return nil
	}
	r := c.currentRights()
	g := ch.grants
	if g == nil || g.version != c.rightsSeen {
		g = &grants{version: c.rightsSeen}
		ch.grants = g
	}
	for i := range g.known {
		if k := &g.known[i]; k.name == string(name) && k.verb == v && k.queue == queue && (i < g.next || g.next >= maxGrants) {
			return nil
		}
	}
	shown, kind := string(name), "exchange"
	switch {
	case queue:
		kind = "queue"
	case shown == "":
		shown = "amq.default"
	}
	if r == nil || !r.May(v, shown) {
		return amqp.AccessRefused("%s access to %s '%s' in vhost '%s' refused for user '%s'",
			v, kind, shown, c.vhost.Name(), c.user.Name)
	}
	g.known[g.next%maxGrants] = grant{v, queue, string(name)}
	g.next++
	return nil
}

// mayTopic refuses a routing key of a topic exchange that the user may not use.
func (ch *channel) mayTopic(v auth.Verb, exchange, key string) error {
	if c := ch.conn; c.rights == nil || !c.rights.MayTopic(v, exchange, key) {
		return amqp.AccessRefused("%s access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'",
			v, key, exchange, c.vhost.Name(), c.user.Name)
	}
	return nil
}

// mayPublish refuses to publish to an exchange, which there need not be. It is
// asked when that is another than the last one, or rights have changed.
func (ch *channel) mayPublish(name []byte, x *exchange.Exchange) error {
	version := ch.conn.rightsVersion()
	if err := may(ch, auth.Write, false, name); err != nil {
		return err
	}
	ch.writable, ch.writableBy = x, version
	return nil
}

// mayPublishKeys refuses routing keys of the message under way for which there are
// topic permissions.
func (ch *channel) mayPublishKeys() error {
	c, r := &ch.content, ch.conn.rights
	if r == nil || !r.ByTopic(c.exchange.Name()) || c.exchange.Type() != exchange.TypeTopic {
		return nil
	}
	err := ch.mayTopic(auth.Write, c.exchange.Name(), string(c.key))
	for i := 0; err == nil && i < len(c.extraKeys); i++ {
		err = ch.mayTopic(auth.Write, c.exchange.Name(), c.extraKeys[i])
	}
	return err
}

// permit returns what a declare asks: may the user configure it, and if it is new and
// names an exchange by an argument, read it and write to that?
func (ch *channel) permit(queue bool, args amqp.Table, argument string) func(string, bool) error {
	return func(name string, create bool) error {
		if !create {
			return may(ch, auth.Configure, queue, name)
		}
		v, _ := args.Get(argument)
		other, ok := v.(string)
		if !ok {
			return nil
		}
		if err := may(ch, auth.Read, queue, name); err != nil {
			return err
		}
		return ch.mayExchange(auth.Write, other)
	}
}

// mayBind refuses to bind, or to unbind, what the user may not: it takes the right to
// write to the destination and to read from the source, with that key. To bind to the
// default exchange is refused by others, with other words.
func (ch *channel) mayBind(source, destination string, toQueue bool, key string) error {
	source, destination = vhost.CleanName(source), vhost.CleanName(destination)
	if err := may(ch, auth.Write, toQueue, destination); err != nil {
		return err
	}
	if source == "" || destination == "" {
		return nil
	}
	if err := ch.mayExchange(auth.Read, source); err != nil {
		return err
	}
	if r := ch.conn.rights; r == nil || !r.ByTopic(source) || ch.conn.vhost.ExchangeType(source) != exchange.TypeTopic {
		return nil
	}
	return ch.mayTopic(auth.Read, source, key)
}

// mayDelete refuses to delete an exchange without the right to configure it; the names
// that nobody may delete are refused by others.
func (ch *channel) mayDelete(name string) error {
	if name = vhost.CleanName(name); name == "" || strings.HasPrefix(name, "amq.") {
		return nil
	}
	return ch.mayExchange(auth.Configure, name)
}
