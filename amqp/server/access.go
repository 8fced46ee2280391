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

// subject is a user in a vhost, with what they may do there as it was looked up last.
// It belongs to one goroutine.
type subject struct {
	by    Authorizer // nil: they may do everything
	user  auth.User
	vhost *vhost.VHost
	// rights are those of the version seen; see current.
	rights *auth.Rights
	seen   uint64
}

// version is that of the rights as they are now.
func (s *subject) version() uint64 {
	if s.by == nil {
		return 0
	}
	return s.by.RightsVersion()
}

// current looks at what the user may do now; nil is nothing.
func (s *subject) current() *auth.Rights {
	version := s.version() // first: what comes after may be newer, not older
	if s.rights == nil || version != s.seen {
		s.rights, s.seen = s.by.Rights(s.user.Name, s.vhost.Name()), version
	}
	return s.rights
}

// checkEntry refuses a user who may not enter the vhost.
func (s *subject) checkEntry() error {
	if s.by != nil && s.current() == nil {
		return amqp.NotAllowed("access to vhost '%s' refused for user '%s'", s.vhost.Name(), s.user.Name)
	}
	return nil
}

// author changes the vhost in the user's name.
func (s *subject) author() vhost.Author { return s.vhost.By(s.user.Name) }

// checker checks what a channel, or an Actor, does. It remembers what its subject, whom
// the channels of a connection share, was granted.
type checker struct {
	who    *subject
	grants *grants // nil until something was asked for
}

// mayQueue refuses what the user may not do with a queue.
func (k *checker) mayQueue(v auth.Verb, name string) error { return may(k, v, true, name) }

// mayExchange refuses what the user may not do with an exchange.
func (k *checker) mayExchange(v auth.Verb, name string) error { return may(k, v, false, name) }

// may refuses what the user may not do, with RabbitMQ's words for it. Names come as
// the wire has them.
func may[N string | []byte](k *checker, v auth.Verb, queue bool, name N) error {
	who := k.who
	if who.by == nil {
		return nil
	}
	r := who.current()
	g := k.grants
	if g == nil || g.version != who.seen {
		g = &grants{version: who.seen}
		k.grants = g
	}
	for i := range g.known {
		if old := &g.known[i]; old.name == string(name) && old.verb == v && old.queue == queue && (i < g.next || g.next >= maxGrants) {
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
			v, kind, shown, who.vhost.Name(), who.user.Name)
	}
	g.known[g.next%maxGrants] = grant{v, queue, string(name)}
	g.next++
	return nil
}

// mayTopic refuses a routing key of a topic exchange that the user may not use.
func (k *checker) mayTopic(v auth.Verb, exchange, key string) error {
	if who := k.who; who.rights == nil || !who.rights.MayTopic(v, exchange, key) {
		return amqp.AccessRefused("%s access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'",
			v, key, exchange, who.vhost.Name(), who.user.Name)
	}
	return nil
}

// mayPublish refuses to publish to an exchange, which there need not be. It is
// asked when that is another than the last one, or rights have changed.
func (ch *channel) mayPublish(name []byte, x *exchange.Exchange) error {
	version := ch.who.version()
	if err := may(&ch.checker, auth.Write, false, name); err != nil {
		return err
	}
	ch.writable, ch.writableBy = x, version
	return nil
}

// mayPublishKeys refuses routing keys of a message for which there are topic
// permissions. mayPublish, or may, was asked before.
func (k *checker) mayPublishKeys(c *content) error {
	r := k.who.rights
	if r == nil || !r.ByTopic(c.exchange.Name()) || c.exchange.Type() != exchange.TypeTopic {
		return nil
	}
	err := k.mayTopic(auth.Write, c.exchange.Name(), string(c.key))
	for i := 0; err == nil && i < len(c.extraKeys); i++ {
		err = k.mayTopic(auth.Write, c.exchange.Name(), c.extraKeys[i])
	}
	return err
}

// permit returns what a declare asks: may the user configure it, and if it is new and
// names an exchange by an argument, read it and write to that?
func (k *checker) permit(queue bool, args amqp.Table, argument string) func(string, bool) error {
	return func(name string, create bool) error {
		if !create {
			return may(k, auth.Configure, queue, name)
		}
		v, _ := args.Get(argument)
		other, ok := v.(string)
		if !ok {
			return nil
		}
		if err := may(k, auth.Read, queue, name); err != nil {
			return err
		}
		return k.mayExchange(auth.Write, other)
	}
}

// mayBind refuses to bind, or to unbind, what the user may not: it takes the right to
// write to the destination and to read from the source, with that key. To bind to the
// default exchange is refused by others, with other words.
func (k *checker) mayBind(source, destination string, toQueue bool, key string) error {
	source, destination = vhost.CleanName(source), vhost.CleanName(destination)
	if err := may(k, auth.Write, toQueue, destination); err != nil {
		return err
	}
	if source == "" || destination == "" {
		return nil
	}
	if err := k.mayExchange(auth.Read, source); err != nil {
		return err
	}
	if r := k.who.rights; r == nil || !r.ByTopic(source) || k.who.vhost.ExchangeType(source) != exchange.TypeTopic {
		return nil
	}
	return k.mayTopic(auth.Read, source, key)
}

// mayDelete refuses to delete an exchange without the right to configure it; the names
// that nobody may delete are refused by others.
func (k *checker) mayDelete(name string) error {
	if name = vhost.CleanName(name); name == "" || strings.HasPrefix(name, "amq.") {
		return nil
	}
	return k.mayExchange(auth.Configure, name)
}
