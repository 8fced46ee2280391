package server

import (
	"context"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/vhost"
	"github.com/leveretmq/leveret/vhost/auth"
)

// Publishing is a message for Actor.Publish, which copies it.
type Publishing struct {
	Exchange, Key string
	// Properties are in the form of the wire; none, if empty.
	Properties amqp.Properties
	Body       []byte
}

// Outcome is what became of a Publishing.
type Outcome struct {
	// Routed: there was a queue for it.
	Routed bool
	// Refused: some queue was full and rejects what is published then.
	Refused bool
}

// Publish publishes a message, and returns when all that is to be stored of it is. It
// does not wait for the end of an alarm: then the error is 506. With that of ctx, too,
// nothing was published; one that is under way already is waited for.
func (a *Actor) Publish(ctx context.Context, p Publishing) (Outcome, error) {
	if err := a.mayPublishNow(ctx); err != nil {
		return Outcome{}, err
	}
	if err := may(&a.checker, auth.Write, false, p.Exchange); err != nil {
		return Outcome{}, err
	}
	router := a.vhost.NewRouter()
	defer router.ShowCounts()
	x, err := router.Exchange([]byte(p.Exchange))
	if err != nil {
		return Outcome{}, err
	}
	c := content{exchange: x, key: []byte(p.Key), size: uint64(len(p.Body))}
	if most := a.srv.opts.MaxMessageSize; int64(c.size) > most {
		return Outcome{}, amqp.PreconditionFailed("message size %d is larger than configured max size %d", c.size, most)
	}
	if err := a.fill(&c, p); err != nil {
		return Outcome{}, err
	}
	o := persistence.NewOutcome()
	m := c.take()
	done := router.Publish(x, m, vhost.Ticket{Waiter: o}, &a.fx)
	if a.vhost.Tracing() {
		a.tracer().publish(m, router.Routed(), &a.fx, 0)
	}
	router.CountPublish(x)
	a.srv.countPublish(len(p.Body), done)
	a.carryOut()
	if done.Stored && !done.Refused {
		if err := o.Await(); err != nil {
			return Outcome{}, storeFailed()
		}
	}
	if a.srv.pager != nil {
		a.srv.pager.Await()
	}
	return Outcome{Routed: done.Routed, Refused: done.Refused}, nil
}

// mayPublishNow refuses to publish when nobody can, or waits for it any more.
func (a *Actor) mayPublishNow(ctx context.Context) error {
	if a.srv.failed.Load() != nil {
		return storeFailed()
	}
	if reason, _ := a.srv.alarms.current(); reason != "" {
		return amqp.Errorf(amqp.CodeResourceError, "the broker is %s: publishers wait", reason)
	}
	return ctx.Err()
}

// fill makes the message, if its properties allow it.
func (a *Actor) fill(c *content, p Publishing) error {
	if err := c.replaceProps(p.Properties, nil); err != nil {
		return err
	}
	if err := a.checkContent(c); err != nil {
		return err
	}
	if string(c.info.ReplyTo) == replyTo {
		return amqp.PreconditionFailed("fast reply consumer does not exist")
	}
	c.message = amqp.NewMessage(c.exchange.Name(), c.key, c.props, len(p.Body))
	c.message.AppendBody(p.Body)
	return nil
}
