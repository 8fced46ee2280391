package server

import (
	"math"
	"strings"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost"
)

// basicPublish begins a publish: what the method alone can tell is checked now,
// the content comes in the next frames [1.8.3.7].
func (ch *channel) basicPublish(args []byte) error {
	m, err := amqp.ParsePublish(args)
	if err != nil {
		return err
	}
	if m.Immediate {
		return amqp.NotImplemented("immediate=true")
	}
	c := &ch.content
	c.exchange, err = ch.router.Exchange(m.Exchange)
	if err != nil || c.exchange != ch.writable || ch.writableBy != ch.who.version() {
		if denied := ch.mayPublish(m.Exchange, c.exchange); denied != nil {
			return denied
		}
	}
	if err != nil {
		return err
	}
	c.mandatory = m.Mandatory
	c.key = append(c.key[:0], m.RoutingKey...)
	c.want = wantHeader
	return nil
}

// checkPublish looks at the few properties that the broker acts upon. It may
// replace the property list.
func (ch *channel) checkPublish() error {
	if err := ch.checkContent(&ch.content); err != nil {
		return err
	}
	if string(ch.content.info.ReplyTo) == replyTo {
		return ch.rewriteReplyTo()
	}
	return nil
}

// checkContent is checkPublish but for direct reply-to.
func (k *checker) checkContent(c *content) error {
	c.expiration, c.extraKeys = amqp.NoExpiration, nil
	info := &c.info
	if info.UserID != nil {
		if err := k.checkUserID(string(info.UserID)); err != nil {
			return err
		}
	}
	if info.Expiration != nil {
		ms, err := parseExpiration(string(info.Expiration))
		if err != nil {
			return err
		}
		c.expiration = ms
	}
	if info.HasHeaders {
		if err := c.readExtraKeys(); err != nil {
			return err
		}
	}
	return k.mayPublishKeys(c)
}

// checkUserID sees to it that a message does not claim another sender than the
// user who sent it.
func (k *checker) checkUserID(id string) error {
	if user := &k.who.user; id != user.Name && !user.Impersonator() {
		return amqp.PreconditionFailed("user_id property set to '%s' but authenticated user was '%s'", id, user.Name)
	}
	return nil
}

// maxExpiration is ten years in milliseconds, RabbitMQ's limit.
const maxExpiration = 315360000000

// parseExpiration reads the expiration property, milliseconds as text, with
// RabbitMQ's (Erlang's) idea of a number and its words for what is none.
func parseExpiration(s string) (ms int64, err error) {
	bad := func(format string, args ...any) error {
		return amqp.PreconditionFailed("invalid expiration '"+strings.ReplaceAll(s, "%", "%%")+"': "+format, args...)
	}
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 {
		digits = ""
	}
	n := 0
	for n < len(digits) && digits[n] >= '0' && digits[n] <= '9' {
		if ms < math.MaxInt64/10-9 {
			ms = ms*10 + int64(digits[n]-'0')
		}
		n++
	}
	number := strings.TrimLeft(digits[:n], "0")
	negative := strings.HasPrefix(s, "-")
	switch {
	case n == 0:
		return 0, bad("no_integer")
	case n < len(digits):
		return 0, bad("{leftover_string,\"%s\"}", digits[n:])
	case negative && number != "":
		return 0, bad("{value_negative,-%s}", number)
	case ms > maxExpiration:
		return 0, bad("{value_too_large,%s}", number)
	}
	return ms, nil
}

// readExtraKeys collects the routing keys of CC and BCC, and takes BCC out of
// what the consumers see.
func (c *content) readExtraKeys() error {
	for _, name := range []string{"CC", "BCC"} {
		v, ok, err := amqp.LookupField(c.info.Headers, name)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		keys, ok := v.(amqp.Array)
		if !ok {
			return amqp.PreconditionFailed(`invalid message: {unacceptable_type_in_header,"%s",%s}`, name, amqp.TypeName(v))
		}
		for _, key := range keys {
			if key, ok := key.(string); ok {
				c.extraKeys = append(c.extraKeys, key)
			}
		}
		if name == "BCC" {
			headers, err := c.props.Headers()
			if err != nil {
				return err
			}
			return c.replaceProps(c.props.WithHeaders(headers.Without("BCC")))
		}
	}
	return nil
}

// replaceProps takes a changed property list.
func (c *content) replaceProps(p amqp.Properties, err error) error {
	if err != nil {
		return err
	}
	c.props = append(c.props[:0], p...)
	c.info, err = c.props.Scan()
	return err
}

// publish routes a whole message, or keeps it for the commit.
func (ch *channel) publish(x *exchange.Exchange, m *amqp.Message, mandatory bool) error {
	if err := ch.conn.notePublish(); err != nil {
		return err
	}
	if ch.tx != nil {
		ch.tx.publishes = append(ch.tx.publishes, pendingPublish{x, m, mandatory})
		ch.changed()
		return nil
	}
	if !ch.confirms.on {
		ch.route(x, m, mandatory, vhost.Ticket{})
		return nil
	}
	number := ch.confirms.begin()
	switch p := ch.route(x, m, mandatory, vhost.Ticket{Waiter: ch, Number: number}); {
	case p.Refused:
		ch.confirm(number, refused)
	case !p.Stored: // else the store does it, by Done
		ch.confirm(number, accepted)
	}
	return nil
}

// route gives a message to its queues, and back to its publisher if it has none
// and may not be dropped.
func (ch *channel) route(x *exchange.Exchange, m *amqp.Message, mandatory bool, t vhost.Ticket) vhost.Published {
	ch.count(tallyPublish, 1)
	ch.conn.sizes.note(len(m.Body))
	traced, at := ch.conn.vhost.Tracing(), ch.conn.fx.Posts()
	p := ch.router.Publish(x, m, t, &ch.conn.fx)
	ch.router.CountPublish(x)
	if traced {
		ch.tracer().publish(m, ch.router.Routed(), &ch.conn.fx, at)
	}
	if !p.Routed {
		ch.unroutable(m, mandatory)
	}
	if p.Routed && ch.conn.srv.pager != nil {
		ch.conn.storing += persistence.SizeOf(m)
	}
	return p
}

// unroutable deals with a message that has found no queue.
func (ch *channel) unroutable(m *amqp.Message, mandatory bool) {
	if !mandatory {
		ch.count(tallyDrop, 1)
		return
	}
	ch.count(tallyReturn, 1)
	ch.basicReturn(m)
}

// basicReturn gives an unroutable message back [1.8.3.8]; it comes before the
// message's confirm.
func (ch *channel) basicReturn(m *amqp.Message) {
	out := &ch.conn.out
	out.mu.Lock()
	owesWake := false
	if !out.closed {
		before := out.beginLocked()
		out.buf = amqp.AppendReturn(out.buf, ch.number, amqp.CodeNoRoute, amqp.CodeNoRoute.String(), m.Exchange, m.RoutingKey)
		out.contentLocked(ch.number, m.Properties, m.Body, ch.conn.frameMax)
		owesWake = out.noteLocked(before, false)
	}
	out.mu.Unlock()
	if owesWake {
		ch.conn.fx.Wake(out)
	}
}
